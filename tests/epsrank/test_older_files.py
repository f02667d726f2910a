"""Folders and histories as version 0.1.0 wrote them: read by every command, converted by none.

tests/data/version-0.1.0 was written by that version (its ledger is cut down to two claims).
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from epsrank.cli import main
from epsrank.numerics.monitor.sinks.follow import read_history
from epsrank.numerics.training import load_run

OLD = Path(__file__).parents[1] / "data" / "version-0.1.0"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    shutil.copytree(OLD, tmp_path / "old")
    return tmp_path / "old"


def ask(*words: str | Path) -> Result:
    done = CliRunner().invoke(main, list(map(str, words)), catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return done


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["watch", "run", "--once"], "step 12 of 12"),
        (["watch", "history.csv", "--once"], "ε-rank 4 at 0.0001 of 8"),
        (["watch", "history.jsonl", "--once"], "ε-rank 4 at 0.0001 of 8"),
        (["rank", "run@1", "--eps", "1e-4"], "24 samples × 6 features"),
        (["floor", "run", "--eps", "1e-4"], "V(B)"),
        (["stages", "run"], "step"),
    ],
    ids=" ".join,
)
def test_what_reads_only_changes_nothing(words, said, old, monkeypatch) -> None:
    before = digests(old)
    monkeypatch.chdir(old)
    assert said in ask(*words).stdout
    assert digests(old) == before


def test_the_page_of_a_run_and_of_a_verification(old) -> None:
    for folder in ("run", "report"):
        assert Path(ask("report", old / folder).stdout.strip()).is_file()
    text = (old / "report" / "index.html").read_text("utf-8")
    assert "of 2 verdicts as recorded" in text


def test_a_run_goes_on_and_is_of_the_present_format_then(old) -> None:
    # As one of 16 steps that was stopped after 12.
    for name, now, then in [
        ("config.toml", "steps = 12", "steps = 16"),
        ("state/state.json", '"status": "complete"', '"status": "stopped"'),
    ]:
        file = old / "run" / name
        file.write_text(file.read_text("utf-8").replace(now, then), "utf-8")
    before = [(record.step, record.loss) for record in load_run(old / "run").records]
    ask("train", "--resume", "--out", old / "run")
    run = load_run(old / "run")
    assert [(r.step, r.loss) for r in run.records][: len(before)] == before
    assert run.step == 16
    assert (old / "run" / "epsrank.json").is_file()


def test_histories_keep_their_numbers() -> None:
    by_format = [read_history(OLD / f"history.{kind}") for kind in ("csv", "jsonl")]
    for history in by_format:
        assert history.steps == [2, 4, 6]
        assert history[-1].ranks[0].ends == "4"
    assert by_format[0][-1].loss == by_format[1][-1].loss
