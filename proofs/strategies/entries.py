"""Single numbers and vectors: entries, thresholds ε, weights, targets, coefficients."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from epsrank.theory.numbers.arrays import Matrix, Vector

#: Thresholds that users set, and a few that only adversaries do.
COMMON_EPS = (1e-6, 1e-2, 1e-4, 1e-8, 1e-10, 1e-12, 1e-20, 0.25, 1.0, 2.0, 1e-30, 1e-300, 1e300)


def small_integers(bound: int = 9) -> st.SearchStrategy[int]:
    """Draw integers of modulus at most `bound`.

    Parameters
    ----------
    bound : int
        Largest modulus.

    Returns
    -------
    SearchStrategy of int
        The strategy; it shrinks to 0.
    """
    return st.integers(-bound, bound)


def full_mantissas() -> st.SearchStrategy[float]:
    """Draw float64 numbers in [−1, 1] which use all 53 bits.

    Returns
    -------
    SearchStrategy of float
        m·2⁻⁵³ with an integer |m| ≤ 2⁵³.
    """
    return st.integers(-(2**53), 2**53).map(lambda m: float(np.ldexp(float(m), -53)))


def exponents(limit: int = 12) -> st.SearchStrategy[int]:
    """Draw exponents e of powers of two, mostly small.

    Parameters
    ----------
    limit : int
        Largest |e|.

    Returns
    -------
    SearchStrategy of int
        The strategy; it shrinks to 0.
    """
    return st.integers(-limit, limit)


@st.composite
def thresholds(draw: st.DrawFn) -> float:
    """Draw a threshold ε > 0: usual values, powers of two, integers, and ε = a·10^e in general.

    Parameters
    ----------
    draw : callable
        Supplied by Hypothesis.

    Returns
    -------
    float
        ε, between 1e-300 and 1e300.
    """
    kind = draw(st.sampled_from(("common", "dyadic", "integer", "decimal")))
    if kind == "common":
        return draw(st.sampled_from(COMMON_EPS))
    if kind == "dyadic":
        return float(np.ldexp(1.0, draw(st.integers(-60, 12))))
    if kind == "integer":
        return float(draw(st.integers(1, 200)))
    return float(draw(st.integers(1, 99))) * 10.0 ** draw(st.integers(-24, 3))


@st.composite
def sample_weights(draw: st.DrawFn, n_samples: int) -> Vector:
    """Draw weights w ∈ R^N, w ≥ 0, not all zero: integers, dyadics, quadrature-like, with zeros.

    Parameters
    ----------
    draw : callable
        Supplied by Hypothesis.
    n_samples : int
        Number of samples N.

    Returns
    -------
    ndarray of float64, shape (N,)
        The weights.
    """
    # fill=nothing draws every entry by itself; by default many share one value.
    values = draw(hnp.arrays(np.int64, n_samples, elements=st.integers(0, 8), fill=st.nothing()))
    # Not all zero.
    values[draw(st.integers(0, n_samples - 1))] += 1
    scale = draw(st.sampled_from((1.0, 0.5, 1 / 3, 0.001, 2.0**-30)))
    return values.astype(np.float64) * scale


@st.composite
def targets(draw: st.DrawFn, n_samples: int, n_outputs: int | None = None) -> Matrix:
    """Draw a target u* ∈ R^{N×k}, zero included.

    Parameters
    ----------
    draw : callable
        Supplied by Hypothesis.
    n_samples : int
        Number of samples N.
    n_outputs : int, optional
        k; drawn from 1…3 when None.

    Returns
    -------
    ndarray of float64, shape (N, k)
        The target.
    """
    outputs = draw(st.integers(1, 3)) if n_outputs is None else n_outputs
    entries = draw(st.sampled_from((small_integers(), full_mantissas())))
    values = draw(hnp.arrays(np.float64, (n_samples, outputs), elements=entries, fill=st.nothing()))
    return values * 10.0 ** draw(st.sampled_from((0, 0, 0, -3, 3)))


@st.composite
def coefficients(draw: st.DrawFn, n_features: int, n_outputs: int = 1) -> Matrix:
    """Draw output coefficients W ∈ R^{n×k} of very different norms, zero included.

    Parameters
    ----------
    draw : callable
        Supplied by Hypothesis.
    n_features : int
        Number of neurons n.
    n_outputs : int
        Number of outputs k.

    Returns
    -------
    ndarray of float64, shape (n, k)
        The coefficients.
    """
    entries = draw(st.sampled_from((small_integers(), full_mantissas())))
    shape = (n_features, n_outputs)
    values = draw(hnp.arrays(np.float64, shape, elements=entries, fill=st.nothing()))
    return values * 10.0 ** draw(st.sampled_from((0, 0, -2, 2, 4, -6)))


def norms() -> st.SearchStrategy[float]:
    """Draw bounds B ≥ 0 on ‖β‖, from 0 to 10⁶.

    Returns
    -------
    SearchStrategy of float
        The strategy; it shrinks to 0.
    """
    return st.one_of(
        st.integers(0, 20).map(float),
        st.integers(-6, 6).map(lambda e: 10.0**e),
        st.integers(1, 2**20).map(lambda m: m / 2**10),
    )
