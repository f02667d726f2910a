"""The null distribution of the evidence for steps, simulated once and kept as a table."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np

from numerics.staircase.evidence import evidence
from numerics.staircase.families import autocorrelated
from numerics.staircase.shape import drops
from theory.inputs import Array

LENGTHS = (24, 36, 50, 75, 110, 160, 250)
CORRELATIONS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
# Upper tail probabilities whose quantiles are kept.
TAILS = (0.5, 0.3, 0.2, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01, 0.005)
# Share of series whose measured ρ may be lower than the one kept for it; added to p-values.
_DOUBT = 0.005
# Drift over the whole series in standard deviations of the noise: none, and much.
_DRIFTS = (0.0, 5.0, 20.0)
_NOTHING = -1e6


def statistic(time: Array, values: Array) -> tuple[float, float]:
    """Return what the table is of: S where its pieces have a step, −10⁶ otherwise; and ρ.

    Parameters
    ----------
    time, values : ndarray, shape (n,)
        A series to be read downwards.

    Returns
    -------
    tuple of float
        The statistic and the correlation that the smooth fit leaves.
    """
    found = evidence(time, values)
    if found.pieces is None:
        return _NOTHING, 0.0
    size = float(np.ptp(values))
    steps = drops(time, found.pieces, found.noise, size)
    return (found.statistic if steps else _NOTHING), found.smooth_noise.correlation


def simulate(length: int, correlation: float, count: int, seed: int) -> dict[str, Any]:
    """Simulate the statistic on drifting noise.

    Constant and linear series lie on the edge of the convex and of the concave ones: what bends
    more is told from steps more easily.

    Parameters
    ----------
    length : int
        n.
    correlation : float
        ρ of the noise.
    count : int
        Series per drift.
    seed : int
        Seed.

    Returns
    -------
    dict
        ``quantiles``, upper quantiles of S at `TAILS`, the greatest over drifts; and
        ``least_correlation``, the lower quantile of the measured ρ.
    """
    time = np.arange(length, dtype=np.float64)
    tails, least = [], []
    for index, drift in enumerate(_DRIFTS):
        generator = np.random.default_rng([seed, length, round(1000 * correlation), index])
        line = -drift * time / length
        drawn = [
            statistic(time, line + autocorrelated(generator, length, correlation))
            for _ in range(count)
        ]
        scores, measured = np.array(drawn).T
        tails.append(np.quantile(scores, 1 - np.array(TAILS), method="higher"))
        least.append(np.quantile(measured, _DOUBT, method="lower"))
    return {
        "quantiles": np.max(tails, axis=0).round(2).tolist(),
        "least_correlation": float(np.min(least)),
    }


def p_value(score: float, length: int, correlation: float) -> float:
    """Return sup_ρ P(S ≥ s) over the ρ that are compatible with the one measured (Berger, Boos).

    Parameters
    ----------
    score : float
        s.
    length : int
        Points n that the statistic saw, between those of the table.
    correlation : float
        ρ that the smooth fit leaves.

    Returns
    -------
    float
        The p-value, at least 0.006.
    """
    table = _table()
    n = float(np.clip(np.log(length), np.log(LENGTHS[0]), np.log(LENGTHS[-1])))
    upper = int(np.clip(np.searchsorted(np.log(LENGTHS), n), 1, len(LENGTHS) - 1))
    low, high = np.log(LENGTHS[upper - 1]), np.log(LENGTHS[upper])
    share = (n - low) / (high - low)
    worst = 0.0
    for k in range(len(CORRELATIONS)):
        pair = [table[index][k] for index in (upper - 1, upper)]
        least = (1 - share) * pair[0][1] + share * pair[1][1]
        if k == 0 or least <= correlation:
            tails = [_tail(score, quantiles) for quantiles, _ in pair]
            worst = max(worst, float(tails[0] ** (1 - share) * tails[1] ** share))
    return min(1.0, worst + _DOUBT)


def _tail(score: float, quantiles: Array) -> float:
    """Return P(S ≥ s) between kept quantiles, log-linearly; 1 below them."""
    if score < quantiles[0]:
        return 1.0
    return float(np.exp(np.interp(score, quantiles, np.log(TAILS), right=np.log(0.001))))


@lru_cache(maxsize=1)
def _table() -> list[list[tuple[Array, float]]]:
    """Read the table: by length and correlation, quantiles of S and least measured ρ."""
    text = files("numerics.staircase").joinpath("calibration.json").read_text(encoding="utf-8")
    cells = json.loads(text)["cells"]
    found = {
        (cell["length"], cell["correlation"]): (
            # Strictly increasing, so that interpolation is between different scores.
            np.maximum.accumulate(cell["quantiles"]) + 1e-6 * np.arange(len(TAILS)),
            float(cell["least_correlation"]),
        )
        for cell in cells
    }
    return [[found[length, rho] for rho in CORRELATIONS] for length in LENGTHS]
