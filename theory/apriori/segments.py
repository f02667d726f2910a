"""N3: how far p ReLU neurons can come, at best, by the optimal segmented straight-line fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsrank.theory.apriori.piece_costs import PieceCosts, piece_bounds
from epsrank.theory.apriori.samples import LineSamples, line_samples
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.numbers.arrays import Array, Vector
from epsrank.theory.numbers.dyadic import root_above, root_below
from epsrank.theory.shown import Shown
from epsrank.theory.words import plural

# Rows of the dynamic program that share one window of candidates.
_ROWS_PER_WINDOW = 16

# Relative rounding of a sum of at most 2^12 non-negative numbers, with room.
_SUM_ROUNDING = 2.0**-40


@dataclass(frozen=True, eq=False)
class SegmentedDistances(Shown):
    """D_p ≤ E_p ≤ D_⌊(p−2)/2⌋: networks with p ReLU neurons against p + 1 straight pieces (N3).

    D_p is the distance from u* to functions that are a straight line on each of p + 1 contiguous
    pieces of the data, with jumps allowed. A network x ↦ Σ_{j≤p} c_j relu(w_j x + b_j) + c_0 is one
    of them, so E_p ≥ D_p. A jump between two data points is two breaks, and a straight line takes
    two more neurons, so E_p ≤ D_m for 2m + 2 ≤ p. All are norms in the measure.

    Attributes
    ----------
    lower, upper : ndarray of float64, shape (P + 1,)
        Certified lower ≤ D_p ≤ upper for p = 0…P.
    knots : tuple of ndarray of float64
        For each p the points at which the pieces of an optimal fit begin, the first piece left out.
    target_norm : float
        ‖u*‖, rounded up.
    n_samples, n_points : int
        Samples of positive weight, and distinct points among them.
    measure : str
        Measure of the norms.
    """

    lower: Vector
    upper: Vector
    knots: tuple[Array, ...] = field(repr=False)
    target_norm: float
    n_samples: int
    n_points: int
    measure: str

    @property
    def network_upper(self) -> Array:
        """Certified upper bounds of E_p itself, p = 0…P: ‖u*‖ at p < 2, D_⌊(p−2)/2⌋ from there."""
        bounds = [self.target_norm] * min(2, len(self.lower))
        bounds += [float(self.upper[(p - 2) // 2]) for p in range(2, len(self.lower))]
        return np.minimum.accumulate(np.array(bounds))

    def at(self, p: int) -> float:
        """Return a certified lower bound of E_p for any p ≥ 0; 0 beyond what was computed.

        Parameters
        ----------
        p : int
            Number of neurons.

        Returns
        -------
        float
            The bound, non-increasing in p.
        """
        return float(self.lower[p]) if p < len(self.lower) else 0.0

    def __str__(self) -> str:
        last = len(self.lower) - 1
        return (
            f"E_0 ≥ {self.lower[0]:.4g}, E_{last} ≥ {self.lower[last]:.4g} for ReLU networks of "
            f"one hidden layer on {plural(self.n_points, 'point')} ({self.measure} measure)"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the distances as plain data.

        Returns
        -------
        dict
            Keys ``measure``, ``n_samples``, ``n_points``, ``lower``, ``upper``, ``network_upper``,
            ``knots``.
        """
        return {
            "measure": self.measure,
            "n_samples": self.n_samples,
            "n_points": self.n_points,
            "lower": self.lower.tolist(),
            "upper": self.upper.tolist(),
            "network_upper": self.network_upper.tolist(),
            "knots": [points.tolist() for points in self.knots],
        }


