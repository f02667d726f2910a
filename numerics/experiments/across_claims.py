"""Across seeds: whether runs whose rank rises early have losses that fall early (coupling-across).

Of n runs of a setting that differ in the seed alone, R_i(r) is the first step with an ε-rank of at
least r, and L_i(ℓ) the first with a loss of at most ℓ; ∞ where it never comes. The statistic is the
largest Spearman correlation of R(r) and L(ℓ) over a grid of thresholds. The null pairs the rank of
seed i with the loss of seed π(i), and takes the maximum anew for every permutation π.

A fast run is fast in everything, so correlation alone is a common pace. So the test is made again
with control events taken out of the order of both (partial rank correlation): when the norm of the
output layer has grown half-way, and when the first fall of the loss is over. The larger p-value
counts; a pace that these events measure badly remains in part. The power is simulated for these
very records: the loss times that there are, handed to the seeds in the order of their rank times,
with as much noise as leaves a correlation of about 0.8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from epsrank.numerics.experiments.analysis import Finding
from epsrank.numerics.experiments.coupling_claims import LEAST_RUNS, LEVEL, POWER, State, overall
from epsrank.numerics.experiments.histories import History
from epsrank.theory.numbers.arrays import Matrix, Vector

CLAIM = "coupling-across"
# Thresholds of each kind, permutations, simulated records, their noise in places, and the seed.
_THRESHOLDS, _PERMUTATIONS, _SIMULATED, _SEED = 6, 499, 60, 20261130
_NOISE = 0.22


@dataclass(frozen=True, eq=False)
class Arrivals:
    """First-passage times of the runs of a setting."""

    #: Its name.
    setting: str
    #: Runs × thresholds; ∞ where a run never arrives.
    rank: Matrix
    loss: Matrix
    #: Runs × events.
    controls: Matrix

    @cached_property
    def testable(self) -> bool:
        """Whether there are runs enough, whose times differ in both."""
        return len(self.rank) >= LEAST_RUNS and self.rank.size > 0 and self.loss.size > 0

    @cached_property
    def results(self) -> tuple[float, float, float, float]:
        """Correlation, its p-value, the p-value beyond the common pace, and the power."""
        draw = np.random.default_rng(_SEED)
        orders = np.stack([draw.permutation(len(self.rank)) for _ in range(_PERMUTATIONS)])
        plain, partial = np.zeros((len(self.rank), 0)), self.controls
        strength, p = _test(self.rank, self.loss, plain, orders)
        beyond = _test(self.rank, self.loss, partial, orders)[1]
        found = []
        for _ in range(_SIMULATED):
            planted = _planted(self.rank, self.loss, draw)
            found.append(
                max(_test(self.rank, planted, each, orders[:199])[1] for each in (plain, partial))
            )
        return strength, p, beyond, float((np.array(found) <= LEVEL).mean())

    @property
    def state(self) -> State:
        """By the same rule as coupling in a run."""
        if not self.testable:
            return "open"
        _, p, beyond, power = self.results
        if max(p, beyond) <= LEVEL:
            return "holds"
        return "fails" if power >= POWER else "open"

    def row(self) -> dict[str, Any]:
        """Return the setting as a row of a table."""
        names = ("largest correlation", "p", "p beyond a common pace", "power")
        values = self.results if self.testable else (None,) * len(names)
        state = self.state if self.testable else "not testable"
        return {"setting": self.setting, "runs": len(self.rank)} | dict(
            zip(names, values, strict=True)
        ) | {"across seeds": state}  # fmt: skip


def arrivals(setting: str, runs: Sequence[History]) -> Arrivals:
    """Return the times of a setting's completed runs, at thresholds that all of them share."""
    mine = [run for run in runs if run.status == "complete"]
    if not mine:
        empty = np.zeros((0, 0))
        return Arrivals(setting, empty, empty, empty)
    ranks, losses = [run.rank() for run in mine], [run.loss for run in mine]
    # Beyond the second measurement, so that the first rows set no threshold.
    low = float(np.median([rank[1] if len(rank) > 1 else rank[0] for rank in ranks]))
    high = float(np.median([rank.max() for rank in ranks]))
    wanted = np.unique(np.round(np.linspace(low, high, _THRESHOLDS + 2)[1:-1]))
    top = float(np.median([np.nanmax(loss[1:]) if len(loss) > 1 else loss[0] for loss in losses]))
    least = float(np.median([np.nanmin(loss) for loss in losses]))
    levels = np.geomspace(top, least, _THRESHOLDS + 2)[1:-1] if 0 < least < top else np.zeros(0)
    times = [run.steps for run in mine]
    by_rank = _first(times, [rank >= wanted[:, None] for rank in ranks])
    by_loss = _first(times, [loss <= levels[:, None] for loss in losses])
    return Arrivals(setting, _varied(by_rank), _varied(by_loss), _varied(_controls(mine)))


