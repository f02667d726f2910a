"""`epsrank watch` on runs and histories that are there, growing, cut short, or missing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from torch import nn

from epsrank.cli import main
from epsrank.cli.watch import HistorySource, RunSource, open_source
from epsrank.numerics.monitor import RankMonitor
from epsrank.numerics.monitor.sinks.files import CsvSink, JsonLinesSink
from epsrank.numerics.monitor.sinks.parquet import ParquetSink
from epsrank.numerics.monitor.terminal.live import lines
from epsrank.numerics.training import RunConfig, train

ROOT = Path(__file__).parents[2]


def watch(*words: str) -> Result:
    return CliRunner().invoke(main, ["watch", *words])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watch") / "run"
    train(
        RunConfig(
            task="cosines", depth=2, width=8, steps=20, n_train=40, device="cpu", eps=(1e-6, 1e-2)
        ),
        folder,
    )
    return folder


def monitored(sink: Any) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    x = torch.randn(30, 3)
    with RankMonitor(
        model, probe=x, targets=x.sum(1), loss="mse", every=1, sinks=[sink]
    ) as monitor:
        for _ in range(3):
            monitor.step(1.0)


def test_a_finished_run_is_shown_and_the_command_ends(run: Path) -> None:
    for words in ([str(run)], [str(run), "--once"], [str(run), "--interval", "0.5"]):
        done = watch(*words)
        assert done.exit_code == 0, done.output
        assert done.stderr == ""
        assert "step 20 of 20, complete" in done.stdout
        assert "hidden layer 2: ε-rank " in done.stdout
        assert "reading: " in done.stdout


def test_lines_in_a_pipe_are_as_long_as_columns_says(run: Path, monkeypatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    whole = watch(str(run), "--once").stdout
    assert max(map(len, whole.splitlines())) > 60
    monkeypatch.setenv("COLUMNS", "60")
    fitted = watch(str(run), "--once").stdout
    assert max(map(len, fitted.splitlines())) <= 60
    assert fitted.split() == whole.split()


@pytest.mark.parametrize(
    ("name", "sink"),
    [("h.csv", CsvSink), ("h.jsonl", JsonLinesSink), ("h.parquet", ParquetSink)],
)
def test_a_history_is_shown(tmp_path: Path, name: str, sink: Any) -> None:
    monitored(sink(tmp_path / name))
    done = watch(str(tmp_path / name), "--once")
    assert done.exit_code == 0, done.output
    assert "step 3, 3 measurements kept" in done.stdout
    assert "1: ε-rank " in done.stdout
    assert "reading: " in done.stdout


@pytest.mark.parametrize("name", ["run", "h.csv", "h.parquet"])
def test_what_does_not_exist_yet_is_normal(tmp_path: Path, name: str) -> None:
    done = watch(str(tmp_path / name), "--once")
    assert done.exit_code == 0
    assert "nothing there yet" in done.stdout


def test_an_empty_folder_and_cut_files_are_normal(tmp_path: Path, run: Path) -> None:
    assert "no run yet" in watch(str(tmp_path), "--once").stdout
    (tmp_path / "config.toml").write_bytes((run / "config.toml").read_bytes())
    assert "nothing saved yet" in watch(str(tmp_path), "--once").stdout
    file = tmp_path / "h.jsonl"
    for text in ("", '{"metad', '{"metadata": {}}'):
        file.write_text(text)
        done = watch(str(file), "--once")
        assert (done.exit_code, done.stderr) == (0, "")
        assert "no measurement yet" in done.stdout


def test_what_is_neither_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "h.csv").write_text("a,b\n1,2\n3,4\n")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.toml").write_text("task = ")
    for name in ("notes.txt", "h.csv", "run"):
        done = watch(str(tmp_path / name), "--once")
        assert done.exit_code == 2, name
        assert done.stderr.startswith("epsrank: error: ")
        assert done.stderr.count("\n") == 1
    assert watch(str(tmp_path), "--interval", "0").exit_code == 2


def test_a_source_tells_only_of_changes(tmp_path: Path, run: Path) -> None:
    source = open_source(str(run))
    assert isinstance(source, RunSource)
    assert source.poll() is not None
    assert source.finished
    assert source.poll() is None
    file = tmp_path / "h.jsonl"
    other = open_source(str(file))
    assert isinstance(other, HistorySource)
    assert lines(other.poll()) == [f"{file}: nothing there yet"]  # type: ignore[arg-type]
    assert other.poll() is None
    monitored(JsonLinesSink(file))
    view = other.poll()
    assert view is not None
    assert "step 3" in view.state
    assert not other.finished


def test_a_run_still_going_on_is_not_finished(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    config = RunConfig(task="cosines", depth=1, width=4, steps=20, n_train=20, device="cpu")
    train(config, folder, stop_after=5)
    state = folder / "state" / "state.json"
    text = state.read_text()
    source = RunSource(folder)
    source.poll()
    assert source.finished  # asked to stop: nothing more comes
    held = json.loads(text.replace("asked to stop after step 5", "running, or killed"))
    state.write_text(json.dumps({k: v for k, v in held.items() if k != "checksum"}))
    (folder / "epsrank.json").unlink()  # this state was not written by a training
    source = RunSource(folder)
    view = source.poll()
    assert not source.finished
    assert view is not None
    assert "step 5 of 20, running, or killed" in view.state


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent by a signal here")
def test_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    file = tmp_path / "h.csv"
    with subprocess.Popen(
        [sys.executable, "-m", "epsrank", "watch", str(file), "--interval", "30"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            assert "nothing there yet" in process.stdout.readline()
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        except BaseException:
            process.kill()  # which leaving `with` would wait for
            raise
    assert process.returncode == 0
    assert errors == ""
