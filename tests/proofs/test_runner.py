"""The runner: verdicts against the record, errors, interruptions, processes, seeds."""

from __future__ import annotations

import json
import os
from functools import partial

import pytest

from epsrank.proofs.checkers import Checker
from epsrank.proofs.checkers.base import EXAMPLES
from epsrank.proofs.checkers.searches import property_checkers
from epsrank.proofs.ledger.claims import Claim, load_ledger
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.proofs.ledger.outcome import Report
from epsrank.proofs.runner import verify
from epsrank.theory.errors import InputError


def _claim(name="c", recorded="supported", wanted=("exact", "property"), **more):
    return Claim(name, "A title", "A statement", "x", "here", wanted, recorded, **more)


def _found(state, context, claim="c", kind="property"):
    return [Evidence(claim, kind, state, "looked", {"n": 3})]


def _checker(state, claim="c", name=None):
    return Checker(
        name or f"{state} {claim}", (claim,), "property", partial(_found, state, claim=claim)
    )


def _raise(error, context):
    raise error


def _run(ledger, checkers, **more) -> Report:
    return verify(ledger=ledger, checkers=checkers, jobs=1, **more)


def test_as_recorded_is_exit_code_0():
    report = _run([_claim()], [_checker("passed")])
    assert report.exit_code == 0
    assert report.results[0].verdict == "supported"
    assert "every verdict is as recorded" in report.summary()


@pytest.mark.parametrize(
    ("recorded", "state"),
    [("proved", "passed"), ("open", "passed"), ("supported", "refuted"), ("refuted", "passed"),
     ("supported", "undecided"), ("supported", "skipped")],
)  # fmt: skip
def test_another_verdict_is_a_regression(recorded, state):
    report = _run([_claim(recorded=recorded)], [_checker(state)])
    assert report.exit_code == 1
    assert "on record" in report.results[0].regression
    assert "regression in c" in report.summary()


def test_an_erring_checker_is_recorded_and_the_rest_goes_on():
    error = Checker("broken", ("c",), "exact", partial(_raise, ZeroDivisionError("by\nnothing")))
    report = _run([_claim(), _claim("d")], [error, _checker("passed"), _checker("passed", "d")])
    first, second = report.results
    assert first.evidence[0].state == "error"
    assert first.evidence[0].cause == "ZeroDivisionError: by"
    assert first.verdict == "supported"
    assert "failed to run" in first.regression
    assert second.regression is None
    assert report.exit_code == 1


def test_an_open_claim_with_a_broken_check_is_a_regression_too():
    error = Checker("broken", ("c",), "exact", partial(_raise, RuntimeError("planted")))
    assert _run([_claim(recorded="open")], [error]).exit_code == 1


def test_ctrl_c_keeps_what_is_finished(tmp_path):
    stop = Checker("stop", ("d",), "exact", partial(_raise, KeyboardInterrupt()))
    report = _run(
        [_claim(), _claim("d")], [_checker("passed"), stop, _checker("passed", "d")], out=tmp_path
    )
    assert report.interrupted
    assert report.exit_code == 1
    assert [result.finished for result in report.results] == [True, False]
    assert report.results[0].verdict == "supported"
    ledger = json.loads((tmp_path / "ledger.json").read_text())
    assert ledger["environment"]["status"] == "interrupted"
    assert [claim["finished"] for claim in ledger["claims"]] == [True, False]
    assert "Interrupted" in (tmp_path / "index.html").read_text()


def test_claims_select_checkers():
    asked = []

    def watch(context):
        asked.append("d")
        return []

    checkers = [_checker("passed"), Checker("watch", ("d",), "exact", watch)]
    report = _run([_claim(), _claim("d")], checkers, claims=["c"])
    assert [result.claim.id for result in report.results] == ["c"]
    assert not asked


def test_unknown_claims_are_refused_with_near_names():
    with pytest.raises(InputError, match="did you mean floor-tight"):
        verify(["floor-tigth"])


@pytest.mark.parametrize(
    ("option", "value"),
    [("effort", "thorough"), ("device", "tpu"), ("seed", -1), ("seed", 1.5), ("jobs", 0),
     ("jobs", 1.5), ("data", "/nowhere/mnist.npz")],
)  # fmt: skip
def test_bad_options_are_refused(option, value):
    with pytest.raises(InputError):
        verify(["tail"], **{option: value})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be written"):
        _run([_claim()], [], out=tmp_path / "report")


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "report").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        _run([_claim()], [_checker("passed")], out=tmp_path / "report")


def _die(context):
    os._exit(9)


def test_a_worker_that_dies_is_recorded(tmp_path):
    checkers = [
        Checker("killed", ("d",), "exact", _die),
        Checker("beside it", ("d",), "exact", _die),
    ]
    report = verify(ledger=[_claim("d", "open")], checkers=checkers, jobs=2, out=tmp_path)
    (result,) = report.results
    assert {item.state for item in result.evidence} == {"error"}
    assert len(result.evidence) == 2
    assert report.exit_code == 1
    assert not report.interrupted


def test_progress_counts_every_check():
    seen = []
    _run([_claim()], [_checker("passed"), _checker("skipped")], progress=lambda *a: seen.append(a))
    assert seen == [(1, 2, "passed c"), (2, 2, "skipped c")]


def _comparable(folder):
    ledger = json.loads((folder / "ledger.json").read_text())
    ledger.pop("environment")
    return json.dumps(ledger)


def test_a_seed_gives_the_same_ledger(tmp_path, monkeypatch):
    monkeypatch.setitem(EXAMPLES, "quick", 12)
    names = ["rank-trace", "duplicate-neuron", "draft-slips"]
    chosen = [c for c in load_ledger() if c.id in names]
    checkers = [c for c in property_checkers() if set(c.claims) & set(names)]
    for folder, jobs, seed in (("a", 1, 5), ("b", 1, 5), ("c", 1, 6)):
        verify(
            ledger=chosen, checkers=checkers, effort="quick", jobs=jobs, seed=seed,
            out=tmp_path / folder,
        )  # fmt: skip
    assert _comparable(tmp_path / "a") == _comparable(tmp_path / "b")
    assert _comparable(tmp_path / "a") != _comparable(tmp_path / "c")
