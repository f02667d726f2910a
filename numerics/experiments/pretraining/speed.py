"""Speed as a curve: the ratio of the steps of two arms to an error τ, over a grid of τ.

One target can mislead: the larger final error of both arms is the first plateau of the slower one
where runs are cut off early, and may be met at step 0. So the grid is fixed (rules.toml), for all
networks and tasks of a metric. A seed says something at τ where at least one of its two runs
arrives, after step 0. The other one, if it does not, counts as if it did with its last step, which
is in its favour: a censored ratio is a bound, and half the budget gives no larger effect than all
of it; a run that diverged counts as +∞. A seed's *score* is the median over those τ of log₁₀ of the
ratio.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from epsrank.numerics.experiments.pretraining.runs import Metric, PretrainingRun
from epsrank.numerics.experiments.rules import shared_rules
from epsrank.theory.statistics import MedianInterval, median_interval

#: From a run and its number of steps (∞ allowed) to what is compared: steps, or seconds.
Price = Callable[[PretrainingRun, float], float]


@dataclass(frozen=True)
class SpeedPoint:
    """The ratio at one target."""

    #: τ.
    target: float
    #: log₁₀ of steps, pre-trained over plain, by seed; of seeds that say something at τ.
    ratios: Mapping[int, float]
    #: Runs of each arm that arrive.
    plain_arrive: int
    pretrained_arrive: int

    @property
    def interval(self) -> MedianInterval | None:
        """Median over seeds; None where no seed says anything."""
        return median_interval(list(self.ratios.values())) if self.ratios else None


def targets_of(metric: Metric) -> tuple[float, ...]:
    """Return the grid of a metric, largest first."""
    return tuple(shared_rules("pretraining")["targets"][metric])


def in_steps(run: PretrainingRun, steps: float) -> float:
    """Count steps."""
    return steps


def in_seconds(run: PretrainingRun, steps: float) -> float:
    """Count seconds with the cost of initialising; NaN where they were not measured."""
    if math.isinf(steps):
        return steps
    seconds = run.seconds(steps)
    return math.nan if seconds is None else seconds


def speed_curve(
    plain: Mapping[int, PretrainingRun],
    pretrained: Mapping[int, PretrainingRun],
    targets: Sequence[float],
    price: Price = in_steps,
) -> tuple[SpeedPoint, ...]:
    """Return the ratio at every target, over the seeds that both arms have."""
    seeds = sorted(set(plain) & set(pretrained))
    points = []
    for target in targets:
        arrivals = {s: (plain[s].arrival(target), pretrained[s].arrival(target)) for s in seeds}
        ratios = {
            seed: log_ratio(
                price(pretrained[seed], _at_most(pretrained[seed], b)),
                price(plain[seed], _at_most(plain[seed], a)),
            )
            for seed, (a, b) in arrivals.items()
            # Neither arrives, or one is there before training: nothing is said about speed.
            if min(a, b) > 0 and math.isfinite(min(a, b))
        }
        known = {seed: ratio for seed, ratio in ratios.items() if not math.isnan(ratio)}
        points.append(
            SpeedPoint(
                target,
                known,
                sum(math.isfinite(a) for a, _ in arrivals.values()),
                sum(math.isfinite(b) for _, b in arrivals.values()),
            )
        )
    return tuple(points)


def _at_most(run: PretrainingRun, arrival: float) -> float:
    """Return the arrival, or the last step of a run that was completed and did not arrive."""
    censored = math.isinf(arrival) and run.status == "complete"
    return float(run.steps[-1]) if censored else arrival


def scores(curve: Sequence[SpeedPoint]) -> dict[int, float]:
    """Return each seed's median over the targets that it says something about."""
    seeds = sorted({seed for point in curve for seed in point.ratios})
    return {
        seed: median_interval([p.ratios[seed] for p in curve if seed in p.ratios]).value
        for seed in seeds
    }


def log_ratio(value: float, other: float) -> float:
    """Return log₁₀(value/other) for numbers in [0, ∞]; equal ones give 0."""
    if math.isnan(value) or math.isnan(other):
        return math.nan
    if value == other:
        return 0.0
    if value == 0 or math.isinf(other):
        return -math.inf
    if other == 0 or math.isinf(value):
        return math.inf
    return math.log10(value) - math.log10(other)
