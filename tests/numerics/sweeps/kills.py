"""Kill a sweep with all its processes, again and again, and look at what it leaves."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from epsrank.numerics.sweeps import TrialStore, run_trials

HERE = Path(__file__).parent


def start(folder: Path, log: Path, count: int, said: Path) -> subprocess.Popen[bytes]:
    """Start the sweep in a session of its own; what it says of its progress goes to a file."""
    words = [sys.executable, str(HERE / "sweep_kinds.py"), str(folder), str(log), str(count)]
    with said.open("wb") as stream:
        return subprocess.Popen(words, stdout=stream, start_new_session=True)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all of its session at once."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def living(session: int) -> list[int]:
    """Return the processes of a session that are not dead, on Linux."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(entry.name))
    return found


def files(folder: Path) -> dict[str, bytes]:
    """Return the finished trials by name."""
    return {path.name: path.read_bytes() for path in folder.glob("??/*.parquet")}


def unharmed(store: TrialStore, before: dict[str, bytes], said: str) -> dict[str, bytes]:
    """Assert that nothing finished is lost or changed, nor said to be finished and is not."""
    after = files(store.folder)
    assert {name: after.get(name) for name in before} == before
    finished = [int(line) for line in said.split("\n")[:-1]]
    assert len(after) >= max(finished, default=0)
    assert len(list(store.outcomes())) == len(after)
    assert not store.damaged
    return after


def kill_and_resume(kinds, folder: Path, count: int, kills: int, seed: int) -> int:
    """Kill a sweep at random moments, each time when some more trials are finished; finish it.

    Returns
    -------
    int
        How often it was killed before it was through.
    """
    chance = random.Random(seed)
    store, log, said = TrialStore(folder / "store"), folder / "log", folder / "said"
    before: dict[str, bytes] = {}
    killed = 0
    for _ in range(kills):
        left = count - len(before)
        goal = len(before) + chance.randint(0, max(left // 2, 1))
        process = start(store.folder, log, count, said)
        while process.poll() is None and len(store) < goal:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.06))
        killed += process.poll() is None
        kill_group(process)
        before = unharmed(store, before, said.read_text())
    trials = kinds.many(log, count)
    resumed = run_trials(trials, store, jobs=1)
    assert [outcome.status for outcome in resumed] == ["done"] * count
    # Two were under way at each kill; all else was computed once.
    assert count <= len(kinds.calls(log)) <= count + 2 * kills
    calls = len(kinds.calls(log))
    run_trials(trials, store, jobs=1)
    assert len(kinds.calls(log)) == calls
    uninterrupted = TrialStore(folder / "uninterrupted")
    run_trials(trials, uninterrupted, jobs=1)
    tables = [each.table().drop_columns(["seconds"]) for each in (store, uninterrupted)]
    assert tables[0] == tables[1]
    assert tables[0].num_rows == count
    return killed
