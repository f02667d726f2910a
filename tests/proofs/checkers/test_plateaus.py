"""Checks of readings, forced ranks and distances pass, and a planted fault is caught by each."""

from __future__ import annotations

import dataclasses

import pytest

from epsrank.proofs.checkers import plateaus
from epsrank.proofs.checkers.base import Context
from epsrank.theory.floor.change.distances import RankDistance

QUICK = Context(effort="quick")


@pytest.mark.parametrize("check", [plateaus.readings, plateaus.forced_ranks, plateaus.distances])
def test_it_passes(check):
    (found,) = check(QUICK)
    assert found.state == "passed", found.witness


def test_the_old_rule_is_refuted(monkeypatch):
    """loss/V alone calls a head of norm 0 on perfect features feature-limited."""
    honest = plateaus.read_plateau

    def old(*arguments, **options):
        reading = honest(*arguments, **options)
        if reading.ratio is not None and reading.ratio <= 1.25:
            return dataclasses.replace(reading, name="feature-limited")
        return reading

    monkeypatch.setattr(plateaus, "read_plateau", old)
    (found,) = plateaus.readings(QUICK)
    assert found.state == "refuted"
    assert found.witness["expected"] == "norm-limited"


def test_a_rank_that_is_forced_too_high_is_refuted(monkeypatch):
    monkeypatch.setattr(plateaus, "rank_forced", lambda *a, **b: 99)
    assert plateaus.forced_ranks(QUICK)[0].state == "refuted"


def test_a_distance_that_is_too_long_is_refuted(monkeypatch):
    far = RankDistance(spectral=1e9, frobenius=1e9, rank=1, eps=1e-6)
    monkeypatch.setattr(plateaus, "rank_distance", lambda *a, **b: far)
    assert plateaus.distances(QUICK)[0].state == "refuted"
