"""Stiffness against a literal transcription, pair by pair, and by what is known of it."""

from __future__ import annotations

import math
from itertools import combinations, product

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from epsrank import InputError, QuantityData, m_coherence, stiffness, stiffness_matrix
from epsrank.numerics.phenomena.stiffness import SampleGradients, Stiffness
from tests.numerics.phenomena.cases import NETWORKS, cross_entropy, mlp, samples


def literal_gradients(model, data, keep=lambda name: True):
    found = []
    for x, y in zip(data.inputs, data.targets, strict=True):
        named = [p for name, p in model.named_parameters() if keep(name)]
        value = cross_entropy(model(x[None]), y[None])
        gradients = torch.autograd.grad(value, named)
        found.append(np.concatenate([g.detach().numpy().ravel() for g in gradients]))
    return np.array(found)


def literal(pairs, kind, within):
    """Return the mean over pairs of ((g, y), (h, z)), as it is written."""
    found = []
    for (g, y), (h, z) in pairs:
        if (y == z) == within:
            dot = float(g @ h)
            found.append(np.sign(dot) if kind == "sign" else dot / np.linalg.norm(g)
                         / np.linalg.norm(h))  # fmt: skip
    return np.mean(found)


@pytest.mark.parametrize(("memory", "without"), [(1, ()), (40_000, ("2.bias",)), (2**28, ())])
def test_all_pairs_as_written(memory, without):
    """In blocks of one sample, of some and of all."""
    model, data, other = mlp(), samples(7), samples(5, seed=2)
    rows, columns = (
        list(zip(literal_gradients(model, d, lambda n: n not in without), d.targets.tolist(),
                 strict=True))
        for d in (data, other)
    )  # fmt: skip
    options = {"without": without, "memory": memory}
    one = stiffness_matrix(model, cross_entropy, data, **options)
    two = stiffness_matrix(model, cross_entropy, data, other=other, **options)
    for kind, pairs in product(("cos", "sign"), ("within", "between")):
        within = pairs == "within"
        assert one.mean(kind, pairs) == pytest.approx(literal(combinations(rows, 2), kind, within))
        assert two.mean(kind, pairs) == pytest.approx(literal(product(rows, columns), kind, within))
    if memory > 1:
        alone = stiffness(model, cross_entropy, data, kind="sign", pairs="between", **options)
        assert alone == one.mean("sign", "between")


def test_the_matrix_by_class_and_by_distance():
    model, data = mlp(), samples(16)
    found = stiffness_matrix(model, cross_entropy, data, memory=20_000, bins=4)
    g, y = literal_gradients(model, data), data.targets.numpy()
    u = g / np.linalg.norm(g, axis=1, keepdims=True)
    x = data.inputs.numpy() / np.linalg.norm(data.inputs.numpy(), axis=1, keepdims=True)
    bins = [[] for _ in range(4)]
    table = {}
    for i, j in combinations(range(16), 2):
        for key in {(y[i], y[j]), (y[j], y[i])}:
            table.setdefault(key, []).append(u[i] @ u[j])
        if y[i] == y[j]:
            bins[min(int((1 - x[i] @ x[j]) / 2 * 4), 3)].append(u[i] @ u[j])
    for (a, b), values in table.items():
        assert found.cos[a, b] == pytest.approx(np.mean(values))
        assert found.counts[a, b] == len(values) * (1 + (a == b))
    for value, inside in zip(found.cos_at, bins, strict=True):
        assert math.isnan(value) if not inside else value == pytest.approx(np.mean(inside))


def test_identical_samples_agree_and_opposite_ones_do_not():
    x = torch.ones(6, 8, dtype=torch.float64)
    same = QuantityData(x, torch.zeros(6, dtype=torch.long))
    assert stiffness(mlp(), cross_entropy, same) == pytest.approx(1)
    assert m_coherence(mlp(), cross_entropy, same) == pytest.approx(6)
    # One output, the loss u or −u by label: gradients of the two classes are opposite.
    model = nn.Linear(8, 1).double()

    def loss(outputs, targets):
        return ((1 - 2 * targets) * outputs[:, 0]).mean()

    two = QuantityData(x, torch.tensor([0, 0, 0, 1, 1, 1]))
    assert stiffness(model, loss, two, pairs="between") == pytest.approx(-1)
    assert stiffness(model, loss, two, pairs="within", kind="sign") == 1
    assert stiffness(model, loss, two, pairs="all") == pytest.approx((6 - 9) / 15)
    assert m_coherence(model, loss, two) == pytest.approx(0, abs=1e-12)


