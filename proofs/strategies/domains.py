"""Where inputs lie: intervals, boxes, and data sets that a first layer can be placed over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from epsrank.theory.numbers.arrays import Array

if TYPE_CHECKING:
    from epsrank.theory.kernels.input_measure import InputMeasure


@dataclass(frozen=True, eq=False)
class Domain:
    """Where inputs lie: a box Ω, or a data set; one of the two.

    Attributes
    ----------
    box : tuple of (float, float), or None
        One interval [a, b] per input.
    data : ndarray of float64 of shape (N, d) or (N, C, H, W), or None
        Samples, or images.
    """

    box: tuple[tuple[float, float], ...] | None = None
    data: Array | None = None

    @property
    def n_inputs(self) -> int:
        """Number d of inputs, or of channels C."""
        if self.box is not None:
            return len(self.box)
        assert self.data is not None
        return int(self.data.shape[1])

    def measure(self) -> InputMeasure:
        """Return the uniform measure of mass 1, with points and weights.

        Returns
        -------
        InputMeasure
            Of a box its Gauss–Legendre points (up to three inputs), of data the samples.
        """
        from epsrank.theory.kernels.input_measure import box_measure, data_measure

        if self.box is not None:
            return box_measure(self.box)
        assert self.data is not None
        return data_measure(self.data.reshape(len(self.data), -1))


def boxes(
    n_inputs: int,
    *,
    corners: tuple[float, float] = (-8.0, 4.0),
    sides: tuple[float, float] = (0.25, 8.0),
) -> st.SearchStrategy[list[tuple[float, float]]]:
    """Draw a box whose corners are multiples of 1/4.

    Parameters
    ----------
    n_inputs : int
        Number d of inputs.
    corners : (float, float)
        Least and largest lower corner.
    sides : (float, float)
        Least and largest length of a side.

    Returns
    -------
    SearchStrategy of list of (float, float)
        One interval [a, b] per input.
    """
    low, high = (round(4 * end) for end in corners)
    least, most = (round(4 * end) for end in sides)
    starts = st.lists(st.integers(low, high), min_size=n_inputs, max_size=n_inputs)
    lengths = st.lists(st.integers(least, most), min_size=n_inputs, max_size=n_inputs)
    return st.tuples(starts, lengths).map(
        lambda drawn: [(a / 4, (a + side) / 4) for a, side in zip(*drawn, strict=True)]
    )


def intervals() -> st.SearchStrategy[tuple[float, float]]:
    """Draw an interval [a, b], −8 ≤ a < b ≤ 12, with multiples of 1/4.

    Returns
    -------
    SearchStrategy of (float, float)
        The strategy.
    """
    return boxes(1).map(lambda box: box[0])


@st.composite
def data_sets(
    draw: st.DrawFn, n_inputs: int | tuple[int, int, int] = 2, max_samples: int = 24
) -> Array:
    """Draw samples, or images, that are not all the same: multiples of 1/8 in [−4, 4].

    Parameters
    ----------
    draw : callable
        Supplied by Hypothesis.
    n_inputs : int, or (int, int, int)
        Number d of inputs, or channels, height and breadth of images.
    max_samples : int
        Largest N, at least 2.

    Returns
    -------
    ndarray of float64, shape (N, d) or (N, C, H, W)
        The data.
    """
    sizes = (n_inputs,) if isinstance(n_inputs, int) else n_inputs
    shape = (draw(st.integers(2, max_samples)), *sizes)
    values = draw(hnp.arrays(np.int64, shape, elements=st.integers(-32, 32), fill=st.nothing()))
    # Neither a constant data set, nor images without a pattern, can place an offset.
    values.reshape(-1)[0] += 1 if np.ptp(values) == 0 else 0
    if (values == values[:1]).all():
        values[0] += 1
    return values / 8.0


@st.composite
def domains(draw: st.DrawFn, max_inputs: int = 3) -> Domain:
    """Draw where inputs lie: an interval, a box, or a data set.

    Parameters
    ----------
    draw : callable
        Supplied by Hypothesis.
    max_inputs : int
        Largest d.

    Returns
    -------
    Domain
        The domain.
    """
    d = draw(st.integers(1, max_inputs))
    if draw(st.booleans()):
        return Domain(box=tuple(draw(boxes(d))))
    return Domain(data=draw(data_sets(d)))
