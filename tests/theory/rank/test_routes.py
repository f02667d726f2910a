"""Each route by itself, and what it does when the library beneath it lies or gives up."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest
import scipy.linalg as sl
from flint import fmpz_poly

from epsrank.theory.data.exact_gram import exact_gram, exact_gram_of_matrix
from epsrank.theory.data.inputs import as_features
from epsrank.theory.data.measure import as_measure
from epsrank.theory.rank.of_features import RankProblem
from epsrank.theory.rank.problem import Thresholds
from epsrank.theory.rank.routes import gram as gram_route
from epsrank.theory.rank.routes import inertia as inertia_route
from epsrank.theory.rank.routes import svd as svd_route
from epsrank.theory.rank.routes.ball import ball_count, ball_precision
from epsrank.theory.rank.routes.exact import exact_count, sign_changes
from epsrank.theory.rank.routes.inertia import certified_inertia, inertia_bounds
from epsrank.theory.rank.routes.shortcuts import all_above, low_rank_enclosure

from .cases import KINDS, true_rank, with_spectrum
from .test_against_exact import assert_encloses


def problem_of(features: Any, measure: str = "raw") -> RankProblem:
    checked = as_features(features)
    return RankProblem(checked, as_measure(measure, None, checked.n_samples))


def perturbed(vectors: np.ndarray[Any, Any], size: float) -> np.ndarray[Any, Any]:
    return vectors + size * np.random.default_rng(0).standard_normal(vectors.shape)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1e-12, 1e-6, 1e-2, 1e3])
def test_gram_enclosures_hold_for_wrong_eigenpairs(
    kind: str, size: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lie(matrix: Any) -> Any:
        values, vectors = np.linalg.eigh(matrix)
        return values * (1 + size), perturbed(vectors, size)

    monkeypatch.setattr(gram_route, "eigenpairs", lie)
    problem = problem_of(KINDS[kind](np.random.default_rng(1), 12, 5))
    assert_encloses(problem.fast, problem)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1e-12, 1e-6, 1e-2, 1e3])
def test_svd_enclosures_hold_for_wrong_singular_vectors(
    kind: str, size: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        svd_route,
        "right_singular_vectors",
        lambda matrix: perturbed(np.linalg.svd(matrix)[2].T, size),
    )
    problem = problem_of(KINDS[kind](np.random.default_rng(1), 12, 5))
    enclosure = svd_route.svd_enclosure(problem.weighted)
    if enclosure is not None:
        assert_encloses(enclosure, problem)


def test_solvers_that_do_not_converge_leave_the_exact_route(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise np.linalg.LinAlgError("did not converge")

    monkeypatch.setattr(sl, "eigh", fail)
    monkeypatch.setattr(sl.lapack, "dsyevd", lambda a, **_: (a, a, 1))
    monkeypatch.setattr(sl, "svd", fail)
    features = KINDS["tanh neurons"](np.random.default_rng(1), 30, 8)
    [decision] = problem_of(features).decide(Thresholds((1e-6,)))
    assert decision.route == "exact"
    assert decision.lower == decision.upper == true_rank(features, 1e-6, measure="raw")


def test_svd_resolves_what_the_gram_route_cannot() -> None:
    features = np.diag([1.0, 1e-9, 1e-12])
    features[0] += 1e-7
    problem = problem_of(features)
    theta = Fraction(1e-20)
    assert problem.fast.count(theta, theta) == (1, 3)
    assert problem.accurate.count(theta, theta) == (2, 2)


def test_descartes_counts_positive_roots_with_multiplicity() -> None:
    polynomial = fmpz_poly([1])
    for root in (2, 2, 0, -3, 5):
        polynomial *= fmpz_poly([-root, 1])
    assert sign_changes(polynomial) == 3


def test_exact_count_is_strict_at_a_tie() -> None:
    gram = exact_gram_of_matrix(np.diag([4.0, 1.0, 1.0, 0.25]))
    assert [exact_count(gram, gram.threshold(Fraction(t))) for t in (4, 1, Fraction(1, 4))] == [
        0, 1, 3,
    ]  # fmt: skip
    assert exact_count(gram, gram.threshold(Fraction(1) - Fraction(1, 10**40))) == 3


def test_exact_gram_is_the_rational_gram_matrix() -> None:
    generator = np.random.default_rng(2)
    features = generator.standard_normal((7, 3)).astype(np.float32)
    weights = np.array([0.1, 2.0, 0.0, 1e-5, 3.0, 1.0, 0.5])
    gram = exact_gram(as_features(features), as_measure("mean", weights, 7))
    total = sum(Fraction(float(w)) for w in weights)
    for i in range(3):
        for j in range(3):
            entry = sum(
                Fraction(float(w)) * Fraction(float(a)) * Fraction(float(b))
                for w, a, b in zip(weights, features[:, i], features[:, j], strict=True)
            )
            assert Fraction(int(gram.matrix[i, j])) * gram.scale == entry / total


def test_ball_counts_need_two_by_two_pivots_and_large_orders() -> None:
    swap = np.array([[0.0, 1.0], [1.0, 0.0]])  # no 1×1 pivot exists
    gram = exact_gram_of_matrix(np.kron(np.eye(40), swap))
    count, bits = ball_count(gram, Fraction(1, 3))
    assert (count, bits) == (40, 128)
    generator = np.random.default_rng(0)
    features = generator.standard_normal((100, 90)) * 10.0 ** -np.linspace(0, 40, 90)
    wide = exact_gram(as_features(features), as_measure("raw", None, 100))
    theta = wide.threshold(Fraction(1e-50))
    assert ball_count(wide, theta)[0] == exact_count(wide, theta)


def test_ball_counts_raise_their_precision_and_then_refuse_a_tie() -> None:
    gram = exact_gram_of_matrix(np.array([[2.0, 1.0], [1.0, 2.0]]))  # λ = 3, 1
    count, bits = ball_count(gram, gram.threshold(1 + Fraction(1, 2**300)))
    assert count == 1
    assert bits > 300
    assert ball_count(gram, gram.threshold(Fraction(1)), max_bits=512) == (None, 512)


def test_ball_precision_does_not_leak() -> None:
    before = flint.ctx.prec

    def work() -> None:
        with ball_precision(999):
            assert flint.ctx.prec == 999
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        work()
    assert flint.ctx.prec == before
    ball_count(exact_gram_of_matrix(np.eye(2)), Fraction(1, 2))
    assert flint.ctx.prec == before


def test_cholesky_shortcut_certifies_and_never_overclaims() -> None:
    generator = np.random.default_rng(0)
    square = generator.standard_normal((400, 300))
    gram = square.T @ square
    smallest = float(np.linalg.eigvalsh(gram)[0])
    assert all_above(gram, 0.0, smallest * 0.99)
    assert not all_above(gram, 0.0, smallest * 1.01)
    assert not all_above(gram, smallest * 0.02, smallest * 0.99)  # the matrix is less well known
    assert not all_above(gram, 0.0, smallest)


def test_low_rank_shortcut_agrees_with_integers() -> None:
    generator = np.random.default_rng(0)
    features = np.tanh(
        np.linspace(-1, 1, 300)[:, None] * generator.normal(0, 3, 280) + generator.normal(0, 1, 280)
    )
    problem = problem_of(features, "mean")
    theta = Fraction(1e-6) / problem.weighted.scale
    enclosure = low_rank_enclosure(problem.gram, problem.formed, float(theta))
    assert enclosure is not None
    lower, upper = enclosure.count(theta, theta)
    assert lower == upper == problem.accurate.count(theta, theta)[0]
    assert (enclosure.lower <= problem.accurate.upper).all()
    assert (enclosure.upper >= problem.accurate.lower).all()
    fresh = problem_of(features, "mean")
    [decision] = fresh.decide(Thresholds((1e-6,)))
    assert (decision.lower, decision.route) == (lower, "gram")
    assert "fast" not in fresh.__dict__  # the eigenvalues were spared


def test_the_low_rank_shortcut_counts_its_remainder() -> None:
    # A remainder that is not small must widen the intervals, not vanish.
    matrix = np.diag(np.r_[np.ones(10), np.full(290, 5e-4)])
    enclosure = low_rank_enclosure(matrix, 0.0, 1.0)
    assert enclosure is not None
    assert (enclosure.upper[10:] >= 5e-4).all()


def symmetric(n: int, seed: int, decades: float = 8.0) -> np.ndarray[Any, Any]:
    return with_spectrum(10.0 ** -np.linspace(0, decades, n), seed)


def assert_inertia_agrees_with_balls(n: int, theta: float) -> None:
    matrix = symmetric(n, seed=n)
    bounds = inertia_bounds(matrix, 1e-12, theta, theta)
    gram = exact_gram_of_matrix(matrix)
    truth, _ = ball_count(gram, gram.threshold(Fraction(theta)))
    assert bounds is not None
    assert truth is not None
    assert bounds[0] <= truth <= bounds[1]
    assert bounds[1] - bounds[0] <= 1


# Beyond 64, LAPACK factorises in blocks; 300 and 301 are in tests/slow.
@pytest.mark.parametrize("n", [2, 30, 100, 101])
@pytest.mark.parametrize("theta", [1e-1, 1e-4, 3e-7])
def test_inertia_bounds_agree_with_balls(n: int, theta: float) -> None:
    assert_inertia_agrees_with_balls(n, theta)


def test_inertia_with_two_by_two_pivots() -> None:
    matrix = np.kron(np.eye(20), np.array([[1.0, 50.0], [50.0, 1.0]]))  # λ = 51, −49
    found = certified_inertia(matrix, 1.0)
    assert found is not None
    assert found[0] == 20
    assert found[1] < 1e-9


def test_inertia_covers_a_matrix_that_is_poorly_known() -> None:
    matrix = np.diag([1.0, 0.5, 0.25])
    assert inertia_bounds(matrix, 0.0, 0.4, 0.4) == (2, 2)
    assert inertia_bounds(matrix, 0.1, 0.4, 0.4) == (1, 2)  # 0.5 may be on either side
    assert inertia_bounds(matrix, 0.3, 0.4, 0.4) == (1, 3)
    assert inertia_bounds(matrix, 0.7, 0.4, 0.4) == (0, 3)
    assert inertia_bounds(matrix, 0.0, 0.3, 0.6) == (1, 2)


@pytest.mark.parametrize("fault", ["pivot", "factor", "order"])
def test_a_wrong_factorisation_is_caught_by_its_residual(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = symmetric(40, seed=3)
    right = inertia_route._factorise

    def wrong(shifted: Any) -> Any:
        factors = right(shifted)
        assert factors is not None
        outer, pivots, off = (part.copy() for part in factors)
        if fault == "pivot":
            pivots[np.flatnonzero(np.abs(pivots) > 1e-3)[0]] *= -1
        elif fault == "factor":
            outer[np.unravel_index(np.argmax(np.abs(np.tril(outer, -1))), outer.shape)] += 0.5
        else:
            outer[[0, 1]] = outer[[1, 0]]
        return outer, pivots, off

    monkeypatch.setattr(inertia_route, "block_inertia", lambda *_: None)
    assert inertia_bounds(matrix, 0.0, 1e-5, 1e-5) is not None
    monkeypatch.setattr(inertia_route, "_factorise", wrong)
    assert inertia_bounds(matrix, 0.0, 1e-5, 1e-5) is None


def test_wide_layers_are_counted_without_eigenvalues() -> None:
    generator = np.random.default_rng(0)
    features = generator.standard_normal((600, 300)) @ symmetric(300, 1, 6.0)
    problem = problem_of(features, "mean")
    [decision] = problem.decide(Thresholds((1e-6,)))
    assert "inertia" in decision.reason
    assert "fast" not in problem.__dict__
    theta = Fraction(1e-6) / problem.weighted.scale
    assert problem.accurate.count(theta, theta) == (decision.lower, decision.upper)
    many = problem_of(features, "mean")
    found = many.decide(Thresholds((1e-2, 1e-4, 1e-6)))
    assert "fast" in many.__dict__  # one set of eigenvalues serves many thresholds
    assert found[2].lower == decision.lower
