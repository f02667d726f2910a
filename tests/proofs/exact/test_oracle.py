"""The independent count is checked against SymPy, prescribed spectra, and its own faults."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from epsrank.proofs.exact import oracle
from epsrank.proofs.strategies import integer_features, known_spectra, thresholds


def _sympy_count(gram: oracle.Matrix, eps: Fraction) -> int:
    """Count roots of the characteristic polynomial above ε by a Sturm sequence."""
    x = sympy.symbols("x")
    matrix = sympy.Matrix([[sympy.Rational(v.numerator, v.denominator) for v in r] for r in gram])
    poly = sympy.Poly(matrix.charpoly(x).as_expr(), x)
    # Sturm counts distinct roots, so multiplicities come from the square-free factors.
    total = 0
    bound = sympy.Rational(eps.numerator, eps.denominator)
    for factor, power in poly.sqf_list()[1]:
        roots = factor.count_roots(bound, None)
        total += power * (roots - int(factor.eval(bound) == 0))
    return int(total)


@settings(max_examples=25)
@given(integer_features(5, 4, bound=4), st.sampled_from((0, 1, 2, 5, Fraction(1, 3), 20)))
def test_inertia_counts_as_sturm_sequences_do(features, eps):
    gram = oracle.exact_gram(features)
    assert oracle.inertia(oracle.shifted(gram, Fraction(eps)))[0] == _sympy_count(
        gram, Fraction(eps)
    )


@given(known_spectra(), thresholds(), st.data())
def test_inertia_counts_a_prescribed_spectrum(known, eps, data):
    aimed = data.draw(st.sampled_from((Fraction(eps), *known.eigenvalues)))
    assert oracle.exact_rank(known.features, aimed) == known.rank(aimed)


def test_zero_diagonal_blocks_are_counted():
    matrix = [[Fraction(v) for v in row] for row in ((0, 1, 0), (1, 0, 0), (0, 0, 0))]
    assert oracle.inertia(matrix) == (1, 1, 1)


@pytest.mark.parametrize("measure", ["mean", "raw", "volume"])
def test_measures_scale_the_gram_matrix(measure):
    features = np.array([[1.0, 2.0], [3.0, 4.0]])
    weights = np.array([0.5, 1.5])
    gram = oracle.exact_gram(features, weights, measure)
    scale = 2 if measure == "mean" else 1
    assert gram[0][0] == Fraction(14, 1) / scale


def test_the_strict_inequality_matters():
    eye = np.eye(3)
    assert oracle.exact_rank(eye, 1.0) == 0
    assert oracle.exact_rank(eye, np.nextafter(1.0, 0.0)) == 3
