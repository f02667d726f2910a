"""Two processes of torchrun with uneven shares of the data certify the ranks that one certifies."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch.distributed as dist

from epsrank.sinks import read_history

HERE = Path(__file__).parent
ROOT = HERE.parents[2]

pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="PyTorch was built without gloo"
)


def run(words: list[str], out: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    if sys.platform.startswith("linux"):
        environment["GLOO_SOCKET_IFNAME"] = "lo"
    done = subprocess.run(
        [*words, str(HERE / "torchrun_program.py"), str(out)], env=environment, cwd=out.parent,
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_ranks_of_sharded_data(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    (line,) = [line for line in page.splitlines() if line.startswith("torchrun ")]
    words = shlex.split(line)[:-1]  # without the name of the program
    words[0] = shutil.which("torchrun", path=Path(sys.executable).parent) or "torchrun"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        words += ["--master-port", str(free.getsockname()[1])]
    run(words, tmp_path / "two.json")
    run([sys.executable], tmp_path / "one.json")
    one, two = (read_history(tmp_path / f"{name}.json") for name in ("one", "two"))
    assert one.steps == two.steps == [2, 4, 6]
    for left, right in zip(one, two, strict=True):
        assert left.failure is right.failure is None
        assert (left.layer, left.n_samples) == (right.layer, right.n_samples)
        assert left.n_samples == 200
        a, b = left.rank(1e-6), right.rank(1e-6)
        # Two certified intervals of one number; weights differ in last bits after the sums.
        assert max(a.lower, b.lower) <= min(a.upper, b.upper)
        assert abs(a.lower - b.lower) <= 1
        if left.reading is not None and right.reading is not None:
            assert left.reading.loss == pytest.approx(right.reading.loss, rel=1e-4)
