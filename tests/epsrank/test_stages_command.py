"""``epsrank stages``: exports of each format, one document of JSON, figures, one-line errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from epsrank import training_stages
from epsrank.cli import main
from epsrank.numerics.results import import_runs, tables
from epsrank.numerics.results.foreign import save_import
from epsrank.numerics.results.own_history import is_json_lines
from epsrank.numerics.training import RunConfig, train
from tests.made_up_sweeps import plant

STEPS = np.arange(0, 200, 4)


def stages(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["stages", *map(str, words)])


def told(*words: str | Path) -> dict:
    """Return the one setting that a command tells of."""
    done = stages(*words, "--json")
    assert done.exit_code == 0, done.stderr
    (only,) = json.loads(done.stdout)["stages"]
    return only


def columns(seed: int = 0, loss: str = "train/loss", step: str = "global_step") -> dict:
    at = 100 + 4 * (seed % 3)
    return {
        step: STEPS.tolist(),
        loss: np.where(at > STEPS, 1.0, 0.01).tolist(),
        "epsilon_rank": np.where(at - 40 > STEPS, 2, 9).tolist(),
    }


def write_csv(path: Path, named: dict) -> Path:
    lines = [",".join(named)] + [
        ",".join(map(str, row)) for row in zip(*named.values(), strict=True)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def chart(tmp_path: Path) -> Path:
    """Write a chart as W&B exports one: a column per run, and bands over its groups."""
    named: dict = {"Step": STEPS.tolist()}
    for seed in range(3):
        for end in ("", "__MIN", "__MAX"):
            named[f"run-{seed} - loss{end}"] = columns(seed)["train/loss"]
    return write_csv(tmp_path / "chart.csv", named)


def passages(found: dict, name: str = "loss ≤ 0.9 L₀") -> list:
    rows = {row["event"]: row for row in found["events"]}
    return [passage["by"] for passage in rows[name]["passages"]]


def test_csv_parquet_and_imports(tmp_path: Path) -> None:
    files = [write_csv(tmp_path / "runs" / f"w8-seed{k}.csv", columns(k)) for k in range(3)]
    assert passages(told(files[0])) == [100]
    assert passages(told(*files)) == [100, 104, 108]
    named = told(tmp_path / "runs", "--names", "w{width}-seed{seed}.csv")
    assert named["settings"] == {"width": 8}
    assert [run["seed"] for run in named["runs"]] == [0, 1, 2]
    pq.write_table(pa.table(columns()), tmp_path / "one.parquet")
    assert passages(told(tmp_path / "one.parquet")) == [100]
    save_import(import_runs([tmp_path / "runs"], names="w{width}-seed{seed}.csv"), tmp_path / "im")
    found = told(tmp_path / "im")
    assert passages(found) == [100, 104, 108]
    assert passages(found, "ε-rank at half of its growth") == [60, 64, 68]


def test_json_lines(tmp_path: Path) -> None:
    own = columns(loss="loss")
    rows = [dict(zip(own, row, strict=True)) for row in zip(*own.values(), strict=True)]
    lines = [json.dumps({"global_step": r.pop("global_step"), "train": r}) for r in rows]
    # A row of the evaluation, without a loss; the last line is still written.
    text = "\n".join([*lines[:3], '{"global_step": 9, "eval/sharpness": NaN}', "", *lines[3:]])
    for name in ("log.jsonl", "log.json", "runs/log.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + '\n{"global_st', encoding="utf-8")
        assert passages(told(tmp_path / name)) == [100]
    assert passages(told(tmp_path / "runs")) == [100]
    # One line alone is a document by its ending, in whatever case that is written.
    for name, expected in [("one.JSON", False), ("one.json", False), ("one.JSONL", True)]:
        (tmp_path / name).write_text('{"step": 0}', encoding="utf-8")
        assert is_json_lines(tmp_path / name) is expected
    (tmp_path / "a.jsonl").write_text('{"step": 0}\nfoo\n{"step": 1}\n', encoding="utf-8")
    done = stages(tmp_path / "a.jsonl")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "has no JSON object in line 2; write one object per line" in done.stderr


def test_other_separators(tmp_path: Path) -> None:
    text = write_csv(tmp_path / "a.csv", columns()).read_text("utf-8")
    for mark in ";\t":
        (tmp_path / "b.csv").write_text(text.replace(",", mark), encoding="utf-8")
        assert passages(told(tmp_path / "b.csv")) == [100]
    (tmp_path / "b.csv").write_text("step;loss\n0;0,5\n1;0,1\n", encoding="utf-8")
    done = stages(tmp_path / "b.csv")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "has commas in its numbers, the first 0,5 in row 2; write them with" in done.stderr


def test_exports_of_trackers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = told(chart(tmp_path))
    assert passages(found) == [100, 104, 108]
    assert [run["seed"] for run in found["runs"]] == ["run-0", "run-1", "run-2"]
    # The history of a run by the API of W&B: an own counter, and gaps.
    own = columns(loss="train/loss", step="_step") | {"_runtime": STEPS.tolist()}
    own["val/loss"] = [value if k % 5 == 0 else "" for k, value in enumerate(own["train/loss"])]
    assert passages(told(write_csv(tmp_path / "wandb.csv", own))) == [100]
    # As TensorBoard does, event files of one folder are one run.
    for name in ("events.out.tfevents.1.a", "events.out.tfevents.2.a"):
        (tmp_path / "tb").mkdir(exist_ok=True)
        (tmp_path / "tb" / name).write_bytes(b"")
    whole = columns(loss="Loss/train", step="step")

    def half(path: Path) -> tables.Table:
        part = slice(0, 20) if ".1." in path.name else slice(20, None)
        return tables.Table({name: values[part] for name, values in whole.items()})

    monkeypatch.setattr("epsrank.numerics.stages.reading.read_any", half)
    assert passages(told(tmp_path / "tb")) == [100]


def test_a_run_and_a_sweep(tmp_path: Path) -> None:
    config = {"task": "cosines", "depth": 2, "width": 6, "steps": 40, "eps": (1e-3,),
              "optimizer": "sgd", "n_train": 20, "device": "cpu"}  # fmt: skip
    runs = [train(RunConfig(**config, seed=k), out=tmp_path / f"run{k}") for k in (0, 1)]
    found = told(tmp_path / "run0", tmp_path / "run1")
    assert [run["seed"] for run in found["runs"]] == [0, 1]
    assert {"loss", "reachable", "rank:1", "rank:2", "limit"} <= set(found["runs"][0]["quantities"])
    # The runs themselves say the same.
    assert training_stages(runs).to_json()["events"] == found["events"]
    swept = told(plant(tmp_path / "sweep", seeds=3), "--where", "width=4")
    assert [run["seed"] for run in swept["runs"]] == [0, 1, 2]
    assert {"loss", "rank"} <= set(swept["runs"][0]["quantities"])
    done = stages(tmp_path / "run0", "--out", tmp_path / "run.png")
    assert done.exit_code == 0
    assert (tmp_path / "run.png").stat().st_size > 10_000
    assert "not measured: test" not in done.stdout
    assert "λ_K" in next(line for line in done.stdout.splitlines() if "not measured" in line)


def test_settings_are_told_apart(tmp_path: Path) -> None:
    for width in (4, 8):
        for seed in range(2):
            write_csv(tmp_path / f"w{width}-seed{seed}.csv", columns(seed))
    words = [tmp_path, "--names", "w{width}-seed{seed}.csv"]
    done = stages(*words)
    assert done.exit_code == 0
    assert "width = 4" in done.stdout
    assert "width = 8" in done.stdout
    assert passages(told(*words, "--where", "width=8")) == [100, 104]
    refused = stages(*words, "--out", tmp_path / "a.png")
    assert refused.exit_code == 2
    assert "--out draws one setting, and there are 2; choose one with --where" in refused.stderr


def test_the_text_tells_stages_passages_and_order(tmp_path: Path) -> None:
    files = [write_csv(tmp_path / f"{k}.csv", columns(k)) for k in range(7)]
    done = stages(*files, "--against", "rank", "--pairs")
    assert done.exit_code == 0, done.stderr
    for words in (
        "7 sources: 7 runs, 2 quantities, steps 0 to 196",
        "7 of 7",
        "[96, 108]",
        "1.00 [0.59, 1.00]",
        "0.0156",
        "0 of 4 pairs have an established order (0.05 after Holm)",
        "so few runs cannot establish any of 4 pairs (least p 0.0625)",
        "not measured: test loss",
    ):
        assert words in done.stdout, words
    one = stages(files[0], "--momentum", "0.9")
    assert "loss ≤ 0.9 L₀" in one.stdout
    assert "after step" in one.stdout


def test_cells_of_text(tmp_path: Path) -> None:
    own = columns()
    own["epsilon_rank"][3] = "n/a"
    own["note"] = ["", "fast", *[""] * 48]
    file = write_csv(tmp_path / "a.csv", own)
    found = told(file)
    assert passages(found, "ε-rank at half of its growth") == [60]
    assert found["runs"][0]["unused"] == ["note"]
    assert "columns not used: note" in stages(file).stdout
    done = stages(file, "--column", "barrier=note")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "has text in the column 'note', row 2: 'fast'" in done.stderr


@pytest.mark.parametrize(
    ("text", "words", "told"),
    [
        ("step,loss\n0,1\n", [], "has one measurement; passages need two steps or more"),
        ("step,foo\n0,1\n1,2\n", [], "has no quantity that is known here; name them with"),
        ("foo,loss\n0,1\n1,2\n", [], "has no column of steps; name it with step=COLUMN"),
        ("step,loss\n0,1\n1,2\n0,1\n1,2\n", [], "has steps that begin anew at row 3: 0 after 1"),
        ("step,loss\n0,1\n1,2\n", ["--column", "loss=x"], "has no column 'x'; it has step, loss"),
        ("step,loss\n0,1\n1,2\n", ["--column", "pace=loss"], "--column name 'pace'; choose one"),
        ("step,loss\n0,1\n1,2\n", ["--against", "rank"], "--against names 'rank', which is not"),
        ("step,loss\n0,1\n1,2\n", ["--momentum", "2"], "--momentum is 2;"),
        (
            "step,loss\n0,1\n1,2\n",
            ["--out", "a.gif"],
            "--out is a.gif; end it in .svg, .png or .pdf",
        ),
    ],
)
def test_bad_use_in_one_line(tmp_path: Path, text: str, words: list[str], told: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(text, encoding="utf-8")
    done = stages(file, *words)
    assert done.exit_code == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_is_no_training_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        done = stages(path)
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.stderr