def relu_distances(
    points: Any,
    target: Any,
    neurons: int,
    *,
    weights: Any = None,
    measure: Any = "mean",
) -> SegmentedDistances:
    """Bound E_p = inf over one-hidden-layer ReLU networks with p neurons of ‖v − u*‖, p = 0…P (N3).

    Dynamic programming over the last piece, D_p²(j) = min_i D_{p−1}²(i − 1) + cost(i, j), exact
    over all partitions: O(N²P) time at most, O(NP) memory. The cost of straight pieces violates the
    quadrangle inequality (u* = 1, 1, 0, 0 at four equal steps: ⅙ + ⅙ > ⅕ + 0), so the faster
    searches that rest on it are wrong here; what is left out is what monotone bounds exclude.
    Every cost is a certified lower bound, and so is the result; the optimal partition found is
    then bounded from above. The output layer may have a bias, and u* several components.

    Parameters
    ----------
    points : array_like, shape (N,) or (N, 1)
        x, in any order; equal points are one point.
    target : array_like, shape (N,) or (N, k)
        u* at the points.
    neurons : int
        P ≥ 0.
    weights : array_like, shape (N,), optional
        Sample weights.
    measure : {"mean", "raw", "volume"}
        Normalisation of the weights.

    Returns
    -------
    SegmentedDistances
        Certified bounds for every p = 0…P.

    Raises
    ------
    InputError
        If an argument cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 200)
    >>> found = relu_distances(x, np.abs(x), 2)
    >>> bool(found.lower[0] > 0.1), bool(found.upper[1] < 1e-6)
    (True, True)
    """
    count = as_whole(neurons, "neurons", least=0)
    samples = line_samples(points, target, weights, measure)
    best, choices = _optimal(samples, min(count, samples.n_groups - 1))
    upper, knots = [], []
    for p in range(len(best)):
        starts = _partition(choices, p, samples.n_groups)
        ends = [*(start - 1 for start in starts[1:]), samples.n_groups - 1]
        cost = sum(piece_bounds(samples, i, j)[1] for i, j in zip(starts, ends, strict=True))
        upper.append(root_above(Fraction(cost * (1 + _SUM_ROUNDING)) * samples.unit))
        begins = samples.x[samples.starts[starts[1:]]]
        knots.append(np.ldexp(begins, samples.x_exponent))
    lower = [root_below(Fraction(value * (1 - _SUM_ROUNDING)) * samples.unit) for value in best]
    # More breaks than gaps between points change nothing more.
    missing = count + 1 - len(lower)
    total = sum((Fraction(w) * _square(row) for w, row in zip(samples.w, samples.y, strict=True)),
                Fraction(0))  # fmt: skip
    return SegmentedDistances(
        lower=np.minimum.accumulate(np.array(lower + lower[-1:] * missing)),
        upper=np.minimum.accumulate(np.array(upper + upper[-1:] * missing)),
        knots=(*knots, *(knots[-1:] * missing)),
        target_norm=root_above(total * samples.unit),
        n_samples=len(samples.x),
        n_points=samples.n_groups,
        measure=samples.measure.name,
    )


def _square(row: Array) -> Fraction:
    """Return Σ v² exactly."""
    return sum((Fraction(float(v)) ** 2 for v in row), Fraction(0))


def _optimal(samples: LineSamples, breaks: int) -> tuple[list[float], NDArray[np.int32]]:
    """Return the least sum of lower costs for 0…breaks breaks, and where the last pieces begin."""
    groups = samples.n_groups
    # Row q, column j + 1: groups 0…j in at most q + 1 pieces; column 0: nothing yet.
    least = np.zeros((breaks + 1, groups + 1))
    choices = np.zeros((breaks + 1, groups), dtype=np.int32)
    costs = PieceCosts(samples)
    work = np.empty((_ROWS_PER_WINDOW, groups))
    for j in range(groups):
        # A piece inside another costs no more, so the largest bound to the right is one as well:
        # the bounds fall with the start, exactly, and the search below can leave most of them out.
        cost = np.maximum.accumulate(costs.advance()[::-1])[::-1]
        least[0, j + 1] = cost[0]
        if breaks:
            _extend(least, choices, cost, work, j)
        # More points cost no less: the bounds rise with j, exactly.
        np.maximum(least[:, j + 1], least[:, j], out=least[:, j + 1])
    return [float(value) for value in least[:, groups]], choices


def _extend(least: Array, choices: NDArray[np.int32], cost: Array, work: Array, j: int) -> None:
    """Fill column j + 1 with min_i least[q − 1, i] + cost[i] for every q ≥ 1.

    A start i can beat a known sum b only if cost[i] < b and least[q − 1, i] < b; both are monotone
    in i, so what is left is a window.
    """
    breaks = len(least) - 1
    known = choices[1:, j - 1].astype(np.intp) if j else np.zeros(breaks, dtype=np.intp)
    bounds = least[np.arange(breaks), known] + cost[known]
    rising = -cost
    for start in range(0, breaks, _ROWS_PER_WINDOW):
        stop = min(start + _ROWS_PER_WINDOW, breaks)
        most = float(np.max(bounds[start:stop]))
        low = int(np.searchsorted(rising, -most, side="right"))
        # Rows fall with q, so the last row of the block reaches furthest.
        high = int(np.searchsorted(least[stop - 1, : j + 1], most))
        if low >= high:
            least[start + 1 : stop + 1, j + 1] = bounds[start:stop]
            choices[start + 1 : stop + 1, j] = known[start:stop]
            continue
        sums = work[: stop - start, : high - low]
        np.add(least[start:stop, low:high], cost[low:high], out=sums)
        index = np.argmin(sums, axis=1)
        found = sums[np.arange(stop - start), index]
        before = bounds[start:stop]
        better = found < before
        least[start + 1 : stop + 1, j + 1] = np.where(better, found, before)
        choices[start + 1 : stop + 1, j] = np.where(better, index + low, known[start:stop])


def _partition(choices: NDArray[np.int32], breaks: int, groups: int) -> list[int]:
    """Return the groups at which the pieces of an optimal fit begin, the first being 0."""
    starts: list[int] = []
    last, q = groups - 1, breaks
    while True:
        start = int(choices[q, last]) if q else 0
        starts.append(start)
        if start == 0:
            return starts[::-1]
        last, q = start - 1, q - 1
