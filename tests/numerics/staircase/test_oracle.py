"""What anyone could find: the power of the best test of exactly the planted steps."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm


def power(length, count, correlation, *, jumps_seen=True):
    """Return P(the best 5 % test tells a planted staircase from the nearest line).

    It knows ρ, and place and size (3) of every step. For Gaussian noise e_i = ρ e_{i−1} + η_i it is
    Φ(δ − 1.645), where δ is the length of what a line leaves of the whitened staircase.
    `jumps_seen`: Without the entries of the jumps, where η may be large by chance.
    """
    index = np.arange(length)
    places = [round(length * (k + 1) / (count + 1)) for k in range(count)]
    stairs = -3.0 * sum(index >= place for place in places)
    columns = np.stack([np.ones(length), index / length, stairs], axis=1)
    columns[1:] = (columns[1:] - correlation * columns[:-1]) / np.sqrt(1 - correlation**2)
    if not jumps_seen:
        columns = np.delete(columns, places, axis=0)
    left = (
        columns[:, 2]
        - columns[:, :2] @ np.linalg.lstsq(columns[:, :2], columns[:, 2], rcond=None)[0]
    )
    return float(norm.cdf(np.linalg.norm(left) - norm.isf(0.05)))


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_wandering_noise_hides_small_steps_from_those_who_do_not_trust_its_innovations(count):
    # docs/staircases.md has these figures: 66 to 87 % at 126, where 95 are asked at lower ρ.
    assert 0.6 < power(126, count, 0.9, jumps_seen=False) < 0.9
    # If innovations are Gaussian a jump by 3 standard deviations is one by 6.9 of theirs.
    assert power(126, count, 0.9) > 0.99


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_less_correlated_noise_does_not(count):
    assert power(126, count, 0.0, jumps_seen=False) > 0.99
    assert power(126, count, 0.5, jumps_seen=False) > 0.99
