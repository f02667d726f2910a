"""SIGKILL of a whole sweep at random moments: no finished run lost, none corrupt."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from epsrank.numerics.sweeps import TrialStore, run_trials

pytestmark = pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")


def test_killed_and_resumed(kinds, tmp_path):
    """Fifty kills are in tests/slow/numerics/test_sweep_kills.py."""
    from kills import kill_and_resume

    assert kill_and_resume(kinds, tmp_path, count=20, kills=1, seed=0) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_killing_the_parent_alone_ends_its_workers_and_loses_nothing_finished(kinds, tmp_path):
    from kills import files, kill_group, living, start, unharmed

    folder, log = tmp_path / "store", tmp_path / "log"
    process = start(folder, log, 200, tmp_path / "said")
    try:
        while len(files(folder)) < 5:
            assert process.poll() is None
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + 10
        while living(process.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not living(process.pid)
        kept = unharmed(TrialStore(folder), {}, (tmp_path / "said").read_text())
        # Two were under way.
        assert len(kept) >= len(kinds.calls(log)) - 2
    finally:
        kill_group(process)


def _lose(path):
    path.unlink()


def _cut(path):
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("harm", [_lose, _cut])
def test_the_look_at_a_killed_sweep_sees_planted_harm(kinds, tmp_path, harm):
    from kills import files, unharmed

    store = TrialStore(tmp_path / "store")
    (first, *_) = run_trials(kinds.many(tmp_path / "log", 3), store, jobs=1)
    before = files(store.folder)
    assert unharmed(store, before, "1\n2\n3\n") == before
    with pytest.raises(AssertionError):
        unharmed(store, before, "4\n")
    harm(store.path(first.trial))
    with pytest.raises(AssertionError):
        unharmed(store, before, "")
    with pytest.raises(AssertionError):
        unharmed(store, {}, "3\n")
