"""One proved claim takes seconds: by the record and by search, and what is left out is said."""

from __future__ import annotations

import json

import pytest

from epsrank.proofs.checkers import brief, families
from epsrank.proofs.checkers.base import EXAMPLES, Context
from epsrank.proofs.checkers.formal import Basis
from epsrank.proofs.ledger.claims import load_ledger
from epsrank.proofs.runner import verify


@pytest.fixture(autouse=True)
def few_cases(monkeypatch):
    monkeypatch.setitem(EXAMPLES, "quick", 15)


def _claims(*ids):
    return [claim for claim in load_ledger() if claim.id in ids]


def test_what_a_record_proves_is_not_tested_otherwise_and_the_report_says_so(tmp_path):
    report = verify(["rank-trace"], "quick", out=tmp_path)
    assert report.exit_code == 0
    (found,) = report.results
    assert found.verdict == "proved"
    assert found.remark.startswith("recorded ")
    assert {item.kind for item in found.evidence if item.state == "passed"} == {
        "formal",
        "property",
    }
    left = "identities by SymPy, proofs in Coq"
    assert f"not run, as proofs on record decide: {left}" in report.summary()
    ledger = json.loads((tmp_path / "ledger.json").read_text())
    assert ledger["environment"]["left out"] == left.split(", ")
    assert "left out, since a proof on record decides" in (tmp_path / "index.html").read_text()


def test_every_file_that_bears_on_the_claim_runs_or_is_left_out():
    made, left = brief.brief_checkers(_claims("tail"), "quick")
    assert left == ["floors of trained networks", "identities by SymPy", "proofs in Coq"]
    assert not any(checker.networks for checker in made)
    (skipped,) = (checker for checker in made if checker.id == "left out")
    found = skipped.check(Context("quick", 0))
    assert [item.state for item in found] == ["skipped"] * 3
    bearing = {family.title for family in families() if "tail" in family.claims}
    assert {item.title for item in found} == bearing


@pytest.mark.parametrize("change", ["no record", "a theorem that it lacks"])
def test_without_a_record_everything_runs(change, monkeypatch):
    problem = lambda name: "planted"  # noqa: E731
    origin = "" if change == "no record" else "recorded 2026-11-22"
    monkeypatch.setattr(brief, "recorded_basis", lambda names: Basis(origin, problem, {}, False))
    made, left = brief.brief_checkers(_claims("tail"), "quick")
    assert left == []
    assert {"formal proofs", "identities of tail"} <= {checker.id for checker in made}
    assert any(checker.networks for checker in made)


def test_a_claim_without_a_proof_is_tested_whole_beside_one_with():
    made, left = brief.brief_checkers(_claims("rank-stability", "continuous-rank"), "quick")
    ids = [checker.id for checker in made]
    assert {"integrals of small networks", "proofs on record", "left out"} <= set(ids)
    assert len(ids) == len(set(ids))
    assert left == ["identities by SymPy", "proofs in Coq"]


def test_a_record_stands_for_coq_also_where_the_verdict_is_another():
    made, left = brief.brief_checkers(_claims("duplicate-neuron"), "quick")
    assert "formal proofs" not in {checker.id for checker in made}
    assert {"proofs on record", "left out"} < {checker.id for checker in made}
    assert left == ["proofs in Coq"]


def test_a_claim_has_its_proofs_from_coq_or_from_the_record_and_not_from_both(monkeypatch):
    honest = brief.recorded_basis

    def without(names):
        found = honest(names)
        known = {claim.id: claim for claim in load_ledger()}["duplicate-neuron"]
        lost = {name for _, name in (*known.theorems, *known.refuting_theorems)}
        problem = lambda name: "planted" if name in lost else found.problem(name)  # noqa: E731
        return Basis(found.origin, problem, found.theorems, False)

    monkeypatch.setattr(brief, "recorded_basis", without)
    made, _ = brief.brief_checkers(_claims("duplicate-neuron", "tail"), "quick")
    (asked,) = (checker for checker in made if checker.id == "formal proofs")
    (given,) = (checker for checker in made if checker.id == "proofs on record")
    assert asked.claims == ("duplicate-neuron",)
    assert given.claims == ("tail",)


def test_a_refutation_by_search_stands_against_the_record(monkeypatch):
    from epsrank.proofs.properties import comparisons

    monkeypatch.setitem(EXAMPLES, "quick", 80)
    honest = comparisons.epsilon_rank
    wrong = lambda features, eps, **more: honest(features, eps / 1e6, **more)  # noqa: E731
    monkeypatch.setattr(comparisons, "epsilon_rank", wrong)
    report = verify(["rank-trace"], "quick")
    assert report.results[0].verdict == "refuted"
    assert report.exit_code == 1
