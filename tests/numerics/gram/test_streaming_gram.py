"""Streaming Gram matrices: the stated bound encloses the exact matrix, whatever the batches."""

from __future__ import annotations

import gc
import itertools
import json
import weakref
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from epsrank.numerics.gram.streaming import StreamingGram
from epsrank.theory.data.inputs import as_features
from epsrank.theory.data.measure import as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.certified.exact_data import exact_data
from epsrank.theory.floor.loss_floor import loss_floor
from epsrank.theory.numbers.dyadic import dyadic_matrix, power_of_two
from epsrank.theory.rank import epsilon_rank


def exact(features, target=None, weights=None, measure="mean"):
    """Return G, b and ‖u*‖² as rational numbers, by integer arithmetic."""
    n_samples = features.shape[0]
    goal = np.zeros((n_samples, 1)) if target is None else target
    data = exact_data(as_features(features), goal, as_measure(measure, weights, n_samples))
    gram = [[int(x) * data.gram_unit for x in row] for row in data.gram_integers.tolist()]
    moments = [[int(x) * data.moment_unit for x in row] for row in data.moment_integers.tolist()]
    return gram, moments, data.target_norm_squared


def frobenius_squared(computed, truth):
    return sum(
        (Fraction(c) - t) ** 2
        for row, line in zip(computed.tolist(), truth, strict=True)
        for c, t in zip(row, line, strict=True)
    )


def sample(n_samples=3000, n=6, outputs=2, seed=0, spread=6.0):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n_samples, n)) * 10.0 ** rng.uniform(-spread, spread, n)
    return features, rng.standard_normal((n_samples, outputs)), rng.uniform(0, 2, n_samples)


def accumulate(features, target=None, weights=None, *, batch=700, measure="mean"):
    gram = StreamingGram(
        features.shape[1], 0 if target is None else target.shape[1], measure=measure
    )
    for start in range(0, features.shape[0], batch):
        rows = slice(start, start + batch)
        gram.update(
            features[rows],
            None if weights is None else weights[rows],
            None if target is None else target[rows],
        )
    return gram


@pytest.mark.parametrize(
    ("measure", "weighted"),
    [("mean", False), ("mean", True), ("raw", False), ("raw", True), ("volume", True)],
)
def test_bounds_enclose_the_exact_sums(measure, weighted):
    features, target, weights = sample()
    weights = weights if weighted else None
    result = accumulate(features, target, weights, measure=measure).gram()
    gram, moments, square = exact(features, target, weights, measure)
    assert frobenius_squared(result.values, gram) <= Fraction(result.error) ** 2
    assert frobenius_squared(result.moments, moments) <= Fraction(result.moments_error) ** 2
    assert abs(Fraction(result.target_norm_squared) - square) <= Fraction(result.target_error)
    # A bound that is never too small may still be too large to be of use: it is not.
    assert result.error <= 4e-12 * float(np.trace(result.values))
    np.testing.assert_array_equal(result.values, result.values.T)
    json.dumps(result.to_json(), allow_nan=False)
    assert "float64 sums" in str(result)


def test_the_bound_would_catch_a_single_lost_sample():
    features, _, _ = sample(n_samples=500, spread=0.0)
    result = accumulate(features[:-1], measure="raw").gram()
    gram, _, _ = exact(features, measure="raw")
    assert frobenius_squared(result.values, gram) > Fraction(result.error) ** 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_narrow_batches_are_widened_exactly(dtype):
    features, _, _ = sample(n_samples=400, spread=0.0)
    narrow = torch.from_numpy(features).to(dtype)
    gram = StreamingGram(6)
    gram.update(narrow)
    result = gram.gram()
    truth, _, _ = exact(narrow.double().numpy())
    assert frobenius_squared(result.values, truth) <= Fraction(result.error) ** 2
    assert result.dtype == str(dtype).removeprefix("torch.")
    wide = StreamingGram(6)
    wide.update(narrow.double())
    np.testing.assert_array_equal(result.values, wide.gram().values)
    gram.update(features)
    assert gram.gram().dtype == "mixed"


@given(
    cuts=st.lists(st.integers(1, 1499), max_size=6, unique=True),
    seed=st.integers(0, 3),
    weighted=st.booleans(),
)
def test_batch_splits_agree_within_the_bound(cuts, seed, weighted):
    features, _, weights = sample(n_samples=1500, seed=seed)
    whole = StreamingGram(6)
    whole.update(features, weights if weighted else None)
    split = StreamingGram(6)
    edges = [0, *sorted(cuts), 1500]
    for start, stop in itertools.pairwise(edges):
        split.update(features[start:stop], weights[start:stop] if weighted else None)
    one, many = whole.gram(), split.gram()
    assert np.linalg.norm(one.values - many.values) <= one.error + many.error
    assert one.n_samples == many.n_samples == 1500


