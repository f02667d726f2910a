"""Formal evidence follows from an audit of this run, or from a record, and from nothing else."""

from __future__ import annotations

import datetime

import pytest

from epsrank.proofs.checkers import Checker
from epsrank.proofs.checkers import formal as checker
from epsrank.proofs.checkers.formal import find_basis, formal_evidence
from epsrank.proofs.formal import CoqError
from epsrank.proofs.formal.records import make_record, write_record
from epsrank.proofs.ledger.claims import Claim
from epsrank.proofs.runner import verify

from .conftest import WANTED, change


def _claim(recorded="proved", wanted=("formal", "exact"), **more):
    more.setdefault("theorems", tuple((None, name) for name in WANTED[:2]))
    return Claim("c", "A title", "A statement", "x", "here", wanted, recorded, **more)


def _decide(claim, folder):
    def check(context):
        return formal_evidence(claim, find_basis(WANTED, folder))

    checkers = [Checker("formal", ("c",), "formal", check)]
    return verify(ledger=[claim], checkers=checkers, jobs=1)


@pytest.fixture
def recorded(accepted, examine):
    day = datetime.date(2026, 11, 22)
    write_record(make_record(examine(accepted), accepted, day), accepted)
    return accepted


@pytest.fixture
def no_coq(monkeypatch):
    monkeypatch.setenv("PATH", "")


def test_a_claim_whose_theorems_are_accepted_is_proved(accepted, coq):
    report = _decide(_claim(code=("a.py:f",)), accepted)
    (result,) = report.results
    assert (result.verdict, result.regression, report.exit_code) == ("proved", None, 0)
    (item,) = result.evidence
    assert item.title == f"proved by 2 theorems in Coq, without axioms: checked in this run, {coq}"
    assert [row["theorem"] for row in item.rows] == WANTED[:2]
    assert item.rows[0]["statement"] == "base.twice 0 = 0"
    assert item.rows[0]["words"].startswith("Zero doubled")
    assert result.remark is None


def test_a_theorem_with_an_axiom_proves_nothing(accepted, coq):
    change(accepted, "theories/base.v", "Proof. reflexivity. Qed.", "Admitted.")
    (result,) = _decide(_claim(), accepted).results
    assert result.verdict == "open"
    assert result.evidence[0].state == "undecided"
    assert "Admitted" in result.regression


def test_a_theorem_that_does_not_exist_proves_nothing(accepted, coq):
    claim = _claim(theorems=((None, WANTED[0]), (None, "Small.top.nowhere")))
    basis = find_basis([*WANTED, "Small.top.nowhere"], accepted)
    (item,) = formal_evidence(claim, basis)
    assert item.state == "undecided"
    assert "no such theorem" in item.cause


def test_a_counterexample_refutes(accepted, coq):
    claim = _claim("refuted", theorems=(), refuting_theorems=((None, WANTED[2]),))
    report = _decide(claim, accepted)
    assert report.results[0].verdict == "refuted"
    assert report.exit_code == 0
    assert report.results[0].evidence[0].witness == {"theorem": WANTED[2]}


def test_parts_are_proved_one_by_one(accepted, coq):
    claim = _claim("open", parts=("a", "b"), theorems=(("a", WANTED[0]),))
    report = _decide(claim, accepted)
    assert report.results[0].verdict == "open", "one part lacks a proof"
    assert report.results[0].evidence[0].part == "a"
    both = _claim(parts=("a", "b"), theorems=(("a", WANTED[0]), ("b", WANTED[1])))
    assert _decide(both, accepted).results[0].verdict == "proved"


def test_sources_that_do_not_compile_are_an_error(accepted, coq):
    change(accepted, "theories/top.v", "exact twice0", "exact nothing")
    with pytest.raises(CoqError):
        find_basis(WANTED, accepted)
    report = _decide(_claim(), accepted)
    assert "theories/top.v, line 9" in report.results[0].regression
    assert report.exit_code == 1


def test_without_coq_a_matching_record_proves(recorded, no_coq):
    report = _decide(_claim(), recorded)
    (result,) = report.results
    assert (result.verdict, result.regression, report.exit_code) == ("proved", None, 0)
    assert result.remark.startswith("recorded 2026-11-22, Coq 8.")
    assert "proved (recorded 2026-11-22, Coq" in report.summary()
    assert result.evidence[0].rows[0]["statement"] == "base.twice 0 = 0"
    assert result.to_json()["remark"] == result.remark


def test_without_coq_a_stale_record_proves_nothing(recorded, no_coq):
    change(recorded, "theories/base.v", "Twice nothing", "Two times nothing")
    (result,) = _decide(_claim(), recorded).results
    assert result.verdict == "open"
    assert result.evidence[0].state == "skipped"
    assert "theories/base.v changed since" in result.regression
    assert "libcoq-mathcomp-algebra" in result.regression


def test_without_coq_and_without_a_record_nothing_is_proved(accepted, no_coq):
    report = _decide(_claim(), accepted)
    assert report.results[0].verdict == "open"
    assert "there is no record" in report.results[0].evidence[0].cause
    assert report.exit_code == 1


def test_the_shipped_checker_serves_every_claim_with_theorems():
    (one,) = checker.formal_checkers()
    assert {"loss-floor", "rank-variational", "duplicate-neuron"} <= set(one.claims)
