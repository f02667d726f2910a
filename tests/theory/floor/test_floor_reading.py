"""F6: thresholds, rounding, and the cases without a verdict."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epsrank.theory.floor.reading import FEATURE_LIMITED, OPTIMISER_LIMITED, read_plateau


@pytest.mark.parametrize(
    ("loss", "value", "name"),
    [
        (1.0, 1.0, "feature-limited"),
        (1.24, 1.0, "feature-limited"),
        (1.26, 1.0, "between"),
        (1.99, 1.0, "between"),
        (2.01, 1.0, "optimiser-limited"),
        (1e300, 1e-300, "optimiser-limited"),
        (1.0, 0.0, "optimiser-limited"),
    ],
)
def test_thresholds_are_on_squared_norms(loss, value, name):
    reading = read_plateau(math.sqrt(loss), math.sqrt(value), 1e-12)
    assert reading.name == name
    assert name in str(reading)
    assert reading.lower <= reading.ratio <= reading.upper


def test_no_verdict_without_a_loss_or_below_rounding():
    assert read_plateau(None, 1.0, 0.0).name == "undetermined"
    both_zero = read_plateau(0.0, 0.0, 1e-16)
    assert both_zero.name == "undetermined"
    assert both_zero.ratio is None
    assert "rounding" in both_zero.reason
    assert read_plateau(1e-17, 1e-18, 1e-16).name == "undetermined"
    straddling = read_plateau(math.sqrt(2.0), 1.0, 1e-3)
    assert straddling.name == "undetermined"
    assert "threshold" in straddling.reason
    assert straddling.lower < OPTIMISER_LIMITED < straddling.upper


def test_a_loss_far_above_an_unresolved_minimum_is_still_read():
    assert read_plateau(1e-3, 0.0, 1e-9).name == "optimiser-limited"


@given(
    st.floats(0, 1e10),
    st.floats(0, 1e10),
    st.floats(0, 1e3),
    st.floats(-1, 1),
    st.floats(-1, 1),
)
def test_a_verdict_holds_for_every_value_within_the_tolerance(loss, value, tolerance, up, down):
    reading = read_plateau(loss, value, tolerance)
    true_loss = max(0.0, loss + up * tolerance)
    true_value = max(0.0, value + down * tolerance)
    if reading.name == "feature-limited":
        assert true_loss**2 <= FEATURE_LIMITED * true_value**2 * (1 + 1e-9)
    if reading.name == "optimiser-limited":
        assert true_loss**2 >= OPTIMISER_LIMITED * true_value**2 * (1 - 1e-9)