def test_wide_layers_use_shorter_chunks(monkeypatch):
    features, target, _ = sample(n_samples=300)
    whole = accumulate(features, target).gram()
    monkeypatch.setattr("epsrank.numerics.gram.streaming._CHUNK_NUMBERS", 64)
    chunked = accumulate(features, target).gram()
    truth, moments, _ = exact(features, target)
    assert frobenius_squared(chunked.values, truth) <= Fraction(chunked.error) ** 2
    assert frobenius_squared(chunked.moments, moments) <= Fraction(chunked.moments_error) ** 2
    assert np.linalg.norm(whole.values - chunked.values) <= whole.error + chunked.error


def test_merge_is_associative_within_the_bound():
    features, target, weights = sample()
    thirds = [slice(0, 1000), slice(1000, 1700), slice(1700, 3000)]

    def part(k):
        return accumulate(features[thirds[k]], target[thirds[k]], weights[thirds[k]])

    left = part(0).merge(part(1)).merge(part(2)).gram()
    right = part(0).merge(part(1).merge(part(2))).gram()
    truth, moments, square = exact(features, target, weights)
    for result in (left, right):
        assert result.n_samples == 3000
        assert frobenius_squared(result.values, truth) <= Fraction(result.error) ** 2
        assert frobenius_squared(result.moments, moments) <= Fraction(result.moments_error) ** 2
        assert abs(Fraction(result.target_norm_squared) - square) <= Fraction(result.target_error)
    assert np.linalg.norm(left.values - right.values) <= left.error + right.error


def test_merge_leaves_the_other_one_alone_and_refuses_strangers():
    features, target, _ = sample(n_samples=50)
    one, other = accumulate(features, target), accumulate(features, target)
    before = other.gram().values.copy()
    one.merge(other).update(features, target=target)
    np.testing.assert_array_equal(other.gram().values, before)
    for stranger in (StreamingGram(5, 2), StreamingGram(6), StreamingGram(6, 2, measure="raw")):
        with pytest.raises(InputError, match="merge"):
            one.merge(stranger)


def test_merge_refuses_to_overflow():
    huge = StreamingGram(1, measure="raw")
    huge.update(torch.tensor([[1.3e154]], dtype=torch.float64))
    with pytest.raises(InputError, match="overflow"):
        huge.merge(huge)
    assert np.isfinite(huge.gram().values).all()


@pytest.mark.parametrize("eps", [1e-2, 1e-6, 1e-10])
def test_rank_agrees_with_the_features_at_once(eps):
    x = np.linspace(-1, 1, 2500)[:, None]
    features = np.tanh(3 * x * np.linspace(0.5, 2, 20) + np.linspace(-1, 1, 20))
    interval = accumulate(features).rank(eps)
    direct = epsilon_rank(features, eps)
    assert interval.lower <= int(direct) <= interval.upper
    assert interval.resolved
    assert interval.n_samples == 2500
    assert interval.measure == "mean"


def test_rank_below_the_rounding_of_the_sums_stays_open():
    # Twice the same neuron to within 1e-12: the second eigenvalue is far below the sums' rounding.
    rng = np.random.default_rng(0)
    first = rng.standard_normal(4000)
    features = np.stack([first, first * (1 + 1e-12)], axis=1)
    interval = accumulate(features).rank(1e-18)
    assert (interval.lower, interval.upper) == (1, 2)


@pytest.mark.parametrize("outputs", [1, 3])
def test_loss_floor_agrees_with_the_features_at_once(outputs):
    rng = np.random.default_rng(outputs)
    x = np.linspace(-1, 1, 2500)[:, None]
    features = np.tanh(3 * x * np.linspace(0.5, 2, 8) + np.linspace(-1, 1, 8))
    target = np.cos(3 * x * np.arange(1, outputs + 1)) + 0.1 * np.sin(40 * x)
    coefficients = rng.standard_normal((8, outputs))
    streamed = accumulate(features, target).gram().loss_floor(eps=1e-4, coefficients=coefficients)
    direct = loss_floor(features, target, eps=1e-4, coefficients=coefficients)
    for name in ("loss_norm", "reachable_norm", "envelope_norm", "floor_norm"):
        difference = abs(getattr(streamed, name) - getattr(direct, name))
        assert difference <= streamed.tolerance + direct.tolerance
        assert difference <= 1e-6
    assert streamed.tolerance < 1e-4
    with pytest.raises(InputError, match="target"):
        accumulate(features).gram().loss_floor(eps=1e-4, norm=1.0)


def test_state_round_trip_is_bit_for_bit():
    features, target, weights = sample()
    gram = accumulate(features[:2000], target[:2000], weights[:2000])
    copy = StreamingGram(6, 2)
    copy.load_state_dict(gram.state_dict())
    for one in (gram, copy):
        one.update(features[2000:], weights[2000:], target[2000:])
    first, second = gram.gram(), copy.gram()
    np.testing.assert_array_equal(first.values, second.values)
    np.testing.assert_array_equal(first.moments, second.moments)
    assert first.error == second.error
    assert first.mass == second.mass
    state = gram.state_dict()
    state["sums"].zero_()
    np.testing.assert_array_equal(gram.gram().values, first.values)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state.pop("depth"),
        lambda state: state.update(measure="raw"),
        lambda state: state.update(sums=state["sums"][:-1]),
        lambda state: state.update(sums=state["sums"].float()),
    ],
)
def test_foreign_states_are_refused(spoil):
    features, target, _ = sample(n_samples=20)
    gram = accumulate(features, target)
    before = gram.gram().values.copy()
    state = gram.state_dict()
    spoil(state)
    with pytest.raises(InputError, match="state"):
        gram.load_state_dict(state)
    np.testing.assert_array_equal(gram.gram().values, before)


