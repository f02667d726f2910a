"""The null distribution of the evidence for steps, simulated once and kept as a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np

from epsrank.numerics.staircase.evidence import evidence
from epsrank.numerics.staircase.families import autocorrelated
from epsrank.numerics.staircase.shape import drops, least_fall
from epsrank.theory.extras import optional_packages
from epsrank.theory.numbers.arrays import Array, Matrix, Vector

# Half as long again each, since quantiles are interpolated in log n; 250 is the longest series
# that `as_series` leaves.
LENGTHS = (24, 36, 50, 75, 110, 160, 250)
# Correlations of the noise that is simulated, all equally often.
CORRELATIONS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
# Drift over the whole series in standard deviations of the noise: none, some, and much.
DRIFTS = (0.0, 5.0, 20.0)
# Measured correlations that the table is given for, and the half-width of what is pooled there.
MEASURED = tuple(round(0.1 * k, 1) for k in range(10))
_POOLED = 0.1
_LEAST_POOLED = 200
# Upper tail probabilities whose quantiles are kept.
TAILS = (0.5, 0.3, 0.2, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01, 0.005)
_LEAST_TAIL = 0.001
# Of a series without a step. Finite, as JSON has no −∞, and below every statistic.
_NOTHING = -1e6


def statistic(time: Vector, values: Vector) -> tuple[float, float]:
    """Return S, or −10⁶ where its pieces have no step, and the ρ that the smooth fit leaves."""
    found = evidence(time, values)
    if found.pieces is None:
        return _NOTHING, 0.0
    steps = drops(time, found.pieces, found.noise, least_fall(float(np.ptp(values))))
    return (found.statistic if steps else _NOTHING), found.smooth_noise.correlation


def simulate(length: int, drift: float, count: int, seed: int) -> Matrix:
    """Simulate the statistic on drifting noise.

    Constant and linear series lie on the edge of the convex and of the concave ones: what bends
    more is easier to distinguish from steps.
    """
    time = np.arange(length, dtype=np.float64)
    line = -drift * time / length
    drawn = []
    for correlation in CORRELATIONS:
        # Seeds by cell, so that the table depends neither on the order nor on the number of jobs.
        key = [seed, length, round(1000 * correlation), round(1000 * drift)]
        generator = np.random.default_rng(key)
        drawn += [
            statistic(time, line + autocorrelated(generator, length, correlation))
            for _ in range(count)
        ]
    return np.array(drawn)


def tail_quantiles(samples: Sequence[Matrix]) -> list[list[float]]:
    """Return the upper quantiles of the statistic given the measured correlation.

    Given the measured correlation the distribution hardly depends on the true one any more, so that
    the series of all true ones are pooled.
    """
    found = []
    for centre in MEASURED:
        rows = []
        for drawn in samples:
            apart = np.abs(drawn[:, 1] - centre)
            most = max(_POOLED, float(np.sort(apart)[min(_LEAST_POOLED, apart.size) - 1]))
            # "higher" takes a value that was drawn: no mean of a statistic and −10⁶.
            rows.append(np.quantile(drawn[apart <= most, 0], 1 - np.array(TAILS), method="higher"))
        # The drift is not known of a series that is tested: the worst one counts.
        found.append(np.max(rows, axis=0).round(2).tolist())
    return found


def calibrate(count: int, seed: int, jobs: int = 1) -> dict[str, Any]:
    """Make the table that is kept in ``calibration.json``."""
    with optional_packages():
        from joblib import Parallel, delayed

    # Longest first: what is left when workers run out of cells is short.
    keys = [(length, drift) for length in LENGTHS[::-1] for drift in DRIFTS]
    parallel = Parallel(n_jobs=jobs)
    drawn = dict(
        zip(keys, parallel(delayed(simulate)(*key, count, seed) for key in keys), strict=True)
    )
    cells = [
        {
            "length": length,
            "quantiles": tail_quantiles([drawn[length, drift] for drift in DRIFTS]),
        }
        for length in LENGTHS
    ]
    return {"series": count, "seed": seed, "cells": cells}


def p_value(score: float, length: int, correlation: float) -> float:
    """Return  max over drifts of P(S ≥ score | measured ρ)  under smooth decay."""
    table = _table()
    place = np.interp(np.log(length), np.log(LENGTHS), np.arange(len(LENGTHS)))
    column = np.interp(correlation, MEASURED, np.arange(len(MEASURED)))
    total = 0.0
    for row, weight in _neighbours(float(place)):
        for k, share in _neighbours(float(column)):
            # At the ends of the table the second neighbour has weight 0, and does not exist.
            if weight * share > 0:
                total += weight * share * np.log(_tail(score, table[row][k]))
    return round(float(np.exp(total)), 6)


def _neighbours(place: float) -> list[tuple[int, float]]:
    """Return the two whole numbers around a place with their weights."""
    low = int(place)
    return [(low, 1 - (place - low)), (low + 1, place - low)]


def _tail(score: float, quantiles: Array) -> float:
    """Return P(S ≥ s) between kept quantiles, log-linearly; 1 below them.

    Noise and drift seldom have anything like a step, however poor; curved decays have it more
    often, with statistics far below any that noise has kept here: these say nothing for steps.
    """
    # Half of −10⁶ parts the quantiles that are statistics from those that are none.
    if score < quantiles[quantiles > _NOTHING / 2].min(initial=np.inf):
        return 1.0
    # Beyond the last one the tail goes on as it does between the last few.
    slope = np.log(TAILS[-4] / TAILS[-1]) / max(quantiles[-1] - quantiles[-4], 1.0)
    beyond = np.log(TAILS[-1]) - slope * (score - quantiles[-1])
    # np.interp is constant beyond the last quantile, where `beyond` goes on falling. No smaller
    # p-value is given than the hundreds of series behind a cell can show.
    known = np.interp(score, quantiles, np.log(TAILS))
    return float(np.exp(max(min(known, beyond), np.log(_LEAST_TAIL))))


@lru_cache(maxsize=1)
def _table() -> list[list[Array]]:
    """Read the table: quantiles of S by length and measured correlation."""
    text = (
        files("epsrank.numerics.staircase").joinpath("calibration.json").read_text(encoding="utf-8")
    )
    cells = {cell["length"]: cell["quantiles"] for cell in json.loads(text)["cells"]}
    # Strictly increasing, so that interpolation is between different scores.
    rise = 1e-6 * np.arange(len(TAILS))
    return [[np.maximum.accumulate(q) + rise for q in cells[length]] for length in LENGTHS]
