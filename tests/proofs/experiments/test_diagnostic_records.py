"""Records of experiments C decide their claims when they may, and decide nothing at quick size."""

from __future__ import annotations

import pytest

from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.registry import EXPERIMENTS, experiment
from epsrank.numerics.experiments.rules import stamp
from epsrank.numerics.sweeps.trial import Outcome
from epsrank.proofs.checkers.base import Context
from epsrank.proofs.checkers.experiments import check_claim, experiment_checkers
from epsrank.proofs.experiments import Record, write_record
from epsrank.proofs.experiments.findings import pvalues_of
from epsrank.proofs.ledger.claims import load_ledger
from epsrank.proofs.ledger.verdict import derive_verdict

CLAIMS = {
    "two-regimes", "initial-large-rate", "stiffness-growth", "stiffness-overfit", "break-even-1",
    "break-even-2", "edge-of-stability", "f-principle", "spectral-bias", "critical-period",
    "rewinding", "early-sign-magnitude",
}  # fmt: skip


def test_every_claim_of_the_chapter_has_one_experiment_and_a_row():
    own = [claim for name in EXPERIMENTS if name[0] == "C" for claim in experiment(name).claims]
    assert sorted(own) == sorted(CLAIMS)
    assert {claim.id for claim in load_ledger()} >= CLAIMS


def rewinding(settings):
    """Rewinding works, and the start does not; signs and magnitudes alone do not."""
    rewind, rounds = settings["rewind"], settings["rounds"]
    shift = settings["seed"] % 7 / 1e4
    ends = dict(zip(map(str, rewind), (0.7, 0.9 + shift), strict=True))
    controls = {"rewound": 0.9 + shift, "signs only": 0.8, "magnitudes only": 0.7}
    return {
        "accuracy": {k: [0.9] * rounds + [end] for k, end in ends.items()},
        "kept": [0.8**r for r in range(rounds + 1)],
        "barrier": {"0": 0.1, str(rewind[-1]): 0.0},
        "controls": controls,
        "series": {"step": [1.0]},
    }


@pytest.mark.parametrize(("size", "verdict"), [("standard", "supported"), ("quick", "undecided")])
def test_a_record_decides_at_standard_size_alone(size, verdict, tmp_path):
    request, own = Request(size=size), experiment("C6")
    outcomes = tuple(
        Outcome(trial, "done", rewinding(trial.settings)) for trial in own.plan(request)
    )
    pvalues = pvalues_of(own.analyse(outcomes).findings)
    write_record(Record("C6", request, "2026-01-01", {}, outcomes, stamp("C6"), pvalues), tmp_path)
    assert {c for made in experiment_checkers(tmp_path) for c in made.claims} == set(own.claims)
    for claim in own.claims:
        evidence = check_claim(Context(effort="quick"), claim, tmp_path)
        assert derive_verdict(["empirical"], evidence) == verdict
