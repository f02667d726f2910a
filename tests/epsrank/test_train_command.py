"""`epsrank train` and `epsrank plot`: folders, interruption, resumption, one-line errors."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from epsrank.cli import main
from epsrank.numerics.networks.activations import ACTIVATIONS
from epsrank.numerics.networks.initialise import INITIALISATIONS
from epsrank.numerics.training import RunConfig
from epsrank.numerics.training.config import DEFAULT_RATES
from tests.processes import Child

SMALL = ["--net", "mlp:2x6", "--n-train", "30", "--device", "cpu"]


def command(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def refused(*words: str | Path) -> str:
    done = command(*words)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("epsrank: error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("epsrank: error: ")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "a"
    done = command(
        "train", "cosines", *SMALL, "--steps", "6", "--eps", "1e-6", "1e-3", "--out", out
    )
    assert done.exit_code == 0, done.stderr
    return out


def test_the_folder_of_a_run(run: Path) -> None:
    names = {path.name for path in run.iterdir()}
    contract = {"config.toml", "history.parquet", "weights.safetensors", "staircase.svg"}
    assert contract | {"spectra.parquet"} <= names
    config = RunConfig.from_toml(run / "config.toml")
    assert (config.network, config.depth, config.width, config.steps) == ("mlp", 2, 6, 6)
    assert config.eps == (1e-6, 1e-3)
    assert pq.read_table(run / "history.parquet").num_rows == 7


def test_the_page_for_people(tmp_path: Path) -> None:
    done = command("train", "cosines", *SMALL, "--steps", "2", "--out", tmp_path / "a")
    for text in ("hidden layer", "ε-rank at 1e-06", "V(‖β‖)", "envelope", "floor at", "reading: "):
        assert text in done.stdout
    assert str(tmp_path / "a" / "staircase.svg") in done.stdout
    assert done.stderr == ""


def test_all_settings_arrive(tmp_path: Path) -> None:
    words = [
        "--network",
        "resnet",
        "--depth",
        "3",
        "--width",
        "5",
        "--activation",
        "sine",
        "--init",
        "xavier",
        "--init-scale",
        "0.5",
        "--optimizer",
        "momentum",
        "--learning-rate",
        "0.02",
        "--batch-size",
        "7",
        "--steps",
        "3",
        "--eps=1e-5",
        "--measure-every",
        "3",
        "--probe",
        "20",
        "--bias",
        "fixed",
        "--n-train",
        "30",
        "--seed",
        "4",
        "--dtype",
        "float32",
        "--device",
        "cpu",
        "--loss",
        "mse",
    ]
    done = command("train", "cosines", *words, "--out", tmp_path / "a")
    assert done.exit_code == 0, done.stderr
    assert RunConfig.from_toml(tmp_path / "a" / "config.toml") == RunConfig(
        task="cosines",
        network="resnet",
        depth=3,
        width=5,
        activation="sine",
        init="xavier",
        init_scale=0.5,
        optimizer="momentum",
        learning_rate=0.02,
        batch_size=7,
        steps=3,
        eps=(1e-5,),
        measure_every=3,
        probe=20,
        bias="fixed",
        n_train=30,
        seed=4,
        dtype="float32",
        device="cpu",
    )


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        ("mlp:4x25", ("mlp", 4, 25)),
        ("resnet:3x10", ("resnet", 3, 10)),
        ("4x25", ("mlp", 4, 25)),
        ("resnet", ("resnet", 2, 50)),
    ],
)
def test_networks_in_one_word(net: str, expected: tuple[str, int, int], tmp_path: Path) -> None:
    words = ("--net", net, "--steps", "0", "--n-train", "20", "--device", "cpu")
    assert command("train", "cosines", *words, "--out", tmp_path / "a").exit_code == 0
    config = RunConfig.from_toml(tmp_path / "a" / "config.toml")
    assert (config.network, config.depth, config.width) == expected


def test_bad_use(run: Path, tmp_path: Path) -> None:
    free = tmp_path / "free"
    assert refused("train").startswith("name a TASK")
    assert "task is 'cosine'; choose one of cosines" in refused("train", "cosine", "--out", free)
    assert "--width is 0" in refused("train", "cosines", "--width", "0", "--out", free)
    assert "--init is 'x'" in refused("train", "cosines", "--init", "x", "--out", free)
    assert "--learning-rate is nan" in refused("train", "cosines", "--learning-rate", "nan")
    assert "--eps is 0" in refused("train", "cosines", "--eps", "0", "--out", free)
    assert "write it as mlp:2x50" in refused("train", "cosines", "--net", "2y50", "--out", free)
    # A word of ours before the colon is no module of the user's.
    for words, line in {
        ("cosines", "--net", "mlp:ax50"): "'--net': 'mlp:ax50'; write it as mlp:2x50, or module:",
        ("cosines", "--net", "mlp:2"): "'--net': 'mlp:2'; write it as mlp:2x50, or module:",
        ("cosines", "--network", "resnet:ax50"): "write resnet alone, or --net mlp:2x50",
        ("cosines", "--network", "mlp:2x50"): "write mlp alone, or --net mlp:2x50",
        ("cosines", "--activation", "tanh:x"): "'--activation': 'tanh:x'; write tanh alone",
        ("cosines:x",): "'TASK': 'cosines:x'; write cosines alone, or module:name",
    }.items():
        assert line in refused("train", *words, "--out", free)
    assert "needs the folder" in refused("train", "--resume")
    assert "holds no run" in refused("train", "--resume", "--out", free)
    assert "not empty" in refused("train", "cosines", "--out", run)
    changed = refused("train", "--resume", "--seed", "5", "--out", run)
    assert "seed 0 → 5" in changed
    assert not free.exists()


def test_an_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "run"
    assert "choose another folder" in refused("train", "cosines", *SMALL, "--out", out)


def test_without_out_a_new_folder_in_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert command("train", "cosines", *SMALL, "--steps", "1").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["cosines", "cosines-2"]


@pytest.mark.parametrize(
    ("activation", "rate"), [("relu", "1e155"), ("tanh", "1e20"), ("relu", "1e5")]
)
def test_a_diverged_run_is_a_result(activation: str, rate: str, tmp_path: Path) -> None:
    words = ("--optimizer", "sgd", "--learning-rate", rate, "--activation", activation)
    done = command("train", "cosines", *SMALL, *words, "--steps", "60", "--out", tmp_path / "a")
    assert done.exit_code == 0
    assert "epsrank: the run diverged: " in done.stderr
    assert (tmp_path / "a" / "staircase.svg").exists()
    assert command("plot", tmp_path / "a", "--format", "png").exit_code == 0


def test_ctrl_c_keeps_a_run_that_resumes_to_the_same_numbers(tmp_path: Path) -> None:
    words = ["train", "cosines", *SMALL, "--measure-every", "50"]
    process = Child(main, [*words, "--steps", "800", "--out", str(tmp_path / "a")])
    deadline = time.monotonic() + 60
    while not (tmp_path / "a" / "history.parquet").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send(signal.SIGINT)
    code, said = process.ended(60)
    if code == 0:
        pytest.fail("the run ended before it could be interrupted: give it more steps")
    assert code == 130
    said = said.splitlines()[-1]  # on a slow machine progress is said before
    assert said.startswith("epsrank: interrupted at step ")
    again = said.split("go on with: epsrank ")[1].split()
    done = command(*again)
    assert done.exit_code == 0, done.stderr
    assert command(*words, "--steps", "800", "--out", tmp_path / "b").exit_code == 0
    first, second = (pq.read_table(tmp_path / name / "history.parquet") for name in "ab")
    assert first.equals(second)


def test_help_names_every_choice() -> None:
    page = " ".join(command("train", "--help").stdout.split())
    for name in [*ACTIVATIONS, *INITIALISATIONS, *DEFAULT_RATES]:
        assert name in page


def test_plot_writes_every_figure(run: Path, tmp_path: Path) -> None:
    done = command("plot", run, run, "--format", "png", "--out", tmp_path / "figures")
    assert done.exit_code == 0, done.stderr
    files = [Path(line) for line in done.stdout.splitlines()]
    assert len(files) == len(set(files)) == 12
    assert {file.name for file in files} >= {"a-staircase.png", "a-2-floor.png"}
    assert all(file.stat().st_size > 1000 for file in files)


@pytest.mark.parametrize("suffix", ["svg", "pdf"])
def test_plot_in_other_formats(suffix: str, run: Path, tmp_path: Path) -> None:
    done = command("plot", run, "--kind", "floor", "--format", suffix, "--out", tmp_path)
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / f"a-floor.{suffix}").stat().st_size > 1000


def test_plot_beside_the_run_and_at_another_threshold(run: Path) -> None:
    done = command("plot", run, "--kind", "layers", "--eps", "1e-3", "--format", "png")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"{run / 'layers.png'}\n"


def test_plot_refuses(run: Path, tmp_path: Path) -> None:
    assert "RUN" in refused("plot")
    assert "holds no config.toml" in refused("plot", tmp_path)
    assert "the run has measured 1e-06, 0.001" in refused("plot", run, "--eps", "0.5")
    (tmp_path / "file").touch()
    assert "cannot be written" in refused("plot", run, "--out", tmp_path / "file" / "x")


def test_plot_leaves_out_what_was_not_measured(tmp_path: Path) -> None:
    words = [
        "--loss",
        "cross-entropy",
        "--width",
        "5",
        "--steps",
        "2",
        "--n-train",
        "40",
        "--probe",
        "30",
        "--device",
        "cpu",
    ]
    assert command("train", "digits", *words, "--out", tmp_path / "a").exit_code == 0
    done = command("plot", tmp_path / "a", "--format", "png")
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 4  # with a reading, in the cross-entropy
    assert "no floor figure, the squared-error floor was not measured" in done.stderr
