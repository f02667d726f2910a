"""Intervals of the corrected participation ratio cover, over samples, spectra and neurons."""

from __future__ import annotations

import numpy as np
import pytest

from epsrank.theory.dimension.participation import participation_interval

TRIALS = 400


@pytest.mark.parametrize(
    ("n_samples", "n", "decay"), [(20, 12, 0.0), (60, 12, 1.0), (200, 64, 0.5), (800, 64, 1.0)]
)
def test_rows(n_samples: int, n: int, decay: float) -> None:
    rng = np.random.default_rng(n_samples)
    roots = np.arange(1, n + 1) ** -decay
    truth = (roots**2).sum() ** 2 / (roots**4).sum()
    hits = 0
    for _ in range(TRIALS):
        found = participation_interval(rng.normal(size=(n_samples, n)) * roots + 1.0)
        hits += found.low <= truth <= found.high
    assert hits / TRIALS >= 0.91


@pytest.mark.parametrize(("n_samples", "n"), [(60, 40), (150, 80)])
def test_rows_and_columns(n_samples: int, n: int) -> None:
    rng = np.random.default_rng(n_samples)
    hits = 0
    for _ in range(TRIALS):
        x = rng.normal(size=(n_samples, 10)) @ rng.normal(size=(10, n)) + rng.normal(size=n)
        found = participation_interval(x, correction="both")
        hits += found.low <= 10 <= found.high
    assert hits / TRIALS >= 0.93
