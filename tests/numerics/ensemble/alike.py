"""Runs held against each other: settings, progress, records and weights."""

from __future__ import annotations

import numpy as np


def distance(run, other):
    """Largest difference of any weight at any measurement, relative to its tensor."""
    assert [r.step for r in run.records] == [r.step for r in other.records]
    worst = 0.0
    for index in range(len(run.records)):
        mine, theirs = run.network(index).state_dict(), other.network(index).state_dict()
        assert list(mine) == list(theirs)
        for name, tensor in mine.items():
            assert tensor.dtype == theirs[name].dtype
            scale = max(float(theirs[name].abs().max()), 1e-300)
            worst = max(worst, float((tensor - theirs[name]).abs().max()) / scale)
    return worst


def assert_alike(run, other, tolerance):
    """The same progress, the same form of records, weights and losses up to the tolerance."""
    assert run.config == other.config
    assert (run.status, run.step) == (other.status, other.step)
    assert distance(run, other) <= tolerance
    assert run.table().schema == other.table().schema
    assert run.spectra().schema == other.spectra().schema
    for mine, theirs in zip(run.records, other.records, strict=True):
        for name in ("loss", "training_loss", "test_loss", "coefficient_norm"):
            a, b = getattr(mine, name), getattr(theirs, name)
            assert np.isclose(a, b, rtol=10 * tolerance + 1e-12, atol=0), name


def assert_all_alike(pairs, tolerance):
    """Every pair is alike."""
    for run, other in pairs:
        assert_alike(run, other, tolerance)


def same_bits(run, other):
    """Whether two runs have the same weights and the same tables, bit for bit."""
    return distance(run, other) == 0.0 and run.table().equals(other.table())
