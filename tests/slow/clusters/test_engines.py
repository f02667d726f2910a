"""A sweep of 200 trials on engines started as the guide says, a worker killed in the middle."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from epsrank.numerics.results import load_results

ROOT = Path(__file__).parents[3]
SPEC = """\
seeds = 50
[fixed]
task = "cosines"
depth = 1
steps = 4
n_train = 12
n_test = 12
measure_every = 2
device = "cpu"
[grid]
width = [3, 5]
init = ["default", "structured"]
"""
_SECONDS = 1500.0
_STARTS_OF_RAY = 3


def commands(engine: str) -> list[str]:
    """Return the lines of the guide that start an engine, its sweep, and end it."""
    page = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (block,) = [block for block in blocks if block.startswith(f"{engine} ")]
    return [line.partition("#")[0].strip() for line in block.splitlines()]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sweep on this machine."""
    folder = tmp_path_factory.mktemp("here")
    (folder / "SPEC.toml").write_text(SPEC, encoding="utf-8")
    words = [sys.executable, "-m", "epsrank", "sweep", "SPEC.toml", "--out", "out"]
    done = subprocess.run(
        words, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "out"


def environment() -> dict[str, str]:
    bin_folder = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PATH": os.pathsep.join([bin_folder, os.environ.get("PATH", "")]),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
    }


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def shell(line: str, folder: Path, log: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a line in a session of its own, and end all of it."""
    with (folder / log).open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-c", f"exec env {line}"], cwd=folder, env=environment(), stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()


def stored(folder: Path) -> int:
    return len(list((folder / "out" / "store").glob("??/*.parquet")))


def wait_for(count: int, folder: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _SECONDS
    while stored(folder) < count and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    assert stored(folder) >= count, (folder / "sweep").read_text()


def processes(pattern: str, parent: int | None = None) -> list[int]:
    """Return processes by their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                above = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
            if re.search(pattern, words) and parent in {None, above}:
                found.append(int(entry.name))
    return found


def assert_equal_results(there: Path, here: Path) -> None:
    one, other = load_results(here), load_results(there)
    assert len(other.runs) == 200
    assert other.missing == 0
    for a, b in zip(one.runs, other.runs, strict=True):
        assert (a.name, a.figures, a.words) == (b.name, b.figures, b.words)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds workers in /proc")
def test_dask_as_the_guide_starts_it(here: Path, tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="needs epsrank[dask]")
    (tmp_path / "SPEC.toml").write_text(SPEC, encoding="utf-8")
    port = str(free_port())
    scheduler, worker, sweep = (line.removesuffix("&").replace("8786", port)
                                for line in commands("dask"))  # fmt: skip
    with (
        shell(scheduler, tmp_path, "scheduler"),
        shell(worker, tmp_path, "worker") as workers,
        shell(sweep, tmp_path, "sweep") as process,
    ):
        wait_for(40, tmp_path, process)
        victims = processes("spawn_main", workers.pid)
        assert len(victims) == 2  # a process for each of two workers
        os.kill(victims[0], signal.SIGKILL)
        assert process.wait(_SECONDS) == 0, (tmp_path / "sweep").read_text()
    assert "killed by signal 9" in (tmp_path / "worker").read_text()
    assert_equal_results(tmp_path / "out", here)


def start_ray(start: str, stop: str, folder: Path) -> None:
    """Start Ray, again where a busy machine took it more than the 30 s that it gives itself."""
    for attempt in range(_STARTS_OF_RAY):
        done = subprocess.run(
            shlex.split(start), cwd=folder, env=environment(), capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            return
        last = attempt + 1 == _STARTS_OF_RAY
        assert not last, done.stderr
        assert "timed out during startup" in done.stderr, done.stderr
        stop_ray(stop)


def stop_ray(stop: str) -> None:
    subprocess.run(
        shlex.split(stop), env=environment(), capture_output=True, timeout=300, check=False
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds workers in /proc")
def test_ray_as_the_guide_starts_it(here: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs epsrank[ray]")
    (tmp_path / "SPEC.toml").write_text(SPEC, encoding="utf-8")
    start, sweep, stop = (line.replace("6379", "6488") for line in commands("ray"))
    ray = shutil.which("ray", path=environment()["PATH"])
    assert ray is not None
    try:
        start_ray(start, stop, tmp_path)
        with shell(sweep, tmp_path, "sweep") as process:
            wait_for(40, tmp_path, process)
            end = time.monotonic() + 60
            while not (victims := processes("^ray::perform_once")) and time.monotonic() < end:
                time.sleep(0.005)
            os.kill(victims[0], signal.SIGKILL)
            assert process.wait(_SECONDS) == 0, (tmp_path / "sweep").read_text()
    finally:
        stop_ray(stop)
    assert_equal_results(tmp_path / "out", here)
