"""Two trials that measure memory at the same time, each in a worker that imports PyTorch."""

from __future__ import annotations

from tests.numerics.experiments.test_a12_cost import assert_memory_is_measured_in_workers


def test_memory_is_measured_in_two_workers() -> None:
    assert_memory_is_measured_in_workers(2)
