"""Results of sweeps, runs and tables: read as they were written, and as tables of others."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

from epsrank.cli.sweep import _keep_spec
from epsrank.numerics.ensemble.trials import plan_batches
from epsrank.numerics.files import write_table
from epsrank.numerics.results import RunResult, SweepResults, load_results
from epsrank.numerics.results.of_sweep import results_of
from epsrank.numerics.sweeps import Outcome, Sweep, Trial, TrialStore
from epsrank.numerics.sweeps.summary import results_table
from epsrank.theory.errors import InputError
from tests.made_up_sweeps import made_up, plant


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    grid = 'width = [4, 16]\ninit = ["default", "structured"]'
    folder = tmp_path_factory.mktemp("results") / "out"
    return plant(folder, grid, seeds=3, missing=1, diverged=1, failed=1)


def test_a_folder_of_a_sweep(swept: Path) -> None:
    results = load_results(swept)
    assert str(results) == f"{swept}: 11 runs of 4 settings, 1 diverged, 1 failed, 1 missing"
    assert results.varied == ("width", "init")  # in the order of the specification
    assert results.eps == 1e-6
    assert [len(cell.runs) for cell in results.cells] == [3, 3, 3, 2]
    wild, broken, run = results.runs[:3]
    assert (wild.status, wild.figures["loss"]) == ("diverged", math.inf)
    assert (broken.status, broken.cause, broken.figures) == ("failed", "no memory", {})
    assert run.seed == 2
    assert run.figures["steps_to_0.2"] == 40
    assert run.figures["rank_lower_layer1_1e-06"] == run.figures["rank_lower"] == 4
    assert run.words == {"reading": "between"}
    assert list(run.series["step"]) == [0, 10, 20, 30, 40]
    assert list(run.series["rank_lower"]) == [2, 3, 4, 4, 4]
    assert "test_accuracy" not in run.series


def test_runs_that_were_computed_together_are_found(tmp_path: Path) -> None:
    folder = plant(tmp_path / "out", seeds=3, missing=6)
    store = TrialStore(folder / "store")
    for batch in plan_batches(Sweep.from_toml(folder / "spec.toml").trials()):
        runs = [made_up(trial).result for trial in batch.members]
        store.put(Outcome(batch.trial, "done", {"runs": runs}, None, 1.0))
    assert len(store) < 6
    results = load_results(folder)
    assert (len(results.runs), results.missing) == (6, 0)
    assert results.runs[5].figures["loss"] == pytest.approx(0.5 / 16 * 1.2)


def test_a_specification_that_changed_leaves_out_no_run(tmp_path: Path) -> None:
    """Of a folder with its checksum; one that is older has none, and is read."""
    folder = plant(tmp_path / "out", seeds=3)
    spec = folder / "spec.toml"
    before, text = len(load_results(folder).runs), spec.read_text("utf-8")
    _keep_spec(folder, Sweep.parse(text, "spec.toml"))
    assert len(load_results(folder).runs) == before
    spec.write_text(text.replace("3", "2"), "utf-8")
    with pytest.raises(InputError, match=r"spec\.toml is not what was written"):
        load_results(folder)
    (folder / "epsrank.json").unlink()
    assert len(load_results(folder).runs) < before


def test_tables(swept: Path) -> None:
    results = load_results(swept)
    rows = results.table().to_pylist()
    assert [row["status"] for row in rows[:3]] == ["diverged", "failed", "done"]
    assert rows[2]["settings.width"] == 4
    assert rows[2]["final.reading"] == "between"
    lines = results.histories().to_pylist()
    assert {line["run"] for line in lines} == set(range(11)) - {1}  # the failed one has none
    assert lines[0].keys() >= {"seed", "settings.width", "settings.init", "step", "loss"}


def test_pandas_is_named_where_it_is_missing(swept: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r"pandas cannot be imported .*'epsrank\[frames\]'$"):
        load_results(swept).to_pandas()


def test_a_table_of_results_alone_of_this_version_and_the_last(tmp_path: Path) -> None:
    outcomes = [made_up(Trial("train", {"width": 4, "eps": [1e-6], "seed": s})) for s in range(2)]
    new = results_table(outcomes, [0.01])
    write_table(tmp_path / "results.parquet", new)
    (run, _) = load_results(tmp_path / "results.parquet").runs
    assert run.settings == {"width": 4, "eps": [1e-6]}
    assert run.seed == 0
    assert run.figures["steps_to_0.01"] == math.inf
    assert run.figures == results_of(outcomes, "", [0.01]).runs[0].figures
    names = [name for name in new.column_names if not name.startswith("final.")]
    old = new.select([*names, "final.loss", "final.rank_lower", "final.rank_upper"])
    write_table(tmp_path / "results.parquet", old)
    (run, _) = load_results(tmp_path).runs  # a folder that holds nothing else
    assert run.figures.keys() == {"loss", "rank_lower", "rank_upper"}


def test_settings_that_are_one_number_are_one(tmp_path: Path) -> None:
    runs = [RunResult({"a": value}, 0, "done", None, {}) for value in (1, 1.0, 0.5)]
    results = SweepResults("made up", tuple(runs))
    assert results.values("a") == [0.5, 1.0]
    assert [len(cell.runs) for cell in results.cells] == [2, 1]


@pytest.mark.parametrize("name", ["nothing", "empty", "text.txt"])
def test_what_holds_no_results_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("step,loss\n")
    with pytest.raises(InputError) as told:
        load_results(tmp_path / name)
    assert "\n" not in str(told.value)


def test_what_follows_from_a_setting_is_none_of_its_own() -> None:
    runs = [RunResult({"task": name, "sources": {"task": name * 2}}, 0, "done", None, {})
            for name in "ab"]  # fmt: skip
    results = SweepResults("made up", tuple(runs))
    assert results.varied == ("task",)
    assert len(results.cells) == 2
