"""The chain floor ≤ envelope ≤ V ≤ loss, certified and attacked."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction

import flint
import numpy as np
import pytest

from epsrank.theory.errors import InputError
from epsrank.theory.floor.certified.audit import audit
from epsrank.theory.floor.certified.certificate import certify_chain
from epsrank.theory.floor.certified.chain import at_most, floor_squared
from epsrank.theory.numbers.interval import Interval, point

TINY = Fraction(1, 10**30)


def tanh_instance(n=12, n_samples=60, outputs=1, seed=0):
    rng = np.random.default_rng(seed)
    x = np.linspace(-1, 1, n_samples)[:, None]
    features = np.tanh(3 * x * rng.standard_normal(n) + rng.standard_normal(n))
    target = np.cos(3 * x * np.arange(1, outputs + 1)) + np.sin(20 * x)
    coefficients = rng.standard_normal((n, outputs))
    return features, target, coefficients


CASES = {
    "scalar": tanh_instance(),
    "three outputs": tanh_instance(outputs=3, seed=1),
    "float32": tuple(a.astype(np.float32) for a in tanh_instance(seed=2)),
    "fewer samples than neurons": tanh_instance(n=9, n_samples=5, seed=3),
    "one neuron": tanh_instance(n=1, seed=4),
    "zero coefficients": (*tanh_instance(seed=5)[:2], np.zeros((12, 1))),
    "zero target": (tanh_instance(seed=6)[0], np.zeros(60), np.ones(12)),
    "zero features": (np.zeros((7, 3)), np.ones(7), np.ones(3)),
    "all zero": (np.zeros((7, 3)), np.zeros(7), np.zeros(3)),
    "repeated neurons": (np.repeat(tanh_instance(n=3)[0], 3, axis=1), np.ones(60), np.ones(9)),
    "identity": (np.eye(6), np.arange(6.0), np.ones(6)),
    "graded columns": (np.eye(8) * 10.0 ** (-20 * np.arange(8.0)), np.ones(8), np.ones(8)),
    "huge and tiny": (np.array([[1e200, 1e-200], [1e200, -1e-200]]), np.ones(2), np.ones(2)),
    "wide integers": (np.array([[2**62 + 1, 1], [3, 2**61 - 1], [5, 7]]), np.ones(3), np.ones(2)),
}


@pytest.mark.parametrize("name", CASES)
def test_chain_is_certified(name):
    certificate = certify_chain(*CASES[name], 1e-6)
    assert certificate.holds, certificate.verdicts
    assert certificate.reason == ""
    n = certificate.n_features
    assert len(certificate.spectrum) == n
    assert len(certificate.floors) == len(certificate.distances_squared) == n + 1
    assert certificate.rank_lower == certificate.rank_upper
    json.dumps(certificate.to_json(), allow_nan=False)
    assert "certified" in str(certificate)


@pytest.mark.parametrize("measure", ["mean", "raw", "volume"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_agrees_with_float64_formulas(measure, outputs):
    features, target, coefficients = tanh_instance(n=6, outputs=outputs, seed=7)
    weights = np.random.default_rng(0).uniform(0.1, 2.0, 60)
    certificate = certify_chain(
        features, target, coefficients, 1e-3, weights=weights, measure=measure
    )
    scale = weights.sum() if measure == "mean" else 1.0
    a = np.sqrt(weights / scale)[:, None] * features
    y = np.sqrt(weights / scale)[:, None] * target
    u, s, _ = np.linalg.svd(a, full_matrices=False)
    loss = np.sum((a @ coefficients - y) ** 2)
    norm = np.linalg.norm(coefficients)
    distances = [np.sum((y - u[:, :p] @ (u[:, :p].T @ y)) ** 2) for p in range(7)]
    tails = np.append(s**2, 0.0)
    floors = np.maximum(np.sqrt(distances) - np.sqrt(tails) * norm, 0) ** 2
    rank = int(np.sum(s**2 > 1e-3))
    floor = max(np.sqrt(distances[rank]) - np.sqrt(1e-3) * norm, 0) ** 2
    verdicts = audit(
        certificate,
        loss=loss,
        reachable=_reachable(s, u.T @ y, np.sum(y**2), norm),
        envelope=floors.max(),
        floor=floor,
        spectrum=s**2,
        rank=rank,
        rtol=1e-11,
    )
    assert len(verdicts) == 6
    assert all(verdict.holds for verdict in verdicts), verdicts
    got = [float(d) for d in certificate.distances_squared]
    np.testing.assert_allclose(got, distances, rtol=1e-8)


def _reachable(s, c, total, bound):
    """Bisection for the secular equation, in float64."""
    moments = s[:, None] * c

    def length(mu):
        return np.linalg.norm(moments / (s**2 + mu)[:, None])

    low, high = 0.0, 1e3
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if length(middle) > bound else (low, middle)
    x = moments / (s**2 + high)[:, None]
    return total - 2 * np.sum(x * moments) + np.sum((s[:, None] * x) ** 2)


def test_loss_is_the_exact_rational():
    features, target, coefficients = tanh_instance(n=4, n_samples=9)
    certificate = certify_chain(features, target, coefficients, 1e-6)
    rows = [
        sum(Fraction(f) * Fraction(b) for f, b in zip(row, coefficients[:, 0], strict=True))
        - Fraction(t)
        for row, t in zip(features, target[:, 0], strict=True)
    ]
    assert certificate.loss == sum(r * r for r in rows) / 9
    assert certificate.norm_squared == sum(Fraction(b) ** 2 for b in coefficients[:, 0])


def test_least_squares_solution_is_an_equality_within_its_width():
    # Orthogonal columns and dyadic numbers: β = Φᵀu*/4 is the exact minimiser.
    hadamard = np.array([[1, 1, 1], [1, -1, 1], [1, 1, -1], [1, -1, -1]], dtype=float)
    target = np.array([1.0, 2.0, 3.0, 5.0])
    certificate = certify_chain(hadamard, target, hadamard.T @ target / 4, 1e-6)
    by_claim = {verdict.claim: verdict for verdict in certificate.verdicts}
    assert by_claim["V(B) ≤ loss"].state == "within enclosure"
    assert by_claim["V(B) ≤ loss"].slack < TINY
    assert certificate.loss in certificate.reachable
    assert certificate.reachable.width < TINY
    assert certificate.multiplier == 0
    assert by_claim["floor² ≤ loss"].state == "strict"


@pytest.mark.parametrize(("n", "p", "alpha", "bound"), [(3, 1, 2.0, 3.0), (5, 4, 1.0, 0.5)])
def test_attaining_family_is_equality_everywhere(n, p, alpha, bound):
    # F4 with dyadic numbers: φ_k = σ_k e_k, σ² = 4 for k ≤ p and ε = 1/4 beyond.
    features = np.diag([2.0] * p + [0.5] * (n - p))
    target, beta = np.zeros(n), np.zeros(n)
    target[p], beta[p] = alpha, bound
    certificate = certify_chain(features, target, beta, 0.25, measure="raw")
    value = (Fraction(alpha) - Fraction(1, 2) * Fraction(bound)) ** 2
    assert certificate.loss == value
    assert certificate.rank_lower == certificate.rank_upper == p
    for verdict in certificate.verdicts:
        assert verdict.state == "within enclosure"
        assert verdict.slack < TINY
    assert value in certificate.floor
    assert value in certificate.envelope
    assert value in certificate.reachable


def test_eigenvalue_equal_to_eps_is_not_counted():
    rotation = np.array([[3.0, 4.0], [-4.0, 3.0]])  # G = 25·I exactly, eigenvectors not unique
    certificate = certify_chain(rotation, np.ones(2), np.ones(2), 25.0, measure="raw")
    assert (certificate.rank_lower, certificate.rank_upper) == (0, 0)
    assert not certificate.separated[1]
    assert certificate.holds


def test_target_in_the_span_has_distance_exactly_zero():
    features, _, beta = tanh_instance(n=5)
    integers = np.round(features * 2**10)
    weights = np.arange(1.0, 6.0)
    certificate = certify_chain(integers, integers @ weights, weights, 1e-6)
    assert certificate.loss == 0
    assert certificate.distances_squared[-1] == point(0)
    assert certificate.reachable.upper < TINY
    assert certificate.holds
    assert certify_chain(integers, integers @ weights, beta, 1e-6).holds


def test_spectrum_encloses_known_eigenvalues_narrowly():
    # Second-difference matrix factor: G = BᵀB has eigenvalues 4 sin²(kπ/(2(n+1))).
    n = 10
    factor = np.zeros((n + 1, n))
    for k in range(n):
        factor[k, k], factor[k + 1, k] = 1.0, -1.0
    certificate = certify_chain(factor, np.ones(n + 1), np.ones(n), 1e-6, measure="raw")
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(200):
        for k, interval in enumerate(certificate.spectrum):
            exact = 4 * mpmath.sin((n - k) * mpmath.pi / (2 * (n + 1))) ** 2
            assert interval.width < Fraction(1, 10**60)
            low = mpmath.mpf(interval.lower.numerator) / interval.lower.denominator
            high = mpmath.mpf(interval.upper.numerator) / interval.upper.denominator
            assert low < exact < high
    assert all(certificate.separated)


def test_precision_of_flint_is_left_alone():
    before = flint.ctx.prec
    certify_chain(*CASES["scalar"], 1e-6, precision=128)
    with pytest.raises(InputError):
        certify_chain(np.ones((3, 2)), np.ones(4), np.ones(2), 1e-6)
    assert flint.ctx.prec == before


def test_enclosures_shrink_with_precision_and_stay_nested():
    coarse = certify_chain(*CASES["scalar"], 1e-6, precision=128, max_precision=128)
    fine = certify_chain(*CASES["scalar"], 1e-6, precision=512)
    for name in ("reachable", "envelope", "floor"):
        wide, narrow = getattr(coarse, name), getattr(fine, name)
        assert max(wide.lower, narrow.lower) <= min(wide.upper, narrow.upper)
        assert narrow.width * 10**50 < wide.width
    for wide, narrow in zip(coarse.spectrum, fine.spectrum, strict=True):
        assert max(wide.lower, narrow.lower) <= min(wide.upper, narrow.upper)


def test_low_precision_says_unresolved_instead_of_guessing():
    # Least squares in float64 misses the minimum by rounding only: 64 bits cannot tell them apart.
    features, target, _ = CASES["scalar"]
    nearly_best = np.linalg.lstsq(features, target, rcond=None)[0]
    coarse = certify_chain(features, target, nearly_best, 1e-6, precision=64, max_precision=64)
    assert not coarse.holds
    assert "overlaps" in coarse.reason
    assert not coarse.violated
    fine = certify_chain(features, target, nearly_best, 1e-6, precision=64)
    assert fine.holds
    assert fine.precision > 64
    assert fine.reason == ""


# Planted faults: each of them must be caught.


def test_corrupted_coefficient_is_caught():
    features, target, coefficients = CASES["scalar"]
    recorded = float(np.mean((features @ coefficients - target) ** 2))
    honest = certify_chain(features, target, coefficients, 1e-6)
    assert all(verdict.holds for verdict in audit(honest, loss=recorded))
    corrupted = coefficients.copy()
    corrupted[3, 0] *= 1 + 1e-6
    (verdict,) = audit(certify_chain(features, target, corrupted, 1e-6), loss=recorded)
    assert verdict.state == "violated"


def test_inflated_floor_is_caught():
    certificate = certify_chain(*CASES["scalar"], 1e-6)
    inflated = float(certificate.loss) * (1 + 1e-7)
    (verdict,) = audit(certificate, floor=inflated)
    assert verdict.state == "violated"
    broken = at_most(
        "floor² ≤ loss", point(Fraction(inflated)), point(certificate.loss), Fraction(0)
    )
    assert broken.state == "violated"
    assert not broken.holds
    planted = dataclasses.replace(certificate, verdicts=(*certificate.verdicts, broken))
    assert not planted.holds
    assert planted.violated == (broken,)
    assert "NOT certified" in str(planted)


def test_wrong_eigenvalue_and_rank_are_caught():
    certificate = certify_chain(*CASES["scalar"], 1e-6)
    claimed = [float(interval) for interval in certificate.spectrum]
    assert audit(certificate, spectrum=claimed)[0].holds
    claimed[1] *= 1 + 1e-5
    (verdict,) = audit(certificate, spectrum=claimed)
    assert verdict.state == "violated"
    assert verdict.claim.startswith("λ_2")
    assert audit(certificate, rank=certificate.rank_upper + 1)[0].state == "violated"
    assert audit(certificate, loss=float("nan"))[0].state == "violated"


def test_overlap_wider_than_the_tolerance_is_unresolved():
    left, right = Interval(Fraction(0), Fraction(2)), Interval(Fraction(1), Fraction(3))
    assert at_most("a ≤ b", left, right, Fraction(1, 2)).state == "unresolved"
    assert at_most("a ≤ b", left, right, Fraction(1)).state == "within enclosure"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((np.ones((3, 2)), np.ones(3), np.ones((2, 2)), 1e-6), "coefficients"),
        ((np.ones((3, 2)), np.ones(3), np.ones(3), 1e-6), "coefficients"),
        ((np.ones((3, 2)), np.full(3, np.nan), np.ones(2), 1e-6), "target"),
        ((np.ones((3, 2)), np.ones(3), np.ones(2), 0.0), "eps"),
        ((np.ones((0, 2)), np.ones(0), np.ones(2), 1e-6), "features"),
    ],
)
def test_bad_input_is_named(arguments, name):
    with pytest.raises(InputError) as caught:
        certify_chain(*arguments)
    assert caught.value.argument == name


def test_bad_precision_and_audit_input():
    with pytest.raises(InputError, match="precision"):
        certify_chain(*CASES["scalar"], 1e-6, precision=10)
    certificate = certify_chain(*CASES["one neuron"], 1e-6)
    with pytest.raises(InputError, match="spectrum"):
        audit(certificate, spectrum=[1.0, 2.0])
    with pytest.raises(InputError, match="rtol"):
        audit(certificate, loss=1.0, rtol=float("nan"))


def test_floor_squared_corners():
    one, four = point(1), point(4)
    assert floor_squared(four, point(0), Fraction(9), 64) == four
    assert floor_squared(one, four, Fraction(1), 64) == point(0)
    got = floor_squared(point(9), one, Fraction(1), 64)
    assert Fraction(4) in got
    assert got.width < Fraction(1, 10**20)
