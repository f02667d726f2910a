"""The weights of a layer are those of its next evaluation, and reading them changes nothing."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

from epsrank.numerics.monitor.model.effective import effective_weight


class Counting(nn.Module):
    """A parametrisation that counts in a Python attribute, draws, and resizes a buffer."""

    def __init__(self):
        super().__init__()
        self.count, self.seen = 0, []
        self.register_buffer("mean", torch.tensor([]))

    def forward(self, weight):
        self.count += 1
        self.seen.append(self.count)
        self.mean.resize_(weight.shape).copy_(weight.detach())
        return weight * (1 + torch.rand(()) * self.training)


def counted(layer):
    nn.utils.parametrize.register_parametrization(layer, "weight", Counting())
    return layer


def old_weight_norm(layer):
    with pytest.warns(FutureWarning):
        return weight_norm(layer)


class Property(nn.Linear):
    """A weight that is computed when it is read, and leaves a mark."""

    reads = 0

    def __init__(self, *shape):
        super().__init__(*shape)
        self.raw = self._parameters.pop("weight")

    @property
    def weight(self):
        self.reads += 1
        return self.raw.exp()


CASES = {
    "plain": lambda layer: layer,
    "spectral": parametrizations.spectral_norm,
    "weight norm": parametrizations.weight_norm,
    "orthogonal": parametrizations.orthogonal,
    "old spectral": spectral_norm,
    "old weight norm": old_weight_norm,
    "pruned": lambda layer: prune.l1_unstructured(layer, "weight", 3),
    "counted": counted,
    "property": lambda layer: Property(5, 3),
}


def state(layer):
    """Return all numbers and plain attributes, without a read of the weight."""
    numbers = [t.detach().clone() for t in [*layer.parameters(), *layer.buffers()]]
    kept = [
        {k: repr(v) for k, v in vars(m).items() if not isinstance(v, dict)} for m in layer.modules()
    ]
    return numbers, kept, torch.get_rng_state()


@pytest.mark.parametrize("name", CASES)
def test_the_weight_of_the_next_evaluation_is_read_without_a_trace(name):
    torch.manual_seed(0)
    layer, x = CASES[name](nn.Linear(5, 3)), torch.randn(7, 5)
    layer(x)
    with torch.no_grad():  # as an optimiser does: what hooks have computed is old now
        for parameter in layer.parameters():
            parameter.mul_(1.5)
    before = state(layer)
    weight, bias = map(torch.from_numpy, effective_weight(layer))
    after = state(layer)
    assert before[1] == after[1]
    assert all(map(torch.equal, [*before[0], before[2]], [*after[0], after[2]]))
    twin = (
        copy.deepcopy(layer) if name not in ("old spectral", "old weight norm", "pruned") else layer
    )
    twin.eval()
    with torch.no_grad():
        expected = nn.functional.linear(x.double(), weight.T, bias)
        torch.testing.assert_close(twin(x).double(), expected, rtol=1e-5, atol=1e-5)
