"""N1 in code: literal definitions, faults planted in every certified number, awkward input."""

import json
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from epsrank.theory.data.inputs import as_features
from epsrank.theory.data.measure import as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.dyadic import root_above
from epsrank.theory.selection import certify, rows, select
from epsrank.theory.selection.basis import neuron_basis
from epsrank.theory.selection.constants import draft_factor, selection_factor
from epsrank.theory.selection.select import fewest_neurons, select_neurons

METHODS = ("minors", "exchange", "closest")


def tanh_features(n, n_samples=60, seed=0):
    random = np.random.default_rng(seed)
    x = np.linspace(-1, 1, n_samples)[:, None]
    return np.tanh(random.normal(0, 3, n) * (x - random.uniform(-1, 1, n)))


def orthogonal(n, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]


@pytest.mark.parametrize(("n", "p"), [(6, 2), (6, 4), (7, 0), (5, 5), (8, 7)])
def test_the_maximal_minor_is_the_literal_one(n, p):
    vectors = orthogonal(n, n + p)
    sizes = {
        kept: abs(np.linalg.det(np.delete(vectors[:, p:], kept, axis=0)))
        for kept in combinations(range(n), p)
    }
    assert tuple(rows.kept_by_minor(vectors, p)) == max(sizes, key=sizes.__getitem__)


@pytest.mark.parametrize(("n", "p"), [(30, 4), (30, 27), (60, 30)])
@pytest.mark.parametrize("f", [1.01, 1.5])
def test_the_exchange_leaves_no_entry_above_f(n, p, f):
    vectors = orthogonal(n, n + p)
    kept = rows.kept_by_exchange(vectors, p, f)
    left_out = np.setdiff1d(np.arange(n), kept)
    entries = vectors[kept, p:] @ np.linalg.inv(vectors[left_out, p:])
    assert len(kept) == p
    assert np.abs(entries).max() <= f * (1 + 1e-9)


