"""The constants of neuron selection: 1 + f²p(n−p) on λ_{p+1} against the draft's on Σ_{k>p} λ_k."""

from __future__ import annotations

import math

from epsrank.theory.data.inputs import as_whole
from epsrank.theory.numbers.arrays import Vector
from epsrank.theory.numbers.scaled import frobenius


def selection_factor(n: int, p: int, f: float = 1.0) -> float:
    """Return 1 + f²p(n−p), the factor of N1 on λ_{p+1} ‖β‖².

    f = 1 is a maximal minor; f > 1 is what strong rank-revealing QR reaches in polynomial time.
    """
    p = as_whole(p, "p", least=0, most=n)
    return 1.0 + f * f * p * (n - p)


def draft_factor(n: int, p: int) -> int:
    """Return (p+1)(n−p), the factor of [S1] (draft) on Σ_{k>p} λ_k ‖β‖²."""
    p = as_whole(p, "p", least=0, most=n)
    return (p + 1) * (n - p)


def selection_bound(singular_values: Vector, p: int, norm: float, f: float = 1.0) -> float:
    """Return √((1 + f²p(n−p)) λ_{p+1}) ‖β‖, to rounding (N1)."""
    n = len(singular_values)
    following = float(singular_values[p]) if p < n else 0.0
    return math.sqrt(selection_factor(n, p, f)) * following * norm


def draft_bound(singular_values: Vector, p: int, norm: float) -> float:
    """Return √((p+1)(n−p) Σ_{k>p} λ_k) ‖β‖, the draft's bound, to rounding."""
    tail = frobenius(singular_values[p:])
    return math.sqrt(draft_factor(len(singular_values), p)) * tail * norm
