"""What is recorded is read again, and a record of another plan or a forged one is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from epsrank.numerics.ensemble.trials import run_train_trials_batched
from epsrank.numerics.environment import describe_environment
from epsrank.numerics.experiments.analysis import Analysis, Finding
from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.registry import experiment
from epsrank.numerics.experiments.rules import Stamp, stamp
from epsrank.numerics.sweeps.execute import run_trials
from epsrank.numerics.sweeps.trial import Outcome, Trial
from epsrank.proofs.checkers.base import Context
from epsrank.proofs.checkers.experiments import check_claim, experiment_checkers
from epsrank.proofs.experiments import Record, read_record, recorded_ids, reproduce, write_record
from epsrank.proofs.experiments.findings import evidence_of
from epsrank.proofs.ledger.verdict import derive_verdict
from epsrank.theory.errors import InputError

CLAIM = "depth-order"
REQUEST = Request(size="standard", datasets=("mnist",))


def recorded(name, folder, request=None, change=None):
    request = request or REQUEST
    outcomes = run_trials(experiment(name).plan(request), None, jobs=1)
    if change is not None:
        outcomes = [change(outcome) for outcome in outcomes]
    record = Record(
        name, request, "2026-01-01", describe_environment("cpu"), tuple(outcomes), stamp(name)
    )
    write_record(record, folder)
    return record


def verdict(folder, effort="default"):
    evidence = check_claim(Context(effort=effort), CLAIM, folder)
    return derive_verdict(["empirical"], evidence), evidence


def test_record_reads_back(toys, tmp_path):
    toys(Z1=1.0)
    record = recorded("Z1", tmp_path)
    assert read_record("Z1", tmp_path) == record
    assert recorded_ids(tmp_path) == ["Z1"]
    assert record.stale(experiment("Z1")) is None


def test_results_keep_their_order(toys, tmp_path):
    toys(Z1=1.0)
    ranks = {"1e-06": [5], "0.0001": [4], "0.01": [3]}
    recorded("Z1", tmp_path, change=lambda o: replace(o, result={**o.result, "rank": ranks}))
    found = read_record("Z1", tmp_path).outcomes[0].result
    assert list(found["rank"]) == list(ranks)


def test_missing_and_damaged_records_are_one_line(toys, tmp_path):
    toys(Z1=1.0)
    with pytest.raises(InputError, match="no record"):
        read_record("Z1", tmp_path)
    recorded("Z1", tmp_path)
    path = tmp_path / "Z1.parquet"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError):
        read_record("Z1", tmp_path)


@pytest.mark.parametrize(
    ("shifts", "expected"),
    [
        ({"Z1": 1.0}, "supported"),
        ({"Z1": 1.0, "Z2": 2.0}, "supported"),
        ({"Z1": -1.0}, "refuted"),
        ({"Z1": -1.0, "Z2": -2.0}, "refuted"),
        ({"Z1": 1.0, "Z2": -1.0}, "supported only in a regime"),
        ({"Z1": 1.0, "Z2": -0.1}, "supported only in a regime"),
        ({"Z1": -0.1}, "undecided"),
    ],
)
def test_verdict_over_experiments(toys, tmp_path, shifts, expected):
    toys(**shifts)
    for name in shifts:
        recorded(name, tmp_path)
    assert verdict(tmp_path)[0] == expected


def test_a_record_of_another_plan_decides_nothing(toys, tmp_path):
    module = toys(Z1=1.0)
    recorded("Z1", tmp_path)
    planned = module.Z1.plan
    more = Trial("toy", {"seed": 99, "shift": 1.0})
    module.Z1 = replace(module.Z1, plan=lambda request: [*planned(request), more])
    found, evidence = verdict(tmp_path)
    assert found == "undecided"
    assert "another plan (1 of 7 trials" in evidence[0].cause


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda held: None, "rules"),
        (lambda held: Stamp("0" * 64, held.instrument), "rules"),
        (lambda held: Stamp(held.rules, "0" * 64), "instruments"),
    ],
)
def test_a_record_made_under_other_rules_decides_nothing(toys, tmp_path, change, what):
    toys(Z1=1.0)
    record = recorded("Z1", tmp_path)
    assert verdict(tmp_path, effort="quick")[0] == "supported"
    write_record(replace(record, stamp=change(record.stamp)), tmp_path)
    found, evidence = verdict(tmp_path, effort="quick")
    assert found == "undecided"
    assert f"made under other {what}, and decides nothing" in evidence[0].cause
    assert "epsrank reproduce Z1 --size standard --record" in evidence[0].cause


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (Request(datasets=("mnist",)), "of the size quick, which shows that all runs"),
        (replace(REQUEST, first_seed=7), "of exploratory seeds, on which rules are tried"),
        (replace(REQUEST, first_seed=1000), "of seeds from 1000, and today's block begins at 1100"),
        (replace(REQUEST, first_seed=1110), None),
    ],
)
def test_quick_runs_and_other_seeds_decide_nothing(toys, tmp_path, request_, why):
    toys(Z1=1.0)
    recorded("Z1", tmp_path, request_)
    found, evidence = verdict(tmp_path, effort="quick")
    assert found == ("supported" if why is None else "undecided")
    if why is not None:
        assert why in evidence[0].cause
        assert "epsrank reproduce Z1 --size standard --record" in evidence[0].cause


def test_any_trial_may_be_the_one_that_is_run_again(toys, tmp_path):
    """The seed of the verification draws it: a forged trial is caught, however dear it is."""
    toys(Z1=1.0)

    def forge(outcome: Outcome) -> Outcome:
        dear = outcome.settings["seed"] == 1103
        result = {**outcome.result, "value": 3.0} if dear else outcome.result
        return replace(outcome, result=result, seconds=99.0 if dear else 1.0)

    recorded("Z1", tmp_path, change=forge)
    seen = {}
    for seed in range(40):
        evidence = check_claim(Context(seed=seed), CLAIM, tmp_path)
        seen[seed] = evidence[0].figures.get("a trial run again", evidence[0].cause)
    assert len(set(seen.values())) == 6
    assert any("no longer gives the same numbers" in said for said in seen.values())
    again = check_claim(Context(seed=3), CLAIM, tmp_path)[0]
    assert again.figures.get("a trial run again", again.cause) == seen[3]


def test_a_finding_without_its_power_decides_nothing_where_one_is_needed():
    finding = Finding("coupling-together", "supported", "they move together")
    evidence = evidence_of(finding, "passed", "A1", {}, needs_power=True)
    assert (evidence.state, evidence.cause) == (
        "undecided",
        "the power of its test on these records was not simulated",
    )
    known = evidence_of(replace(finding, power=0.8), "passed", "A1", {}, needs_power=True)
    assert (known.state, known.figures["power"]) == ("passed", 0.8)
    assert evidence_of(finding, "passed", "A1", {}).state == "passed"


def test_holm_counts_all_empirical_claims(toys, tmp_path):
    """What would pass alone does not among ten; p-values of records that decide nothing are out."""
    toys(Z1=1.0, Z2=1.0)
    record = recorded("Z1", tmp_path)
    write_record(replace(record, pvalues={CLAIM: [0.02]}), tmp_path)
    assert read_record("Z1", tmp_path).pvalues == {CLAIM: [0.02]}
    found, evidence = verdict(tmp_path, effort="quick")
    assert (found, evidence[0].figures["p by Holm over the empirical claims"]) == (
        "supported",
        0.02,
    )
    others = {f"claim {k}": [0.5] for k in range(9)}
    write_record(replace(record, pvalues={CLAIM: [0.02], **others}), tmp_path)
    found, evidence = verdict(tmp_path, effort="quick")
    assert found == "undecided"
    assert "p = 0.2 by Holm's correction" in evidence[0].cause
    write_record(replace(record, pvalues={CLAIM: [1e-4], **others}), tmp_path)
    assert verdict(tmp_path, effort="quick")[0] == "supported"


def test_forged_numbers_are_caught(toys, tmp_path):
    toys(Z1=-1.0)

    def forge(outcome: Outcome) -> Outcome:
        return replace(outcome, result={**outcome.result, "value": 3.0})

    recorded("Z1", tmp_path, change=forge)
    found, evidence = verdict(tmp_path)
    assert found == "undecided"
    assert "no longer gives the same numbers" in evidence[0].cause
    # A quick verification does not run trials again, and says so.
    found, evidence = verdict(tmp_path, effort="quick")
    assert evidence[0].figures["a trial run again"] == "not tried"


@pytest.mark.parametrize("forged", [False, True])
def test_runs_trained_together_are_run_again_together(toys, tmp_path, forged, monkeypatch):
    module = toys(Z1=1.0)
    base = {"width": 4, "depth": 1, "steps": 2, "n_train": 10, "measure_every": 1, "device": "cpu"}
    trials = [Trial("train", base | {"seed": seed}) for seed in range(3)]
    finding = Finding(CLAIM, "supported", "as planted")
    module.Z1 = replace(
        module.Z1,
        plan=lambda request: trials,
        analyse=lambda outcomes: Analysis((finding,)),
        batched=True,
    )
    outcomes = reproduce(module.Z1, REQUEST, jobs=1).outcomes
    assert outcomes[0].seconds == outcomes[1].seconds  # of one program
    if forged:
        loss = [1.0] * len(outcomes[1].result["loss"])
        forgery = replace(outcomes[1], result={**outcomes[1].result, "loss": loss})
        outcomes = (outcomes[0], forgery, outcomes[2])
    record = Record("Z1", REQUEST, "2026-01-01", describe_environment("cpu"), outcomes, stamp("Z1"))
    write_record(record, tmp_path)
    asked = []

    def watched(trials, *args, **options):
        asked.append(len(trials))
        return run_train_trials_batched(trials, *args, **options)

    monkeypatch.setattr("epsrank.proofs.checkers.experiments.run_train_trials_batched", watched)
    found, evidence = verdict(tmp_path)
    assert asked == [3]
    assert found == ("undecided" if forged else "supported")
    if not forged:
        assert evidence[0].figures["a trial run again"] == "the same numbers (Z1, seed 0, 1, 2)"


def test_seconds_may_differ(toys, tmp_path):
    toys(Z1=1.0)
    recorded(
        "Z1",
        tmp_path,
        change=lambda o: replace(o, result={**o.result, "seconds": 9.0}, seconds=7.0),
    )
    found, evidence = verdict(tmp_path)
    assert found == "supported"
    assert evidence[0].figures["a trial run again"].startswith("the same numbers (Z1, seed 110")


def test_one_checker_per_claim(toys, tmp_path):
    toys(Z1=1.0, Z2=-1.0)
    for name in ("Z1", "Z2"):
        recorded(name, tmp_path)
    assert [checker.claims for checker in experiment_checkers(tmp_path)] == [(CLAIM,)]


def test_failed_trials_are_part_of_the_analysis(toys, tmp_path):
    toys(Z1=1.0)
    recorded(
        "Z1",
        tmp_path,
        change=lambda o: replace(o, status="failed", result={}, cause="the coin fell"),
    )
    assert verdict(tmp_path, effort="quick")[0] == "undecided"
