"""The count by inertia of matrices of many blocks, even and odd, against balls."""

from __future__ import annotations

import pytest

from tests.theory.rank.test_routes import assert_inertia_agrees_with_balls


@pytest.mark.parametrize("n", [300, 301])
@pytest.mark.parametrize("theta", [1e-1, 1e-4, 3e-7])
def test_inertia_bounds_agree_with_balls(n: int, theta: float) -> None:
    assert_inertia_agrees_with_balls(n, theta)