def _first(times: Sequence[Vector], reached: Sequence[NDArray[np.bool_]]) -> Matrix:
    """Return the first time at which each row of truth values is true, ∞ where none is."""
    found = [
        np.where(hits.any(axis=1), time[np.argmax(hits, axis=1)], np.inf)
        for time, hits in zip(times, reached, strict=True)
    ]
    return np.array(found, dtype=np.float64).reshape(len(times), -1)


def _varied(times: Matrix) -> Matrix:
    """Return the columns in which runs differ."""
    return times[:, [len(np.unique(column)) > 2 for column in times.T]]


def _controls(runs: Sequence[History]) -> Matrix:
    """Return when the output layer's norm has grown half-way, and when the first fall is over."""
    reached = []
    for run in runs:
        norm = run.coefficient_norm
        loss = np.minimum.accumulate(np.nan_to_num(run.loss, nan=np.inf))
        half = norm >= (norm[0] + np.nanmax(norm)) / 2
        # A fall is over where the least loss so far falls by less than a tenth in three
        # measurements.
        ahead = np.append(loss[3:], np.full(min(3, len(loss)), loss[-1]))
        reached.append(np.stack([half, ahead >= 0.9 * loss]))
    return _first([run.steps for run in runs], reached)


def _standard(times: Matrix, controls: Matrix) -> Matrix:
    """Return ranks of times without what ranks of the controls explain, of variance 1."""
    if not times.size:
        return times
    ranks = rankdata(times, axis=0)
    paces = rankdata(controls, axis=0) if controls.size else np.zeros((len(times), 0))
    basis = np.column_stack([np.ones(len(times)), paces])
    rest = ranks - basis @ np.linalg.lstsq(basis, ranks, rcond=None)[0]
    size = np.sqrt((rest**2).mean(axis=0))
    # What the controls explain whole has nothing left to be correlated.
    found: Matrix = np.where(size > 1e-9 * len(times), rest / np.maximum(size, 1e-300), 0.0)
    return found


def _test(
    rank: Matrix, loss: Matrix, controls: Matrix, orders: NDArray[np.intp]
) -> tuple[float, float]:
    """Return the largest correlation and its p-value over permutations of the seeds."""
    first, second = _standard(rank, controls), _standard(loss, controls)
    n = len(first)
    strength = float((first.T @ second).max()) / n
    null = np.einsum("pia,ib->pab", first[orders], second).max(axis=(1, 2)) / n
    return strength, (1 + int((null >= strength - 1e-12).sum())) / (1 + len(orders))


def _planted(rank: Matrix, loss: Matrix, draw: np.random.Generator) -> Matrix:
    """Return the loss times in the order of the rank times, with noise."""
    n = len(rank)
    order = np.argsort(rankdata(rank, axis=0).mean(axis=1) + _NOISE * n * draw.normal(size=n))
    # Each run keeps its own times together: a fast one is fast at every level.
    by_speed = loss[np.argsort(rankdata(loss, axis=0).mean(axis=1))]
    found = np.empty_like(loss)
    found[order] = by_speed
    return found


def judge_across(settings: Sequence[Arrivals]) -> Finding:
    """Return the finding; undecided where no setting can be tested."""
    held = [item for item in settings if item.testable]
    if not held:
        return Finding(CLAIM, "undecided", "no setting has enough runs whose times differ")
    found = {item.setting: item.results for item in held}
    pvalues = [max(p, beyond) for _, p, beyond, _ in found.values()]
    whole = min(1.0, len(held) * min(pvalues))
    powers = [power for *_, power in found.values()]
    states = [item.state for item in held]
    together: State = "holds" if whole <= LEVEL else "open"
    if all(state == "fails" for state in states):
        together = "fails"
    said = "; ".join(
        f"{name}: correlation {strength:.2f}, p = {p:.2g}, beyond a common pace {beyond:.2g}, "
        f"power {power:.2f}"
        for name, (strength, p, beyond, power) in found.items()
    )
    judgement = overall(states, together)
    return Finding(
        CLAIM,
        judgement,
        f"Early rank goes with an early drop across seeds, beyond a common pace, in "
        f"{states.count('holds')} of {len(held)} settings. {said}",
        (),
        len(held),
        _witness(held) if judgement in {"regime", "refuted"} else None,
        power=min(powers),
        pvalue=whole,
    )


def _witness(settings: Sequence[Arrivals]) -> Mapping[str, Any] | None:
    return next((item.row() for item in settings if item.state == "fails"), None)
