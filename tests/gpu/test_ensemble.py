"""Networks trained together on CUDA: as on the CPU and as one by one, within stated tolerances."""

from __future__ import annotations

import pytest
import torch

from epsrank.numerics.ensemble import train_many
from epsrank.numerics.training import RunConfig, train

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device; torch.cuda.is_available() is False"
)

BASE = {"width": 20, "depth": 2, "steps": 20, "n_train": 128, "batch_size": 32, "measure_every": 10}
# Relative to the largest weight of a tensor, after twenty updates. Sums are added up in other
# orders, and Adam divides by square roots of small sums, which magnifies that by some 10⁴.
TOLERANCE = {"float64": 1e-9, "float32": 2e-2}


def configs(device, **settings):
    return [
        RunConfig(**BASE | settings, device=device, seed=seed, learning_rate=0.002 * (1 + seed))
        for seed in range(4)
    ]


def distance(run, other):
    assert [r.step for r in run.records] == [r.step for r in other.records]
    worst = 0.0
    for index in range(len(run.records)):
        mine, theirs = run.network(index).state_dict(), other.network(index).state_dict()
        for name, tensor in mine.items():
            gap = float((tensor - theirs[name]).abs().max())
            worst = max(worst, gap / max(float(theirs[name].abs().max()), 1e-300))
    return worst


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw"])
@pytest.mark.parametrize("network", ["mlp", "resnet"])
def test_cuda_agrees_with_cpu_and_with_single_runs(dtype, optimizer, network):
    settings = {"dtype": dtype, "optimizer": optimizer, "network": network}
    on_cuda = train_many(configs("cuda", **settings))
    on_cpu = train_many(configs("cpu", **settings))
    single = train(configs("cuda", **settings)[1])
    for run, other in zip(on_cuda, on_cpu, strict=True):
        assert distance(run, other) <= TOLERANCE[dtype]
    assert distance(on_cuda[1], single) <= TOLERANCE[dtype]


@pytest.mark.parametrize(
    "settings",
    [
        {"task": "digits", "network": "cnn", "loss": "cross-entropy"},
        {"task": "poisson-1d", "n_train": 30, "batch_size": None},
    ],
)
def test_mapped_networks_agree_with_the_cpu(settings):
    on_cuda, on_cpu = (train_many(configs(device, **settings)) for device in ("cuda", "cpu"))
    for run, other in zip(on_cuda, on_cpu, strict=True):
        assert distance(run, other) <= 1e-8


def test_the_same_call_gives_the_same_bits_on_cuda():
    first, second = train_many(configs("cuda")), train_many(configs("cuda"))
    for run, again in zip(first, second, strict=True):
        assert distance(run, again) == 0.0
        assert run.table().equals(again.table())


def test_a_diverging_network_does_not_touch_the_others_on_cuda():
    settings = configs("cuda", optimizer="sgd", activation="elu")
    alone = train_many(settings)
    bad = RunConfig(**settings[1].to_json() | {"learning_rate": 1e30, "eps": settings[1].eps})
    many = train_many([settings[0], bad, *settings[2:]])
    assert [run.status for run in many] == ["complete", "diverged", "complete", "complete"]
    for place in (0, 2, 3):
        assert distance(many[place], alone[place]) <= TOLERANCE["float64"]
