"""PINNs on CUDA: losses and ε-ranks of the CPU, up to rounding that training magnifies."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from epsrank.numerics.training import RunConfig, train

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device; torch.cuda.is_available() is False"
)


@pytest.mark.parametrize("task", ["poisson", "burgers", "allen-cahn"])
@pytest.mark.parametrize("network", ["mlp", "modified", "adaptive"])
def test_training_of_a_pinn_agrees(task, network):
    settings = {
        "task": task, "network": network, "width": 12, "depth": 2, "steps": 20, "n_train": 64,
        "measure_every": 5, "init": "structured", "eps": (1e-6, 1e-2),
    }  # fmt: skip
    cpu = train(RunConfig(**settings, device="cpu")).records
    cuda = train(RunConfig(**settings, device="cuda")).records
    for own, other in zip(cpu, cuda, strict=True):
        # Rounding of 1e-16 grows at most by a few digits in 20 steps of Adam.
        assert other.loss == pytest.approx(own.loss, rel=1e-9)
        assert other.test_loss == pytest.approx(own.test_loss, rel=1e-9)
        for mine, theirs in zip(own.layers, other.layers, strict=True):
            scale = mine.spectrum[0]
            np.testing.assert_allclose(theirs.spectrum, mine.spectrum, atol=1e-9 * scale)
        if own.floors[0] is not None:
            assert other.envelope == pytest.approx(own.envelope, rel=1e-7)


def test_runs_on_cuda_are_the_same_twice():
    config = RunConfig(
        task="burgers", width=12, steps=20, n_train=64, device="cuda", measure_every=20
    )
    first, second = (train(config).records[-1].loss for _ in range(2))
    assert first == second
