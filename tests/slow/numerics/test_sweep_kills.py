"""Fifty kills of whole sweeps at random moments, and what becomes of workers without a parent."""

from __future__ import annotations

import os
import signal
import sys
import time
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


def test_workers_without_a_parent_end_by_themselves(helpers, tmp_path):
    kills, _ = helpers
    process = kills.start(tmp_path / "store", tmp_path / "log", 300, tmp_path / "said")
    try:
        while len(kills.files(tmp_path / "store")) < 5:
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + 120
        while kills.living(process.pid) and time.monotonic() < deadline:
            time.sleep(0.5)
        assert not kills.living(process.pid)
    finally:
        for number in kills.living(process.pid):
            os.kill(number, signal.SIGKILL)
