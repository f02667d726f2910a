"""Together: whether drops of the loss follow growth of the rank in a run, with the test's power.

The drops of a run are few, so that a test of one run can say little: with m drops at a mean lag of
a fraction f of the record, after one burst of growth each, the best possible p is (m f)^m / m!.
Hence the power is simulated for the very record, and runs of a setting are asked together.

Let G be the growth of the rank beyond the first plateau's beginning, as increments of its largest
value so far; what the first rows show is no part of it. The statistic is the share of G that lies
in a window *before* each drop, rank first, weighed by 1 − lag/window and summed over the drops.
Under the null the drops fall anywhere, independently of the rank: uniformly in steps, and uniformly
in the logarithm of steps (both series may be fast at first and slow later without having to do with
each other); the larger p-value counts. For the power each drop is planted after an increment of the
rank, drawn by size, at a lag of at most a fifth of the window. A rank that hardly grows, being
saturated or flat, leaves nothing to test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from epsrank.numerics.staircase.coupling import as_rank
from epsrank.numerics.staircase.result import Staircase
from epsrank.numerics.staircase.series import as_vector
from epsrank.theory.numbers.arrays import Array, Matrix, Vector

# The window before a drop, and the lags of planted drops, as shares of the record.
WINDOW, PLANTED_LAG = 0.25, 0.05
# A rank that grows by less leaves nothing to be coupled with.
_LEAST_GROWTH = 2.0
# Draws of the null and of planted drops, and their seed: the same record has the same p-value.
DRAWS, PLANTED, _SEED = 999, 200, 20261130
LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class Together:
    """What a run says: a statistic, its null by clock, what it would be if drops were planted."""

    #: Drops that were looked at.
    drops: int
    #: From the middle of the rank's growth around each drop to the drop, as a share of the record:
    #: positive where the rank grows first.
    lags: tuple[float, ...]
    #: Share of the growth in the windows before drops; None where nothing can be tested.
    statistic: float | None
    #: One sentence.
    reason: str
    #: Draws of the statistic: clocks × draws under the null, and planted.
    null: Matrix = field(repr=False, default_factory=lambda: np.zeros((2, 0)))
    planted: Vector = field(repr=False, default_factory=lambda: np.zeros(0))

    @property
    def pvalue(self) -> float | None:
        """Of this run alone."""
        return combined_pvalue([self])

    @property
    def power(self) -> float | None:
        """Of a test of this run alone."""
        return combined_power([self])

    @property
    def best_pvalue(self) -> float | None:
        """(m f)^m / m!, f the mean lag: less no test of so many drops could have found."""
        lags = [abs(lag) for lag in self.lags]
        if not lags:
            return None
        m = len(lags)
        return min(1.0, float(np.sum(lags)) ** m / math.factorial(m))

    @property
    def lift(self) -> float | None:
        """Statistic over its mean under the null, by the clock that has more of it."""
        if self.statistic is None:
            return None
        usual = float(self.null.mean(axis=1).max())
        return self.statistic / usual if usual > 0 else None


def together(found: Staircase, times: Any, rank: Any) -> Together:
    """Ask whether the drops of a loss follow growth of a rank.

    `found`: what `detect_staircase` says of the loss; `times`: steps of its measurements; `rank`:
    ranks there, or lower and upper ends of their intervals.
    """
    clock = as_vector(times, "times", found.length)
    middle = as_rank(rank, found.length).mean(axis=0)
    if not found.found:
        return Together(0, (), None, "the loss has no drop")
    first = found.plateaus[0].start
    # The rank's largest value so far: what is lost and won again is no growth.
    known = np.where(np.isfinite(middle), middle, -np.inf)
    growth = np.diff(np.maximum.accumulate(known[first:]))
    growth = np.where(np.isfinite(growth), growth, 0.0)
    drops = [step.index for step in found.found]
    if growth.sum() < _LEAST_GROWTH:
        reason = "the rank is saturated, or hardly grows, beyond the first fall: not testable"
        return Together(len(drops), (), None, reason)
    at = clock[first + 1 :]
    start, end = float(clock[first]), float(clock[-1])
    span = end - start
    window, share = WINDOW * span, growth / growth.sum()
    mass, moment = (np.concatenate([[0.0], np.cumsum(each)]) for each in (share, share * at))

    def statistic(places: Array) -> Array:
        """Return Σ_τ Σ_{σ in (τ − window, τ]} share(σ)·(1 − (τ − σ)/window), over the last axis."""
        upper = np.searchsorted(at, places, side="right")
        lower = np.searchsorted(at, places - window, side="right")
        near = (mass[upper] - mass[lower]) * (1 - places / window)
        found: Array = (near + (moment[upper] - moment[lower]) / window).sum(axis=-1)
        return found

    places = np.array([clock[index] for index in drops], dtype=np.float64)
    draw = np.random.default_rng([_SEED, len(drops), found.length])
    size = (DRAWS, len(drops))
    # A record that starts at step 0 has its first step for the origin of the logarithm.
    low = math.log(max(start, float(at[0] - start), 1e-300))
    uniform = [
        draw.uniform(start, end, size),
        np.exp(draw.uniform(min(low, math.log(end)), math.log(end), size)),
    ]
    bursts = draw.choice(at, (PLANTED, len(drops)), p=share)
    planted = bursts + draw.uniform(0, PLANTED_LAG * span, bursts.shape)
    return Together(
        len(drops),
        _lags(found, clock, first, growth, places, span),
        float(statistic(places)),
        f"the rank's growth before {len(drops)} drops, against drops anywhere",
        np.stack([statistic(each) for each in uniform]),
        statistic(np.minimum(planted, end)),
    )


def _lags(
    found: Staircase, clock: Vector, first: int, growth: Vector, places: Vector, span: float
) -> tuple[float, ...]:
    """Return the signed lag of each drop behind the growth between the middles of its plateaus."""
    middles = [clock[(p.start + p.end) // 2] for p in found.plateaus]
    at, lags = clock[first + 1 :], []
    for index, place in enumerate(places):
        low = middles[index] if index < len(middles) else clock[first]
        high = middles[index + 1] if index + 1 < len(middles) else clock[-1]
        inside = (at > low) & (at <= high) & (growth > 0)
        if inside.any():
            half = np.cumsum(growth[inside])
            centre = at[inside][int(np.searchsorted(half, half[-1] / 2))]
            lags.append(float((place - centre) / span))
    return tuple(lags)


def combined_pvalue(runs: Sequence[Together]) -> float | None:
    """Return the p-value of runs of different seeds together; None where none can be tested."""
    held = [run for run in runs if run.statistic is not None]
    if not held:
        return None
    total = sum(run.statistic for run in held if run.statistic is not None)
    null = _shuffled(held)
    return float(_pvalues(null, np.array([total]))[0])


def combined_power(runs: Sequence[Together]) -> float | None:
    """Return how often that p-value would be at most 0.05 if drops followed growth throughout."""
    held = [run for run in runs if run.statistic is not None]
    if not held:
        return None
    draw = np.random.default_rng(_SEED)
    planted = np.sum([draw.permutation(run.planted) for run in held], axis=0)
    return float((_pvalues(_shuffled(held), planted) <= LEVEL).mean())


def _shuffled(runs: Sequence[Together]) -> Array:
    """Return the null of the sum: draws of different runs are independent of each other."""
    draw = np.random.default_rng(_SEED)
    found: Array = np.sum([draw.permutation(run.null, axis=1) for run in runs], axis=0)
    return found


def _pvalues(null: Array, totals: Array) -> Array:
    """Return (1 + #{draws that do as well}) / (1 + #draws), by the clock that is less kind."""
    # Ties are rounding: they count against the coupling.
    at_least = (null[:, None, :] >= totals[None, :, None] - 1e-12).sum(axis=-1)
    found: Array = ((1 + at_least) / (1 + null.shape[1])).max(axis=0)
    return found
