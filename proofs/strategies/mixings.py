"""Mixings φ ↦ φT of neurons, chosen so that ΦT is computed without rounding."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from epsrank.proofs.strategies.entries import small_integers
from epsrank.proofs.strategies.spectra import hadamard
from epsrank.theory.numbers.arrays import Square


@st.composite
def permutations(draw: st.DrawFn, size: int) -> Square:
    """Draw a permutation matrix.

    Parameters
    ----------
    draw : callable
        Supplied by Hypothesis.
    size : int
        n.

    Returns
    -------
    ndarray of float64, shape (n, n)
        P.
    """
    return np.eye(size)[:, draw(st.permutations(range(size)))]


@st.composite
def signed_permutations(draw: st.DrawFn, size: int) -> Square:
    """Draw a permutation matrix with signs: orthogonal, and exact on any float features.

    Parameters
    ----------
    draw : callable
        Supplied by Hypothesis.
    size : int
        n.

    Returns
    -------
    ndarray of float64, shape (n, n)
        P diag(±1).
    """
    signs = draw(st.lists(st.sampled_from((1.0, -1.0)), min_size=size, max_size=size))
    return np.asarray(draw(permutations(size)) * np.array(signs), dtype=np.float64)


@st.composite
def dyadic_orthogonal(draw: st.DrawFn, size: int) -> Square:
    """Draw an orthogonal matrix with entries 0, ±1/4, ±1/2, ±1, QᵀQ = I without rounding.

    Blocks H₄/2 and H₁₆/4 between signed permutations; sizes below 4 give signed permutations.

    Parameters
    ----------
    draw : callable
        Supplied by Hypothesis.
    size : int
        n.

    Returns
    -------
    ndarray of float64, shape (n, n)
        Q.
    """
    middle = np.eye(size)
    # Powers of 4 alone: their roots are powers of 2, so that nothing is rounded.
    block = draw(st.sampled_from([order for order in (1, 4, 16) if order <= size]))
    for start in range(0, size - block + 1, block):
        middle[start : start + block, start : start + block] = hadamard(block) / np.sqrt(block)
    left, right = draw(signed_permutations(size)), draw(signed_permutations(size))
    return np.asarray(left @ middle @ right, dtype=np.float64)


@st.composite
def integer_invertible(draw: st.DrawFn, size: int) -> Square:
    """Draw an invertible integer matrix: unit lower triangular × integer upper triangular.

    Parameters
    ----------
    draw : callable
        Supplied by Hypothesis.
    size : int
        n.

    Returns
    -------
    ndarray of float64, shape (n, n)
        T.
    """
    shape = (size, size)
    lower = draw(hnp.arrays(np.int64, shape, elements=small_integers(2), fill=st.nothing()))
    upper = draw(hnp.arrays(np.int64, shape, elements=small_integers(2), fill=st.nothing()))
    diagonal = draw(st.lists(st.sampled_from((1, -1, 2, 3)), min_size=size, max_size=size))
    left = np.tril(lower, -1) + np.eye(size, dtype=np.int64)
    right = np.triu(upper, 1) + np.diag(diagonal)
    return np.asarray(left @ right, dtype=np.float64)


@st.composite
def exact_mixings(draw: st.DrawFn, size: int) -> tuple[Square, float, float]:
    """Draw T = Q₁ diag(2^{e_k}) Q₂ with dyadic orthogonal Q's: σ_min and σ_max are known exactly.

    Parameters
    ----------
    draw : callable
        Supplied by Hypothesis.
    size : int
        n.

    Returns
    -------
    tuple of (ndarray of float64 of shape (n, n), float, float)
        T, σ_min(T), σ_max(T).
    """
    powers = draw(st.lists(st.integers(-6, 6), min_size=size, max_size=size))
    scales = np.ldexp(np.ones(size), powers)
    mixing = (draw(dyadic_orthogonal(size)) * scales) @ draw(dyadic_orthogonal(size))
    return mixing, float(scales.min()), float(scales.max())
