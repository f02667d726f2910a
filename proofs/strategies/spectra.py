"""Features whose Gram eigenvalues and eigenvectors are known exactly, as rational numbers.

With a Hadamard matrix H of order n (HᵀH = nI) the features Φ = K diag(s) H, K the first n columns
of a Hadamard matrix of order N, have ΦᵀΦ = N·Hᵀ diag(s²) H: eigenvalues N·n·s_k², eigenvectors the
rows of H. For dyadic s every entry is a float64 number, so the spectrum prescribed is the spectrum.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from epsrank.theory.numbers.arrays import Matrix, Square, Vector

#: An s_k within 2^±20 of the others keeps sums of eight of them inside 53 bits.
_SPREAD = 20


@dataclass(frozen=True, eq=False)
class KnownSpectrum:
    """Features with an exactly known spectrum under raw weights.

    Attributes
    ----------
    features : ndarray of float64, shape (N, n)
        Φ.
    eigenvalues : tuple of Fraction, length n
        λ_1 ≥ … ≥ λ_n of ΦᵀΦ, exactly.
    eigenvectors : ndarray of float64, shape (n, n)
        Columns q_k·√c with one common c: orthogonal integer vectors, in the order of λ.
    """

    features: Matrix
    eigenvalues: tuple[Fraction, ...]
    eigenvectors: Square

    def rank(self, eps: Fraction | float) -> int:
        """Count the eigenvalues above ε, exactly (D1).

        Parameters
        ----------
        eps : Fraction or float
            Threshold, taken to its last bit.

        Returns
        -------
        int
            #{k : λ_k > ε}.
        """
        return sum(value > Fraction(eps) for value in self.eigenvalues)


def hadamard(order: int) -> Square:
    """Return the Sylvester–Hadamard matrix H, H Hᵀ = order·I, entries ±1.

    Parameters
    ----------
    order : int
        A power of two.

    Returns
    -------
    ndarray of float64, shape (order, order)
        H.

    Raises
    ------
    ValueError
        If the order is not a power of two.
    """
    if order < 1 or order & (order - 1):
        raise ValueError(f"order is {order}; choose a power of two")
    matrix = np.ones((1, 1))
    while matrix.shape[0] < order:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix


def from_singular_values(values: Vector, n_samples: int) -> KnownSpectrum:
    """Build features with ΦᵀΦ = Hᵀ diag(N s²) H, hence λ_k = N·n·s_k².

    The s_k ≥ 0 are dyadic, all multiples of one power of two and below 2⁴⁰ times it; n is a power
    of two.
    """
    n = len(values)
    left, right = hadamard(n_samples)[:, :n], hadamard(n)
    order = np.argsort(-values, kind="stable")
    exact = tuple(Fraction(float(values[k])) ** 2 * n * n_samples for k in order)
    return KnownSpectrum((left * values) @ right, exact, right[order].T.copy())


@st.composite
def spectra(draw: st.DrawFn, length: int) -> Vector:
    """Draw singular values s ≥ 0: clustered, repeated, zero and tiny ones, times one power of two.

    Parameters
    ----------
    draw : callable
        Supplied by Hypothesis.
    length : int
        n.

    Returns
    -------
    ndarray of float64, shape (n,)
        s; every entry a multiple of one power of two, below 2⁴⁰ times it.
    """
    top = 2**_SPREAD
    entry = st.one_of(
        st.just(1),
        st.just(0),
        st.integers(0, 16),
        st.integers(0, _SPREAD).map(lambda e: 2**e),
        st.integers(top - 2, top + 2),  # a cluster with relative gaps of 1e-6
    )
    values = draw(st.lists(entry, min_size=length, max_size=length))
    # 2^±480: squares just stay within float64.
    scale = draw(st.sampled_from((0, 0, -10, -30, 10, -480, 480)))
    return np.ldexp(np.array(values, dtype=np.float64), scale)


@st.composite
def known_spectra(draw: st.DrawFn, max_features: int = 8) -> KnownSpectrum:
    """Draw features of exactly known spectrum.

    Parameters
    ----------
    draw : callable
        Supplied by Hypothesis.
    max_features : int
        Largest n, a power of two.

    Returns
    -------
    KnownSpectrum
        Features with λ and q known.
    """
    orders = [order for order in (1, 2, 4, 8, 16) if order <= max_features]
    n = draw(st.sampled_from(orders))
    values = draw(spectra(n))
    return from_singular_values(values, n * draw(st.sampled_from((1, 2))))


@st.composite
def gram_matrices(draw: st.DrawFn, max_features: int = 8) -> tuple[Square, tuple[Fraction, ...]]:
    """Draw a Gram matrix G with float64 entries that are exact, and its exact eigenvalues.

    Parameters
    ----------
    draw : callable
        Supplied by Hypothesis.
    max_features : int
        Largest n, a power of two.

    Returns
    -------
    tuple of (ndarray of float64 of shape (n, n), tuple of Fraction)
        G = Hᵀ diag(λ/n) H and λ_1 ≥ … ≥ λ_n.
    """
    orders = [order for order in (1, 2, 4, 8) if order <= max_features]
    n = draw(st.sampled_from(orders))
    values = draw(spectra(n))
    basis = hadamard(n)
    # λ_k/n = s_k: multiples of one power of two below 2⁴⁰ of it, so sums of n are exact.
    gram = basis.T @ (values[:, None] * basis)
    exact = sorted((Fraction(float(value)) * n for value in values), reverse=True)
    return gram, tuple(exact)