def test_orthogonal_gradients_have_coherence_one():
    model = nn.Linear(5, 1, bias=False).double()
    data = QuantityData(torch.eye(5, dtype=torch.float64), torch.ones(5, 1).double())
    with torch.no_grad():
        model.weight.zero_()
    assert m_coherence(model, F.mse_loss, data) == pytest.approx(1)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_of_samples_add_up_to_that_of_the_batch(name):
    model, data = NETWORKS[name]().float().eval(), samples(7, dtype=torch.float32)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        rows = SampleGradients(model, F.cross_entropy, data, memory=1)
        each = torch.cat([block for _, block in rows.blocks()])
        value = F.cross_entropy(model(data.inputs), data.targets)
        whole = torch.autograd.grad(value, list(model.parameters()))
    assert rows.block == 1
    expected = torch.cat([g.reshape(-1) for g in whole])
    assert torch.allclose(each.mean(dim=0), expected, atol=1e-6)


def test_the_bias_of_the_output_alone_makes_classes_stiff_before_training():
    """Gradients of the bias are p − e_y, and p hardly depends on x."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 100), nn.Tanh(), nn.Linear(100, 10))
    x = torch.randn(60, 64)
    data = QuantityData(x, torch.arange(60) % 10)
    others = ("0.weight", "0.bias", "2.weight")
    assert stiffness(model, F.cross_entropy, data, without=others) > 0.95
    assert abs(stiffness(model, F.cross_entropy, data, without=("2.bias",))) < 0.2


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.8, 0.4, -0.4, 0.1], 0.5),
        ([0.8, 0.4, math.nan, 0.1], math.inf),
        ([-0.1, 0.4, 0.2, 0.1], 0.125),
        ([0.8, math.nan, -0.8, 0.1], 0.375),
        ([math.nan] * 4, math.nan),
    ],
)
def test_dynamical_length(values, expected):
    at, one = np.array(values), np.ones((1, 1))
    found = Stiffness((0,), one, one, one, np.array([0.125, 0.375, 0.625, 0.875]), at, at)
    assert found.length == pytest.approx(expected, nan_ok=True)


def test_memory_of_pairs_does_not_grow_with_the_samples():
    """The block is set by the memory alone, and what is kept by classes and bins."""
    few, many = (SampleGradients(mlp(), cross_entropy, samples(n), memory=9000) for n in (50, 900))
    assert few.block == many.block < 50
    x = torch.ones(1, 8, dtype=torch.float64).expand(900, 8)
    data = QuantityData(x, torch.zeros(900, dtype=torch.long))
    found = stiffness_matrix(mlp(), cross_entropy, data, memory=2_000_000)
    assert found.counts.sum() == 900 * 899
    assert found.cos.shape == (1, 1)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda d: stiffness(mlp(), cross_entropy, d, kind="dot"), "kind is 'dot'"),
        (lambda d: stiffness(mlp(), cross_entropy, d, pairs="x"), "pairs is 'x'"),
        (lambda d: stiffness_matrix(mlp(), cross_entropy, d).mean("dot"), "kind is 'dot'"),
        (lambda d: stiffness_matrix(mlp(), cross_entropy, d).mean(pairs="x"), "pairs is 'x'"),
        (lambda d: stiffness(mlp(), cross_entropy, d, without=["9.bias"]), "without names '9.b"),
        (lambda d: stiffness(mlp(), F.mse_loss, QuantityData(d.inputs, d.inputs)), "no labels"),
        (lambda d: m_coherence(mlp(), None, d), "loss is missing"),
        (lambda d: stiffness_matrix(mlp(), cross_entropy, d, bins=0), "bins is 0"),
    ],
)
def test_what_cannot_be_measured_is_one_line(call, match):
    with pytest.raises(InputError, match=match):
        call(samples(6))


@pytest.mark.parametrize("measured", [stiffness, m_coherence])
def test_gradients_that_are_not_finite_are_said(measured):
    """Pairs without a cosine do not count: half of the samples left without a word."""
    model = nn.Linear(2, 3)
    inputs = torch.randn(6, 2)
    inputs[4:] = math.nan
    data = QuantityData(inputs, torch.tensor([0, 1, 2, 0, 1, 2]))
    with pytest.raises(
        InputError, match="inputs have numbers that are not finite, first in sample 4"
    ):
        measured(model, nn.functional.cross_entropy, data)


def test_a_gradient_without_a_bound_is_said_with_its_sample():
    model = nn.Linear(2, 1, bias=False)
    data = QuantityData(torch.tensor([[1.0, 1.0], [0.0, 0.0]]), torch.zeros(2, 1))
    with pytest.raises(InputError, match="gradient that is not finite, at sample 1"):
        m_coherence(model, lambda u, _: u.abs().sqrt().mean(), data)
    with pytest.raises(InputError, match="without names all parameters"):
        m_coherence(model, nn.functional.mse_loss, data, without=["weight"])


def test_a_model_that_cannot_be_differentiated_by_samples_is_said():
    class Looking(nn.Module):
        def __init__(self):
            super().__init__()
            self.own = nn.Linear(2, 1)

        def forward(self, x):
            return self.own(x) if x.sum().item() > 0 else -self.own(x)

    data = QuantityData(torch.ones(3, 2), torch.zeros(3, 1))
    with pytest.raises(InputError, match="model cannot be differentiated sample by sample"):
        m_coherence(Looking(), nn.functional.mse_loss, data)
