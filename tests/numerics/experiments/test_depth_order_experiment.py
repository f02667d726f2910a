"""A2: planted orders by depth are found, planted reverses refute, and nothing decides nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from epsrank.numerics.experiments.a02_depth_order import EXPERIMENT, analyse, plan
from epsrank.numerics.experiments.depth_figures import draw_times
from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.histories import read_histories
from epsrank.numerics.experiments.trials.initial_layers import initial_layers_trial
from epsrank.numerics.plots.save import save_figure
from epsrank.numerics.sweeps.trial import Outcome, Trial
from epsrank.theory.errors import InputError
from tests.numerics.experiments.made_up import failed, history

TRIALS = plan(Request())


def planted(trial, rise, seeds=15, blur=0):
    """Return an outcome in which every layer has `rise` more rank than the one before it."""
    if trial.kind == "train":
        ranks = np.array([[20 + rise * layer for layer in range(4)]] * 3)
        return history(trial, ranks, [1.0, 0.5, 0.1], blur=blur)
    ranks = [[20 + rise * layer for layer in range(4)]] * seeds
    table = np.array(ranks)
    return Outcome(
        trial,
        "done",
        {
            "rank_lower": {str(e): (table - blur).tolist() for e in trial.settings["eps"]},
            "rank_upper": {str(e): (table + blur).tolist() for e in trial.settings["eps"]},
        },
    )


def judgements(outcomes):
    return {finding.claim: finding.judgement for finding in analyse(outcomes).findings}


def test_plans_are_the_same_again_with_enough_seeds_for_the_family():
    assert len({trial.key for trial in TRIALS}) == len(TRIALS)
    for request in (Request(), Request(size="full"), Request(datasets=("mnist",))):
        trials = plan(request)
        cells = 3 * sum(trial.kind == "initial-layers" for trial in trials)
        count = next(t.settings["count"] for t in trials if t.kind == "initial-layers")
        assert 2.0 ** (1 - count) <= 0.05 / cells
        seeds = {trial.settings["seed"] for trial in trials if trial.kind == "train"}
        assert len(seeds) >= 6
    names = {trial.settings.get("inputs") for trial in plan(Request(datasets=("mnist",)))}
    assert "mnist" in names
    few = [t for t in plan(Request(seeds=5, first_seed=7)) if t.kind == "train"]
    assert {trial.settings["seed"] for trial in few} == set(range(7, 12))


def test_growth_everywhere_supports_the_regime_but_no_universal_statement():
    assert judgements([planted(trial, 2) for trial in TRIALS]) == {
        "depth-order": "undecided",
        "depth-order-regime": "supported",
    }


def test_loss_everywhere_refutes_both():
    found = analyse([planted(trial, -2) for trial in TRIALS])
    assert {f.judgement for f in found.findings} == {"refuted"}
    witness = found.findings[0].witness
    # The witness is the setting nearest to the source, complete enough to run it again.
    assert witness["inputs"] == "box-1"
    assert witness["scale"] == 1.0
    assert witness["last − first"] == -6
    json.dumps(dict(witness), allow_nan=False)


def test_growth_here_and_loss_there_is_a_regime():
    outcomes = [planted(t, 2 if t.settings.get("scale") == 4.0 else -2) for t in TRIALS]
    assert judgements(outcomes) == {"depth-order": "refuted", "depth-order-regime": "regime"}
    text = analyse(outcomes).findings[1].statement
    assert "0 larger and 96 smaller of 96 at s = 0.5" in text
    assert "0 smaller of 168 at s = 4" in text


def test_equal_ranks_and_unresolved_ranks_decide_nothing():
    for rise, blur in ((0, 0), (2, 10)):
        found = judgements([planted(trial, rise, blur=blur) for trial in TRIALS])
        assert set(found.values()) == {"undecided"}


def test_too_few_seeds_establish_nothing_in_the_family():
    mine = [trial for trial in TRIALS if trial.kind == "initial-layers"]
    assert set(judgements([planted(t, -2, seeds=6) for t in mine]).values()) == {"undecided"}


def test_signs_that_differ_between_seeds_decide_nothing():
    trial = TRIALS[0]
    outcome = planted(trial, 2)
    for table in (outcome.result["rank_lower"], outcome.result["rank_upper"]):
        for eps, rows in table.items():
            table[eps] = [row if i % 2 else row[::-1] for i, row in enumerate(rows)]
    assert set(judgements([outcome]).values()) == {"undecided"}


def test_an_arm_that_diverged_in_every_run_is_left_out_of_the_figure(tmp_path):
    arms = {
        "a": [read_run([[5, 4, 3, 2], [5, 4, 3, 2]], [1.0, 0.5])],
        "b": [read_run([[5, 4, 3, 2]], [1.0], status="diverged")],
    }
    figure = draw_times(arms)
    save_figure(figure, tmp_path / "times.svg")
    assert len(figure.axes[0].get_xticklabels()) == 5


def read_run(ranks, losses, status="complete"):
    trial = next(t for t in TRIALS if t.kind == "train")
    (run,), _ = read_histories([history(trial, ranks, losses, status=status)])
    return run


def test_failed_and_diverged_trials_are_counted_and_left_out():
    outcomes = [planted(trial, 2) for trial in TRIALS]
    train = [i for i, trial in enumerate(TRIALS) if trial.kind == "train"]
    outcomes[0] = failed(TRIALS[0])
    outcomes[train[0]] = history(TRIALS[train[0]], [[5, 4, 3, 2]], [1.0], status="diverged")
    outcomes[train[1]] = failed(TRIALS[train[1]])
    found = analyse(outcomes)
    assert len(found.notes) == 3
    # Four seeds are too few for 95 %, so that arm is no longer among those that agree.
    assert found.findings[1].judgement == "regime"
    for picture in found.pictures:
        picture.draw()


@pytest.mark.parametrize("outcomes", [[], [failed(trial) for trial in TRIALS[:3]]])
def test_no_usable_outcome_is_undecided(outcomes):
    found = analyse(outcomes)
    assert {f.judgement for f in found.findings} == {"undecided"}
    assert found.pictures == ()


def test_figures_are_drawn(tmp_path):
    outcomes = [planted(t, -1 if t.settings.get("scale") == 1.0 else 1) for t in TRIALS]
    for picture in analyse(outcomes).pictures:
        assert save_figure(picture.draw(), tmp_path / f"{picture.name}.png").stat().st_size > 5000


SMALL = {
    "inputs": "box-1", "activation": "tanh", "width": 12, "depth": 3, "first": "default",
    "scale": 1.0, "eps": [1e-6, 1e-2], "seed": 3, "count": 2,
}  # fmt: skip


def test_a_trial_gives_ranks_of_all_layers_by_seed_the_same_again():
    result = initial_layers_trial(SMALL)
    assert json.loads(json.dumps(result)) == initial_layers_trial(SMALL)
    assert np.shape(result["rank_lower"]["1e-06"]) == (2, 3)
    again = initial_layers_trial({**SMALL, "seed": 4, "count": 1})
    assert again["rank_lower"]["0.01"] == result["rank_lower"]["0.01"][1:]


def test_structured_layers_keep_their_slopes_when_hidden_weights_are_scaled():
    small = {**SMALL, "first": "structured"}
    first = [row[0] for row in initial_layers_trial(small)["rank_lower"]["1e-06"]]
    scaled = initial_layers_trial({**small, "scale": 4.0})["rank_lower"]["1e-06"]
    assert [row[0] for row in scaled] == first
    assert initial_layers_trial(SMALL)["rank_lower"]["1e-06"][0][0] < first[0]
    digits = initial_layers_trial({**small, "inputs": "digits"})
    assert digits["n_inputs"] == 64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": "box-0"}, "inputs"),
        ({"inputs": "sphere"}, "inputs"),
        ({"first": "xavier"}, "first"),
        ({"scale": 0.0}, "scale"),
        ({"scale": True}, "scale"),
        ({"activation": "tanhh"}, "activation"),
        ({"count": 0}, "count"),
        ({"more": 1}, "settings"),
    ],
)
def test_wrong_settings_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        initial_layers_trial({**SMALL, **change})


def test_missing_mnist_is_a_failure_and_no_stand_in(monkeypatch):
    from epsrank.numerics.experiments.trials import initial_layers
    from epsrank.numerics.tasks import load_task

    def without(name, n_train):
        from dataclasses import replace

        return replace(load_task("digits", n_train=n_train), notice="mnist is not at hand")

    monkeypatch.setattr(initial_layers, "load_task", without)
    initial_layers.inputs_of.cache_clear()
    with pytest.raises(InputError, match="not at hand"):
        initial_layers_trial({**SMALL, "inputs": "mnist"})
    initial_layers.inputs_of.cache_clear()


def test_the_trial_is_registered():
    assert Trial("initial-layers", SMALL).function() is initial_layers_trial
    assert EXPERIMENT.id == "A2"
