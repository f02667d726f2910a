"""A run killed right after any of its writes goes on to the same bits."""

from __future__ import annotations

from tests.numerics.training.test_resume import (
    _save_at_every_step,  # noqa: F401 - a fixture
    killed_at_every_single_write,
)


def test_killed_after_every_single_write(tmp_path, monkeypatch):
    killed_at_every_single_write("after", tmp_path, monkeypatch)
