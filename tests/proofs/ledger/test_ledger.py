"""The ledger holds every claim, in the vocabulary, and refuses damage."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from epsrank.proofs.checkers import all_checkers, families
from epsrank.proofs.ledger.claims import LEDGER, load_ledger, retired_claims, select_claims
from epsrank.proofs.ledger.evidence import KINDS
from epsrank.proofs.ledger.verdict import VERDICTS
from epsrank.proofs.properties import CLAIMS, PROPERTIES
from epsrank.proofs.testing.search import registered
from epsrank.theory.errors import InputError

ROOT = Path(__file__).resolve().parents[3]
# The rows of the project's table of claims, one id each.
ROWS = re.findall(
    r"\S+",
    """
rank-definition rank-variational rank-monotone-eps rank-monotone-neurons rank-monotone-loewner
rank-monotone-data rank-invariance rank-mixing rank-stability rank-subadditive rank-trace
duplicate-neuron tail loss-floor reachable-loss floor-tight rank-budget floor-decreases
path-length rank-forced neuron-selection a-priori-floor apriori-depth subset-conjecture
operator-floor lipschitz-floor init-rank
draft-slips staircase-steps staircase-architectures staircase-losses coupling-change
coupling-rank coupling-together coupling-across reading depth-order depth-order-regime
pretraining-rank pretraining-speed
pretraining-accuracy pretraining-property pretraining-trained resnet-rank
unity-rank landscape-rank sample-rank continuous-rank
float-resolution optimiser-robust three-stages plateau-length plateau-bound second-plateau
amplitude-transport condensation condensation-bound condensation-multiplicity
blow-up low-rank-bias two-regimes initial-large-rate stiffness-growth stiffness-overfit
break-even-1 break-even-2 edge-of-stability f-principle spectral-bias critical-period rewinding
early-sign-magnitude stages-and-rank
""",
)

# Decided by the checkers there are; everything else is visibly open.
DECIDED = {
    "proved": {
        "a-priori-floor",
        "apriori-depth",
        "rank-variational",
        "rank-monotone-eps",
        "rank-monotone-neurons",
        "rank-monotone-loewner",
        "rank-monotone-data",
        "rank-invariance",
        "rank-mixing",
        "rank-stability",
        "rank-subadditive",
        "rank-trace",
        "tail",
        "float-resolution",
        "lipschitz-floor",
        "loss-floor",
        "reachable-loss",
        "floor-tight",
        "path-length",
        "rank-forced",
        "rank-budget",
        "floor-decreases",
        "neuron-selection",
        "operator-floor",
    },
    "certified on instances": {
        "continuous-rank",
        "rank-definition",
        "reading",
        "sample-rank",
    },
    "supported": {
        "spectral-bias",
        "landscape-rank",
        "amplitude-transport",
        "blow-up",
        "condensation-bound",
        "coupling-change",
        "init-rank",
        "plateau-bound",
        "three-stages",
    },
    # Mostly claims on training that have no record of the standard size yet.
    "undecided": {
        "condensation",
        "coupling-across",
        "depth-order-regime",
        "optimiser-robust",
        "pretraining-accuracy",
        "pretraining-rank",
        "pretraining-speed",
        "staircase-steps",
        "subset-conjecture",
    },
    "supported only in a regime": {
        "f-principle",
        "stages-and-rank",
        "unity-rank",
        "break-even-1",
        "break-even-2",
        "condensation-multiplicity",
        "coupling-together",
        "edge-of-stability",
        "initial-large-rate",
        "low-rank-bias",
        "plateau-length",
        "pretraining-property",
        "resnet-rank",
        "second-plateau",
        "stiffness-overfit",
        "two-regimes",
    },
    "refuted": {
        "coupling-rank",
        "duplicate-neuron",
        "draft-slips",
        "depth-order",
        "stiffness-growth",
    },
}


def test_every_row_is_there_once():
    assert [claim.id for claim in load_ledger()] == ROWS


def test_records_are_what_the_checkers_decide():
    claims = load_ledger()
    for verdict in VERDICTS:
        expected = DECIDED.get(verdict, set())
        recorded = {claim.id for claim in claims if claim.recorded == verdict}
        if verdict == "open":
            expected = set(ROWS) - set().union(*DECIDED.values())
        assert recorded == expected


def test_claims_are_complete():
    for claim in load_ledger():
        assert all((claim.title, claim.statement, claim.latex, claim.source)), claim.id
        assert claim.wanted, claim.id
        assert set(claim.wanted) <= set(KINDS)
        assert claim.latex.count("{") == claim.latex.count("}"), claim.id
        assert "''" not in claim.latex


def test_what_a_source_names_can_be_looked_up():
    for claim in load_ledger():
        assert not re.search(r"math\.md|arXiv \d", claim.source), claim.id
        for page in re.findall(r"\S+\.md", claim.source):
            assert (ROOT / page).is_file(), (claim.id, page)


def test_files_bear_on_the_claims_that_their_families_say():
    for family in families():
        served = {c for e in ("quick", "full") for made in family.checkers(e) for c in made.claims}
        # Experiments that are not on record bear on theirs once they are.
        assert served <= set(family.claims), family.module
        assert family.module == "experiments" or served == set(family.claims), family.module
    for module, claims in CLAIMS.items():
        stated = registered(f"epsrank.proofs.properties.{module}").values()
        assert {claim for prop in stated for claim in prop.claims} == set(claims), module


def test_what_is_made_for_one_claim_is_all_that_bears_on_it():
    whole = all_checkers("quick")
    for claim in ROWS:
        part = [checker.id for checker in all_checkers("quick", [claim])]
        assert [c.id for c in whole if claim in c.claims and c.id not in part] == []


def test_checkers_and_properties_name_known_claims():
    served = {claim for checker in all_checkers("full") for claim in checker.claims}
    served |= {claim for prop in PROPERTIES.values() for claim in prop.claims}
    assert served <= set(ROWS)
    for effort in ("quick", "default", "full"):
        ids = [checker.id for checker in all_checkers(effort)]
        assert len(ids) == len(set(ids))


def test_unknown_claims_are_answered_with_near_names():
    with pytest.raises(InputError, match="rank-trace"):
        select_claims(["rank-trase"], load_ledger())
    with pytest.raises(InputError, match=r"rank-monotone-eps.*|monotone"):
        select_claims(["monotone"], load_ledger())
    with pytest.raises(InputError, match="names no claim"):
        select_claims([], load_ledger())


def test_selection_keeps_the_order_of_the_ledger():
    chosen = select_claims(["tail", "rank-trace"], load_ledger())
    assert [claim.id for claim in chosen] == ["rank-trace", "tail"]
    assert [claim.id for claim in select_claims("tail", load_ledger())] == ["tail"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('verdict = "refuted"', 'verdict = "disproved"', "disproved"),
        ('wanted = ["formal"]', 'wanted = ["hearsay"]', "hearsay"),
        ('id = "rank-trace"', 'id = "tail"', "repeats"),
        ("[[claim]]", "[[other]]", "is empty"),
        ('source = "M9"\n', "", "lacks"),
        ('source = "M9"\n', 'source = "M9"\nremark = "x"\n', "unknown keys"),
        ("[[claim]]", "[[claim", "cannot be read"),
    ],
)
def test_a_damaged_ledger_is_refused(tmp_path, old, new, message):
    text = LEDGER.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "ledger.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(message)):
        load_ledger(path)


def test_a_retired_id_keeps_a_pointer():
    (retired,) = retired_claims()
    assert retired.id == "staircase-coupling"
    assert set(retired.replaced_by) <= set(ROWS)
    with pytest.raises(InputError, match=r"is retired: it mixed four.*ask for coupling-change, "):
        select_claims(["staircase-coupling"], load_ledger())


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ('id = "old"\nreplaced_by = ["tail"]', "has keys"),
        ('id = "tail"\nreplaced_by = ["loss-floor"]\nreason = "r"', "is a claim, or points"),
        ('id = "old"\nreplaced_by = []\nreason = "r"', "is a claim, or points"),
        ('id = "old"\nreplaced_by = ["nowhere"]\nreason = "r"', "is a claim, or points"),
    ],
)
def test_planted_pointers_to_nowhere_are_caught(tmp_path, entry, problem):
    path = tmp_path / "ledger.toml"
    text = LEDGER.read_text(encoding="utf-8")
    path.write_text(text[: text.index("[[retired]]")] + f"[[retired]]\n{entry}\n", "utf-8")
    with pytest.raises(InputError, match=problem):
        retired_claims(path)
