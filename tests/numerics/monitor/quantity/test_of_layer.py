"""Functions of features as quantities of a monitor, and norms of weights."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from epsrank import (
    Estimate,
    LayerQuantity,
    QuantityData,
    RankMonitor,
    dormant_neurons,
    lidar,
    participation_interval,
    participation_ratio,
    rankme,
    weight_norms,
)
from epsrank.theory.errors import InputError


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 1))


PROBE = torch.randn(60, 3, generator=torch.Generator().manual_seed(1))


def test_in_a_monitor_they_are_the_function_of_the_layer() -> None:
    model, objects = net(), torch.arange(12).repeat_interleave(5).float()[:, None]
    own = {
        "corrected": LayerQuantity("3", participation_interval),
        "streamed": LayerQuantity("1", rankme, streamed=True),
        "rows": LayerQuantity("1", rankme),
        "dormant": LayerQuantity("1", lambda x: dormant_neurons(x, 0.5).mean()),
        "lidar": LayerQuantity("3", lambda x, y: lidar(x, y[:, 0]), with_targets=True),
        "before": LayerQuantity("2", rankme),
        "nowhere": LayerQuantity("9", rankme),
        "weights": lambda model, loss, data: weight_norms(model)["2.weight"],
    }
    settings = {"targets": objects, "loss": "mse", "every": 1, "warn": False, "quantities": own}
    with (
        pytest.warns(match="nowhere"),
        RankMonitor(model, probe=PROBE, **settings) as monitor,
    ):
        monitor.step()
    with torch.no_grad():
        first, last, before = model[:2](PROBE), model[:4](PROBE), model[:3](PROBE)
    found = {record.name: record for record in monitor.history.quantities}
    interval = participation_interval(last)
    record = found["corrected"]
    assert (record.value, record.low, record.high) == (interval.value, interval.low, interval.high)
    assert (record.meaning, record.level) == ("confidence", 0.95)
    assert found["streamed"].value == pytest.approx(rankme(first))
    assert found["rows"].value == rankme(first)
    assert found["before"].value == rankme(before)
    assert found["dormant"].value == dormant_neurons(first, 0.5).mean()
    assert found["lidar"].value == pytest.approx(lidar(last, objects[:, 0]))
    assert found["weights"].value == pytest.approx(float(model[2].weight.detach().double().norm()))
    assert found["nowhere"].value is None
    assert "'9'" in found["nowhere"].cause


def test_alone_in_batches_and_of_another_model() -> None:
    quantity = LayerQuantity("1", lambda x: participation_ratio(x, correction="rows"))
    model, other = net(), nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    whole = quantity(model, None, QuantityData(PROBE))
    assert quantity(model, None, QuantityData(list(PROBE.split(7)))) == pytest.approx(whole)
    assert quantity(other, None, QuantityData(PROBE)) <= 4.5
    assert repr(LayerQuantity("1", rankme)) == "LayerQuantity('1', rankme)"
    assert isinstance(
        LayerQuantity("1", participation_interval)(model, None, QuantityData(PROBE)), Estimate
    )
    with pytest.raises(InputError, match="targets are missing"):
        LayerQuantity("1", lidar, with_targets=True)(model, None, QuantityData(PROBE))
    with pytest.raises(InputError, match="layer is a int; pass its name"):
        LayerQuantity(1, rankme)
    with pytest.raises(InputError, match="function is a str"):
        LayerQuantity("1", "rankme")


def test_training_is_the_same_bit_for_bit() -> None:
    def trained(own: dict[str, LayerQuantity]) -> list[torch.Tensor]:
        model = nn.Sequential(*list(net())[:2], nn.Dropout(0.3), nn.BatchNorm1d(6), nn.Linear(6, 1))
        optimizer = torch.optim.Adam(model.parameters())
        with RankMonitor(
            model, probe=PROBE, every=1, warn=False, quantities=own or "auto"
        ) as monitor:
            for _ in range(4):
                optimizer.zero_grad()
                model(PROBE).square().sum().backward()
                optimizer.step()
                monitor.step()
        return [*model.parameters(), *model.buffers()]

    own = {name: LayerQuantity(name, rankme) for name in ("1", "3")}
    for left, right in zip(trained({}), trained(own), strict=True):
        assert torch.equal(left, right)


def test_a_model_with_other_modules_is_looked_at_anew() -> None:
    quantity, model, data = LayerQuantity("1", rankme), net(), QuantityData(PROBE)
    before = quantity(model, None, data)
    model[1] = nn.Sigmoid()
    wanted = rankme(model[:2](PROBE).detach())
    assert quantity(model, None, data) == wanted != before
    assert pickle.loads(pickle.dumps(quantity))._plan is None


def test_channels_are_neurons() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv1d(2, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(20, 1))
    shapes = []
    probe = torch.randn(9, 2, 6)
    LayerQuantity("1", lambda x: shapes.append(x.shape) or 0.0)(model, None, QuantityData(probe))
    assert shapes == [(36, 5)]


def test_weight_norms() -> None:
    model = net()
    model.register_parameter("scale", nn.Parameter(torch.tensor(-3.0)))
    for definition, norm in (
        ("frobenius", np.linalg.norm),
        ("rms", lambda w: math.sqrt(np.mean(w**2))),
        ("spectral", lambda w: np.linalg.norm(np.atleast_2d(w), 2)),
    ):
        found = weight_norms(model, definition=definition)
        assert list(found) == [name for name, _ in model.named_parameters()]
        for name, parameter in model.named_parameters():
            wanted = norm(parameter.detach().double().numpy())
            assert found[name] == pytest.approx(wanted)
    everything = torch.cat([p.detach().flatten().double() for p in model.parameters()])
    assert math.hypot(*weight_norms(model).values()) == pytest.approx(float(everything.norm()))
    kernel = nn.Conv2d(2, 3, 3)
    matrix = kernel.weight.detach().double().reshape(3, -1).numpy()
    found = weight_norms(kernel, definition="spectral")
    assert found["weight"] == pytest.approx(np.linalg.norm(matrix, 2))
    with pytest.raises(InputError, match="definition is 'nuclear'; choose one of 'frobenius'"):
        weight_norms(model, definition="nuclear")
    with pytest.raises(InputError, match="model is a int"):
        weight_norms(3)
