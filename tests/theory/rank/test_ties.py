"""Eigenvalues that equal the threshold: left out exactly, in whatever cluster they are."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.linalg as sl
from flint import fmpz, fmpz_mat

from epsrank.theory import epsilon_rank, epsilon_rank_from_gram
from epsrank.theory.data.exact_gram import ExactGram
from epsrank.theory.rank.routes import exact as module
from epsrank.theory.rank.routes.exact import exact_count, integer_count
from epsrank.theory.rank.routes.ties import _PRIMES, directions, principal, regular_part, shifted


def tied(order: int, seed: int, rank: int) -> fmpz_mat:
    """Return a symmetric integer matrix of a rank, with eigenvalues of both signs."""
    rng = np.random.default_rng(seed)
    left = rng.integers(-3, 4, (order, rank))
    signs = np.where(np.arange(rank) % 3, 1, -1)
    return fmpz_mat((left * signs @ left.T).tolist())


@pytest.mark.parametrize(("order", "rank"), [(6, 0), (6, 1), (6, 4), (6, 6), (20, 13)])
def test_a_regular_part_has_the_inertia_of_the_whole(order, rank) -> None:
    for seed in range(5):
        matrix = tied(order, seed, rank)
        kept = regular_part(matrix)
        assert kept is not None
        assert len(kept) == matrix.rank()
        whole = ExactGram(matrix, Fraction(1))
        if kept:
            part = principal(matrix, kept)
            assert part.det() != 0
            assert exact_count(ExactGram(part, Fraction(1)), Fraction(0)) == exact_count(
                whole, Fraction(0)
            )


def test_the_primes_are_prime_and_one_that_fails_is_passed_over() -> None:
    assert all(fmpz(prime).is_prime() for prime in _PRIMES)
    # Singular modulo the first prime alone, regular over the integers.
    matrix = fmpz_mat([[_PRIMES[0], 0, 0], [0, 1, 0], [0, 0, 0]])
    assert regular_part(matrix) == [0, 1]
    product = _PRIMES[0] * _PRIMES[1] * _PRIMES[2]
    assert regular_part(fmpz_mat([[product, 0], [0, 0]])) is None


@pytest.mark.parametrize("exact", [False, True])
def test_a_wide_cluster_with_exact_ties_is_decided(exact) -> None:
    k = np.random.default_rng(0).integers(-2, 3, 72)
    # Orthogonal columns: λ_j = (1 + k_j 2⁻⁵²)² exactly.
    features = sl.hadamard(128)[:, :72] * (1 + k * 2.0**-52)
    found = epsilon_rank(features, 1.0, exact=exact)
    assert int(found) == int((k > 0).sum())
    assert found.route in ("ball", "exact")
    dense = features * (1 + np.random.default_rng(1).integers(-2, 3, (128, 72)) * 2.0**-52)
    decided, by_polynomial = (epsilon_rank(dense, 1.0, exact=way) for way in (False, True))
    assert int(decided) == int(by_polynomial)


def test_ties_of_a_gram_matrix_are_decided() -> None:
    gram = np.kron(np.eye(40), [[2.0, 1.0], [1.0, 2.0]])  # 1 and 3, forty times each
    assert int(epsilon_rank_from_gram(gram, 1.0)) == 40
    assert int(epsilon_rank_from_gram(gram, 3.0)) == 0
    assert int(epsilon_rank_from_gram(np.eye(70), 1.0)) == 0


def near_tie(bits: int) -> tuple[ExactGram, Fraction]:
    """Return 70 eigenvalues: one is θ, one θ + 1 ≈ θ(1 + 2^−bits), the others far away."""
    theta = 2**bits
    values = [theta, theta + 1] + [2 * theta] * 30 + [theta // 4] * 38
    rows = [[value if i == j else 0 for j in range(70)] for i, value in enumerate(values)]
    return ExactGram(fmpz_mat(rows), Fraction(1)), Fraction(theta)


def test_what_no_ball_decides_is_enclosed_by_two_counts(monkeypatch) -> None:
    gram, theta = near_tie(200)
    found = integer_count(gram, theta, lambda: np.eye(70))
    assert (found.lower, found.upper, found.route) == (31, 31, "ball")
    monkeypatch.setattr(module, "AUTO_BUDGET", 0.0)
    # Vectors that keep every leading block singular, and too few bits to tell θ + 1 from θ.
    monkeypatch.setattr(module, "_without_ties", lambda *_: None)
    found = integer_count(gram, theta, lambda: np.eye(70))
    assert (found.lower, found.upper) == (30, 32)
    assert found.open_to_exact
    monkeypatch.setattr(module, "exact_cost", lambda _: 2.0)
    found = integer_count(gram, theta, lambda: np.eye(70), exact=True)
    assert (found.lower, found.upper, found.route) == (31, 31, "exact")


def test_directions_of_a_cluster_diagonalise_it() -> None:
    rng = np.random.default_rng(3)
    small = rng.integers(-(10**6), 10**6, (9, 9))
    matrix = fmpz_mat((small + small.T + np.eye(9, dtype=int).astype(object) * 2**200).tolist())
    difference = shifted(matrix, 2**200, 1)
    vectors = directions(difference)
    assert vectors is not None
    product = vectors.T @ np.array(difference.tolist(), dtype=float) @ vectors
    off = product - np.diag(np.diag(product))
    assert np.abs(off).max() < 1e-9 * np.abs(product).max()


def test_the_reason_names_exact_only_where_it_helps() -> None:
    # The bound of the matrix leaves it open, and no arithmetic can help.
    found = epsilon_rank_from_gram(np.diag([1.0, 0.5]), 0.5, gram_error=0.1)
    with pytest.raises(ValueError, match=r"own error bound .*; use .lower and .upper$") as caught:
        int(found)
    assert "exact" not in str(caught.value)
