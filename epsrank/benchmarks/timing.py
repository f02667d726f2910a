"""Interleaved timing: ratios of neighbours in time, and intervals that assume no distribution."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from epsrank.theory.statistics import median_interval

Action = Callable[[], Any]

_RESAMPLES = 2000


@dataclass(frozen=True)
class Ratio:
    """A ratio of two durations, with an interval."""

    #: Median of the rounds' ratios, or ratio of the sums.
    value: float
    #: Ends of the interval.
    low: float
    high: float
    #: Probability that the interval covers what it estimates, for independent rounds; below 0.95
    #: where there are too few of them.
    coverage: float
    #: Rounds behind it.
    rounds: int

    def to_json(self) -> dict[str, Any]:
        """Return the ratio as plain data."""
        return dict(vars(self))


@dataclass(frozen=True)
class Timings:
    """What interleaved actions took, round by round."""

    #: Per action, in order of the rounds.
    seconds: dict[str, list[float]] = field(default_factory=dict)
    #: What the last call of each action returned.
    answers: dict[str, Any] = field(default_factory=dict)

    def median(self, name: str) -> float:
        """Return the median seconds of an action."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str, base: str) -> Ratio:
        """Return how many times as long an action took as another one, paired by round."""
        return median_ratio(self.seconds[name], self.seconds[base])


def interleaved(
    actions: Mapping[str, Action], rounds: int, *, rest: float = 0.0, warm_up: int = 1
) -> Timings:
    """Time every action once per round, in turn.

    A noisy machine then slows all of them alike. Every round starts with another action, so that
    none always runs in the wake of the same neighbour.
    """
    names = list(actions)
    timings = Timings({name: [] for name in names})
    # Turns below 0 warm up: libraries load, caches fill, and nothing is kept.
    for turn in range(-warm_up, rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            if rest and turn >= 0:
                time.sleep(rest)
            start = time.perf_counter()
            answer = actions[name]()
            taken = time.perf_counter() - start
            if turn >= 0:
                timings.seconds[name].append(taken)
                timings.answers[name] = answer
    return timings


def median_ratio(numerator: Sequence[float], denominator: Sequence[float]) -> Ratio:
    """Return the median of paired ratios, between two of them by order statistics.

    With m independent rounds the k-th smallest and k-th largest ratio enclose the median of their
    distribution with probability 1 − 2·P(Bin(m, ½) < k), whatever the distribution.
    """
    found = median_interval([a / b for a, b in zip(numerator, denominator, strict=True)])
    return Ratio(found.value, found.low, found.high, found.coverage, found.count)


def total_ratio(numerator: Sequence[float], denominator: Sequence[float], seed: int) -> Ratio:
    """Return the ratio of the sums, with the 95 % percentile interval of a bootstrap over rounds.

    Rare expensive rounds count here, which a median does not see.
    """
    above, below = np.asarray(numerator), np.asarray(denominator)
    # Whole rounds are drawn, so that both durations of one stay together.
    drawn = np.random.default_rng(seed).integers(len(above), size=(_RESAMPLES, len(above)))
    low, high = np.quantile(above[drawn].sum(1) / below[drawn].sum(1), [0.025, 0.975])
    return Ratio(float(above.sum() / below.sum()), float(low), float(high), 0.95, len(above))
