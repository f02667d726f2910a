"""Certified ranks and floors in L²(Ω): against known spectra, measures, faults and bad input."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from flint import arb, arb_mat

from epsrank.theory.continuous import (
    AnalyticTarget,
    certify,
    continuous_floor,
    continuous_rank,
    continuous_ranks,
)
from epsrank.theory.continuous import problem as problem_module
from epsrank.theory.dense import DenseNetwork
from epsrank.theory.errors import InputError
from epsrank.theory.floor.loss_floor import loss_floor
from epsrank.theory.rank import epsilon_rank


def _network(activation, sizes, seed=0, scale=2.0):
    random = np.random.default_rng(seed)
    pairs = list(pairwise(sizes))
    return DenseNetwork(
        activation,
        tuple(random.normal(size=(b, a)) * scale / np.sqrt(a) for a, b in pairs),
        tuple(random.normal(size=b) for b in sizes[1:]),
        random.normal(size=(sizes[-1], 1)),
        np.array([0.25]),
    )


def _quadrature(network, low, high):
    x, w = np.polynomial.legendre.leggauss(300)
    return network.features((low + high) / 2 + (high - low) / 2 * x), (high - low) / 2 * w


@pytest.mark.parametrize("activation", ["tanh", "erf", "sine", "cosine", "sigmoid", "gaussian"])
@pytest.mark.parametrize("sizes", [(1, 8), (1, 6, 6)])
def test_ranks_agree_with_a_fine_rule(activation, sizes):
    network = _network(activation, sizes)
    features, weights = _quadrature(network, -1, 2)
    for eps in (1e-1, 1e-4, 1e-7):
        found = continuous_rank(network, eps, (-1, 2))
        assert int(found) in epsilon_rank(features, eps, weights=weights, measure="volume")
        assert found.spectrum[0].lower <= found.spectrum[0].upper


def test_the_length_of_the_interval_is_the_measure():
    network = _network("tanh", (1, 8))
    for eps in (1e-2, 1e-5):
        mean = continuous_rank(network, eps, (-1, 3), measure="mean")
        volume = continuous_rank(network, 4 * eps, (-1, 3))
        assert int(mean) == int(volume)
        assert Fraction(4) * mean.spectrum[0].lower <= volume.spectrum[0].upper


def test_a_known_spectrum():
    # sin kx and cos kx on a period are orthogonal with ∫ = π: every eigenvalue is π.
    pi = float(np.pi)
    network = DenseNetwork("sine", (np.array([[1.0], [2.0], [3.0]]),), (np.zeros(3),))
    found = continuous_ranks(network, [3.0, 3.2], (-pi, pi))
    assert [int(rank) for rank in found] == [3, 0]
    for value in found[0].spectrum:
        # The ends of the interval are floats, so π only to 1e-15.
        assert abs(float(value) - np.pi) < 1e-14


def test_duplicates_are_counted_once():
    network = DenseNetwork("tanh", (np.array([[1.5], [1.5]]),), (np.array([0.5, 0.5]),))
    found = continuous_ranks(network, [1e-3, 1e-20, 1e-40])
    assert [int(rank) for rank in found] == [1, 1, 1]


def test_an_eigenvalue_at_the_threshold_is_left_open():
    # φ = sin(0·x + 0.5): the constant sin ½, so λ = 2 sin² ½, which no float equals; one ball holds
    # it for every precision, so take a threshold inside by making the balls wide.
    network = DenseNetwork("sine", (np.array([[0.0]]),), (np.array([0.5]),))
    exact = continuous_rank(network, 2 * np.sin(0.5) ** 2)
    assert exact.resolved
    cosine = DenseNetwork("cosine", (np.array([[0.0]]),), (np.array([0.0]),))
    tie = continuous_rank(cosine, 2.0, max_bits=192)
    assert (tie.lower, tie.upper) == (0, 1)
    assert "ε lies inside 1 eigenvalue enclosures" in tie.reason
    with pytest.raises(ValueError, match="only known to lie in"):
        int(tie)


def test_the_chain_is_certified_and_agrees_with_a_fine_rule():
    network = _network("tanh", (1, 7, 6))
    found = continuous_floor(network, "runge", 1e-3)
    assert found.holds
    assert found.reason == ""
    features, weights = _quadrature(network, -1, 1)
    x, _ = np.polynomial.legendre.leggauss(300)
    ones = np.ones((300, 1))
    other = loss_floor(
        np.concatenate([features, ones], axis=1),
        1 / (1 + 25 * x**2),
        eps=1e-3,
        coefficients=np.concatenate([network.head, network.offset[:, None]]),
        weights=weights,
        measure="volume",
    )
    assert float(found.loss) == pytest.approx(other.loss, rel=1e-9)
    assert float(found.reachable) == pytest.approx(other.reachable, rel=1e-6)
    assert float(found.envelope) == pytest.approx(other.envelope, rel=1e-5)
    assert float(found.floor) == pytest.approx(other.floor, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("bias", ["feature", "fixed", "none"])
@pytest.mark.parametrize("measure", ["volume", "mean"])
def test_treatments_of_the_bias(bias, measure):
    network = _network("erf", (1, 5))
    found = continuous_floor(network, "absolute", 1e-3, measure=measure, bias=bias)
    assert found.holds
    x, w = np.polynomial.legendre.leggauss(200)
    x = np.concatenate([(x - 1) / 2, (x + 1) / 2])
    w = np.concatenate([w, w]) / (2 if measure == "volume" else 4)
    u = network.features(x) @ network.head[:, 0] + (0.25 if bias != "none" else 0.0)
    assert float(found.loss) == pytest.approx(float(w @ (u - np.abs(x)) ** 2), rel=1e-10)


def test_a_wrong_tail_is_caught(monkeypatch):
    network = _network("tanh", (1, 6))
    honest = certify.decide_chain

    def inflated(*arguments):
        problem, spectrum, eps, loss, budget, tolerance = arguments
        return honest(problem, spectrum, eps, loss, budget / 10**6, tolerance)

    beta = np.linalg.lstsq(*_least_squares(network), rcond=None)[0]
    good = dataclasses.replace(network, head=beta[:-1, None], offset=beta[-1:])
    assert continuous_floor(good, "chirp", 1e-6).holds
    monkeypatch.setattr(certify, "decide_chain", inflated)
    wrong = continuous_floor(good, "chirp", 1e-6)
    assert any(verdict.state == "violated" for verdict in wrong.verdicts)


def _least_squares(network):
    x = np.linspace(-1, 1, 400)
    return np.concatenate([network.features(x), np.ones((400, 1))], axis=1), np.cos(20 * x**2)


def test_two_certificates_that_differ_are_an_error(monkeypatch):
    network = _network("tanh", (1, 4))

    def shifted(matrix):
        return 0 if matrix.nrows() else None

    monkeypatch.setattr(problem_module, "positive_inertia", shifted)
    with pytest.raises(ArithmeticError, match="two certificates differ"):
        continuous_rank(network, 1e-3)


def test_inertia_counts_without_orthogonality():
    network = _network("tanh", (1, 5))
    found = continuous_rank(network, 1e-4)
    system = certify.AnalyticSystem(network)
    pieces = certify.analytic_pieces(system, -1.0, 1.0)
    problem = certify.continuous_problem(system, -1.0, 1.0, "volume", 192, pieces)
    skew = arb_mat([[arb(i + 2 * j + (i == j) * 7) for j in range(5)] for i in range(5)])
    moved = dataclasses.replace(problem, basis=problem.basis * skew)
    assert moved.count_above(Fraction(1e-4)) == int(found)


def test_results_are_plain_data():
    network = _network("tanh", (1, 4))
    rank = continuous_rank(network, 1e-4)
    floor = continuous_floor(network, AnalyticTarget("x", lambda z, _: z), 1e-4)
    for entry in (rank, floor):
        assert json.loads(json.dumps(entry.to_json(), allow_nan=False))
        assert "[-1, 1]" in str(entry)
        assert "<span" in entry._repr_html_()
    assert int(rank) in rank
    assert floor.to_json()["loss"]["lower"] <= float(floor.loss) <= floor.to_json()["loss"]["upper"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda n: continuous_rank(n, 1e-3, (1, -1)), "domain is"),
        (lambda n: continuous_rank(n, 1e-3, "words"), "domain"),
        (lambda n: continuous_rank(n, 1e-3, measure="raw"), "measure is 'raw'"),
        (lambda n: continuous_rank(n, -1.0), "eps is -1"),
        (lambda n: continuous_rank(n, 1e-3, bits=32), "bits is 32"),
        (lambda n: continuous_floor(n, "digits", 1e-3), "target is 'digits'"),
        (lambda n: continuous_floor(n, "runge", 1e-3, bias="odd"), "bias is 'odd'"),
        (lambda n: continuous_floor(n.layer(1), "runge", 1e-3), "exactly one output"),
        (lambda n: n.layer(3), "layer is 3"),
    ],
)
def test_bad_use(call, words):
    with pytest.raises(InputError, match=words):
        call(_network("tanh", (1, 3, 3)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"activation": "swish"}, "activation is 'swish'"),
        ({"weights": ()}, "0 matrices"),
        ({"weights": (np.full((3, 1), np.nan), np.ones((3, 3)))}, "NaN"),
        ({"biases": (np.zeros(3), np.zeros(2))}, "2 entries"),
        ({"weights": (np.ones((3, 1)), np.ones((3, 2)))}, "takes 2 inputs"),
        ({"head": np.ones((2, 1))}, "head has shape"),
        ({"offset": np.ones(2)}, "offset has 2"),
    ],
)
def test_networks_are_checked(changes, words):
    with pytest.raises(InputError, match=words):
        dataclasses.replace(_network("tanh", (1, 3, 3)), **changes)


@pytest.mark.parametrize(
    ("slopes", "shifts"),
    [([1.0, 1.0, 2.0], [0.5, 0.5, 0.0]), ([1.0, 0.0, 2.0], [0.5, 0.0, 0.0]), ([0.0], [0.0])],
    ids=["a duplicate", "a dead neuron", "nothing but dead neurons"],
)
@pytest.mark.parametrize("bias", ["feature", "none"])
def test_singular_gram_matrices_are_decided(slopes, shifts, bias):
    n = len(slopes)
    network = DenseNetwork(
        "tanh", (np.array(slopes)[:, None],), (np.array(shifts),), np.ones((n, 1)), np.zeros(1)
    )
    found = continuous_floor(network, "runge", 1e-6, bias=bias)
    assert found.holds, [str(verdict) for verdict in found.verdicts]
    assert found.rank.resolved
    distinct = len({pair for pair in zip(slopes, shifts, strict=True) if pair != (0.0, 0.0)})
    assert int(found.rank) == distinct + (bias == "feature")
