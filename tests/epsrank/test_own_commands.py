"""`epsrank train` and `plot` on the user's own work, from the folder of the call."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from epsrank.cli import main
from epsrank.numerics.training import RunConfig

CODE = """
import numpy as np
from torch import nn

def chirp(x):
    return np.cos(20 * x**2)

def net(n_inputs, n_outputs, width):
    return nn.Sequential(nn.Linear(n_inputs, width), nn.SiLU(), nn.Linear(width, n_outputs))

def wave(z):
    return z.sin() + z
"""
FEW = ["--steps", "3", "--device", "cpu"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own_work_of_a_user.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "own_work_of_a_user", raising=False)
    return tmp_path


def command(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def test_a_run_of_ones_own_is_trained_resumed_and_drawn(folder: Path) -> None:
    words = ["--net", "own_work_of_a_user:net", "--width", "5", "--domain", "-1", "0.5", *FEW]
    words += ["--n-train", "20"]
    done = command("train", "own_work_of_a_user:chirp", *words)
    assert done.exit_code == 0, done.stderr
    assert "own_work_of_a_user:chirp, own_work_of_a_user:net, default init, seed 0" in done.stdout
    assert done.stderr == ""
    out = "runs/own_work_of_a_user-chirp"
    config = RunConfig.from_toml(folder / out / "config.toml")
    assert config.domain == ((-1.0, 0.5),)
    assert command("train", "--resume", "--out", out).exit_code == 0
    done = command("plot", out, "--kind", "reading")
    assert done.exit_code == 0, done.stderr
    view = command("watch", out, "--once")
    assert "hidden layer 1" in view.stdout
    assert "hidden layer 2" not in view.stdout
    (folder / "own_work_of_a_user.py").write_text(CODE.replace("20 *", "2 *"))
    done = command("train", "--resume", "--out", out)
    assert done.exit_code == 2
    assert done.stderr.startswith("epsrank: error: task has another source than when the run began")


def test_files_need_no_task(folder: Path) -> None:
    x = np.linspace(-1, 1, 20)
    np.save("x.npy", x)
    np.save("y.npy", x**2)
    lines = ["a,b,kind", *(f"{a},{2 * a},{'uv'[i % 2]}" for i, a in enumerate(x))]
    (folder / "t.csv").write_text("\n".join(lines))
    done = command("train", "--data", "x.npy", "y.npy", "--net", "mlp:1x4", *FEW)
    assert done.exit_code == 0, done.stderr
    words = ["--target-columns", "kind", "--loss", "cross-entropy", "--net", "mlp:1x4", *FEW]
    done = command("train", "--data", "t.csv", *words, "--activation", "own_work_of_a_user:wave")
    assert done.exit_code == 0, done.stderr
    assert "test accuracy" in done.stdout
    assert (folder / "runs" / "data-2" / "staircase.svg").is_file()
    assert RunConfig.from_toml(folder / "runs" / "data" / "config.toml").data == ("x.npy", "y.npy")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["own_work_of_a_user:chirp"], "domain of own_work_of_a_user:chirp is not known"),
        (["own_work_of_a_user:none"], "task own_work_of_a_user has no none"),
        (["nowhere:chirp"], "task nowhere cannot be imported (ModuleNotFoundError"),
        (["cosines", "--net", "own_work_of_a_user:wave"], "network own_work_of_a_user:wave"),
        (["cosines", "--activation", "softplu"], "--activation is 'softplu'"),
        (["cosines", "--domain", "0"], "give two numbers per input"),
        (["cosines", "--domain", "0", "1"], "domain is given, but 'cosines' brings its own"),
        (["cosines", "--data", "x.npy"], "data is given, but 'cosines' brings its own"),
        (["--data", "x.npy"], "x.npy does not exist"),
    ],
)
def test_mistakes_are_one_line(words: list[str], said: str) -> None:
    done = command("train", *words, "--steps", "1")
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not Path("runs").exists()
