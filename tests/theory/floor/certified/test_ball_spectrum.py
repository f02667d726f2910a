"""Refined bases on hard spectra, and verification which does not trust them."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import flint
import numpy as np
import pytest
from flint import arb, arb_mat, ctx

from epsrank.theory.data.inputs import as_features
from epsrank.theory.data.measure import as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.certified.ball_distance import distances
from epsrank.theory.floor.certified.ball_reachable import reachable
from epsrank.theory.floor.certified.ball_spectrum import ball_spectrum, verified_spectrum
from epsrank.theory.floor.certified.chain import rank_interval
from epsrank.theory.floor.certified.exact_data import exact_data
from epsrank.theory.floor.certified.refined_basis import refined_basis
from epsrank.theory.numbers.interval import Interval

BITS = 256

SPECTRA = {
    "separated": [2.0**-k for k in range(12)],
    "repeated": [1.0] * 5 + [2.0**-60] * 5,
    "graded to 1e-40": [10.0 ** (-4 * k) for k in range(11)],
    "graded to 1e-66": [10.0 ** (-6 * k) for k in range(12)],
    "one value": [0.5] * 6,
    "low rank": [1.0, 0.25] + [0.0] * 8,
}


def rotated(spectrum, seed=0):
    """Q diag(λ) Qᵀ for a high-precision orthogonal Q, with Q as a witness of the truth."""
    n = len(spectrum)
    with ctx.workprec(2000):
        rows = np.random.default_rng(seed).standard_normal((n, n)).tolist()
        skew = arb_mat([[arb(rows[i][j] - rows[j][i]) for j in range(n)] for i in range(n)])
        one = arb_mat([[int(i == j) for j in range(n)] for i in range(n)])
        q = (one - skew).solve(one + skew)  # Cayley transform: orthogonal
        middle = arb_mat([[arb(spectrum[i]) * int(i == j) for j in range(n)] for i in range(n)])
        return (q * middle * q.transpose()).mid()


def clusters_matrix():
    with ctx.workprec(2000):
        near = [1 + arb(10) ** -40 * k for k in range(5)]
        tiny = [arb(10) ** -30 * (1 + arb(10) ** -35 * k) for k in range(5)]
        return rotated(near + tiny), near + tiny


@pytest.mark.parametrize("name", SPECTRA)
def test_refinement_converges_on_hard_spectra(name):
    gram = rotated(SPECTRA[name])
    refined = refined_basis(gram, BITS)
    basis = refined.vectors
    assert refined.rounds < 20
    assert refined.trouble == ""
    with ctx.workprec(1000):
        projected = basis.transpose() * gram * basis
        n = len(SPECTRA[name])
        for i in range(n):
            for j in range(n):
                expected = SPECTRA[name][i] if i == j else 0.0
                error = abs(projected[i, j] - arb(expected))
                assert error < arb(2) ** (-BITS + 8), (i, j)


def test_refinement_resolves_clusters_far_below_float64():
    gram, truth = clusters_matrix()
    basis = refined_basis(gram, BITS).vectors
    with ctx.workprec(1000):
        projected = basis.transpose() * gram * basis
        found = [projected[k, k] for k in range(10)]
        expected = sorted(truth, key=lambda x: float(x - 1 if x > 0.5 else x), reverse=True)
        wanted = [*truth[4::-1], *truth[:4:-1]]
        assert len(expected) == len(wanted)
        for got, value in zip(found, wanted, strict=True):
            assert abs(got - value) < arb(2) ** (-BITS + 8)


def test_refinement_says_so_when_it_cannot():
    refined = refined_basis(rotated(SPECTRA["graded to 1e-66"]), BITS, max_rounds=1)
    assert "stalled" in refined.trouble
    assert refined.rounds == 1
    with ctx.workprec(1000):
        defect = refined.vectors.transpose() * refined.vectors
        assert abs(defect[3, 3] - 1) < arb(2) ** -BITS


def small_data(seed=0, n=6, n_samples=20):
    rng = np.random.default_rng(seed)
    features = as_features(rng.standard_normal((n_samples, n)) * 10.0 ** -np.arange(n))
    target = rng.standard_normal((n_samples, 1))
    return exact_data(features, target, as_measure("mean", None, n_samples))


def random_rotation(n, seed=0, size=1.0):
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(np.eye(n) + size * rng.standard_normal((n, n)))
    return arb_mat(q.tolist())


@pytest.mark.parametrize("size", [1.0, 1e-3, 1e-8, 1e-14])
def test_a_wrong_basis_makes_wide_intervals_never_wrong_ones(size):
    data = small_data()
    honest = ball_spectrum(data, 256)
    with ctx.workprec(256):
        wrong = honest_basis(data) * random_rotation(6, size=size)
    spectrum = verified_spectrum(data, wrong, 256)
    for wide, narrow in zip(spectrum.eigenvalues, honest.eigenvalues, strict=True):
        assert narrow in wide
        assert wide.width > narrow.width
    found, truth = distances(data, spectrum), distances(data, honest)
    for p in range(7):
        if found.separated[p]:
            assert truth.squared[p] in found.squared[p]
    for budget in (Fraction(1, 100), Fraction(1), Fraction(10**12)):
        loose = reachable(data, spectrum, found.squared[-1], budget).value
        tight = reachable(data, honest, truth.squared[-1], budget).value
        assert loose.lower <= tight.lower <= tight.upper <= loose.upper
        assert tight.width < Fraction(1, 10**40)


def honest_basis(data):
    with ctx.workprec(400):
        largest = max(data.gram_integers[k, k] for k in range(data.n_features))
        gram = arb_mat(data.gram_integers) / arb(largest)
        return refined_basis(gram, 300).vectors


def test_a_basis_that_is_not_orthonormal_is_refused():
    data = small_data()
    with pytest.raises(match="orthonormal"):
        verified_spectrum(data, honest_basis(data) * arb("1.01"), 256)


def test_swapped_eigenvectors_do_not_pass_for_sorted_ones():
    data = small_data()
    rows = honest_basis(data).tolist()
    swapped = arb_mat([[row[k] for k in (5, 1, 2, 3, 4, 0)] for row in rows])
    spectrum = verified_spectrum(data, swapped, 256)
    truth = ball_spectrum(data, 256).eigenvalues
    for wide, narrow in zip(spectrum.eigenvalues, truth, strict=True):
        assert max(wide.lower, narrow.lower) <= min(wide.upper, narrow.upper)
    assert not any(distances(data, spectrum).separated[1:5])


def test_rank_deficiency_is_exact():
    column = np.array([[1.0], [2.0], [3.0]])
    features = as_features(np.hstack([column, 2 * column, 3 * column]))
    data = exact_data(features, column, as_measure("raw", None, 3))
    assert data.rank == 1
    assert data.target_in_span
    spectrum = ball_spectrum(data, 128)
    assert spectrum.eigenvalues[1].upper == spectrum.eigenvalues[2].upper == 0
    assert Fraction(14 * 14) in spectrum.eigenvalues[0]
    assert data.nullity_at(Fraction(196)) == 1
    assert data.nullity_at(Fraction(195)) == 0


def test_working_precision_is_restored_after_failure():
    before = flint.ctx.prec
    with pytest.raises(InputError):
        verified_spectrum(small_data(), arb_mat([[2] * 6] * 6), 128)
    assert flint.ctx.prec == before


def test_eigenvalues_below_the_precision_leave_distances_open_but_enclosed():
    rng = np.random.default_rng(3)
    features = as_features(rng.standard_normal((20, 6)) * 10.0 ** (-8.0 * np.arange(6)))
    data = exact_data(features, rng.standard_normal((20, 1)), as_measure("mean", None, 20))
    coarse, fine = ball_spectrum(data, 64), ball_spectrum(data, 1024)
    open_, truth = distances(data, coarse), distances(data, fine)
    assert not open_.resolved
    assert truth.resolved
    assert all(truth.separated)
    for p in range(7):
        if open_.separated[p]:
            assert truth.squared[p] in open_.squared[p]
    # Once a term of the sum is unknown, no later distance is bounded from below.
    first = next(p for p in range(7) if open_.squared[p].lower == 0)
    assert all(open_.squared[p].lower == 0 for p in range(first, 7))


def test_an_enclosure_that_touches_the_threshold_counts_as_containing_it():
    features = as_features(np.diag([2.0, 1.0, 1.0]))
    data = exact_data(features, np.ones((3, 1)), as_measure("raw", None, 3))
    spectrum = ball_spectrum(data, 128)
    assert rank_interval(data, spectrum, Fraction(1)) == (1, 1)
    # Claim that one of the two eigenvalues 1 is known exactly, and the other may exceed ε.
    one = Interval(Fraction(1), Fraction(1))
    wide = Interval(Fraction(1), Fraction(3, 2))
    planted = dataclasses.replace(spectrum, eigenvalues=[spectrum.eigenvalues[0], wide, one])
    assert rank_interval(data, planted, Fraction(1)) == (1, 1)
    simple = exact_data(
        as_features(np.diag([2.0, 1.125, 1.0])), np.ones((3, 1)), as_measure("raw", None, 3)
    )
    # Here one eigenvalue equals ε and the enclosures of two contain it: it must stay open.
    assert rank_interval(simple, planted, Fraction(1)) == (1, 2)
