"""A1 and A3: planted stairs are found, smooth decay is not, and trouble is counted."""

from __future__ import annotations

import numpy as np
import pytest

from epsrank.numerics.experiments import a01_function_fitting as a1
from epsrank.numerics.experiments import a03_activations as a3
from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.registry import experiment
from epsrank.numerics.experiments.stairs import CLAIMS, DROPS
from epsrank.numerics.plots.save import save_figure
from tests.numerics.experiments.made_up import failed, history

LENGTH = 100


def stairs(trial):
    """Return a run with two drops of its loss, at each of which the rank grows."""
    rng = np.random.default_rng(trial.settings["seed"])
    level = np.repeat([0.0, -3.0, -6.0], [40, 30, 30])
    loss = np.exp(level + 0.03 * rng.normal(size=LENGTH))
    rank = np.repeat([5, 15, 25], [40, 30, 30])
    return history(trial, np.stack([rank, rank], axis=1), loss.tolist())


def smooth(trial):
    """Return a run that decays exponentially, and whose rank wanders."""
    rng = np.random.default_rng(trial.settings["seed"])
    loss = np.exp(-0.05 * np.arange(LENGTH) + 0.03 * rng.normal(size=LENGTH))
    rank = 10 + rng.integers(0, 3, size=LENGTH)
    return history(trial, np.stack([rank, rank], axis=1), loss.tolist())


def judgements(found):
    return {finding.claim: finding.judgement for finding in found.findings}


@pytest.mark.parametrize(("module", "count"), [(a1, 12), (a3, 8)])
def test_plans_have_their_seeds_and_the_steps_of_the_source(module, count):
    # Exploratory seeds at the quick size, confirmatory ones beyond it.
    for size, first in (("quick", 0), ("full", 1100)):
        trials = module.plan(Request(size=size))
        seeds = [trial.settings["seed"] for trial in trials]
        assert len(seeds) == len({trial.key for trial in trials})
        assert set(seeds) == set(range(first, first + count))
        # Shorter runs end before their stairs do.
        assert {trial.settings["steps"] for trial in trials} == {15_000}
    listed = experiment(module.EXPERIMENT.id)
    assert (listed.plan, listed.analyse) == (module.EXPERIMENT.plan, module.EXPERIMENT.analyse)


def test_networks_and_activations_are_those_of_the_source():
    full = Request(size="full", seeds=1)
    shapes = {(t.settings["depth"], t.settings["width"]) for t in a1.plan(full)}
    assert shapes == {(2, 50), (2, 25), (4, 50), (4, 25)}
    assert {t.settings["activation"] for t in a3.plan(full)} == {"relu", "elu", "cosine", "tanh"}


@pytest.mark.parametrize("module", [a1, a3])
def test_planted_stairs_support_both_claims(module):
    found = module.analyse([stairs(trial) for trial in module.plan(Request())])
    judged = judgements(found)
    assert {judged.pop(claim) for claim in CLAIMS} == {"supported"}
    # Made-up runs keep no last layers, and do not differ across seeds.
    assert (set(judged), set(judged.values())) == (set(DROPS), {"undecided"})
    plateaus = next(table for table in found.tables if table.name == "plateaus")
    # V is planted at half the loss.
    assert {row["reading"] for row in plateaus.rows} == {"optimiser-limited"}
    assert {row["rank"] for row in plateaus.rows} == {5.0, 15.0, 25.0}


def test_smooth_decay_refutes_steps():
    found = a1.analyse([smooth(trial) for trial in a1.plan(Request())])
    assert judgements(found)["staircase-steps"] == "refuted"
    assert judgements(found)["coupling-together"] in {"refuted", "undecided"}
    assert "plateaus" not in {table.name for table in found.tables}


def test_stairs_with_one_activation_only_are_a_regime():
    outcomes = [
        (stairs if trial.settings["activation"] == "tanh" else smooth)(trial)
        for trial in a3.plan(Request())
    ]
    assert judgements(a3.analyse(outcomes))["staircase-steps"] == "regime"


def test_failed_and_diverged_runs_are_counted():
    trials = a1.plan(Request())
    outcomes = [stairs(trial) for trial in trials]
    outcomes[0] = failed(trials[0])
    outcomes[1] = history(trials[1], [[1, 1]], [1.0], status="diverged")
    found = a1.analyse(outcomes)
    assert len(found.notes) == 2
    for picture in found.pictures:
        picture.draw()


@pytest.mark.parametrize("outcomes", [[], [failed(a1.plan(Request())[0])]])
def test_no_runs_decide_nothing(outcomes):
    found = a1.analyse(outcomes)
    assert set(judgements(found).values()) == {"undecided"}
    assert found.pictures == ()


def test_runs_that_all_diverged_decide_nothing_and_can_be_drawn():
    trials = a1.plan(Request())
    outcomes = [history(trial, [[1, 1]], [1.0], status="diverged") for trial in trials]
    found = a1.analyse(outcomes)
    assert set(judgements(found).values()) == {"undecided"}
    for picture in found.pictures:
        picture.draw()


def test_figures_are_drawn(tmp_path):
    for picture in a1.analyse([stairs(trial) for trial in a1.plan(Request())]).pictures:
        assert save_figure(picture.draw(), tmp_path / f"{picture.name}.png").stat().st_size > 5000
