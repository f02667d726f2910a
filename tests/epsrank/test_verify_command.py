"""`epsrank verify`: exit codes, options, interruption; the checks are tested in proofs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from epsrank.cli import main
from epsrank.proofs.ledger.claims import Claim, load_ledger
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.proofs.ledger.outcome import ClaimResult, Report


def verify(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["verify", *map(str, words)])


def planted(monkeypatch: pytest.MonkeyPatch, report: Callable[[Claim], Report]) -> dict[str, Any]:
    """Put a fixed report in the place of a verification, and return the options it is given."""
    seen: dict[str, Any] = {}

    def decide(claims: Any, **options: Any) -> Report:
        seen.update(options, claims=claims)
        options["progress"](1, 2, "a check")
        return report(load_ledger()[0])

    monkeypatch.setattr("epsrank.proofs.runner.verify", decide)
    return seen


def test_options_reach_the_runner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = planted(monkeypatch, lambda claim: Report(()))
    words = ["--claim", "tail", "loss-floor", "--claim", "rank-stability", "--full"]
    words += ["--device", "cpu", "--seed", "3", "--jobs", "2", "--out", str(tmp_path)]
    assert verify(*words).exit_code == 0
    seen.pop("progress")
    assert seen == {
        "claims": ("tail", "loss-floor", "rank-stability"),
        "effort": "full",
        "device": "cpu",
        "seed": 3,
        "jobs": 2,
        "out": str(tmp_path),
        "data": None,
        "ledger": None,
        "checkers": None,
        "fresh": False,
    }
    assert verify("--quick").exit_code == 0
    assert (seen["effort"], seen["claims"], seen["out"]) == ("quick", None, "report")
    verify()
    assert seen["effort"] == "default"
    # A claim that is named is answered in seconds, unless a size is asked for.
    for words, effort in [
        (["--claim", "tail"], "quick"),
        (["--claim", "tail", "--size", "standard"], "default"),
        (["--claim", "tail", "--ledger", "own.toml", "--checkers", "own"], "default"),
    ]:
        verify(*words)
        assert seen["effort"] == effort


def test_a_regression_exits_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    # No evidence at all, where the record has a verdict.
    planted(monkeypatch, lambda claim: Report((ClaimResult(claim, ()),)))
    done = verify()
    assert done.exit_code == 1
    assert "regression in " in done.stdout
    assert done.stderr == ""


def test_an_interruption_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    unfinished = lambda claim: Report((ClaimResult(claim, (), False),), interrupted=True)  # noqa: E731
    planted(monkeypatch, unfinished)
    done = verify("--out", "here")
    assert done.exit_code == 130
    assert done.stderr == (
        "epsrank: interrupted; finished 0 of 1 claim, kept in here; run it again for the others\n"
    )


def test_a_claim_that_no_check_bears_on_is_none_that_was_finished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def half(claim: Claim) -> Report:
        left = Evidence(claim.id, "exact", "skipped", "left out", cause="planted")
        made = Evidence(claim.id, "exact", "passed", "made")
        kinds = [(), (left,), (left, made)]
        return Report(tuple(ClaimResult(claim, found) for found in kinds), interrupted=True)

    planted(monkeypatch, half)
    assert "finished 1 of 3 claims" in verify("--out", "here").stderr


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--quick", "--full"], "choose one of --quick and --full"),
        (["--claim", "no-such-claim"], "no-such-claim"),
        (["--device", "tpu"], "'tpu' is not one of"),
        (["--jobs", "0"], "--jobs"),
        (["--seed", "-1"], "--seed"),
        (["stray"], "stray"),
    ],
)
def test_bad_use(words: list[str], problem: str, tmp_path: Path) -> None:
    done = verify(*words, "--out", tmp_path / "report")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("epsrank: error: ")
    assert done.stderr.count("\n") == 1
    assert problem in done.stderr
    assert not (tmp_path / "report").exists()


def test_an_unwritable_report_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = verify("--claim", "duplicate-neuron", "--quick", "--out", tmp_path / "file" / "report")
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
