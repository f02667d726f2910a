"""How often the signatures are wrong, and what they find, over many simulated trainings."""

from __future__ import annotations

import pytest

from tests.numerics.monitor.alarms import test_signatures as few


@pytest.mark.parametrize("scatter", [0.0, 0.003, 0.05, 0.2])
def test_false_alarms_of_a_falling_loss(scatter):
    assert few.alarms_of_a_falling_loss(scatter, 200) <= 0.01


@pytest.mark.parametrize(("first", "scatter"), [(45, 0.0), (45, 0.5), (200, 1.0)])
def test_false_alarms_of_a_growing_rank(first, scatter):
    assert few.alarms_of_a_growing_rank(first, scatter, 100) <= 0.05


@pytest.mark.parametrize(("rho", "scatter"), [(0.5, 0.05), (0.8, 0.003), (0.8, 0.05)])
def test_false_alarms_of_correlated_noise(rho, scatter):
    assert few.false_alarms(rho, scatter, 60) <= 0.05


@pytest.mark.parametrize(
    ("rho", "scatter", "least"),
    [
        (0.0, 0.003, 1.0),
        (0.0, 0.007, 1.0),
        (0.8, 0.003, 1.0),
        (0.0, 0.02, 0.95),
        (0.0, 0.03, 0.75),
        (0.5, 0.02, 0.5),
    ],
)
def test_power_on_flat_series(rho, scatter, least):
    assert few.power_on_flat_series(rho, scatter, 30) >= least


def test_false_alarms_of_scattered_ratios():
    assert few.alarms_of_scattered_ratios(100) == 0
