"""Fifty kills of whole sweeps at random moments: no finished trial lost, none corrupt."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from epsrank.numerics.sweeps import TRIAL_KINDS

HERE = Path(__file__).parents[2] / "numerics" / "sweeps"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def helpers(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    import kills
    import sweep_kinds

    for kind, place in sweep_kinds.KINDS.items():
        monkeypatch.setitem(TRIAL_KINDS, kind, place)
    return kills, sweep_kinds


@pytest.mark.parametrize("seed", range(5))
def test_killed_ten_times_and_resumed(helpers, tmp_path, seed):
    kills, kinds = helpers
    assert kills.kill_and_resume(kinds, tmp_path, count=300, kills=10, seed=seed) >= 9
