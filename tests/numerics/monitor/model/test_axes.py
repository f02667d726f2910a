"""The axis of the neurons is followed through a pass, whatever the sizes are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from epsrank.numerics.monitor import RankMonitor
from epsrank.numerics.monitor.model.find import find_layers
from epsrank.theory.errors import InputError
from epsrank.theory.rank import epsilon_rank


class Net(nn.Module):
    """Parts, and what the forward pass makes of them; `tap` is where the layer is seen."""

    def __init__(self, call, **parts):
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.run, self.seen = call, None

    def tap(self, tensor, axis):
        self.seen = tensor.detach().movedim(axis, -1).flatten(0, -2)
        return tensor

    def forward(self, x):
        return self.run(self, x)


def act(model, tensor, axis):
    return model.tap(model.act(tensor), axis)


N = 16


def across(m, x):
    """The fault that was found: a dense layer over positions, looked at after a transpose."""
    h = m.fc(x.transpose(1, 2)).transpose(1, 2)
    return m.conv(act(m, h, 1))


def mixing(m, x):
    """Token mixing: the neurons are what mixes the tokens, and channels are samples."""
    return act(m, m.mix(x.transpose(1, 2)), 2).transpose(1, 2)


def channels_last(m, x):
    return act(m, m.conv2(x).permute(0, 2, 3, 1), 3).mean((1, 2))


def flattened(m, x):
    return act(m, m.conv2(x).flatten(2), 1).mean(2)


def merged(m, x):
    """Batch and time in one axis, and back."""
    h = m.fc(x.transpose(1, 2).reshape(-1, 3)).reshape(len(x), -1, N)
    return act(m, h.movedim(-1, 1), 1)


def pooled(m, x):
    h = F.interpolate(F.avg_pool2d(m.conv2(x), 2), scale_factor=3)
    return act(m, h.transpose(1, 3), 3)


def shifted(m, x):
    a = m.conv2(x).roll(1, 2)
    return act(m, F.pad(a + 1, (1, 0)).transpose(1, 2), 2)


def product(m, x):
    """Attention by hand: the neurons are those of the values."""
    v = m.fc(x.transpose(1, 2))
    scores = (v @ v.transpose(1, 2)).softmax(-1)
    return act(m, (scores @ v).transpose(1, 2), 1)


def weights_by_hand(m, x):
    h = (x.transpose(1, 2) @ m.fc.weight.T).transpose(1, 2)
    return act(m, h, 1)


def glued(m, x):
    h = m.fc(x.transpose(1, 2))
    return act(m, torch.cat([h, h.flip(1)], 1).transpose(1, 2), 1)


def square(m, x):
    """As many channels as columns, and as rows."""
    return act(m, m.conv2(x).transpose(2, 3), 1)


IMAGES = (20, 3, 18, 18)
CASES = {
    "across positions": (across, (20, 3, 16), {}),
    "across positions, one fewer": (across, (20, 3, 15), {}),
    "token mixing": (mixing, (20, 8, N), {"mix": lambda: nn.Linear(8, N)}),
    "channels last": (channels_last, IMAGES, {}),
    "flattened": (flattened, IMAGES, {}),
    "batch and time": (merged, (20, 3, 16), {}),
    "pooled and resized": (pooled, IMAGES, {}),
    "rolled and padded": (shifted, IMAGES, {}),
    "values": (product, (20, 3, 16), {}),
    "weights by hand": (weights_by_hand, (20, 3, 16), {}),
    "glued": (glued, (20, 3, 8), {}),
    "square": (square, IMAGES, {}),
}


def built(name):
    call, shape, parts = CASES[name]
    torch.manual_seed(0)
    model = Net(
        call, fc=nn.Linear(3, N), conv=nn.Conv1d(N, 1, 1), conv2=nn.Conv2d(3, N, 3), act=nn.GELU(),
        **{own: make() for own, make in parts.items()},
    )  # fmt: skip
    return model, torch.randn(shape)


@pytest.mark.parametrize("name", CASES)
def test_the_neurons_are_where_the_layer_has_them(name):
    model, x = built(name)
    with RankMonitor(model, probe=x, every=1, eps=1e-3, layers=["act"], warn=False) as monitor:
        monitor.measure()
    record = monitor.latest["act"]
    model.eval()(x)
    seen = model.seen.double().numpy()
    assert record.n_features == N
    assert record.n_samples == len(seen)
    wanted = epsilon_rank(seen, 1e-3)
    assert (record.rank().lower, record.rank().upper) == (wanted.lower, wanted.upper)
    np.testing.assert_allclose(record.quantities.trace, np.square(seen).sum(1).mean(), rtol=1e-5)


class Lost(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.act, self.head = nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2)

    def forward(self, x):
        h = torch.einsum("btc,cd->bdt", self.fc(x), self.head.weight.T @ self.head.weight)
        return self.head(self.act(h).transpose(1, 2))


def test_where_they_are_lost_the_layer_is_left_out_or_its_axis_given():
    torch.manual_seed(0)
    model, x = Lost(), torch.randn(20, 8, 3)
    reasons = {layer.name: layer.reason for layer in find_layers(model, example=x).skipped}
    assert "axes={'act': 1}" in reasons["act"]
    with pytest.raises(InputError, match=r"axes=\{'act': 1\}"):
        find_layers(model, ["act"], example=x)
    for layers in ("auto", ["act"]):
        for axis in (1, -2):
            plan = find_layers(model, layers, axes={"act": axis}, example=x)
            assert next(layer.axis for layer in plan.layers if layer.name == "act") == -2


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ([1], "axes is a list"),
        ({"act": 1.5}, "axes has 1.5"),
        ({"act": 3}, "shape is"),
        ({"nothing": 1}, "not measured"),
    ],
)
def test_axes_that_do_not_fit_are_refused(axes, words):
    with pytest.raises(InputError, match=words):
        find_layers(Lost(), axes=axes, example=torch.randn(20, 8, 3))
