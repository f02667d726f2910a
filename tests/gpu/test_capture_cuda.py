"""Capture and sums on CUDA: what a naive capture on the device stores, and an untouched run."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from epsrank.numerics.gram.layer import LayerAccumulator
from epsrank.numerics.monitor.model.capture import Capture
from epsrank.numerics.monitor.model.find import find_layers
from epsrank.numerics.monitor.model.probing import probe_pass

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device; torch.cuda.is_available() is False"
)


def model_and_data():
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Dropout(0.2),
        torch.nn.Linear(288, 16),
        torch.nn.Tanh(),
        torch.nn.Linear(16, 3),
    )
    return model.cuda(), torch.randn(40, 1, 8, 8)


@pytest.mark.parametrize("eps", [None, 1e9], ids=["float64", "float32"])
def test_sums_live_on_the_device_and_their_bound_holds(eps):
    rows = torch.randn(3000, 300, device="cuda")
    sums = LayerAccumulator(300, device="cuda", eps=eps)
    for part in rows.split(700):
        sums.update(part)
    gram = sums.gram()
    truth = (rows.double().T @ rows.double() / len(rows)).cpu().numpy()
    assert np.linalg.norm(gram.values - truth, 2) <= 1.01 * gram.error + 1e-12 * np.trace(truth)


def test_a_probe_on_the_cpu_runs_on_the_device():
    model, x = model_and_data()
    plan, sums = find_layers(model, example=x), {}
    before = torch.cuda.get_rng_state()

    def consume(name, rows):
        assert rows.is_cuda
        sums.setdefault(name, LayerAccumulator(rows.shape[1], device="cuda")).update(rows)

    capture = probe_pass(plan, x, consume, batch_size=16)
    assert not capture.problems
    assert set(sums) == {"1", "5"}
    assert torch.equal(before, torch.cuda.get_rng_state())
    assert sums["1"].gram().n_samples == 40 * 36


def test_a_training_run_is_bit_for_bit_the_same():
    def train(watched):
        model, x = model_and_data()
        plan, optimiser = find_layers(model, example=x), torch.optim.Adam(model.parameters())
        capture = Capture(plan, lambda name, rows: rows.square().sum())
        for _ in range(10):
            if watched:
                capture.start()
            with torch.autocast("cuda", torch.bfloat16):
                loss = model(x.cuda()).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            capture.stop()
        return [*model.parameters(), torch.cuda.get_rng_state()]

    torch.use_deterministic_algorithms(True, warn_only=True)
    for a, b in zip(train(False), train(True), strict=True):
        assert torch.equal(a, b)
    torch.use_deterministic_algorithms(False)
