"""`plot`, `watch`, `compare` and `import` on sweeps and on histories of others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from epsrank.cli import main
from epsrank.cli.watch import open_source
from epsrank.cli.watch_sweep import SweepSource
from epsrank.numerics.sweeps import Sweep, TrialStore
from epsrank.numerics.training import RunConfig, train
from tests.made_up_sweeps import made_up, plant

GRID = 'width = [4, 16]\ninit = ["default", "structured"]'


def command(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plant(tmp_path_factory.mktemp("swept") / "out", GRID, seeds=2, diverged=1)


def test_the_figures_of_a_sweep(swept: Path, tmp_path: Path) -> None:
    done = command("plot", swept, "--format", "png", "--out", tmp_path)
    assert done.exit_code == 0, done.stderr
    names = ["curves-loss", "curves-rank", "ends-loss", "ends-rank", "scatter"]
    assert done.stdout.splitlines() == [f"{tmp_path}/out-{name}.png" for name in names]
    assert all(Path(line).is_file() for line in done.stdout.splitlines())
    assert "no map figure, map has no two numeric settings on a grid" in done.stderr
    words = ["--kind", "ends", "--x", "width", "--colour", "init", "--y", "test_loss"]
    one = command("plot", swept, *words, "--where", "init=structured", "--out", tmp_path)
    assert (
        one.stderr == "epsrank: error: --colour is 'init', which does not vary; choose of: width\n"
    )
    one = command("plot", swept, *words, "--out", tmp_path)
    assert one.stdout == f"{tmp_path}/out-ends-test_loss.svg\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--kind", "stairs"], "'stairs' is not one of curves, ends, map, scatter, all"),
        (["--eps", "1e-6"], "draw runs and sweeps in two commands; --eps belongs to runs"),
        (["--where", "width"], "'width' is not NAME=VALUE"),
        (["--kind", "map"], "map has no two numeric settings on a grid; draw another kind"),
    ],
)
def test_bad_wishes_in_one_line(swept: Path, words: list[str], told: str) -> None:
    done = command("plot", swept, *words)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert told in done.stderr


def test_wishes_belong_to_sweeps(tmp_path: Path) -> None:
    done = command("plot", tmp_path, "--x", "width")
    assert (done.exit_code, "--x belongs to sweeps" in done.stderr) == (2, True)


def test_watching_a_sweep_that_grows(tmp_path: Path) -> None:
    folder = plant(tmp_path / "out", GRID, seeds=2, missing=3, diverged=1, failed=1)
    source = open_source(str(folder))
    assert isinstance(source, SweepSource)
    view = source.poll()
    assert view is not None
    title, heading, *rows = view.lines()
    assert title.startswith(f"{folder}: 4 of 8 runs done, 1 failed, 3 missing")
    assert heading.split()[:6] == ["width", "init", "done", "failed", "diverged", "missing"]
    assert [row.split() for row in rows] == [
        ["4", "default", "1", "1", "1", "0", "∞", "–"],
        ["4", "structured", "2", "0", "0", "0", "0.1313", "4"],
        ["16", "default", "1", "0", "0", "1", "0.03125", "6"],
        ["16", "structured", "0", "0", "0", "2", "–", "–"],
    ]
    assert source.poll() is None
    assert not source.finished
    store = TrialStore(folder / "store")
    for trial in Sweep.from_toml(folder / "spec.toml").trials()[-3:]:
        store.put(made_up(trial))
    whole = command("watch", folder)  # ends by itself
    assert whole.exit_code == 0, whole.stderr
    assert whole.stdout.startswith(f"{folder}: 7 of 8 runs done, 1 failed\n")
    view = source.poll()
    assert view is not None
    assert source.finished
    assert "7 of 8" in str(view.lines()[0])


def test_comparing_sweeps(tmp_path: Path) -> None:
    a = plant(tmp_path / "a", fixed='init = "default"', seeds=6)
    b = plant(tmp_path / "b", fixed='init = "structured"', seeds=7, factor=0.5)
    done = command("compare", a, b, "--figure", "loss", "rank_lower")
    assert done.exit_code == 0, done.stderr
    title, heading, *rows, note = done.stdout.splitlines()
    assert title == f"A = {a}, B = {b}: 12 pairs; init default → structured"
    assert heading.split()[:5] == ["width", "figure", "pairs", "A", "B"]
    assert rows[0].split()[:3] == ["all", "loss", "12"]
    assert "B/A 0.5" in rows[0]
    assert "[0.5, 0.5] 96.9 %" in rows[0]
    assert rows[0].endswith("12 of 12")
    assert rows[3].endswith("equal")
    assert note == "B/A of losses, B − A of all else: medians over the seeds"
    assert done.stderr == "epsrank: not paired: B only: width=4 seed=6; width=16 seed=6\n"
    report = json.loads(command("compare", a, b, "--json").stdout)
    assert report["differences"] == {"init": ["default", "structured"]}
    assert report["effects"][0]["effect"]["value"] == 0.5


def test_comparing_parts_of_one_sweep(swept: Path) -> None:
    done = command("compare", swept, swept, "--a", "width=4", "--b", "width=16.0")
    assert done.exit_code == 0, done.stderr
    assert "; width 4 → 16" in done.stdout
    none = command("compare", swept, swept, "--a", "width=5")
    assert none.stderr == "epsrank: error: --a leaves no run; name values that were run\n"


def test_comparing_two_runs(tmp_path: Path) -> None:
    for rate, name in ((1e-3, "a"), (1e-2, "b")):
        settings = {"width": 4, "depth": 1, "steps": 4, "n_train": 12, "measure_every": 2}
        train(RunConfig(**settings, learning_rate=rate, device="cpu"), tmp_path / name)
    done = command("compare", tmp_path / "a", tmp_path / "b")
    assert done.exit_code == 0, done.stderr
    title, heading, loss, *_ = done.stdout.splitlines()
    assert title.endswith("1 pair; learning_rate 0.001 → 0.01")
    assert heading.split()[:2] == ["figure", "pairs"]
    assert "one pair" in loss


def test_comparing_what_does_not_compare(swept: Path, tmp_path: Path) -> None:
    (tmp_path / "ledger.json").write_text("{}")
    done = command("compare", swept, tmp_path)
    assert done.exit_code == 2
    assert done.stderr == (
        f"epsrank: error: {swept} is no verification; compare two folders of epsrank verify\n"
    )


def test_importing_others(tmp_path: Path) -> None:
    for lr in (1, 2):
        for seed in range(2):
            file = tmp_path / "csv" / f"lr{lr}" / f"{seed}.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"step,train_loss,val_loss\n0,4,4\n9,{lr + seed},{2 * lr}\n")
    out = tmp_path / "out"
    words = [tmp_path / "csv", "--out", out, "--names", "lr{lr}/{seed}.csv", "--target", "2.5"]
    done = command("import", *words)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"{out}: 4 runs of 2 settings",
        "2 seeds, what varies: lr",
        "figures: loss, test_loss, stairs, steps_to_2.5",
    ]
    assert json.loads(command("import", *words, "--json").stdout)["varied"] == ["lr"]
    drawn = command("plot", out, "--kind", "curves")
    assert drawn.stdout == f"{out}/curves-loss.svg\n"
    against = command("compare", out, tmp_path / "out", "--figure", "test_loss")
    assert against.stdout.splitlines()[0].endswith("4 pairs")
    wrong = command("import", *words[:3], "--column", "loss")
    assert wrong.exit_code == 2
    assert "'loss' is not NAME=VALUE" in wrong.stderr
