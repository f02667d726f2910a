"""Sixty kills at random moments: nothing finished is lost or changed, and no process is left.

Each program is killed twelve times, by SIGINT to its group as a terminal does it, by SIGTERM and by
SIGKILL to itself alone, and goes on after each; then it has to come to the results of one that
nobody has killed. ``python -m pytest -s tests/slow/test_survival.py`` prints the table.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from epsrank.numerics.monitor.sinks.follow import read_history
from epsrank.numerics.sweeps import TRIAL_KINDS, TrialStore

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "numerics" / "sweeps"))
from kills import living  # noqa: E402

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

#: What a program has finished: these files neither go nor change.
FINISHED = {
    "train": "checkpoints/*.safetensors",
    "sweep": "store/??/*.parquet",
    "reproduce": "store/??/*.parquet",
    "verify": "kept/*/*.json",
    "sinks": "said",
}
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGKILL] * 4
#: Seconds after which no process may be left.
_LEFT_SECONDS = 10.0


class Victim:
    """A program with its folder, and a folder for temporary files of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.out, self.temporary = name, folder / "out", folder / "tmp"
        self.temporary.mkdir(parents=True)
        self.before: dict[str, bytes] = {}

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(HERE / "survival_programs.py"), self.name, str(self.out)],
            env={**os.environ, "TMPDIR": str(self.temporary)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def finished(self) -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in self.out.glob(FINISHED[self.name])}

    def progress(self) -> int:
        """How much is finished: files, or lines of the one file."""
        if self.name == "sinks":
            return sum(content.count(b"\n") for content in self.finished().values())
        return len(list(self.out.glob(FINISHED[self.name])))

    def left_behind(self, owner: str = "") -> int:
        """How many temporary folders there are of one owner, or of all; PyTorch has one as well."""
        names = [path.name for path in self.temporary.iterdir()]
        return sum(owner in each and not each.startswith("torchinductor_") for each in names)

    def lost(self) -> int:
        """How much of what was finished before is gone or another."""
        now = self.finished()
        bad = sum(not now.get(name, b"").startswith(held) for name, held in self.before.items())
        self.before = now
        return bad


def _results(name: str, out: Path) -> object:
    """Return all that a program has computed."""
    if name == "train":
        return [pq.read_table(out / f"{each}.parquet") for each in ("history", "spectra")]
    if name == "verify":
        return json.loads((out / "ledger.json").read_text())["claims"]
    if name == "sinks":
        # A row that was written and not yet said to be is written again: once more at the most.
        return [
            list(dict.fromkeys(repr(record) for record in read_history(out / f"h.{kind}")))
            for kind in ("csv", "jsonl", "parquet")
        ]
    store = TrialStore(out / "store")
    rows = [(each.trial.key, each.result) for each in store.outcomes()]
    assert not store.damaged
    return rows


@pytest.mark.parametrize("name", FINISHED)
def test_killed_twelve_times(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TRIAL_KINDS, "killed", "survival_programs:trial")  # to read its store
    undisturbed = Victim(name, tmp_path / "undisturbed")
    process = undisturbed.start()
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    whole = undisturbed.progress()
    assert whole > 5

    chance = random.Random(name)
    victim = Victim(name, tmp_path / "killed")
    counts = dict.fromkeys(("kills", "under way", "answered", "lost", "orphans", "left behind"), 0)
    order = chance.sample(SIGNALS, len(SIGNALS))
    for number, signal_ in enumerate(order):
        begun = victim.progress()
        goal = begun + chance.randint(0, max(1, whole // 12))
        process = victim.start()
        while process.poll() is None and victim.progress() < min(goal, whole):
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.3))
        counts["kills"] += 1
        counts["under way"] += process.poll() is None
        if process.poll() is None:
            (os.killpg if signal_ is signal.SIGINT else os.kill)(process.pid, signal_)
        _, errors = process.communicate(timeout=120)
        deadline = time.monotonic() + _LEFT_SECONDS
        while living(process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        counts["orphans"] += len(living(process.pid))
        counts["lost"] += victim.lost()
        if signal_ is not signal.SIGKILL:
            counts["left behind"] += victim.left_behind(f"-{process.pid}-")
        # Before anything is imported, the interpreter alone answers a signal.
        if name != "sinks" and signal_ is not signal.SIGKILL and victim.progress() > begun:
            assert process.returncode in (0, 130), (number, signal_, errors)
            assert "Traceback" not in errors, errors
            counts["answered"] += 1
    process = victim.start()
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    counts["lost"] += victim.lost()
    # Those of processes that were killed have been removed, too.
    counts["left behind"] += victim.left_behind()
    print(f"\n{name}: " + ", ".join(f"{key} {value}" for key, value in counts.items()))
    assert counts["lost"] == counts["orphans"] == counts["left behind"] == 0
    assert counts["under way"] >= 6
    assert _results(name, victim.out) == _results(name, undisturbed.out)
