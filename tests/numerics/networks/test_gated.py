"""Modified MLP, residual-adaptive network, Transformer: formulas, starts and placed layers."""

from __future__ import annotations

import pytest
import torch

from epsrank.numerics.networks import AdaptiveNet, ModifiedMLP, SmallTransformer, initialise_
from epsrank.numerics.operators import Jet, derivatives
from epsrank.numerics.tasks import load_task
from epsrank.numerics.training import RunConfig, load_run, train
from epsrank.numerics.training.build import build_network, build_optimizer, empty_network
from epsrank.numerics.training.objective import Objective
from epsrank.theory.errors import InputError


def built(network, task="cosines", **changes):
    settings = {"width": 12, "depth": 3, "steps": 0, "device": "cpu"} | changes
    config = RunConfig(task=task, network=network, **settings)
    data = load_task(task)
    return build_network(config, data), data, config


def test_modified_mlp_by_its_formula():
    model, data, _ = built("modified")
    x = data.x[:9]
    u, v, y = (torch.tanh(layer(x)) for layer in (model.encoder_u, model.encoder_v, model.lifting))
    outputs = [y]
    for gate in model.gates:
        z = torch.tanh(gate(outputs[-1]))
        outputs.append((1 - z) * u + z * v)
    for found, expected in zip(model.hidden(x), outputs, strict=True):
        torch.testing.assert_close(found, expected)
    torch.testing.assert_close(model(x), model.head(outputs[-1]))


def test_adaptive_network_by_its_formula():
    model, data, _ = built("adaptive", width=6)
    x = data.x[:9]
    with torch.no_grad():
        for block in model.blocks:
            block.alpha.fill_(0.3)
    y = torch.tanh(model.lifting(x))
    u, v = torch.tanh(model.encoder_u(y)), torch.tanh(model.encoder_v(y))
    for block, found in zip(model.blocks, model.hidden(x)[1:], strict=True):
        f = torch.tanh(block.first(y))
        g = torch.tanh(block.second(f * u + (1 - f) * v))
        h = torch.tanh(block.third(g * u + (1 - g) * v))
        y = 0.3 * h + 0.7 * y
        torch.testing.assert_close(found, y)


def test_the_adaptive_network_begins_as_its_first_layer_and_opens():
    model, data, config = built("adaptive")
    first, *rest = model.hidden(data.x)
    assert all(torch.equal(layer, first) for layer in rest)
    objective, optimizer = Objective("mse", data.x, data.y, None), build_optimizer(config, model)
    for _ in range(3):
        optimizer.zero_grad()
        objective(model).backward()
        optimizer.step()
    assert all(float(block.alpha.detach()) != 0 for block in model.blocks)
    assert any(float(block.first.weight.grad.abs().max()) > 0 for block in model.blocks)


@pytest.mark.parametrize("kind", [ModifiedMLP, AdaptiveNet])
def test_gates_are_carried_through_as_jets(kind):
    torch.manual_seed(0)
    model = kind(2, 5, 3).double()
    if kind is AdaptiveNet:
        with torch.no_grad():
            model.blocks[0].alpha.fill_(0.7)
    x = torch.rand(6, 2, dtype=torch.float64)
    seeds = torch.stack([x, torch.zeros_like(x), torch.zeros_like(x)])
    assert isinstance(model(Jet(seeds, (0,))), Jet)
    jet = derivatives(model, x, (2, 2))
    forward = derivatives(lambda z: model(z[:, :]), x, (2, 2))
    for axis in range(2):
        torch.testing.assert_close(jet.second(axis), forward.second(axis))


def test_structured_encoders_differ():
    model, data, _ = built("modified", init="structured", width=20)
    first, u, v = (layer.bias.detach() for layer in model.input_layers)
    assert torch.equal(first.sort().values, u.sort().values)
    for one, other in ((first, u), (first, v), (u, v)):
        assert not torch.equal(one, other)
    spread = torch.linalg.svdvals(model.hidden(data.x)[-1].detach())
    default = torch.linalg.svdvals(built("modified", width=20)[0].hidden(data.x)[-1].detach())
    assert spread[-1] / spread[0] > 100 * default[-1] / default[0]


@pytest.mark.parametrize(("task", "grid"), [("digits", (4, 4))])
def test_transformer(task, grid):
    model, data, _ = built("transformer", task, depth=4)
    x = data.x[:5]
    layers = model.hidden(x)
    assert [tuple(layer.shape) for layer in layers] == [(5, 12, *grid)] * 3 + [(5, 12)]
    torch.testing.assert_close(model(x), model.head(layers[-1]))
    torch.testing.assert_close(model.hidden(x.reshape(5, 1, 8, 8))[-1], layers[-1])
    with torch.no_grad():  # attention rows are averages: equal tokens stay equal
        model.position.zero_()
        same = model.hidden(torch.ones(1, 64, dtype=x.dtype))[2][0].flatten(1)
    torch.testing.assert_close(same, same[:, :1].expand_as(same))
    with pytest.raises(InputError, match="do not tile"):
        SmallTransformer((1, 9, 8), 4, 3)
    with pytest.raises(InputError, match="but the images are"):
        model.hidden(torch.zeros(2, 63, dtype=x.dtype))


def test_attention_is_that_of_torch():
    model = built("transformer", "digits")[0]
    block, x = model.blocks[0], torch.randn(3, 16, 12, dtype=torch.float64)
    q, k, v = (
        layer(x).reshape(3, 16, 4, 3).transpose(1, 2)
        for layer in (block.query, block.key, block.value)
    )
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    torch.testing.assert_close(block._attention(x), block.mixing(expected))


@pytest.mark.parametrize("network", ["modified", "adaptive", "transformer"])
def test_all_numbers_are_set_from_the_seed(network):
    task = "digits" if network == "transformer" else "cosines"
    config = RunConfig(task=task, network=network, width=8, depth=3, device="cpu")
    data = load_task(task)
    states = []
    for fill in (0.0, float("nan")):
        model = empty_network(config, data)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(fill)
        generator = torch.Generator().manual_seed(1)
        initialise_(model, "default", generator=generator)
        states.append(model.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize(
    ("network", "task"),
    [("modified", "poisson-1d"), ("adaptive", "heat"), ("transformer", "digits")],
)
def test_runs_resume_to_the_same_numbers(tmp_path, network, task):
    config = RunConfig(
        task=task, network=network, width=6, depth=3, steps=6, measure_every=3, n_train=25,
        device="cpu", init="structured", eps=(1e-4,),
    )  # fmt: skip
    whole = train(config)
    train(config, tmp_path / "run", stop_after=2)
    train(config, tmp_path / "run", resume=True)
    again = load_run(tmp_path / "run")
    assert [r.to_json() for r in again.records] == [r.to_json() for r in whole.records]
    assert len(again.records[-1].layers) == again.n_layers == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"network": "modified", "depth": 1}, "depth"),
        ({"network": "adaptive", "depth": 1}, "depth"),
        ({"network": "transformer", "depth": 2}, "depth"),
        ({"network": "transformer", "depth": 3, "steps": 0}, "no images"),
    ],
)
def test_refuses(settings, message):
    with pytest.raises(InputError, match=message):
        train(RunConfig(device="cpu", **settings))
