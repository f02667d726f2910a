"""Deviation bounds against simulation, their closed form, and wrong constants."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epsrank.theory.errors import InputError
from epsrank.theory.sampling.tails import (
    closed_form_samples,
    deviation,
    least_ratio,
    sufficient_samples,
    tail_probability,
)


@given(
    kappa=st.floats(0.5, 1e4),
    eta=st.floats(0.02, 0.99),
    delta=st.floats(1e-12, 0.5),
    share=st.floats(0, 1),
)
def test_the_bound_needs_no_more_samples_than_the_closed_form(kappa, eta, delta, share):
    # d ≤ κ, and 8d ≥ eδ is where the closed form holds.
    dimension = max(kappa * share, math.e * delta / 8)
    sharp = sufficient_samples(kappa, dimension, eta, delta)
    assert sharp <= math.ceil(closed_form_samples(kappa, dimension, eta, delta)) + 1


@given(ratio=st.floats(1, 1e4), dimension=st.floats(0.1, 100), delta=st.floats(1e-9, 0.5))
def test_deviations_meet_their_probability(ratio, dimension, delta):
    for tail in ("upper", "lower"):
        eta = deviation(ratio, dimension, delta, tail)
        if 0 < eta < 1:
            assert tail_probability(ratio, dimension, eta, tail) <= delta
            assert tail_probability(ratio, dimension, eta * 0.99, tail) > delta * 0.9


def _frequencies(n, ratio, eta, trials, seed):
    """How often M̂ of N = ratio·n random coordinate vectors of length √n is η from M = I."""
    random = np.random.default_rng(seed)
    count = int(ratio * n)
    shares = random.multinomial(count, np.full(n, 1 / n), size=trials) * n / count
    return (shares.max(axis=1) >= 1 + eta).mean(), (shares.min(axis=1) <= 1 - eta).mean()


@pytest.mark.parametrize(("n", "ratio", "eta"), [(4, 20, 0.6), (10, 40, 0.5), (30, 100, 0.3)])
def test_the_bound_holds_for_rare_directions(n, ratio, eta):
    # Leverage is exactly κ = n for every sample and d = n: the hardest case for a given κ.
    up, down = _frequencies(n, ratio, eta, 20_000, 1)
    for seen, tail in ((up, "upper"), (down, "lower")):
        bound = tail_probability(ratio, n, eta, tail)
        assert seen <= bound < 0.9
        # … and it is not so far off that a missing factor of 2 in the exponent would pass.
        assert seen > bound**2 / 8


def test_a_wrong_exponent_would_be_seen():
    up, _ = _frequencies(10, 40, 0.5, 20_000, 1)
    assert up > tail_probability(80, 10, 0.5, "upper")


def test_extremes():
    assert tail_probability(5, 3, 1.5, "lower") == 0
    assert deviation(1e-3, 10, 0.05, "upper") == math.inf
    assert deviation(1e-3, 10, 0.05, "lower") == 1.0
    assert deviation(1e9, 10, 0.05, "upper") < 1e-3
    assert least_ratio(lambda _: False) == math.inf
    assert least_ratio(lambda a: a >= 7) == pytest.approx(7, rel=1e-3)


def test_bad_arguments():
    with pytest.raises(InputError, match="eta is 1"):
        sufficient_samples(10, 5, 1.0, 0.05)
    with pytest.raises(InputError, match="delta is 0"):
        sufficient_samples(10, 5, 0.5, 0.0)
