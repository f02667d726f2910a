"""No quantity is noticed by what it measures: alone, and in a monitor that records and sends it."""

from __future__ import annotations

import random
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from epsrank import (
    BarrierTo,
    FrequencyError,
    QuantityData,
    RankMonitor,
    StabilityLimit,
    batch_sharpness,
    hessian_density,
    hessian_top,
    m_coherence,
    negative_curvature,
    noise_directions,
    noise_scale,
    noise_top,
    stiffness,
    top_space_share,
)
from epsrank.sinks import JsonLinesSink
from tests.numerics.phenomena.cases import NETWORKS, samples

QUANTITIES = {
    "hessian_top": partial(hessian_top, steps=6),
    "negative_curvature": partial(negative_curvature, steps=4, probes=2),
    "limit": StabilityLimit(0.1),
    "top_space_share": partial(top_space_share, steps=6, count=2),
    "batch_sharpness": partial(batch_sharpness, batch_size=5, batches=2),
    "noise_top": partial(noise_top, batch_size=5, batches=4),
    "noise_directions": partial(noise_directions, batch_size=5, batches=4),
    "noise_scale": partial(noise_scale, batch_size=5, batches=4),
}
QUANTITIES |= {
    "stiffness": partial(stiffness, other=samples(5, seed=3, dtype=torch.float32)),
    "m_coherence": m_coherence,
    "frequency": FrequencyError(1.5, method="principal"),
}
ALONE = {**QUANTITIES, "density": partial(hessian_density, steps=4, probes=1)}
# To the weights of another network of the same kind.
QUANTITIES["barrier"] = BarrierTo(NETWORKS["noisy"](7).state_dict(), points=3)


def everything(model):
    """Return all that a quantity could change, as bytes."""
    tensors = [*model.state_dict().values()]
    tensors += [p.grad for p in model.parameters() if p.grad is not None]
    return (
        [t.numpy().tobytes() for t in tensors],
        [module.training for module in model.modules()],
        [p.requires_grad for p in model.parameters()],
        torch.get_rng_state().numpy().tobytes(),
        np.random.get_state()[1].tobytes(),
        random.getstate(),
        torch.is_grad_enabled(),
        [len(m._forward_hooks) for m in model.modules()],
    )


@pytest.mark.parametrize("network", NETWORKS)
def test_alone_nothing_is_changed_and_again_gives_the_same(network):
    model, data = NETWORKS[network]().float().train(), samples(12, dtype=torch.float32)
    F.cross_entropy(model(data.inputs), data.targets).backward()
    for name, quantity in ALONE.items():
        before = everything(model)
        found = quantity(model, F.cross_entropy, data)
        assert everything(model) == before, name
        with torch.no_grad():
            again = quantity(model, F.cross_entropy, data)
        assert str(found) == str(again), name


def training(quantities, sink=None, steps=4):
    """Train with batches, momentum, dropout and running means; return every bit at the end."""
    model, data = NETWORKS["noisy"](), samples(40, dtype=torch.float32)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    torch.manual_seed(5)
    with RankMonitor(
        model, probe=data.inputs, targets=data.targets, loss="cross_entropy", every=2,
        quantities=quantities, sinks=[] if sink is None else [sink],
    ) as monitor:  # fmt: skip
        for _ in range(steps):
            rows = torch.randint(0, 40, (16,))
            optimizer.zero_grad()
            value = F.cross_entropy(model(data.inputs[rows]), data.targets[rows])
            value.backward()
            optimizer.step()
            monitor.step(value)
        history = monitor.history
    state = [t.numpy().tobytes() for entry in optimizer.state.values() for t in entry.values()]
    return everything(model), state, history


def test_in_a_monitor_all_are_recorded_and_sent_and_the_training_is_the_same(tmp_path):
    bare = training([])
    watched = training(["ranks", QUANTITIES], JsonLinesSink(tmp_path / "run.jsonl"))
    assert watched[:2] == bare[:2]
    rows = [row for row in watched[2].quantities if row.name in QUANTITIES]
    assert {row.name for row in rows} == set(QUANTITIES)
    assert [row.cause for row in rows if row.value is None] == []
    sent = (tmp_path / "run.jsonl").read_text("utf-8")
    assert all(f'"{name}"' in sent for name in QUANTITIES)


def test_a_quantity_in_a_monitor_is_the_same_number_as_alone():
    """The monitor's cross-entropy is that of the samples, in evaluation mode."""
    model, data = NETWORKS["noisy"](), samples(12, dtype=torch.float32)
    with RankMonitor(
        model, probe=data.inputs, targets=data.targets, loss="cross_entropy", every=1,
        quantities=["ranks", QUANTITIES],
    ) as monitor:  # fmt: skip
        monitor.measure()
    for row in monitor.history.quantities:
        if row.name in QUANTITIES:
            alone = QUANTITIES[row.name](
                model, F.cross_entropy, QuantityData(data.inputs, data.targets)
            )
            assert row.value == pytest.approx(getattr(alone, "value", alone), rel=1e-5), row.name
