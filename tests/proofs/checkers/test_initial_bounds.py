"""Bounds of plateaus and condensation hold on trained networks; bounds that are too good do not."""

from __future__ import annotations

import dataclasses

import pytest

from epsrank.proofs.checkers import initial_bounds
from epsrank.proofs.checkers.base import Context
from epsrank.theory.flows import condensation_bound, plateau_bound

CHECKS = (initial_bounds.plateaus, initial_bounds.orientations)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setitem(initial_bounds.CASES, "quick", 4)
    monkeypatch.setattr(initial_bounds, "SCALES", (1e-2, 1e-4))


@pytest.mark.parametrize("check", CHECKS)
def test_it_passes(check):
    (found,) = check(Context(effort="quick"))
    assert found.state == "passed", found.witness
    assert found.figures["networks"] == 4
    assert found.rows


def test_a_rate_that_is_too_low_is_refuted(monkeypatch):
    honest = plateau_bound.Sizes.gains

    def slower(self, w):
        product, along, rate = honest(self, w)
        return product, along, 0.8 * rate

    monkeypatch.setattr(plateau_bound.Sizes, "gains", slower)
    (found,) = initial_bounds.plateaus(Context(effort="quick"))
    assert found.state == "refuted"
    assert found.witness["left"] < found.witness["certain"]


def test_neurons_that_are_said_to_have_turned_too_far_are_refuted(monkeypatch):
    honest = condensation_bound._turned

    def turned(inner, outer, direction, first, last, bend):
        return honest(inner, outer, direction, first / 30, last, bend / 30)

    monkeypatch.setattr(condensation_bound, "_turned", turned)
    (found,) = initial_bounds.orientations(Context(effort="quick"))
    assert found.state == "refuted"
    assert "a cosine" in found.witness["broken"]


def test_a_loss_that_has_fallen_further_is_refuted(monkeypatch):
    honest = initial_bounds.condensation_bound

    def later(*arguments, **options):
        found = honest(*arguments, **options)
        return dataclasses.replace(found, step=found.step + 60)

    monkeypatch.setattr(initial_bounds, "condensation_bound", later)
    (found,) = initial_bounds.orientations(Context(effort="quick"))
    assert found.state == "refuted"
    assert "the loss" in found.witness["broken"]
