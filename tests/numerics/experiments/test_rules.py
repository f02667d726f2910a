"""Rules are data: every experiment has all sizes, and hashes see what decides and nothing else."""

from __future__ import annotations

import pytest

from epsrank.numerics.experiments import rules
from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.registry import EXPERIMENTS, experiment
from epsrank.numerics.experiments.rules import (
    SIZES,
    all_rules,
    code_tree,
    experiment_rules,
    instrument,
    shared_rules,
    stamp,
)
from epsrank.proofs.experiments import read_record, recorded_ids
from epsrank.theory.errors import InputError

CODE = """
LEVEL = 0.05

def decide(p: float) -> bool:
    return p <= LEVEL
"""


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_has_a_plan_of_every_size(name):
    keys = {}
    for size in SIZES:
        trials = experiment(name).plan(Request(size=size, datasets=("mnist",)))
        keys[size] = [trial.key for trial in trials]
        assert keys[size]
        assert len(set(keys[size])) == len(trials)
    assert keys["quick"] != keys["standard"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_rules_name_what_there_is(name):
    for size in SIZES:
        assert experiment_rules(name, size)
    assert set(all_rules()[name]["uses"]) <= set(all_rules())
    held = stamp(name)
    assert len(held.rules) == len(held.instrument) == 64


def test_verdicts_come_from_other_seeds_than_the_rules():
    seeds = shared_rules("seeds")
    quick, standard = (Request(size=size).seed_range(12) for size in ("quick", "standard"))
    assert max(quick) < 100 <= seeds["confirmatory_from"] <= min(standard)
    assert Request(size="standard", first_seed=7).seed_range(2) == range(7, 9)


@pytest.mark.parametrize(
    "same",
    [
        CODE.replace("def decide", "# why\n\ndef decide"),
        CODE.replace("    return", '    """Whether."""\n    return'),
        CODE.replace("p: float) -> bool", "p)"),
        "from math import inf\n" + CODE,
    ],
)
def test_words_do_not_change_the_hash(same):
    assert code_tree(same) == code_tree(CODE)


@pytest.mark.parametrize(
    "other", [CODE.replace("0.05", "0.06"), CODE.replace("<=", "<"), CODE + "\nLEVEL = 1"]
)
def test_what_decides_changes_the_hash(other):
    assert code_tree(other) != code_tree(CODE)


def test_a_changed_rule_or_instrument_changes_the_stamp(monkeypatch):
    before = stamp("A1")
    changed = {**all_rules(), "staircases": {**shared_rules("staircases"), "level": 0.06}}
    monkeypatch.setattr(rules, "all_rules", lambda: changed)
    assert stamp("A1").rules != before.rules
    assert stamp("A1").instrument == before.instrument
    assert stamp("A7") == (monkeypatch.undo() or stamp("A7"))
    monkeypatch.setattr(rules, "_module_digest", lambda module: "0")
    assert stamp("A1").rules == before.rules
    assert stamp("A1").instrument != before.instrument


def test_unknown_names_are_one_line():
    with pytest.raises(InputError, match="has no rules; choose one of A1, A2"):
        experiment_rules("A99", "quick")
    with pytest.raises(InputError, match="choose one of quick, standard, full"):
        experiment_rules("A1", "huge")


@pytest.mark.parametrize("name", recorded_ids())
def test_records_that_may_decide_are_of_today(name):
    """Whoever changes a rule or an instrument makes the records anew, or says that they are old."""
    record = read_record(name)
    why = record.undecided(experiment(name))
    if record.request.size in shared_rules("verdicts")["sizes"]:
        assert why is None
    else:
        assert "decides nothing; run `epsrank reproduce" in why


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_instrument_is_all_that_decides(name):
    """The module of the experiment, and whatever it was loaded with of the deciding packages."""
    found = instrument(name)
    assert EXPERIMENTS[name].partition(":")[0] in found
    assert "epsrank.theory.statistics" in found
    assert not any("plots" in module or "trials" in module for module in found)


def test_a_module_that_an_instrument_comes_to_import_is_part_of_it(monkeypatch):
    judged = "epsrank.numerics.experiments.stairs"
    assert judged in instrument("A1")
    assert "epsrank.numerics.experiments.pretraining.claims" in instrument("A6")
    own = rules._imports

    def with_one_more(module):
        return (*own(module), *(["epsrank.numerics.staircase.validity"] * (module == judged)))

    monkeypatch.setattr(rules, "_imports", with_one_more)
    assert "epsrank.numerics.staircase.validity" in instrument("A1")