def test_the_closest_span_is_the_literal_one():
    features, head = tanh_features(7), np.arange(1.0, 8.0)[:, None]
    output = features @ head

    def distance(kept):
        part = features[:, kept]
        return np.linalg.norm(output - part @ np.linalg.lstsq(part, output, rcond=None)[0])

    found = select_neurons(features, 3, coefficients=head, method="closest", measure="raw")
    best = min(distance(list(kept)) for kept in combinations(range(7), 3))
    assert found.error == pytest.approx(best, rel=1e-7)
    for method in METHODS[:2]:
        other = select_neurons(features, 3, coefficients=head, method=method, measure="raw")
        assert other.error >= found.error * (1 - 1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("p", [0, 2, 5, 7])
@pytest.mark.parametrize("measure", ["mean", "raw", "volume"])
def test_certified_error_is_above_the_exact_one_and_close(method, p, measure):
    features, random = tanh_features(7), np.random.default_rng(1)
    head, weights = random.standard_normal((7, 2)), random.uniform(0, 1, 60)
    settings = {"coefficients": head, "method": method, "measure": measure, "weights": weights}
    found = select_neurons(features, p, **settings)
    exact = select_neurons(features, p, exact=True, **settings)
    law = as_measure(measure, weights, 60)
    squared = certify.exact_distance(
        as_features(features), law, found.neurons, head, found.coefficients
    )
    assert squared <= Fraction(found.error) ** 2
    assert found.error <= root_above(squared) * (1 + 1e-6) + 1e-9
    assert exact.rounding == 0
    assert exact.error <= found.error
    assert found.error <= found.bound * (1 + 1e-9)


def test_the_transfer_serves_every_output_layer():
    features = tanh_features(12)
    found = select_neurons(features, 5)
    assert found.coefficients is None
    random = np.random.default_rng(3)
    for _ in range(20):
        head = random.standard_normal(12)
        chosen = head[found.neurons] - found.transfer @ head[found.left_out]
        error = features @ head - features[:, found.neurons] @ chosen
        size = found.constant * np.linalg.norm(head[found.left_out])
        assert np.sqrt(np.mean(error**2)) <= size


def test_ours_is_below_the_drafts():
    features = tanh_features(10)
    for p in range(10):
        found = select_neurons(features, p, coefficients=np.ones(10))
        assert found.ours <= found.draft * (1 + 1e-12)
    for n in range(1, 12):
        for p in range(n):
            assert selection_factor(n, p) <= draft_factor(n, p)


@pytest.mark.parametrize("tolerance", [1e-1, 1e-3, 1e-6, 0.0])
def test_a_tolerance_is_met(tolerance):
    found = fewest_neurons(tanh_features(15), tolerance, coefficients=np.ones(15))
    assert found.error <= tolerance
    assert (found.p == 15) == (tolerance == 0)


@pytest.mark.parametrize(
    "features",
    [
        np.zeros((4, 3)),
        np.ones((4, 3)),
        np.ones((2, 5)),
        1e200 * np.ones((2, 3)),
        1e-200 * np.eye(3),
        np.array([[1.0, 1.0 + 2**-52]]),
        np.ones((1, 1)),
        np.eye(3, dtype=np.int64),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_degenerate_features_give_certified_numbers(features, method):
    n = features.shape[1]
    head = np.arange(1.0, n + 1)[:, None]
    for p in range(n + 1):
        found = select_neurons(features, p, coefficients=head, method=method)
        law = as_measure("mean", None, len(features))
        squared = certify.exact_distance(
            as_features(features), law, found.neurons, head, found.coefficients
        )
        assert squared <= Fraction(found.error) ** 2
        json.dumps(found.to_json())
        assert str(found)
        assert found._repr_html_()


def test_the_root_is_rounded_up():
    for value in (Fraction(2), Fraction(1, 3), Fraction(10) ** 300, Fraction(1, 10**320)):
        root = Fraction(root_above(value))
        assert root * root >= value
        if value > Fraction(1, 10**300):
            assert root * root <= value * (1 + Fraction(1, 10**14))
    assert root_above(Fraction(0)) == 0


def test_a_wrong_transfer_makes_a_large_bound_and_no_wrong_one():
    basis = neuron_basis(as_features(tanh_features(6)), as_measure("mean", None, 60))
    kept = rows.kept_by_minor(basis.vectors, 3)
    honest = certify.transfer_matrix(basis, kept)
    right = certify.certified_bound(basis, kept, honest)
    assert certify.certified_bound(basis, kept, honest + 1e-3) > right
    assert certify.certified_bound(basis, kept, honest + 1.0) == np.inf
    assert certify.certified_bound(basis, kept, np.full((3, 3), np.nan)) == np.inf


def test_a_certificate_without_its_rounding_is_caught(monkeypatch):
    """The check of certified against exact errors fails where the error is underestimated."""
    monkeypatch.setattr(select, "certified_distance", lambda *_: (1e-9, 0.0))
    with pytest.raises(AssertionError):
        test_certified_error_is_above_the_exact_one_and_close("minors", 2, "mean")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"p": 8}, "p is 8"),
        ({"p": -1}, "whole number"),
        ({"p": 2.5}, "whole number"),
        ({"p": True}, "whole number"),
        ({"p": 2, "method": "best"}, "choose one of"),
        ({"p": 2, "method": "closest"}, "without coefficients"),
        ({"p": 2, "f": 1.0}, "1.001"),
        ({"p": 2, "f": np.inf}, "1.001"),
        ({"p": 2, "coefficients": np.ones(3)}, "7 neurons"),
    ],
)
def test_bad_input_is_one_line(arguments, words):
    with pytest.raises(InputError, match=words):
        select_neurons(tanh_features(7), **arguments)


def test_too_many_subsets_are_refused():
    with pytest.raises(InputError, match="choose 'exchange'"):
        select_neurons(tanh_features(40), 20, method="minors")
    assert select_neurons(tanh_features(40), 20).method == "exchange"
