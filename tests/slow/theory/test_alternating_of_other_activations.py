"""Alternating flows predict networks whose activation is a power to leading order alone."""

from __future__ import annotations

from tests.theory.flows.test_alternating import hold_against_training


def test_order_times_and_sizes_are_those_of_training():
    hold_against_training("x·tanh", level=0.12)
