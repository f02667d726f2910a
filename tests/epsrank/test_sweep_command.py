"""`epsrank sweep`: tables, status, interruption, exit codes, one-line errors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from epsrank.cli import main
from epsrank.numerics.sweeps import TRIAL_KINDS, Outcome, Sweep, TrialStore

SPEC = """\
seeds = 2
targets = [100]
[fixed]
task = "cosines"
depth = 1
steps = 4
n_train = 20
device = "cpu"
[grid]
width = [3, 5]
"""


def command(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "SPEC.toml"
    path.write_text(SPEC)
    return path


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Result]:
    folder = tmp_path_factory.mktemp("swept")
    (folder / "SPEC.toml").write_text(SPEC)
    words = ["sweep", folder / "SPEC.toml", "--out", folder / "out", "--jobs", "1"]
    return folder / "SPEC.toml", folder / "out", command(*words)


def fail(spec: Path, out: Path, seeds: tuple[int, ...], cause: str) -> None:
    """Plant failures of some seeds."""
    for trial in Sweep.from_toml(spec).trials():
        if trial.settings["seed"] in seeds:
            TrialStore(out / "store").put(Outcome(trial, "failed", {}, cause))


def test_the_folder_and_the_table_of_a_sweep(swept):
    _, out, done = swept
    assert done.exit_code == 0, done.stderr
    names = {path.name for path in out.iterdir()}
    assert names == {"epsrank.json", "spec.toml", "store", "results.parquet"}
    assert (out / "spec.toml").read_text() == SPEC
    title, heading, *rows, note = done.stdout.splitlines()
    assert title == "SPEC.toml: 4 runs"
    assert heading.split("  ")[0] == "width"
    assert "final loss" in heading
    assert "final ε-rank at 1e-06" in heading
    assert [row.split()[:2] for row in rows] == [["3", "2"], ["5", "2"]]
    assert "test loss" in heading
    assert "readings" in heading
    assert "steps to 100" in heading
    assert "50.0 %" in rows[0]  # two seeds reach no more
    assert "results.parquet" in note
    table = pq.read_table(out / "results.parquet")
    assert table.num_rows == 4
    assert table.column("settings.width").to_pylist() == [3, 3, 5, 5]
    assert table.column("settings.seed").to_pylist() == [0, 1, 0, 1]
    assert all(loss > 0 for loss in table.column("final.loss").to_pylist())
    assert table.column("final.steps_to_100").to_pylist() == [0, 0, 0, 0]
    assert set(table.column_names) > {
        "final.test_loss", "final.reachable", "final.reading", "final.stairs",
        "final.rank_lower_layer1_0.01",
    }  # fmt: skip


def test_columns_of_the_table_are_chosen(swept):
    spec, out, _ = swept
    done = command("sweep", spec, "--out", out, "--show", "reachable", "stairs")
    assert done.stdout.splitlines()[1].split() == ["width", "runs", "V(B)", "stairs"]
    wrong = command("sweep", spec, "--out", "nowhere", "--show", "V")
    assert wrong.exit_code == 2
    assert wrong.stderr.startswith("epsrank: error: --show is 'V'; choose some of loss, test_loss")


def test_a_repeated_sweep_computes_nothing_and_says_the_same(swept, monkeypatch):
    spec, out, done = swept

    def forbidden(task):
        raise AssertionError("computes")

    monkeypatch.setattr("epsrank.numerics.sweeps.execute.perform_once", forbidden)
    again = command("sweep", spec, "--out", out, "--jobs", "1")
    assert (again.exit_code, again.stdout) == (0, done.stdout)


def test_batched_sweeps_say_the_same_and_are_kept_by_program(swept, tmp_path, monkeypatch):
    spec, _, done = swept
    words = ["sweep", spec, "--out", tmp_path / "out", "--batched", "--jobs", "1"]
    before = command(*words, "--status")
    assert before.stdout.splitlines()[2].split() == ["4", "0", "0", "4"]
    together = command(*words)
    assert together.exit_code == 0, together.stderr
    # Rows, medians and intervals; the last line names the folder.
    assert together.stdout.splitlines()[:-1] == done.stdout.splitlines()[:-1]
    kinds = {outcome.trial.kind for outcome in TrialStore(tmp_path / "out" / "store").outcomes()}
    assert kinds == {"train-many"}
    table = pq.read_table(tmp_path / "out" / "results.parquet")
    assert table.column("settings.width").to_pylist() == [3, 3, 5, 5]
    status = command(*words, "--status")
    assert status.stdout.splitlines()[2].split() == ["4", "4", "0", "0"]
    # Not taken for runs that were trained alone.
    alone = command("sweep", spec, "--out", tmp_path / "out", "--status")
    assert alone.stdout.splitlines()[2].split() == ["4", "0", "0", "4"]

    def forbidden(task):
        raise AssertionError("computes")

    monkeypatch.setattr("epsrank.numerics.sweeps.execute.perform_once", forbidden)
    assert command(*words).stdout == together.stdout


def test_an_interrupted_batched_sweep_names_its_option(spec, tmp_path, monkeypatch):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("epsrank.numerics.ensemble.trials.run_trials", interrupted)
    done = command("sweep", spec, "--out", tmp_path / "out", "--batched")
    assert done.exit_code == 130
    assert done.stderr.endswith(
        f"go on with: epsrank sweep {spec} --out {tmp_path}/out --batched\n"
    )


def test_a_larger_specification_computes_the_rest_only(swept, tmp_path):
    _, out, _ = swept
    larger = tmp_path / "larger.toml"
    larger.write_text(SPEC.replace("[3, 5]", "[3, 5, 4]"))
    status = json.loads(command("sweep", larger, "--out", out, "--status", "--json").stdout)
    counts = {name: status[name] for name in ("trials", "done", "failed", "missing")}
    assert counts == {"trials": 6, "done": 4, "failed": 0, "missing": 2}


def test_json(swept):
    spec, out, _ = swept
    done = command("sweep", spec, "--out", out, "--json")
    report = json.loads(done.stdout)
    assert (report["trials"], report["done"], report["failed"]) == (4, 4, 0)
    assert [entry["settings"]["width"] for entry in report["settings"]] == [3, 5]
    assert report["settings"][0]["medians"]["loss"]["count"] == 2
    assert report["failures"] == []


def test_status_of_a_sweep_that_has_not_begun(spec, tmp_path):
    done = command("sweep", spec, "--out", tmp_path / "out", "--status")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[2].split() == ["4", "0", "0", "4"]
    assert not (tmp_path / "out").exists()


def test_failures_are_named_and_some_are_no_failure_of_the_sweep(swept, tmp_path):
    spec, _, _ = swept
    out = tmp_path / "out"
    fail(spec, out, (1,), "the data are gone; bring them back")
    status = command("sweep", spec, "--out", out, "--status")
    assert status.stdout.splitlines()[2].split() == ["4", "0", "2", "2"]
    assert status.stdout.splitlines()[3] == "2 failed: the data are gone; bring them back"
    done = command("sweep", spec, "--out", out, "--jobs", "1")
    assert done.exit_code == 0
    assert "2, 1 failed" in done.stdout
    assert done.stderr.splitlines() == [
        "epsrank: failed: width=3 seed=1: the data are gone; bring them back",
        "epsrank: failed: width=5 seed=1: the data are gone; bring them back",
    ]
    mended = command("sweep", spec, "--out", out, "--jobs", "1", "--retry-failed")
    assert (mended.exit_code, mended.stderr) == (0, "")


def test_exit_code_1_where_all_failed(spec, tmp_path):
    fail(spec, tmp_path / "out", (0, 1), "no")
    done = command("sweep", spec, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "2, 2 failed" in done.stdout


def test_damage_is_told_and_mended(swept):
    spec, out, done = swept
    path = TrialStore(out / "store").path(Sweep.from_toml(spec).trials()[0])
    path.write_bytes(b"PAR1")
    status = command("sweep", spec, "--out", out, "--status")
    assert status.stdout.splitlines()[2].split() == ["4", "3", "0", "1"]
    assert f"{path} " in status.stderr
    assert "counts as absent" in status.stderr
    again = command("sweep", spec, "--out", out, "--jobs", "1")
    assert (again.exit_code, again.stdout) == (0, done.stdout)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["no.toml"], "SPEC no.toml cannot be read"),
        (["SPEC.toml", "--out", "SPEC.toml"], "--out cannot be written"),
        (["SPEC.toml", "--out", "SPEC.toml", "--status"], None),
        (["SPEC.toml", "--jobs", "0"], "Invalid value for '--jobs'"),
        (["SPEC.toml", "--backend", "slurm"], "Invalid value for '--backend'"),
        (["wrong.toml"], "wrong.toml, line 10: width is 0; pass a whole number ≥ 1"),
    ],
)
def test_bad_use_in_one_line(spec, monkeypatch, words, told):
    monkeypatch.chdir(spec.parent)
    Path("wrong.toml").write_text(SPEC.replace("3, 5", "3, 0"))
    done = command("sweep", *words)
    if told is None:
        assert done.exit_code == 0
        return
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"epsrank: error: {told}")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
def test_an_interrupted_sweep_says_how_to_go_on(tmp_path, monkeypatch):
    helpers = Path(__file__).parents[1] / "numerics" / "sweeps"
    monkeypatch.syspath_prepend(str(helpers))
    from kills import living
    from sweep_kinds import KINDS

    monkeypatch.setitem(TRIAL_KINDS, "square", KINDS["square"])
    spec, out = tmp_path / "SPEC.toml", tmp_path / "out"
    spec.write_text('kind = "square"\nseeds = 400\n[fixed]\nx = 2\nseconds = 0.05\n')
    code = "import sweep_kinds; sweep_kinds.register(); from epsrank.cli import main; main()"
    words = [sys.executable, "-c", code, "sweep", str(spec), "--out", str(out), "--jobs", "2"]
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(helpers)},
    )
    store = TrialStore(out / "store")
    while len(store) < 2 and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers as well
    stdout, stderr = process.communicate()
    kept = len(store)
    assert process.returncode == 130, stderr
    assert stdout == ""
    assert stderr == (
        f"epsrank: interrupted; {kept} of 400 runs are kept in {out}; "
        f"go on with: epsrank sweep {spec} --out {out}\n"
    )
    assert kept >= 2
    assert len(list(store.outcomes())) == kept
    if sys.platform == "linux":
        deadline = time.monotonic() + 60
        while living(process.pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not living(process.pid)