def nan_at(array, index):
    spoilt = array.copy()
    spoilt[index] = np.nan
    return spoilt


FEATURES, TARGET, WEIGHTS = sample(n_samples=40)
REFUSED = {
    "NaN feature": ((nan_at(FEATURES, (7, 2)), WEIGHTS, TARGET), r"features.*\(7, 2\)"),
    "NaN target": ((FEATURES, WEIGHTS, nan_at(TARGET, (3, 1))), r"target.*\(3, 1\)"),
    "NaN weight": ((FEATURES, nan_at(WEIGHTS, 5), TARGET), r"weights.*\(5,\)"),
    "NaN feature of weight 0": ((nan_at(FEATURES, (7, 2)), 0 * WEIGHTS, TARGET), "features"),
    "infinite feature": ((np.full((40, 6), np.inf), WEIGHTS, TARGET), "features"),
    "negative weight": ((FEATURES, WEIGHTS - 1, TARGET), "negative"),
    "overflow": ((FEATURES * 1e200, WEIGHTS, TARGET), "range of float64"),
    "wrong width": ((FEATURES[:, :5], WEIGHTS, TARGET), r"\(N, 6\)"),
    "four dimensions": ((FEATURES[:, :, None, None], WEIGHTS, TARGET), "channels"),
    "empty": ((FEATURES[:0], WEIGHTS[:0], TARGET[:0]), "empty"),
    "short weights": ((FEATURES, WEIGHTS[:-1], TARGET), "weights"),
    "short target": ((FEATURES, WEIGHTS, TARGET[:-1]), "target"),
    "no target": ((FEATURES, WEIGHTS, None), "target"),
    "integers": ((np.ones((40, 6), dtype=int), WEIGHTS, TARGET), "int64"),
    "complex": ((FEATURES + 0j, WEIGHTS, TARGET), "complex"),
    "text": ((np.full((40, 6), "a"), WEIGHTS, TARGET), "tensor"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_batches_change_nothing(name):
    gram = accumulate(FEATURES, TARGET, WEIGHTS)
    before = gram.state_dict()
    arguments, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        gram.update(*arguments)
    after = gram.state_dict()
    for key, value in before.items():
        same = torch.equal(value, after[key]) if isinstance(value, torch.Tensor) else None
        assert same is True or value == after[key], key


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"n_features": 0}, "n_features"),
        ({"n_features": 2, "n_outputs": -1}, "n_outputs"),
        ({"n_features": 2, "measure": "median"}, "measure"),
        ({"n_features": 2, "dtype": torch.float32}, "dtype"),
        ({"n_features": 2, "device": "nonsense"}, "device"),
        ({"n_features": 2, "device": "meta"}, "device"),
    ],
)
def test_bad_construction_is_named(arguments, name):
    with pytest.raises(InputError) as caught:
        StreamingGram(**arguments)
    assert caught.value.argument == name


def test_empty_and_weightless_sums_are_refused():
    with pytest.raises(InputError, match="nothing was accumulated"):
        StreamingGram(3).gram()
    gram = StreamingGram(3)
    gram.update(np.ones((2, 3)), np.zeros(2))
    with pytest.raises(InputError, match="zero"):
        gram.gram()
    with pytest.raises(InputError, match="quadrature"):
        StreamingGram(3, measure="volume").update(np.ones((2, 3)))


def test_no_graph_and_no_batch_is_kept():
    layer = torch.nn.Linear(4, 3)
    gram = StreamingGram(3)
    hidden = torch.tanh(layer(torch.randn(8, 4)))
    gram.update(hidden)
    assert hidden.requires_grad
    assert not gram._sums.requires_grad
    alive = weakref.ref(hidden)
    del hidden
    gc.collect()
    assert alive() is None


def test_read_only_reversed_and_listed_batches():
    values = FEATURES[::-1].copy()
    values.flags.writeable = False
    one, two, three = StreamingGram(6), StreamingGram(6), StreamingGram(6)
    one.update(values)
    two.update(FEATURES[::-1])
    three.update(values.tolist())
    np.testing.assert_array_equal(one.gram().values, two.gram().values)
    np.testing.assert_array_equal(one.gram().values, three.gram().values)


def test_exact_helper_is_the_literal_definition():
    integers, exponent = dyadic_matrix(FEATURES)
    product = integers.transpose() * integers
    gram, _, _ = exact(FEATURES, measure="raw")
    assert gram[1][2] == int(product[1, 2]) * power_of_two(2 * exponent)
