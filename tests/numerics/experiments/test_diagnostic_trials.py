"""Trials of experiments C: small ones give finite numbers, and the same ones again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from epsrank.numerics.experiments.diagnostics.trials import regimes, rewinding
from epsrank.numerics.experiments.diagnostics.trials.regimes import bisected
from epsrank.numerics.experiments.diagnostics.trials.rewinding import rewinding_trial
from epsrank.numerics.experiments.diagnostics.trials.small import (
    batches,
    dense,
    stream,
    stream_seed,
)
from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.registry import experiment
from epsrank.numerics.sweeps.trial import TRIAL_KINDS, Trial
from epsrank.theory.strict_json import canonical

#: What makes a trial of each experiment small.
SMALL = {
    "C1": {
        "samples": 130, "epochs": 2, "rounds": 2, "switches": [0.5], "width": 5, "steps": 4,
        "shares": [0.5],
    },
    "C2": {"samples": 40, "steps": 6, "batch": 20, "width": 6, "pairs": 12, "measurements": 3},
    "C3": {"samples": 40, "time": 1.0, "measurements": 3, "measuring": 5, "width": 6},
    "C4": {
        "widths": [6], "steps": 4, "measurements": 3, "task": "digits", "samples": 30, "peaks": 2,
        "batch": 10, "width": 5,
    },
    "C5": {
        "width": 4, "samples": 70, "period": 2, "start": 1, "stop": 2, "steps": 4, "side": 4,
        "observed": 8,
    },
    "C6": {"width": 5, "samples": 70, "steps": 3, "rewind": [0, 2], "rounds": 2, "early": 2},
    "C7": {
        "width": 3, "samples": 70, "batch": 30, "steps": 2, "rates": [0.1, 0.2], "momenta": [0.0],
        "time": 0.3, "measurements": 4, "measuring": 5, "peaks": 2,
    },
}  # fmt: skip


def test_every_purpose_has_its_own_stream():
    purposes = ("samples", "weights", "order", "labels", "patches")
    drawn = {
        stream(seed, purpose, index).initial_seed()
        for seed in range(5)
        for purpose in purposes
        for index in range(4)
    }
    assert len(drawn) == 5 * len(purposes) * 4
    # With one generator for all, samples would be picked and shown in the same order.
    rows = torch.randperm(9, generator=stream(1, "samples"))
    assert not torch.equal(next(batches(9, 9, 1, 1)), rows)
    assert not torch.equal(next(batches(9, 9, 1, 1)), next(batches(9, 9, 1, 1, 1)))
    torch.manual_seed(1)
    linked = torch.nn.Linear(3, 4)
    assert not torch.equal(dense([3, 4, 2], "tanh", 1)[0].weight, linked.weight)


def test_no_order_of_a_rewinding_belongs_to_another_seed_and_a_wild_barrier_is_null(monkeypatch):
    trial = experiment("C6").plan(Request(seeds=1))[0]
    small = {**trial.settings, **SMALL["C6"]}
    held = []

    def seen(samples, size, steps, seed, index=0):
        held.append(stream_seed(seed, "order", index))
        return batches(samples, size, steps, seed, index)

    monkeypatch.setattr(rewinding, "batches", seen)
    results = [rewinding_trial({**small, "seed": seed}) for seed in (0, 1)]
    # Once in full for each step, then every round, two ends of a barrier, and the controls.
    assert len(held) == 2 * (2 * (1 + 2 + 2) + 7)
    assert not set(held[: len(held) // 2]) & set(held[len(held) // 2 :])
    # The barrier's two orders are no round's.
    assert len(set(held)) == 2 * (1 + 2 + 2 + 1)
    assert all(value is not None for r in results for value in r["barrier"].values())
    monkeypatch.setattr(rewinding, "losses_between", lambda *_: np.array([0.1, np.inf, 0.1]))
    assert set(rewinding_trial(small)["barrier"].values()) == {None}


@pytest.mark.parametrize("name", SMALL)
def test_results_of_the_former_streams_are_not_taken_for_those_of_today(name):
    kinds = {t.kind: t.version for t in experiment(name).plan(Request(seeds=1))}
    # Its matrices were, and are, all that its generator draws; others had no former streams.
    for kind in ("deficit-linear", "rate-grid", "early-path"):
        assert kinds.pop(kind, 1) == 1
    assert set(kinds.values()) <= {2}


def test_a_rate_is_found_between_ends_that_are_tried_themselves():
    assert bisected(lambda rate: rate < 1, 0.01, 100.0, 12) == pytest.approx(1, rel=0.01)
    assert bisected(lambda rate: False, 0.01, 100.0, 3) is None
    assert bisected(lambda rate: rate <= 0.01, 0.01, 100.0, 3) == 0.01
    assert bisected(lambda rate: True, 0.01, 100.0, 3) == 100


def test_rates_are_found_with_other_draws_than_those_judged(monkeypatch):
    held = []

    def seen(*given):
        held.append(given[6])
        return [1.0]

    monkeypatch.setattr(regimes, "descend", seen)
    for trial in experiment("C1").plan(Request(seeds=1)):
        small = {**trial.settings, **{k: v for k, v in SMALL["C1"].items() if k in trial.settings}}
        monkeypatch.setattr(regimes, "_TRAINS", 1.0)
        held.clear()
        trial.function()(small)
        tuned = held.count(1)
        assert tuned >= small["rounds"]
        assert held == [1] * tuned + [0] * (len(held) - tuned)
        # Where nothing trains there is nothing to judge.
        monkeypatch.setattr(regimes, "_TRAINS", 0.0)
        held.clear()
        result = trial.function()(small)
        assert not result.get("runs")
        assert not result.get("annealed")
        assert 0 not in held


@pytest.mark.parametrize("name", SMALL)
def test_a_small_trial_is_repeatable(name):
    kinds = {}
    for trial in experiment(name).plan(Request(seeds=1)):
        kinds.setdefault(trial.kind, trial)
    for kind, trial in kinds.items():
        own = {key: value for key, value in SMALL[name].items() if key in trial.settings}
        small = Trial(kind, {**trial.settings, **own})
        result = small.function()(small.settings)
        assert canonical(result) == canonical(small.function()(small.settings))
        for column in result.get("series", {"step": [0]}).values():
            assert len(column) == len(result.get("series", {"step": [0]})["step"])
        assert kind in TRIAL_KINDS
