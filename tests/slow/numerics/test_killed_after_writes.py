"""A run killed at any of its writes goes on to the same bits, over three steps."""

from __future__ import annotations

import pytest

from tests.numerics.training.test_resume import (
    _save_at_every_step,  # noqa: F401 - a fixture
    killed_at_every_single_write,
)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_every_single_write(moment, tmp_path, monkeypatch):
    killed_at_every_single_write(moment, tmp_path, monkeypatch)
