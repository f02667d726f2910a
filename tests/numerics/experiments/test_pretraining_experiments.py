"""A6, A9 and A10: their plans, planted effects, trouble, figures, and one small trial."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from epsrank.numerics.experiments import a06_poisson, a09_sfli, a10_images
from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.pretraining.claims import ACCURACY, CLAIMS, RANK, SPEED
from epsrank.numerics.experiments.pretraining.design import arm_of
from epsrank.numerics.experiments.pretraining.trial import pretraining_trial
from epsrank.numerics.experiments.registry import experiment
from epsrank.numerics.experiments.rules import experiment_rules
from epsrank.numerics.plots.save import save_figure
from epsrank.numerics.sweeps.settings import config_of
from epsrank.numerics.sweeps.trial import Outcome, Trial
from epsrank.numerics.tasks import TASKS
from tests.numerics.experiments.pretraining_outcomes import planted

MODULES = {"A6": a06_poisson, "A9": a09_sfli, "A10": a10_images}
QUICK = {name: module.plan(Request()) for name, module in MODULES.items()}
BETTER = {"rank": 40, "rate": 4.0, "floor": 1e-4}


def outcomes(name, pretrained=None, plain=None):
    return [
        planted(trial, **((pretrained if arm_of(trial.settings) == "structured" else plain) or {}))
        for trial in QUICK[name]
    ]


def judged(name, found):
    analysis = MODULES[name].analyse(found)
    assert [finding.claim for finding in analysis.findings] == list(experiment(name).claims)
    assert experiment(name).claims[:3] == CLAIMS
    mine = analysis.findings[:3]
    return {finding.claim: finding.judgement for finding in mine}, analysis


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("size", ["quick", "full"])
def test_plans(name, size):
    request = Request(size=size, datasets=("mnist", "cifar10"))
    trials = experiment(name).plan(request)
    assert [trial.key for trial in trials] == [
        trial.key for trial in experiment(name).plan(request)
    ]
    assert len({trial.key for trial in trials}) == len(trials)
    seeds = {}
    for trial in trials:
        rest = {key: value for key, value in trial.settings.items() if key != "seed"}
        seeds.setdefault(json.dumps(rest), set()).add(trial.settings["seed"])
        config_of(trial.settings)  # all settings are good
    assert {len(found) for found in seeds.values()} <= {6, 10}
    assert experiment(name).plan(replace(request, seeds=1, first_seed=3))[0].settings["seed"] == 3


def test_designs():
    assert {t.settings["init"] for t in QUICK["A6"]} == {"xavier", "default", "structured"}
    full = a09_sfli.cells("full")
    assert len(full) == 5 * 3 * 3
    assert {len(inits) for inits in full.values()} == {7}
    quick = a09_sfli.cells("quick")
    rules = experiment_rules("A9", "quick")
    for place, wanted in enumerate((rules["tasks"], rules["networks"])):
        assert [*dict.fromkeys(cell[place] for cell in quick)] == list(wanted)
    assert {cell[2] for cell in quick} == {"tanh", "cosine", "gaussian"}
    assert all(task in TASKS for task, _, _ in full)
    tasks = {t.settings["task"] for t in a10_images.plan(Request(datasets=("cifar10",)))}
    assert tasks == {"digits", "cifar10"}
    assert {t.settings["task"] for t in QUICK["A10"]} == {"digits"}


@pytest.mark.parametrize("name", MODULES)
def test_a_planted_effect_is_supported(name, tmp_path):
    found, analysis = judged(name, outcomes(name, pretrained=BETTER))
    assert set(found.values()) == {"supported"}
    assert analysis.tables[0].rows
    names = ["pretraining", "speed", "cost-pretraining", "cost-speed"]
    assert [table.name for table in analysis.tables[:4]] == names
    for table in analysis.tables:
        assert len({tuple(row) for row in table.rows}) == 1
    first_of_each = {picture.name.partition("-")[0]: picture for picture in analysis.pictures[::-1]}
    for picture in first_of_each.values():
        save_figure(picture.draw(), tmp_path / f"{picture.name}.svg")
    json.dumps([finding.to_json() for finding in analysis.findings])


@pytest.mark.parametrize("name", MODULES)
def test_the_reverse_is_refuted(name):
    found, analysis = judged(name, outcomes(name, plain=BETTER))
    assert set(found.values()) == {"refuted"}
    assert all(finding.witness is not None for finding in analysis.findings[:3])


@pytest.mark.parametrize("name", MODULES)
def test_no_effect_is_undecided(name):
    found, _ = judged(name, outcomes(name))
    assert found[RANK] == "undecided"
    assert "supported" not in found.values()
    assert "refuted" not in {found[SPEED], found[ACCURACY]}


def test_a_regime_is_named():
    mixed = [
        planted(
            trial,
            **(
                BETTER
                if trial.settings["init"] == "structured" and trial.settings["task"] == "cosines"
                else {}
            ),
        )
        for trial in QUICK["A9"]
    ]
    found, analysis = judged("A9", mixed)
    assert set(found.values()) == {"regime"}
    assert "burgers" in analysis.findings[1].statement.partition("undecided in")[2]


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("trouble", ["failed", "diverged", "nothing", "one arm", "half"])
def test_trouble(name, trouble, tmp_path):
    if trouble == "failed":
        found = outcomes(name, {"status": "failed"}, {"status": "failed"})
    elif trouble == "diverged":
        found = outcomes(name, {"diverged": True}, {"diverged": True})
    elif trouble == "nothing":
        found = []
    elif trouble == "one arm":
        found = [o for o in outcomes(name) if o.settings["init"] == "structured"]
    else:
        found = [
            Outcome(o.trial, "failed", cause="killed") if o.settings["seed"] % 2 else o
            for o in outcomes(name, pretrained=BETTER)
        ]
    judgements, analysis = judged(name, found)
    # Three seeds and runs that never ended decide nothing.
    assert set(judgements.values()) == {"undecided"}
    if trouble in ("failed", "diverged", "half"):
        assert any(word in note for note in analysis.notes for word in ("failed", "diverged"))
    if name == "A6" and trouble in ("diverged", "one arm"):
        for picture in analysis.pictures:
            save_figure(picture.draw(), tmp_path / f"{picture.name}.png")


@pytest.mark.parametrize("task", ["poisson-1d", "burgers", "cosines"])
def test_one_trial(task):
    settings = {
        "task": task, "init": "structured", "width": 8, "depth": 2, "steps": 6, "n_train": 16,
        "measure_every": 3, "device": "cpu", "eps": [1e-6, 1e-2], "seed": 1,
    }  # fmt: skip
    first, second = (pretraining_trial(settings) for _ in range(2))
    seconds = first.pop("seconds")
    second.pop("seconds")
    assert first == second
    assert seconds["initialise"] > 0
    assert seconds["update"] > 0
    assert len(json.dumps(first)) < 50_000
    if task == "cosines":
        assert "feature_ranks" not in first
    else:
        ranks = first["feature_ranks"]["lower"]["1e-06"]
        assert len(ranks) == len(first["step"]) == 3
        assert all(1 <= rank <= 8 for rank in ranks)
    if task == "burgers":  # no operator features: both are ranks of φ
        assert ranks == [layers[-1] for layers in first["rank_lower"]["1e-06"]]


def test_a_trial_of_the_kind_is_known():
    trial = Trial("pretraining", {"task": "cosines", "seed": 0})
    assert trial.function() is pretraining_trial
