"""The measure of the inputs: points and weights, from a box by quadrature or from data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import qmc

from epsrank.theory.data.inputs import as_box, as_features, as_whole
from epsrank.theory.data.measure import Measure, as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.kernels.polar import interval_rule
from epsrank.theory.numbers.arrays import Array, Matrix, real_array
from epsrank.theory.shown import Shown
from epsrank.theory.words import plural

#: Points of a box by dimension, where no number is given.
_PER_AXIS = {1: 200, 2: 24, 3: 10}
_SCATTERED_POINTS = 1024


@dataclass(frozen=True, eq=False)
class InputMeasure(Shown):
    """μ = c⁻¹ Σ_i w_i δ_{x_i} on inputs x_i ∈ R^d."""

    #: x_i.
    points: Matrix = field(repr=False)
    #: Weights and their normalisation.
    measure: Measure = field(repr=False)
    #: Where the points come from.
    text: str

    @property
    def dimension(self) -> int:
        """Number d of inputs."""
        return int(self.points.shape[1])

    @property
    def root_weights(self) -> Array:
        """√(w_i/c), shape (N,)."""
        return self.measure.row_factors()

    def __str__(self) -> str:
        return f"{self.text} ({plural(len(self.points), 'point')}, {self.measure.name} measure)"

    def to_json(self) -> dict[str, Any]:
        """Return what describes the measure, without its points."""
        return {
            "text": self.text,
            "n_points": len(self.points),
            "dimension": self.dimension,
            "measure": self.measure.name,
            "mass": float(self.measure.mass),
        }


def data_measure(
    points: Any, *, weights: Any = None, measure: str = "mean", text: str = "data"
) -> InputMeasure:
    """Return the measure of a data set.

    Parameters
    ----------
    points : array_like or tensor, shape (N, d) or (N,)
        Inputs x_i.
    weights : array_like, shape (N,), optional
        w_i ≥ 0; 1 each by default.
    measure : {"mean", "raw", "volume"}
        Normalisation.
    text : str
        Where the points come from.

    Returns
    -------
    InputMeasure
        The measure.
    """
    rows = real_array(points, "points")
    checked = as_features(rows[:, None] if rows.ndim == 1 else rows, name="points").values
    return InputMeasure(checked, as_measure(measure, weights, len(checked)), text)


def box_measure(domain: Any, *, measure: str = "mean", n_points: int | None = None) -> InputMeasure:
    """Return the uniform measure of a box: mass 1 (``mean``) or |Ω| (``volume``).

    Up to three dimensions the points are those of a Gauss–Legendre product rule, which integrates
    products of smooth features to rounding; above, a scrambled Sobol set.

    Parameters
    ----------
    domain : array_like, shape (2,) or (d, 2)
        Intervals [a, b].
    measure : {"mean", "volume"}
        Normalisation.
    n_points : int, optional
        Number of points; a product rule takes the next power m^d. By default 200, 24², 10³, or
        1024 scattered points.

    Returns
    -------
    InputMeasure
        The measure.

    Raises
    ------
    InputError
        If the box is degenerate, the measure another, or the number of points less than 1.
    """
    box = as_box(domain)
    low, high = box.T
    if measure not in {"mean", "volume"}:
        raise InputError("measure", f"is {measure!r}", "choose 'mean' or 'volume' for a box")
    if n_points is not None:
        n_points = as_whole(n_points, "n_points")
    unit, weights = _unit_rule(len(box), n_points)
    volume = math.prod((high - low).tolist())
    rule = as_measure(measure, weights * volume, len(unit))
    return InputMeasure(low + (high - low) * unit, rule, f"uniform on {box_text(box)}")


def box_text(box: Matrix) -> str:
    """Write a box such as [-1, 1]²."""
    intervals = [f"[{low:g}, {high:g}]" for low, high in box.tolist()]
    if len(set(intervals)) > 1:
        return " × ".join(intervals) if len(box) <= 3 else f"a box of R^{len(box)}"
    return intervals[0] if len(box) == 1 else f"{intervals[0]}^{len(box)}"


def _unit_rule(dimension: int, count: int | None) -> tuple[Array, Array]:
    """Return points and weights (sum 1) of the unit cube."""
    if dimension in _PER_AXIS:
        axis = _PER_AXIS[dimension]
        if count is not None:
            # 1e-9, for the root of an exact power m^d may be rounded above m.
            axis = max(1, math.ceil(count ** (1 / dimension) - 1e-9))
        nodes, weights = interval_rule(axis)
        grid = np.stack(np.meshgrid(*[nodes] * dimension, indexing="ij"), axis=-1)
        product = weights
        for _ in range(dimension - 1):
            product = np.multiply.outer(product, weights)
        return grid.reshape(-1, dimension), product.ravel()
    number = _SCATTERED_POINTS if count is None else count
    sobol = qmc.Sobol(dimension, scramble=True, rng=np.random.default_rng(0))
    # Sobol sets are balanced in powers of two, and SciPy warns about other numbers.
    points = sobol.random(2 ** math.ceil(math.log2(max(number, 2))))[:number]
    return points, np.full(number, 1 / number)
