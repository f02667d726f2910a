"""SIGKILL of a whole sweep at random moments: no finished run lost, none corrupt."""

from __future__ import annotations

import os
import signal
import time

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")


def test_killed_five_times_and_resumed(kinds, tmp_path):
    from kills import kill_and_resume

    assert kill_and_resume(kinds, tmp_path, count=80, kills=5, seed=0) == 5


def test_killing_the_parent_alone_keeps_what_its_workers_finish(kinds, tmp_path):
    from kills import files, kill_group, start

    folder, log = tmp_path / "store", tmp_path / "log"
    process = start(folder, log, 200, tmp_path / "said")
    try:
        while len(files(folder)) < 5:
            assert process.poll() is None
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + 30
        while len(files(folder)) < len(kinds.calls(log)) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(files(folder)) == len(kinds.calls(log))
    finally:
        kill_group(process)
