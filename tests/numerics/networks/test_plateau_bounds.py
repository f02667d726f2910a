"""`plateau_bound` and `condensation_bound` of models of PyTorch: the same as of their matrices."""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn, no_grad

from epsrank import InputError, condensation_bound, plateau_bound

X = np.linspace(-1, 1, 20)
ODD = np.sin(3 * X)


def test_layers_of_a_torch_model():
    draw = np.random.default_rng(0)
    weights = [1e-5 * draw.normal(size=shape) for shape in ((6, 2), (1, 6))]
    model = nn.Sequential(nn.Linear(1, 6), nn.Tanh(), nn.Linear(6, 1, bias=False)).double()
    with no_grad():
        first, _, last = model
        for tensor, values in zip(
            (first.weight, first.bias, last.weight),
            (weights[0][:, :1], weights[0][:, 1], weights[1]), strict=True,
        ):  # fmt: skip
            tensor.copy_(tensor.new_tensor(values))
    own = np.column_stack([first.weight.detach().numpy(), first.bias.detach().numpy()])
    for given in (model, [first, last], [own, last.weight]):
        for bound in (plateau_bound, condensation_bound):
            assert bound(given, X, ODD).time == bound(weights, X, ODD).time
    lines = {
        "activation is 'tanh', and that of the layers relu; pass activation='relu'":
            nn.Sequential(nn.Linear(1, 6), nn.ReLU(), nn.Linear(6, 1, bias=False)),
        "layers have a bias in Linear 2, .*; build it with bias=False":
            nn.Sequential(nn.Linear(1, 6), nn.Tanh(), nn.Linear(6, 1)),
        "layers have Dropout as module 2; pass the matrices W_1":
            nn.Sequential(nn.Linear(1, 6), nn.Tanh(), nn.Dropout(), nn.Linear(6, 1)),
        "layers do not end in their second Linear": nn.Sequential(nn.Linear(1, 6), nn.Tanh()),
        "layers are a Bilinear; pass the matrices": nn.Bilinear(1, 1, 1),
        "layers are 3; pass the matrices": 3,
        "and that of the layers linear and tanh; use one throughout":
            nn.Sequential(nn.Linear(1, 6), nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 1)),
    }  # fmt: skip
    for line, given in lines.items():
        with pytest.raises(InputError, match=line):
            plateau_bound(given, X, ODD)
