"""Kinds of trials for tests, known to this process and importable in its workers."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch):
    """The module of the kinds, once they are registered."""
    monkeypatch.syspath_prepend(str(HERE))
    import sweep_kinds

    from epsrank.numerics.sweeps import TRIAL_KINDS

    for kind, place in sweep_kinds.KINDS.items():
        monkeypatch.setitem(TRIAL_KINDS, kind, place)
    return sweep_kinds
