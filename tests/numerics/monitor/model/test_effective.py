"""The map of an output layer: read where it is plain, called where it is made of parts."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, spectral_norm, weight_norm

from epsrank.numerics.monitor.model.effective import effective_weight
from epsrank.theory.errors import InputError


class Adapted(nn.Module):
    """A layer with a low-rank adapter beside it."""

    def __init__(self):
        super().__init__()
        self.base, self.a, self.b = nn.Linear(6, 3), nn.Linear(6, 2, bias=False), nn.Linear(2, 3)

    def forward(self, x):
        return self.base(x) + 0.5 * self.b(self.a(x))


def hooked():
    layer, adapter = nn.Linear(6, 3), nn.Linear(6, 3)
    layer.register_forward_hook(lambda module, args, output: output + adapter(args[0]))
    return layer


def tied():
    table, layer = nn.Embedding(3, 6), nn.Linear(6, 3, bias=False)
    layer.weight = table.weight
    return layer


LAYERS = {
    "plain": lambda: nn.Linear(6, 3),
    "without a bias": lambda: nn.Linear(6, 3, bias=False),
    "tied": tied,
    "an adapter": Adapted,
    "a hook that adds": hooked,
    "spectral norm": lambda: parametrizations.spectral_norm(nn.Linear(6, 3)),
    "weight norm": lambda: parametrizations.weight_norm(nn.Linear(6, 3)),
    "spectral norm by a hook": lambda: spectral_norm(nn.Linear(6, 3)),
    "two layers": lambda: nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 3)),
}


class Own(nn.Module):
    """A head of the user's own, whose bias starts at 0."""

    def __init__(self, bias):
        super().__init__()
        self.w = nn.Parameter(torch.randn(3, 6))
        self.b = nn.Parameter(torch.zeros(3)) if bias else None

    def forward(self, x):
        return nn.functional.linear(x, self.w, self.b)


@pytest.mark.parametrize("bias", [True, False])
def test_a_bias_that_is_0_is_a_bias(bias):
    adapted = Adapted()
    adapted.b = nn.Linear(2, 3, bias=False)
    adapted.base.bias = nn.Parameter(torch.zeros(3)) if bias else None
    for layer in (Own(bias), adapted, parametrizations.spectral_norm(adapted.base)):
        assert (effective_weight(layer, 6)[1] is not None) == bias


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("build", LAYERS.values(), ids=LAYERS)
def test_the_map_is_the_one_of_a_pass_and_nothing_is_advanced(build):
    torch.manual_seed(1)
    layer, x = build(), torch.randn(9, 6)
    before = copy.deepcopy(layer.state_dict())
    weight, bias = effective_weight(layer)
    assert weight.shape == (6, 3)
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
    assert layer.training
    layer.eval()
    with torch.no_grad():
        wanted = layer(x).double().numpy()
    found = x.double().numpy() @ weight + (0 if bias is None else bias)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_an_old_weight_norm_is_read_as_the_optimiser_left_it():
    layer, x = weight_norm(nn.Linear(6, 3)), torch.randn(9, 6)
    with torch.no_grad():
        layer.weight_g.mul_(2)  # layer.weight is what it was until the next pass
    weight, bias = effective_weight(layer)
    wanted = layer(x).detach().double().numpy()
    np.testing.assert_allclose(x.double().numpy() @ weight + bias, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Linear(6, 3), nn.Tanh()),
        nn.Sequential(nn.Linear(6, 3), nn.Hardtanh(-50, 50)),
        nn.Identity(),
        nn.Conv2d(6, 3, 1),
    ],
    ids=["tanh", "a wide clamp", "identity", "convolution"],
)
def test_other_maps_are_refused(module):
    with pytest.raises(InputError, match="head"):
        effective_weight(module)
