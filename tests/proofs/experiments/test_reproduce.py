"""Reproducing writes a report, goes on where it was, and gives the same tables again."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from epsrank.cli import main
from epsrank.numerics.experiments.analysis import Analysis, Finding
from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.registry import experiment
from epsrank.numerics.sweeps.store import TrialStore
from epsrank.numerics.sweeps.trial import TRIAL_KINDS, Trial
from epsrank.proofs.experiments import reproduce, reproduce_all
from epsrank.proofs.experiments.reproduce import carry_out
from epsrank.theory.errors import InputError
from tests.proofs.experiments.conftest import make


def test_report_files(toys, tmp_path):
    toys(Z1=1.0)
    result = reproduce(experiment("Z1"), Request(), out=tmp_path, jobs=1)
    rows = list(csv.DictReader((tmp_path / "Z1/tables/coins.csv").read_text().splitlines()))
    assert [row["seed"] for row in rows] == list("012345")
    document = json.loads((tmp_path / "Z1/findings.json").read_text())
    assert document["findings"][0]["judgement"] == "supported"
    page = (tmp_path / "Z1/index.html").read_text()
    assert "supported" in page
    assert "data:image/svg+xml;base64," in page
    assert result.analysis.findings[0].judgement == "supported"
    assert " [depth-order]: supported. " in str(result)


def test_again_computes_nothing_and_writes_the_same(toys, tmp_path, monkeypatch):
    module = toys(Z1=1.0)
    reproduce(experiment("Z1"), Request(), out=tmp_path, jobs=1)
    before = {p: p.read_bytes() for p in (tmp_path / "Z1").rglob("*") if p.is_file()}

    def never(settings):
        raise AssertionError("computed again")

    monkeypatch.setattr(module, "toy_trial", never)
    result = reproduce(experiment("Z1"), Request(), out=tmp_path, jobs=1)
    assert not result.failed
    assert {p: p.read_bytes() for p in before} == before


def test_a_figure_that_cannot_be_written_costs_the_figure_alone(toys, tmp_path):
    toys(Z1=1.0)
    (tmp_path / "Z1/figures/coins.svg").mkdir(parents=True)
    result = reproduce(experiment("Z1"), Request(), out=tmp_path, jobs=1)
    assert result.analysis.findings[0].judgement == "supported"
    assert "note: no figure “The coins”: " in str(result)
    assert "no figure “The coins”" in (tmp_path / "Z1/index.html").read_text()
    assert json.loads((tmp_path / "Z1/findings.json").read_text())["notes"] == []


def test_failures_are_reported_and_do_not_stop_the_rest(toys, tmp_path):
    module = toys(Z1=1.0)
    module.Z1 = make("Z1", fail=True)
    result = reproduce(experiment("Z1"), Request(), out=tmp_path, jobs=1)
    assert len(result.failed) == len(result.outcomes) == 6
    assert "the coin fell off the table" in (tmp_path / "Z1/index.html").read_text()
    assert result.analysis.findings[0].judgement == "undecided"


def test_an_empty_plan_is_a_line(toys, tmp_path):
    module = toys(Z1=1.0)
    object.__setattr__(module.Z1, "plan", lambda request: [])
    with pytest.raises(InputError, match="no trials"):
        reproduce(experiment("Z1"), Request(), out=tmp_path)


def test_command(toys, tmp_path, monkeypatch):
    monkeypatch.delenv("EPSRANK_DATA", raising=False)
    toys(Z1=1.0)
    out = str(tmp_path / "out")
    ran = CliRunner().invoke(main, ["reproduce", "z1", "--jobs", "1", "--out", out, "--json"])
    assert ran.exit_code == 0, ran.output
    (entry,) = json.loads(ran.stdout)
    assert entry["findings"][0]["judgement"] == "supported"
    ran = CliRunner().invoke(main, ["reproduce", "Z1", "--seeds", "7", "--jobs", "1", "--out", out])
    assert "report:" in ran.output


def test_several_experiments_are_computed_as_one_list(toys, tmp_path, monkeypatch):
    module = toys(Z1=1.0, Z2=-1.0)
    base = {"width": 4, "depth": 1, "steps": 2, "n_train": 10, "measure_every": 1, "device": "cpu"}
    trials = [Trial("train", base | {"seed": seed}) for seed in range(3)]
    finding = Finding("depth-order", "supported", "as planted")
    module.Z2 = replace(
        module.Z2,
        plan=lambda request: trials,
        analyse=lambda outcomes: Analysis((finding,)),
        batched=True,
    )
    carry_out([experiment("Z1"), experiment("Z2")], Request(), tmp_path, jobs=1)
    kinds = [outcome.trial.kind for outcome in TrialStore(tmp_path / "store").outcomes()]
    assert sorted(kinds) == ["toy"] * 6 + ["train-many"]

    def never(task):
        raise AssertionError("computed again")

    monkeypatch.setattr("epsrank.numerics.sweeps.execute.perform_once", never)
    for name, count in (("Z1", 6), ("Z2", 3)):
        result = reproduce(experiment(name), Request(), out=tmp_path, jobs=1)
        assert (len(result.outcomes), len(result.failed)) == (count, 0)


def written(folder: Path) -> dict[Path, bytes]:
    """Return the files of both reports."""
    return {
        path.relative_to(folder): path.read_bytes()
        for name in ("Z1", "Z2")
        for path in (folder / name).rglob("*")
        if path.is_file()
    }


def both_reports(out: Path, jobs: int) -> dict[Path, bytes]:
    """Reproduce two toys together, the reports written by some processes."""
    both = [experiment("Z1"), experiment("Z2")]
    carry_out(both, Request(), out, jobs=1)  # toys cannot be imported by another process
    results = list(reproduce_all(both, Request(), out=out, jobs=jobs))
    assert [result.experiment.id for result in results] == ["Z1", "Z2"]
    return written(out)


def assert_an_error_is_a_line(module, out: Path, jobs: int) -> None:
    object.__setattr__(module.Z2, "plan", lambda request: [])
    with pytest.raises(InputError, match="no trials"):
        list(reproduce_all([experiment("Z1"), experiment("Z2")], Request(), out=out, jobs=jobs))


def test_several_are_reported_together_as_each_alone(toys, tmp_path):
    toys(Z1=1.0, Z2=-1.0)
    together = both_reports(tmp_path / "together", jobs=1)
    assert len(together) >= 6
    for name in ("Z1", "Z2"):
        reproduce(experiment(name), Request(), out=tmp_path / "alone", jobs=1)
    assert written(tmp_path / "alone") == together


def test_an_error_of_one_of_several_is_a_line(toys, tmp_path):
    assert_an_error_is_a_line(toys(Z1=1.0, Z2=-1.0), tmp_path, jobs=1)


def test_command_for_several(toys, tmp_path, monkeypatch):
    toys(Z1=1.0, Z2=-1.0)
    words = ["reproduce", "Z1", "Z2", "--jobs", "1", "--out", str(tmp_path)]
    ran = CliRunner().invoke(main, words)
    assert ran.exit_code == 0, ran.output
    assert [line for line in ran.stdout.splitlines() if line.startswith("Z")] == [
        "Z1: A coin per seed",
        "Z2: A coin per seed",
    ]

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("epsrank.proofs.experiments.reproduce_all", interrupted)
    ran = CliRunner().invoke(main, words)
    assert ran.exit_code == 130
    assert f"what was finished is in {tmp_path / 'store'}" in ran.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name experiments"),
        (["Q7"], "is 'Q7'"),
        (["Z1", "--data", "/nowhere/mnist.npz"], "does not exist"),
        (["Z1", "--seeds", "0"], "0"),
    ],
)
def test_bad_use(toys, tmp_path, words, said):
    toys(Z1=1.0)
    ran = CliRunner().invoke(main, ["reproduce", *words, "--out", str(tmp_path / "o")])
    assert ran.exit_code == 2
    assert said in ran.stderr


def test_all_failed_is_exit_1_and_never_recorded(toys, tmp_path):
    module = toys(Z1=1.0)
    module.Z1 = make("Z1", fail=True)
    out = str(tmp_path / "o")
    assert CliRunner().invoke(main, ["reproduce", "Z1", "--jobs", "1", "--out", out]).exit_code == 1
    ran = CliRunner().invoke(main, ["reproduce", "Z1", "--jobs", "1", "--out", out, "--record"])
    assert ran.exit_code == 2
    assert "nothing to record" in ran.stderr


def test_list_shows_every_experiment(monkeypatch):
    from epsrank.numerics.experiments.registry import EXPERIMENTS
    from epsrank.proofs.experiments import judged as module

    # Records of standard size take minutes to analyse; what is found in them is not asked here.
    asked = []
    monkeypatch.setattr(
        module, "judged", lambda record, entry: asked.append(entry.id) or [f"{record.id}: seen"]
    )
    ran = CliRunner().invoke(main, ["reproduce", "list", "--json"])
    assert ran.exit_code == 0, ran.output
    entries = json.loads(ran.stdout)
    assert [entry["id"] for entry in entries] == list(EXPERIMENTS)
    # Of a record that may decide nothing no findings are shown, but why.
    assert asked
    for entry in entries:
        expected = [f"{entry['id']}: seen"] if entry["id"] in asked else []
        assert entry["findings"] == expected
        assert entry["undecided"] is None or not expected
    assert all(place.count(":") == 1 for place in TRIAL_KINDS.values())


def test_large_records_are_analysed_once(toys, tmp_path, monkeypatch):
    """A record of half a minute is judged from the user's folder, until anything changes."""
    from epsrank.proofs.experiments import judged as module
    from epsrank.proofs.experiments import read_record

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "RECORDED", tmp_path)
    monkeypatch.setattr(module, "sources", lambda: state["sources"])
    state, calls = {"sources": "1"}, []
    record = replace(read_record("E"), id="Z1")
    (tmp_path / "Z1.parquet").write_bytes(b"one")
    toys(Z1=1.0)
    entry = experiment("Z1")
    counted = replace(
        entry,
        analyse=lambda outcomes: calls.append(1) or Analysis((Finding("c", "supported", "x"),), ()),
    )
    kept = tmp_path / "cache" / "epsrank" / "findings" / "Z1.json"
    for change, count in (
        (lambda: None, 1),
        (lambda: None, 1),
        (lambda: state.update(sources="2"), 2),
        (lambda: (tmp_path / "Z1.parquet").write_bytes(b"two"), 3),
        (lambda: kept.write_text(kept.read_text().replace("supported", "refuted")), 4),
        (lambda: kept.write_text("[]"), 5),
        (lambda: monkeypatch.setenv("XDG_CACHE_HOME", "/proc/none"), 6),
    ):
        change()
        assert module.judged(record, counted) == ["c: supported"]
        assert len(calls) == count
