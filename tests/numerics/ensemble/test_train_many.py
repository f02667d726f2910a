"""Networks trained together are the networks trained one by one, up to rounding."""

from __future__ import annotations

import os
import signal

import pytest
import torch

from epsrank.numerics.ensemble import ensemble as parts
from epsrank.numerics.ensemble import train_in_groups, train_many
from epsrank.numerics.ensemble.samples import StackedOrder
from epsrank.numerics.training import RunConfig, load_run, train
from epsrank.numerics.training.tensors import read_tensors
from epsrank.theory.errors import InputError
from tests.numerics.ensemble import alike

BASE = {
    "width": 12,
    "depth": 2,
    "steps": 30,
    "n_train": 64,
    "device": "cpu",
    "measure_every": 10,
    "eps": (1e-6,),
}
# Weights after thirty steps: products round differently, and Adam divides by small numbers.
FLOAT64, FLOAT32 = 1e-9, 1e-2


def runs(count=3, **settings):
    return [
        RunConfig(**BASE | {"learning_rate": 0.003 * (1 + seed)} | settings, seed=seed)
        for seed in range(count)
    ]


@pytest.mark.parametrize("network", ["mlp", "resnet"])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw"])
def test_equals_training_one_by_one(network, optimizer):
    configs = runs(network=network, optimizer=optimizer, batch_size=20)
    for run, config in zip(train_many(configs), configs, strict=True):
        alike.assert_alike(run, train(config), FLOAT64)


CASES = {
    "float32": {"dtype": "float32", "batch_size": 20},
    "all samples": {},
    "quadrature rule": {"task": "cosines-l2", "batch_size": 16},
    "two inputs": {"task": "cosines-2d", "activation": "gelu"},
    "one neuron": {"width": 1, "depth": 1, "batch_size": 1, "steps": 10},
    "wide outputs": {"task": "digits", "loss": "cross-entropy", "batch_size": 20, "steps": 10},
    "squared error of classes": {"task": "digits", "steps": 10},
    "convolutions": {"task": "digits", "network": "cnn", "batch_size": 20, "steps": 10},
    "gates": {"network": "modified", "depth": 3},
    "Poisson": {"task": "poisson-1d", "n_train": 30, "steps": 10},
    "heat": {"task": "heat", "n_train": 30, "steps": 10},
}


@pytest.mark.parametrize("case", CASES)
def test_equals_training_one_by_one_in_every_shape(case):
    configs = runs(2, **CASES[case])
    tolerance = FLOAT32 if configs[0].dtype == "float32" else FLOAT64
    for run, config in zip(train_many(configs), configs, strict=True):
        alike.assert_alike(run, train(config), tolerance)


def test_each_begins_at_its_own_initialisation_bit_for_bit():
    inits = [
        {"init": "xavier", "init_scale": 2.0},
        {"init": "structured", "slope": 3.0},
        {"init": "default"},
        {"init": "normal", "eps": (1e-4, 1e-8), "measure_every": "auto", "bias": "fixed"},
    ]
    configs = [RunConfig(**BASE | init | {"steps": 3}, seed=5) for init in inits]
    for run, config in zip(train_many(configs), configs, strict=True):
        single = train(config)
        mine, theirs = run.network(0).state_dict(), single.network(0).state_dict()
        assert all(torch.equal(mine[name], theirs[name]) for name in mine)
        assert [r.step for r in run.records] == [r.step for r in single.records]
        alike.assert_alike(run, single, FLOAT64)


def test_the_same_call_gives_the_same_bits():
    configs = runs(batch_size=20)
    for run, again in zip(train_many(configs), train_many(configs), strict=True):
        assert alike.same_bits(run, again)


def test_companions_and_their_order_do_not_matter():
    configs = runs(4, batch_size=20)
    whole = train_many(configs)
    turned = train_many(configs[::-1])[::-1]
    parts = train_many(configs[:1]) + train_many(configs[1:])
    for run, other, part in zip(whole, turned, parts, strict=True):
        alike.assert_alike(other, run, FLOAT64)
        alike.assert_alike(part, run, FLOAT64)


# --- planted faults -------------------------------------------------------------------------


def caught(configs):
    together, apart = train_many(configs), [train(config) for config in configs]
    pairs = zip(together, apart, strict=True)
    with pytest.raises(AssertionError):
        alike.assert_all_alike(pairs, FLOAT64)
    return True


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw"])
def test_swapped_rates_are_caught(monkeypatch, optimizer):
    right = parts.stacked_optimizer
    monkeypatch.setattr(
        parts,
        "stacked_optimizer",
        lambda name, stack, rates: right(name, stack, rates[::-1]),
    )
    assert caught(runs(2, optimizer=optimizer))


