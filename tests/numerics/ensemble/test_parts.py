"""Stacked products, optimisers and groups against PyTorch's own and against the plain rules."""

from __future__ import annotations

import itertools

import pytest
import torch

from epsrank.numerics.ensemble import group_configs, train_many
from epsrank.numerics.ensemble.forward import stacked_affine
from epsrank.numerics.ensemble.grouping import FREE, check_alike
from epsrank.numerics.ensemble.optimizers import stacked_optimizer
from epsrank.numerics.ensemble.parameters import ParameterStack
from epsrank.numerics.training import RunConfig
from epsrank.numerics.training.build import build_optimizer
from epsrank.theory.errors import InputError

EPS = {torch.float32: 2.0**-23, torch.float64: 2.0**-52}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", list(itertools.product([1, 9], [1, 5], [1, 6])))
def test_stacked_products_are_those_of_linear_layers(dtype, shape):
    n_samples, n_in, n_out = shape
    random = torch.Generator().manual_seed(0)

    def draw(*sizes):
        return torch.randn(4, *sizes, dtype=dtype, generator=random).requires_grad_()

    x, weight, bias = draw(n_samples, n_in), draw(n_out, n_in), draw(n_out)
    grad = draw(n_samples, n_out).detach()
    y = stacked_affine(x, weight, bias)
    found = [y, *torch.autograd.grad(y, [x, weight, bias], grad)]
    for k in range(4):
        own = [each[k].detach().clone().requires_grad_() for each in (x, weight, bias)]
        single = torch.nn.functional.linear(*own)
        wanted = [single, *torch.autograd.grad(single, own, grad[k])]
        for mine, theirs in zip(found, wanted, strict=True):
            # Every entry is a sum of at most 10 products of numbers below 5.
            gap = float((mine[k] - theirs).detach().abs().max())
            assert gap <= 10 * 25 * 10 * EPS[dtype]


def test_one_matrix_may_serve_all_networks():
    random = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(size, generator=random) for size in ((7, 3), (4, 2, 3), (4, 2)))
    shared = stacked_affine(x.expand(4, 7, 3), weight, bias)
    assert torch.equal(shared, stacked_affine(x.repeat(4, 1, 1), weight, bias))


def stacked_and_single(name, dtype, rates):
    """Yield the stack and the modules after each update with the same gradients."""
    random = torch.Generator().manual_seed(1)
    modules = [torch.nn.Linear(5, 3, dtype=dtype) for _ in rates]
    with torch.no_grad():
        for module in modules:
            for parameter in module.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=random))
    stack = ParameterStack([dict(module.named_parameters()) for module in modules])
    optimizer = stacked_optimizer(name, stack, rates)
    singles = [
        build_optimizer(RunConfig(optimizer=name, learning_rate=rate), module)
        for module, rate in zip(modules, rates, strict=True)
    ]
    for _ in range(20):
        for module in modules:
            for parameter in module.parameters():
                parameter.grad = torch.randn(parameter.shape, generator=random).to(dtype)
        grads = [
            torch.stack([dict(module.named_parameters())[each].grad for module in modules])
            for each in stack.names
        ]
        optimizer.step(torch.cat([grad.reshape(-1) for grad in grads]))
        for single in singles:
            single.step()
    return stack, modules, optimizer, singles


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "adamw"])
@pytest.mark.parametrize("rates", [(0.01, 0.01, 0.01), (0.01, 0.3, 0.002)])
def test_updates_are_those_of_torch(name, dtype, rates):
    stack, modules, optimizer, singles = stacked_and_single(name, dtype, rates)
    for k, (module, single) in enumerate(zip(modules, singles, strict=True)):
        state = stack.state_of(k)
        for parameter_name, parameter in module.named_parameters():
            # Twenty updates of numbers below 8, each rounded a handful of times.
            gap = float((state[parameter_name] - parameter).detach().abs().max())
            assert gap <= 20 * 8 * 4 * EPS[dtype]
        mine = dict(enumerate(optimizer.state_of(k)))
        theirs = single.state_dict()["state"]
        assert mine.keys() == theirs.keys() or name == "sgd"
        for number, entries in mine.items():
            assert entries.keys() == theirs[number].keys()
            for key, value in entries.items():
                assert torch.allclose(value, theirs[number][key], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["momentum", "adam"])
def test_a_dropped_network_leaves_the_others_as_they_were(name):
    stack, _, optimizer, _ = stacked_and_single(name, torch.float64, (0.01, 0.3, 0.002))
    before = [stack.state_of(k)["weight"].clone() for k in (0, 2)]
    memory = [optimizer.state_of(k) for k in (0, 2)]
    optimizer.keep(torch.tensor([0, 2]))
    assert optimizer.rates == [0.01, 0.002]
    for k in range(2):
        assert torch.equal(stack.state_of(k)["weight"], before[k])
        for old, new in zip(memory[k], optimizer.state_of(k), strict=True):
            assert all(torch.equal(old[key], new[key]) for key in old)


def test_a_line_search_is_refused():
    stack = ParameterStack([{"w": torch.zeros(2)}])
    with pytest.raises(InputError, match="searches along a line"):
        stacked_optimizer("lbfgs", stack, [1.0])


OTHER = {
    "task": "runge",
    "network": "resnet",
    "width": 3,
    "depth": 1,
    "activation": "relu",
    "optimizer": "sgd",
    "batch_size": 5,
    "steps": 7,
    "dtype": "float32",
    "device": "cpu",
    "n_train": 9,
    "threads": 2,
}


@pytest.mark.parametrize("name", OTHER)
def test_what_must_be_alike_is_named(name):
    with pytest.raises(InputError, match=rf"^{name} is .* in run 0 and .* in run 2;"):
        train_many([RunConfig(), RunConfig(seed=4), RunConfig(**{name: OTHER[name]})])


def test_what_may_differ_does():
    check_alike(
        [
            RunConfig(),
            RunConfig(
                seed=2,
                learning_rate=0.5,
                init="structured",
                init_scale=2.0,
                slope=3.0,
                eps=(0.1,),
                measure_every=5,
                probe=20,
                bias="fixed",
            ),
        ]
    )
    assert set(FREE) <= set(RunConfig().to_json())


@pytest.mark.parametrize(
    ("configs", "words"),
    [
        ([], "configs is empty"),
        ([RunConfig(), 3], "has a int"),
        ([RunConfig(optimizer="lbfgs")], "optimizer of run 0 cannot be batched"),
        ([RunConfig(task="poisson", batch_size=9)], "task of run 0 cannot be batched"),
    ],
)
def test_what_cannot_be_batched_is_refused(configs, words):
    with pytest.raises(InputError, match=words):
        train_many(configs)


def test_any_list_is_split_into_groups():
    a, b, other = RunConfig(), RunConfig(width=7), RunConfig(optimizer="lbfgs")
    grouping = group_configs([a, b, other, a, b, a, RunConfig(depth=4), a, a], at_most=2)
    assert grouping.groups == ((0, 3), (1, 4), (5, 7))
    assert grouping.single == (2, 6, 8)
    assert "line" in grouping.reasons[0]
    assert "no other" in grouping.reasons[1]
    assert str(grouping) == "6 runs in 3 batched programs, 3 one by one"
    assert group_configs([]).groups == ()
    with pytest.raises(InputError, match="at_most"):
        group_configs([a], at_most=0)
