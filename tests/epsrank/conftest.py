"""Commands are called here; where the labels of their figures go is looked at with the plots."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _sketches(sketches: None) -> None:
    """All figures that a command draws in this process."""
