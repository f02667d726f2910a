"""Coupled falls and growths are told from independent ones that follow the same trend."""

from __future__ import annotations

import numpy as np
import pytest

from epsrank.numerics.staircase import detect_staircase
from epsrank.numerics.staircase.coupling import coupling
from epsrank.numerics.staircase.families import TRENDS, loss_and_rank
from epsrank.numerics.staircase.series import as_series


def p_values(trend, coupled, count, steps=6):
    found = []
    for seed in range(count):
        rng = np.random.default_rng([11, seed])
        loss, rank = loss_and_rank(rng, 300, trend, coupled, steps)
        found.append(coupling(as_series(loss, None, "log", "down"), rank).p_value)
    return np.array(found)


@pytest.mark.parametrize("trend", TRENDS)
def test_coupled_series_are_told(trend):
    assert (p_values(trend, True, 20) <= 0.05).mean() >= 0.8


@pytest.mark.parametrize("steps", [0, 6])
@pytest.mark.parametrize("trend", TRENDS)
def test_independent_series_of_one_trend_are_not(trend, steps):
    # P(Bin(60, 0.05) > 9) < 0.001 for each of the eight.
    assert (p_values(trend, False, 60, steps) <= 0.05).sum() <= 9


def test_a_planted_test_without_blocks_takes_the_common_trend_for_coupling():
    flagged = 0
    for seed in range(40):
        rng = np.random.default_rng([12, seed])
        loss, rank = loss_and_rank(rng, 300, "early", False, 0)
        a, b = -np.diff(np.log(loss)), np.diff(rank)
        lags = np.fft.irfft(np.fft.rfft(a) * np.fft.rfft(b).conj(), a.size)
        flagged += (1 + (lags[1:] >= lags[0]).sum()) / a.size <= 0.05
    assert flagged >= 10


def test_lift_is_one_for_independent_and_larger_for_coupled_series():
    lifts = {}
    for coupled in (False, True):
        found = []
        for seed in range(30):
            rng = np.random.default_rng([13, seed])
            loss, rank = loss_and_rank(rng, 300, "even", coupled)
            found.append(coupling(as_series(loss, None, "log", "down"), rank).lift)
        lifts[coupled] = np.median(found)
    assert lifts[False] == pytest.approx(1, abs=0.3)
    assert lifts[True] > 2


def test_intervals_of_ranks_are_taken_in_every_shape():
    loss, rank = loss_and_rank(np.random.default_rng(1), 100, "even", True)
    lower, upper = rank - 1, rank + 1
    found = [
        detect_staircase(loss, given).coupling_pvalue
        for given in (rank, (lower, upper), np.stack([lower, upper], axis=1), rank.tolist())
    ]
    assert len(set(found)) == 1


@pytest.mark.parametrize(
    ("loss", "rank", "words"),
    [
        (np.exp(-np.arange(40.0)), np.full(40, 7), "the rank does not change"),
        (np.full(40, 2.0), np.arange(40), "the loss does not change"),
        (np.exp(-np.arange(20.0)), np.arange(20), "too few"),
        (np.exp(-np.arange(40.0)), [float("nan")] * 40, "too few"),
    ],
)
def test_what_does_not_move_is_not_coupled(loss, rank, words):
    found = detect_staircase(loss, rank)
    assert found.coupling_pvalue is None
    assert found.coupling_lift is None
    assert words in found.coupling_reason
