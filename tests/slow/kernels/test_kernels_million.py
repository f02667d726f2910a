"""Every layer kernel within its standard error of Monte Carlo at 10⁶ samples."""

from __future__ import annotations

import pytest

from tests.theory.kernels.monte_carlo import KERNELS, THRESHOLD, z_scores

SAMPLES = 1_000_000


@pytest.mark.parametrize("name", KERNELS)
def test_kernel_within_its_standard_error(name):
    assert max(map(abs, z_scores(name, SAMPLES, KERNELS[name]()))) < THRESHOLD


@pytest.mark.parametrize("name", KERNELS)
def test_four_percent_are_caught(name):
    kernel = KERNELS[name]()
    scores = z_scores(name, SAMPLES, lambda xx, xy, yy: 1.04 * kernel(xx, xy, yy))
    assert max(map(abs, scores)) > THRESHOLD
