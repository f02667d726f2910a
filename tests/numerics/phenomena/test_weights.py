"""Neurons, amplitudes, products and weights, against their formulas written out."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from epsrank import (
    AmplitudeTransport,
    InitialDistance,
    InputError,
    Orientations,
    PathLength,
    ProductRank,
    QuantityData,
    RankMonitor,
    SignChanges,
    UpdateCosine,
    condensation,
    effective_rank,
    epsilon_rank,
)
from tests.numerics.phenomena.test_beside_training import everything


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 2)).double()


DATA = QuantityData(torch.linspace(-1, 1, 20, dtype=torch.float64).reshape(10, 2))


def literal(vectors, cosine, odd):
    """Merge the two groups of least mean distance, again and again."""
    units = [v / np.linalg.norm(v) for v in vectors]
    far = [[1 - (abs(a @ b) if odd else a @ b) for b in units] for a in units]
    groups = [[k] for k in range(len(units))]
    while len(groups) > 1:
        pairs = list(itertools.combinations(range(len(groups)), 2))
        means = [np.mean([far[i][j] for i in groups[a] for j in groups[b]]) for a, b in pairs]
        if min(means) > 1 - cosine:
            break
        a, b = pairs[int(np.argmin(means))]
        groups[a] += groups.pop(b)
    return sorted(map(sorted, groups))


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_orientations_are_those_of_average_linkage_written_out(seed, odd):
    random = np.random.default_rng(seed)
    vectors = random.choice([-1, 1], (9, 1)) * [1, 1] + 0.4 * random.standard_normal((9, 2))
    found = condensation(vectors, odd=odd, least=0)
    groups = [np.flatnonzero(found.labels == k).tolist() for k in range(found.count)]
    assert sorted(groups) == literal(vectors, 0.95, odd)
    sizes = np.linalg.norm(vectors, axis=1)
    shares = [sizes[group].sum() / sizes.sum() for group in groups]
    np.testing.assert_allclose(found.shares, shares)
    assert shares == sorted(shares, reverse=True)
    assert found.effective == pytest.approx(np.exp(-sum(s * np.log(s) for s in shares)))
    assert 1 <= found.effective <= found.count + 1e-12
    turned = vectors @ np.linalg.qr(random.standard_normal((2, 2)))[0] * 7
    assert condensation(turned, odd=odd, least=0).count == found.count
    flipped = vectors * random.choice([-1, 1], (9, 1))
    assert not odd or condensation(flipped, odd=True, least=0).count == found.count


def test_neurons_of_small_amplitude_are_set_aside_and_said():
    vectors = [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, 0.0]]
    found = condensation(vectors, [1.0, 0.1, 0.5, 0.0])
    assert (found.count, found.set_aside) == (2, 2)
    assert found.set_aside_share == pytest.approx(0.1 / 1.6)
    assert found.labels.tolist() == [0, -1, 1, -1]
    assert np.isnan(found.similarity[3]).all()
    assert "2 orientations" in str(found)
    assert condensation([[3.0]]).count == 1


def test_quantities_of_layers_by_their_formulas():
    model, other = network(), network(1)
    w, b = model[0].weight.detach().numpy(), model[0].bias.detach().numpy()
    a = model[2].weight.detach().numpy()
    omega = np.column_stack([w, b])
    heights = np.linalg.norm(a, axis=0) * np.linalg.norm(omega, axis=1)
    assert Orientations("0", "2")(model, None, None) == condensation(omega, heights).count
    effective = Orientations("0", "2", effective=True, odd=True)(model, None, None)
    assert effective == pytest.approx(condensation(omega, heights, odd=True).effective)
    assert Orientations("0")(model, None, None) == condensation(omega).count
    product = ProductRank(["0", "2"])
    np.testing.assert_allclose(product.product(model), a @ w)
    assert product(model, None, None) == pytest.approx(effective_rank(a @ w))
    moved = AmplitudeTransport(model, "0", "2")
    later = np.linalg.norm(other[2].weight.detach().numpy(), axis=0) * np.linalg.norm(
        np.column_stack([p.detach().numpy() for p in other[0].parameters()]), axis=1
    )
    # In one dimension, of as many equal masses.
    expected = np.mean(np.abs(np.sort(heights) - np.sort(later)))
    assert moved(other, None, None) == pytest.approx(expected)
    assert moved(other, None, None) == 0
    clock = iter([0.0, 4.0])
    timed = AmplitudeTransport(model, "0", "2", clock=lambda: next(clock))
    assert timed(other, None, None) == pytest.approx(expected / 4)


def test_quantities_of_weights_by_their_formulas():
    models = [network(seed) for seed in range(3)]
    flat = [torch.cat([p.detach().flatten() for p in m.parameters()]).numpy() for m in models]
    signs, distance = SignChanges(models[0]), InitialDistance(models[0])
    assert signs(models[1], None, None) == np.mean(np.sign(flat[0]) != np.sign(flat[1]))
    assert distance(models[2], None, None) == pytest.approx(np.linalg.norm(flat[2] - flat[0]))
    relative = InitialDistance(models[0], relative=True)(models[2], None, None)
    assert relative == pytest.approx(np.linalg.norm(flat[2] - flat[0]) / np.linalg.norm(flat[0]))
    turning = UpdateCosine(models[0])
    assert math.isnan(turning(models[1], None, None))
    first, second = flat[1] - flat[0], flat[2] - flat[1]
    expected = first @ second / (np.linalg.norm(first) * np.linalg.norm(second))
    assert turning(models[2], None, None) == pytest.approx(expected)
    # Back again: the opposite direction.
    assert turning(models[1], None, None) == pytest.approx(-1)
    assert math.isnan(turning(models[1], None, None))


@pytest.mark.parametrize("norm", ["spectral", "frobenius"])
def test_the_path_is_a_sum_and_bounds_the_rank(norm):
    models = [network(seed) for seed in range(3)]
    features = [m[:2](DATA.inputs).detach().numpy() for m in models]
    path = PathLength("1", norm=norm)
    lengths = [path(m, None, DATA) for m in models]
    order = 2 if norm == "spectral" else "fro"
    steps = [np.linalg.norm(b - a, order) / 10**0.5 for a, b in itertools.pairwise(features)]
    np.testing.assert_allclose(lengths, np.cumsum([0, *steps]), rtol=1e-12)
    # F9: what a path of this length cannot reach.
    sigma = np.linalg.svd(features[0], compute_uv=False) / 10**0.5
    eps = (sigma[2] + lengths[-1]) ** 2 * 1.01
    assert all(epsilon_rank(f, eps).upper < 3 for f in features)


def test_none_is_noticed_by_what_it_measures():
    model = network().float()
    data = QuantityData(DATA.inputs.float())
    kinds = {
        "orientations": Orientations("0", "2", odd=True),
        "transport": AmplitudeTransport(model, "0", "2"),
        "product": ProductRank(["0", "2"]),
        "signs": SignChanges(model),
        "distance": InitialDistance(model),
        "turning": UpdateCosine(model),
        "path": PathLength("1"),
    }
    model(data.inputs).square().sum().backward()
    before = everything(model)
    for name, quantity in kinds.items():
        quantity(model, None, data)
        assert everything(model) == before, name
    kinds.pop("turning")
    with RankMonitor(model, probe=data.inputs, every=1, quantities=["ranks", kinds]) as monitor:
        monitor.measure()
    rows = {row.name: row for row in monitor.history.quantities if row.name in kinds}
    assert set(rows) == set(kinds)
    assert all(row.cause is None for row in rows.values())


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: condensation([[np.nan]]), "weights has 1 non-finite"),
        (lambda: condensation([1.0]), r"weights have shape \(1,\)"),
        (lambda: condensation([[0.0]]), "no neuron of any amplitude"),
        (lambda: condensation([[1.0]], [-1.0]), "amplitudes of shape"),
        (lambda: condensation([[1.0]], cosine=1), "cosine is 1"),
        (lambda: condensation([[1.0]], least="a"), "least is 'a'"),
        (lambda: Orientations("9")(network(), None, None), "choose one of 0, 2"),
        (lambda: Orientations("1")(network(), None, None), "layer is a Tanh"),
        (lambda: Orientations("0", "0")(network(), None, None), "following has weights of shape"),
        (lambda: ProductRank([]), r"layers are \[\]"),
        (lambda: ProductRank(["1"])(network(), None, None), "layers hold '1', a Tanh"),
        (lambda: ProductRank(["2", "2"])(network(), None, None), "do not fit"),
        (lambda: SignChanges(3), "model is a int"),
        (lambda: SignChanges(nn.Tanh()), "has no parameters"),
        (lambda: SignChanges(network())(nn.Linear(1, 1), None, None), "other parameters"),
        (lambda: PathLength("1", norm="l1"), "norm is 'l1'"),
    ],
)
def test_bad_arguments_are_one_line(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_a_clock_has_to_go_and_samples_have_to_stay():
    stuck = AmplitudeTransport(network(), "0", "2", clock=lambda: 1.0)
    with pytest.raises(InputError, match=r"clock says 1\.0 after 1\.0"):
        stuck(network(1), None, None)
    path = PathLength("1")
    path(network(), None, DATA)
    with pytest.raises(InputError, match="features have shape"):
        path(network(), None, QuantityData(DATA.inputs[:4]))


def test_features_that_are_not_finite_have_no_path():
    length = PathLength("1")
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    with pytest.raises(InputError, match="features has 3 non-finite entries"):
        length(model, None, QuantityData(torch.tensor([[math.nan, 0.0], [0.0, 1.0]])))
    assert length(model, None, QuantityData(torch.randn(2, 2))) == 0
