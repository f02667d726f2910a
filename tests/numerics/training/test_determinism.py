"""What docs/determinism.md promises to the last bit, and what it does not: equal up to rounding."""

from __future__ import annotations

import hashlib

import pytest
import torch

from epsrank.numerics.ensemble import train_many
from epsrank.numerics.training import RunConfig, train
from tests.processes import Child

SETTINGS = {
    "width": 8, "depth": 2, "steps": 12, "n_train": 40, "batch_size": 10, "measure_every": 4,
    "device": "cpu", "eps": (1e-6,),
}  # fmt: skip


def bits(run):
    """Weights and measurements, to the bit."""
    weights = {name: t.numpy().tobytes() for name, t in run.network().state_dict().items()}
    return weights, [record.to_json() for record in run.records]


def trained(settings):
    return bits(train(RunConfig(**settings)))


def print_digest(settings):
    print(digest(settings))


def digest(settings):
    return hashlib.sha256(repr(trained(settings)).encode()).hexdigest()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_same_settings_give_the_same_bits_here_and_in_another_process(dtype):
    settings = SETTINGS | {"dtype": dtype}
    here = digest(settings)
    assert digest(settings) == here
    # With another state of the global generators, which nothing is drawn from.
    torch.manual_seed(1)
    assert Child(print_digest, settings).ended() == (0, f"{here}\n")


def test_measuring_changes_no_weights():
    often, rarely = (train(RunConfig(**SETTINGS | {"measure_every": n})) for n in (1, 12))
    assert bits(often)[0] == bits(rarely)[0]


@pytest.mark.parametrize(("dtype", "rounding"), [("float64", 1e-12), ("float32", 1e-4)])
def test_threads_companions_and_batching_agree_up_to_rounding(dtype, rounding):
    """No promise to the last bit: on some machines they agree to it, on others not."""
    configs = [RunConfig(**SETTINGS | {"dtype": dtype, "seed": seed}) for seed in range(3)]
    alone = [train(config) for config in configs]
    threads = [train(RunConfig(**SETTINGS | {"dtype": dtype, "threads": 2}))]
    for others in (threads, train_many(configs), train_many(configs[::-1])[::-1]):
        for run, other in zip(alone, others, strict=False):
            mine, theirs = run.network().state_dict(), other.network().state_dict()
            for name, tensor in mine.items():
                torch.testing.assert_close(theirs[name], tensor, rtol=rounding, atol=rounding)


def test_the_comparison_to_the_bit_can_fail():
    other = SETTINGS | {"learning_rate": 1e-3 * (1 + 2**-40)}
    assert trained(other) != trained(SETTINGS)
