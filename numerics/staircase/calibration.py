"""The null distribution of the evidence for steps, simulated once and kept as a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache, partial
from importlib.resources import files
from typing import Any

import numpy as np

from epsrank.numerics.processes.pool import carry_out, in_order
from epsrank.numerics.staircase.evidence import NOTHING, Evidence, evidence
from epsrank.numerics.staircase.families import null_series
from epsrank.numerics.staircase.series import MOST_POINTS, as_series
from epsrank.theory.numbers.arrays import Array, Matrix

# Quantiles are interpolated in log n; the last is the longest series that `as_series` leaves.
LENGTHS = (30, 60, 110, MOST_POINTS)
# Families that are simulated: the hardest of each kind (docs/staircases.md has the others as well).
# Those of one step are nulls of two only.
FAMILIES = (
    "drift",
    "exponential",
    "power law",
    "heavy tails",
    "shrinking noise",
    "random walk",
    "outliers",
    "logistic",
    "jump",
    "transient, logistic",
)
_ONE_STEP = FAMILIES[-3:]
# Correlations of the noise that is simulated, all equally often.
CORRELATIONS = (0.0, 0.5, 0.9)
# The table is given for measured correlations up to each of these.
MEASURED = (0.2, 0.5, 1.0)
# Upper tail probabilities whose quantiles are kept.
TAILS = (0.3, 0.2, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01)
_LEAST_TAIL = 0.001


def simulate(family: str, length: int, count: int, seed: int) -> Matrix:
    """Draw (E_1, E_2, ρ beside the one, ρ beside the other) for series of a family of nulls."""
    drawn = []
    for correlation in CORRELATIONS:
        # Seeds by cell, so that the table depends neither on the order nor on the number of jobs.
        key = [seed, length, round(1000 * correlation), *family.encode()]
        generator = np.random.default_rng(key)
        for _ in range(count):
            truth = null_series(family, generator, length, correlation)
            data = as_series(truth.series, None, "linear", truth.direction)
            found = evidence(data.coarse_time, data.coarse, data.resolution)
            if found is not None:
                drawn.append([*found.statistics, *found.correlations])
    return np.array(drawn).reshape(-1, 4)


def tail_quantiles(samples: Sequence[Matrix], count: int) -> list[list[float]]:
    """Return the upper quantiles of E_count by measured correlation, for the worst family.

    Of a family with few series of such a correlation those with the nearest ones count as well.
    """
    found, low = [], 0.0
    for high in MEASURED:
        rows = []
        for drawn in samples:
            rho = drawn[:, 1 + count]
            apart = np.maximum(low - rho, rho - high)
            most = max(0.0, float(np.sort(apart)[min(drawn.shape[0] // 4, apart.size - 1)]))
            # "higher" takes a value that was drawn: no mean of a statistic and −10⁶.
            near = drawn[apart <= most, count - 1]
            rows.append(np.quantile(near, 1 - np.array(TAILS), method="higher"))
        found.append(np.max(rows, axis=0).round(2).tolist())
        low = high
    return found


def calibrate(count: int, seed: int, jobs: int = 1) -> dict[str, Any]:
    """Make the table that is kept in ``calibration.json``."""
    # Longest first: what is left when workers run out of cells is short.
    keys = [(family, length) for length in LENGTHS[::-1] for family in FAMILIES]
    calls = [partial(simulate, family, length, count, seed) for family, length in keys]
    drawn: dict[tuple[str, int], Matrix] = {}
    for key, done in zip(keys, in_order(carry_out(calls, jobs)), strict=True):
        if done.error is not None:
            raise done.error
        drawn[key] = done.value
    cells = []
    for length in LENGTHS:
        for steps in (1, 2):
            nulls = [f for f in FAMILIES if steps == 2 or f not in _ONE_STEP]
            quantiles = tail_quantiles([drawn[family, length] for family in nulls], steps)
            cells.append({"length": length, "steps": steps, "quantiles": quantiles})
    return {"series": count, "seed": seed, "cells": cells}


def p_value(found: Evidence, count: int, length: int) -> float:
    """Return  P(E_count ≥ what was found | measured ρ)  in the worst family of nulls."""
    score = found.statistics[count - 1]
    if score <= NOTHING:
        return 1.0
    measured = int(np.searchsorted(MEASURED, found.correlations[count - 1]))
    place = float(np.interp(np.log(length), np.log(LENGTHS), np.arange(len(LENGTHS))))
    low = int(place)
    total = 0.0
    for row, weight in ((low, 1 - (place - low)), (low + 1, place - low)):
        # At the end of the table the second neighbour has weight 0, and does not exist.
        if weight > 0:
            total += weight * np.log(_tail(score, _table()[count, LENGTHS[row]][measured]))
    return round(float(np.exp(total)), 6)


def _tail(score: float, quantiles: Array) -> float:
    """Return P(E ≥ e) between kept quantiles, log-linearly; 1 below those of series with steps."""
    if score < quantiles[quantiles > NOTHING / 2].min(initial=0.0):
        return 1.0
    # Beyond the last one the tail goes on as it does between the last few.
    slope = np.log(TAILS[-4] / TAILS[-1]) / max(quantiles[-1] - quantiles[-4], 1.0)
    beyond = np.log(TAILS[-1]) - slope * (score - quantiles[-1])
    # np.interp is constant beyond the last quantile, where `beyond` goes on falling. No smaller
    # p-value is given than the hundreds of series behind a cell can show.
    known = np.interp(score, quantiles, np.log(TAILS))
    return float(np.exp(max(min(known, beyond), np.log(_LEAST_TAIL))))


@lru_cache(maxsize=1)
def _table() -> dict[tuple[int, int], list[Array]]:
    """Read the table: quantiles by number of steps and length, then by measured correlation."""
    text = (
        files("epsrank.numerics.staircase").joinpath("calibration.json").read_text(encoding="utf-8")
    )
    # Strictly increasing, so that interpolation is between different scores.
    rise = 1e-6 * np.arange(len(TAILS))
    return {
        (cell["steps"], cell["length"]): [
            np.maximum.accumulate(row) + rise for row in cell["quantiles"]
        ]
        for cell in json.loads(text)["cells"]
    }
