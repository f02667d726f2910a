"""Histories of other programs: names of files and columns, seeds, diverged runs, bad files."""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from epsrank.numerics.monitor import RankMonitor
from epsrank.numerics.results import import_runs, load_results
from epsrank.numerics.results.foreign import save_import
from epsrank.theory.errors import InputError
from epsrank.theory.extras import PACKAGES


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_seeds_and_settings_by_the_names_of_files(tmp_path: Path) -> None:
    for width in (4, 8):
        for seed in range(3):
            text = f"global_step,train/loss,note\n0,2.0,a\n5,{1 / width},b\n"
            write(tmp_path / f"w{width}" / f"adam-{seed}.csv", text)
    results = import_runs([tmp_path], names="w{width}/{optimizer}-{seed}.csv", targets=[0.2])
    assert results.varied == ("width",)
    assert [run.seed for run in results.runs] == [0, 1, 2] * 2
    assert results.runs[0].settings == {"width": 4, "optimizer": "adam"}
    assert results.runs[0].figures["loss"] == 0.25
    assert [run.figures["steps_to_0.2"] for run in results.runs[::3]] == [math.inf, 5]
    with pytest.raises(InputError, match=r"^names does not fit .*adam-0.csv"):
        import_runs([tmp_path], names="w{width}-{seed}.csv")


def test_several_runs_in_one_file(tmp_path: Path) -> None:
    columns = {
        "it": [0, 1] * 4,
        "nll": [2.0, 1.0, 2.0, float("nan"), 3.0, 0.5, 3.0, 0.25],
        "val_acc": [0.5, 0.75] * 4,
        "lr": [0.1] * 4 + [0.2] * 4,
        "run": [0, 0, 1, 1] * 2,
    }
    pq.write_table(pa.table(columns), tmp_path / "all.parquet")
    options = {"seed": "run", "settings": ["lr"], "columns": {"step": "it", "loss": "nll"}}
    results = import_runs([tmp_path / "all.parquet"], **options)
    # One path, and one column, are what they say without a list around them.
    alone = import_runs(str(tmp_path / "all.parquet"), **options | {"settings": "lr"})
    assert [run.figures for run in alone.runs] == [run.figures for run in results.runs]
    assert [(run.settings["lr"], run.seed) for run in results.runs] == [
        (0.1, 0), (0.1, 1), (0.2, 0), (0.2, 1)
    ]  # fmt: skip
    assert [run.status for run in results.runs] == ["done", "diverged", "done", "done"]
    assert results.runs[1].figures["loss"] == math.inf
    assert results.runs[3].figures == {"loss": 0.25, "test_accuracy": 0.75, "stairs": 0}


def test_an_import_is_read_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path / "a" / "s0.csv", "step,loss,rank,lr norm\n0,1,3,0.5\n1,0.5,4,\n")
    write(tmp_path / "a" / "s1.csv", "step,loss\n0,1\n1,nan\n")
    results = import_runs([tmp_path / "a"], names="s{seed}.csv", targets=[0.7])
    save_import(results, tmp_path / "out")
    again = load_results(tmp_path / "out")
    for run, other in zip(results.runs, again.runs, strict=True):
        assert (run.seed, run.status, run.figures) == (other.seed, other.status, other.figures)
        assert run.series.keys() == other.series.keys()
    assert again.runs[0].figures["rank_upper"] == 4
    (tmp_path / "out" / "histories.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="is not what was written"):
        load_results(tmp_path / "out")


def test_gaps_and_repeated_steps(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "step,loss,val_loss\n2,1,\n0,4,\n2,2,\n2,,9\n,7,7\n")
    (run,) = import_runs([path]).runs
    assert (list(run.series["step"]), list(run.series["loss"])) == ([0, 2], [4, 2])
    assert (run.status, run.figures["test_loss"]) == ("done", 9)


def test_the_history_of_a_monitor(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 6), torch.nn.Tanh(), torch.nn.Linear(6, 1))
    probe = torch.randn(30, 2, generator=torch.Generator().manual_seed(0))
    with RankMonitor(
        model, probe=probe, targets=probe[:, :1], loss="mse", every=1, warn=False
    ) as monitor:
        for step in range(3):
            monitor.step(loss=1.0 - 0.1 * step)
    monitor.history.to_csv(tmp_path / "s3.csv")
    monitor.history.to_parquet(tmp_path / "s4.parquet")
    monitor.history.to_json(tmp_path / "s5.json")
    files = sorted(tmp_path.iterdir())
    runs = [import_runs([file], names="s{seed}." + file.suffix[1:]).runs[0] for file in files]
    assert [run.seed for run in runs] == [3, 4, 5]
    for run in runs:
        assert list(run.series["loss"]) == [1.0, 0.9, 0.8]
        assert run.figures == runs[0].figures
        assert run.figures["rank_lower"] == 6
        assert run.words.keys() == {"reading"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no rows"),
        ("step,loss\n", "has no rows"),
        ("step,loss\n0\n", "has another number of entries in row 2"),
        ("step,step\n0,1\n", "has two columns of one name"),
        ("loss\n1\n", "has no column that is a step; name it; it has loss"),
        ("step,x\n0,1\n", "has no column that is a loss; name it; it has step, x"),
        ("step,loss\n0,high\n", "has no loss that is a number"),
        ("\x00\udcff", "cannot be read"),
    ],
)
def test_bad_files_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError) as error:
        import_runs([path])
    assert str(error.value).startswith(f"{path} {told}")
    assert "\n" not in str(error.value)


def test_bad_options_in_one_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "step,loss\n0,1\n")
    for options, told in (
        ({"names": "a.csv"}, "names is 'a.csv'; write each of its parts once"),
        ({"seed": "run"}, f"{path} has no column 'run'; it has step, loss"),
        ({"columns": {"loss": "nll"}}, f"{path} has no column 'nll'"),
    ):
        with pytest.raises(InputError) as error:
            import_runs([path], **options)
        assert str(error.value).startswith(told)
    with pytest.raises(InputError, match="does not exist"):
        import_runs([tmp_path / "b.csv"])


def test_event_files_name_their_extra(tmp_path: Path) -> None:
    if "tensorboard" not in PACKAGES:
        raise AssertionError
    write(tmp_path / "events.out.tfevents.1.host", "")
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        with pytest.raises(InputError, match=r"pip install 'epsrank\[tensorboard\]'"):
            import_runs([tmp_path])
    else:
        with pytest.raises(InputError, match="has no scalars"):
            import_runs([tmp_path])