def test_a_shared_order_of_the_data_is_caught(monkeypatch):
    class Shared(StackedOrder):
        def __init__(self, seeds, *others):
            super().__init__([seeds[0]] * len(seeds), *others)

    monkeypatch.setattr(parts, "StackedOrder", Shared)
    assert caught(runs(2, batch_size=20))


def test_data_of_another_run_are_caught(monkeypatch):
    right = parts.StackedSamples
    monkeypatch.setattr(
        parts,
        "StackedSamples",
        lambda loss, tasks, *others: right(loss, [tasks[0]] * len(tasks), *others),
    )
    assert caught(runs(2, task="digits", steps=10))


def test_mixed_gradients_are_caught(monkeypatch):
    right = parts.ParameterStack.gradient

    def mixed(self, losses):
        return right(self, losses + 0.01 * losses * losses.roll(1))

    monkeypatch.setattr(parts.ParameterStack, "gradient", mixed)
    assert caught(runs(2, optimizer="sgd"))


def test_the_network_of_a_neighbour_is_caught_when_it_is_measured(monkeypatch):
    right = parts.ParameterStack.state_of
    monkeypatch.setattr(
        parts.ParameterStack,
        "state_of",
        lambda self, position, flat=None: right(self, (position + 1) % self.count, flat),
    )
    assert caught(runs(2))


# --- divergence, folders, interrupts ---------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_a_diverging_network_does_not_touch_the_others(optimizer, tmp_path):
    rates = [0.003, 1e200 if optimizer == "adam" else 1e30, 0.004]
    configs = [
        RunConfig(**BASE, seed=seed, optimizer=optimizer, learning_rate=rate, activation="elu")
        for seed, rate in enumerate(rates)
    ]
    many = train_many(configs, out=tmp_path)
    assert [run.status for run in many] == ["complete", "diverged", "complete"]
    for run, config in zip(many, configs, strict=True):
        single = train(config)
        assert (run.step, run.cause) == (single.step, single.cause)
        alike.assert_alike(run, single, FLOAT64)
    weights = read_tensors(many[1].out / "weights.safetensors")
    assert all(bool(tensor.isfinite().all()) for tensor in weights.values())


def test_all_may_diverge():
    configs = runs(2, optimizer="sgd", learning_rate=1e200, activation="relu")
    seen = []
    many = train_many(configs, progress=lambda step, total, records: seen.append(step))
    assert [run.status for run in many] == ["diverged", "diverged"]
    assert [run.cause for run in many] == [train(config).cause for config in configs]
    assert seen[-1] < BASE["steps"]


def test_folders_are_those_of_single_runs(tmp_path):
    configs = runs(2)
    for run in train_many(configs, out=tmp_path):
        kept = load_run(run.out)
        assert kept.config == run.config
        assert (kept.status, kept.step, kept.cause) == ("complete", 30, "all steps done")
        assert kept.table().equals(run.table())
        assert kept.spectra().equals(run.spectra())
        assert train(run.config, run.out, resume=True).table().equals(run.table())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000", "001"]
    with pytest.raises(InputError, match="not empty"):
        train_many(configs, out=tmp_path)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adamw"])
def test_an_interrupted_ensemble_goes_on_one_by_one(tmp_path, optimizer):
    configs = runs(2, optimizer=optimizer, batch_size=20)

    def interrupt(step, total, records):
        if step == 13:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train_many(configs, out=tmp_path, progress=interrupt)
    for place, config in enumerate(configs):
        folder = tmp_path / f"{place:03d}"
        stopped = load_run(folder)
        assert (stopped.status, stopped.step) == ("stopped", 13)
        alike.assert_alike(train(config, folder, resume=True), train(config), FLOAT64)


def test_progress_names_what_was_measured():
    seen = {}
    configs = [RunConfig(**BASE | {"steps": 4, "measure_every": every}) for every in (2, 3)]
    train_many(configs, progress=lambda step, total, records: seen.update({step: sorted(records)}))
    assert seen == {0: [0, 1], 1: [], 2: [0], 3: [1], 4: [0, 1]}


def test_any_list_is_trained_in_its_order():
    configs = [*runs(2), RunConfig(**BASE | {"steps": 2}, optimizer="lbfgs"), *runs(1, width=5)]
    done = train_in_groups(configs)
    assert [run.config for run in done] == configs
    for run, config in zip(done, configs, strict=True):
        alike.assert_alike(run, train(config), FLOAT64)


def test_the_global_generators_are_not_touched():
    before = torch.random.get_rng_state()
    train_many(runs(2, batch_size=20, steps=3))
    assert torch.equal(before, torch.random.get_rng_state())
