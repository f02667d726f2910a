"""The constants of neuron selection: 1 + f²p(n−p) on λ_{p+1} against the draft's on Σ_{k>p} λ_k."""

from __future__ import annotations

import math

from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Vector
from epsrank.theory.numbers.scaled import frobenius


def as_count(p: int, n: int, *, name: str = "p") -> int:
    """Check a number of neurons 0 ≤ p ≤ n.

    Parameters
    ----------
    p : int
        Neurons to keep.
    n : int
        Neurons there are.
    name : str
        Argument name for the error message.

    Returns
    -------
    int
        p.

    Raises
    ------
    InputError
        If p is not a whole number between 0 and n.
    """
    if isinstance(p, bool) or not hasattr(p, "__index__") or not 0 <= int(p) <= n:
        raise InputError(name, f"is {p!r}", f"pass a whole number from 0 to {n}")
    return int(p)


def selection_factor(n: int, p: int, f: float = 1.0) -> float:
    """Return 1 + f²p(n−p), the factor of N1 on λ_{p+1} ‖β‖².

    f = 1 is a maximal minor; f > 1 is what strong rank-revealing QR reaches in polynomial time.

    Parameters
    ----------
    n : int
        Number of neurons.
    p : int
        Neurons kept, 0 ≤ p ≤ n.
    f : float
        Bound on the entries of V₁₂V₂₂⁻¹.

    Returns
    -------
    float
        The factor.
    """
    p = as_count(p, n)
    return 1.0 + f * f * p * (n - p)


def draft_factor(n: int, p: int) -> int:
    """Return (p+1)(n−p), the factor of [S1] (draft) on Σ_{k>p} λ_k ‖β‖².

    Parameters
    ----------
    n : int
        Number of neurons.
    p : int
        Neurons kept, 0 ≤ p ≤ n.

    Returns
    -------
    int
        The factor.
    """
    p = as_count(p, n)
    return (p + 1) * (n - p)


def selection_bound(singular_values: Vector, p: int, norm: float, f: float = 1.0) -> float:
    """Return √((1 + f²p(n−p)) λ_{p+1}) ‖β‖, to rounding (N1).

    Parameters
    ----------
    singular_values : ndarray of float64, shape (n,)
        σ_1 ≥ … ≥ σ_n, the roots of λ_k.
    p : int
        Neurons kept.
    norm : float
        ‖β‖ or ‖W‖_F.
    f : float
        As in `selection_factor`.

    Returns
    -------
    float
        The bound on a norm; 0 at p = n.
    """
    n = len(singular_values)
    following = float(singular_values[p]) if p < n else 0.0
    return math.sqrt(selection_factor(n, p, f)) * following * norm


def draft_bound(singular_values: Vector, p: int, norm: float) -> float:
    """Return √((p+1)(n−p) Σ_{k>p} λ_k) ‖β‖, the draft's bound, to rounding.

    Parameters
    ----------
    singular_values : ndarray of float64, shape (n,)
        σ_1 ≥ … ≥ σ_n, the roots of λ_k.
    p : int
        Neurons kept.
    norm : float
        ‖β‖ or ‖W‖_F.

    Returns
    -------
    float
        The bound on a norm.
    """
    tail = frobenius(singular_values[p:])
    return math.sqrt(draft_factor(len(singular_values), p)) * tail * norm
