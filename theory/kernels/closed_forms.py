"""κ(S) = E[σ(u)σ(v)] for (u, v) ~ N(0, S) as SymPy expressions in S_xx, S_xy, S_yy.

Sources: Cho & Saul, NIPS 2009 (arc-cosine); Williams, NIPS 1996 (arc-sine); Rahimi & Recht, NIPS
2007 (cosine). The others follow from Price's theorem ∂κ/∂S_xy = E[σ′(u)σ′(v)], which is also how
`epsrank.theory.symbolic.kernel_identities` checks all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import sympy as sp

#: Variances of the pre-activations u = z(x), v = z(y), and their covariance.
S_xx, S_yy = sp.symbols("S_xx S_yy", positive=True)
S_xy = sp.Symbol("S_xy", real=True)
#: Pre-activation.
z = sp.Symbol("z", real=True)

_RHO = S_xy / sp.sqrt(S_xx * S_yy)


def step() -> Any:
    """Return κ of σ(z) = 1 for z > 0, ½ at 0, else 0: the arc-cosine kernel of order 0."""
    return sp.Rational(1, 4) + sp.asin(_RHO) / (2 * sp.pi)


def relu() -> Any:
    """Return κ of σ(z) = max(z, 0): the arc-cosine kernel of order 1."""
    angle = sp.acos(_RHO)
    # sin θ from 1 − ρ and 1 + ρ: from 1 − ρ² it would lose half the digits near ρ = 1.
    sine = sp.sqrt((1 - _RHO) * (1 + _RHO))
    return sp.sqrt(S_xx * S_yy) / (2 * sp.pi) * (sine + (sp.pi - angle) * _RHO)


def leaky_relu(slope: Any) -> Any:
    """Return κ of σ(z) = max(z, 0) + α min(z, 0) = (1 − α) max(z, 0) + α z."""
    # E[u max(v, 0)] = S_xy/2, so the mixed terms are 2α(1 − α) S_xy/2.
    return (1 - slope) ** 2 * relu() + slope * S_xy


def erf() -> Any:
    """Return κ of the error function: the arc-sine kernel."""
    return 2 / sp.pi * sp.asin(2 * S_xy / sp.sqrt((1 + 2 * S_xx) * (1 + 2 * S_yy)))


def cosine() -> Any:
    """Return κ of σ(z) = cos z, in a form that does not overflow."""
    near, far = _waves()
    return (near + far) / 2


def sine() -> Any:
    """Return κ of σ(z) = sin z."""
    near, far = _waves()
    return (near - far) / 2


def _waves() -> tuple[Any, Any]:
    """E cos(u − v) and E cos(u + v)."""
    total = S_xx + S_yy
    return sp.exp(-(total - 2 * S_xy) / 2), sp.exp(-(total + 2 * S_xy) / 2)


def gaussian() -> Any:
    """Return κ of σ(z) = exp(−z²)."""
    return 1 / sp.sqrt((1 + 2 * S_xx) * (1 + 2 * S_yy) - 4 * S_xy**2)


def gelu() -> Any:
    """Return κ of σ(z) = z Φ(z), Φ the normal distribution function."""
    a, b = 1 + S_xx, 1 + S_yy
    both = sp.Rational(1, 4) + sp.asin(S_xy / sp.sqrt(a * b)) / (2 * sp.pi)
    rest = S_xx * S_yy + S_xy**2 * (1 / a + 1 / b - 1)
    return S_xy * both + rest / (2 * sp.pi * sp.sqrt(a * b - S_xy**2))


def moment(p: int, q: int) -> Any:
    """Return E[u^p v^q] by Isserlis' theorem: the sum over the number k of mixed pairs."""
    if (p - q) % 2:
        return sp.Integer(0)
    terms = [
        sp.binomial(p, k)
        * sp.binomial(q, k)
        * sp.factorial(k)
        * sp.factorial2(p - k - 1)
        * sp.factorial2(q - k - 1)
        * S_xy**k
        * S_xx ** ((p - k) // 2)
        * S_yy ** ((q - k) // 2)
        for k in range(p % 2, min(p, q) + 1, 2)
    ]
    return sp.Add(*terms)


def polynomial(coefficients: Sequence[Any]) -> Any:
    """Return κ of σ(z) = Σ_k c_k z^k."""
    exact = [exact_number(c) for c in coefficients]
    terms = [
        left * right * moment(p, q)
        for p, left in enumerate(exact)
        for q, right in enumerate(exact)
        if left != 0 and right != 0
    ]
    return sp.Add(*terms)


def exact_number(value: Any) -> Any:
    """Return a number as the SymPy number that it is: a float as the fraction it stores."""
    if isinstance(value, float):
        fraction = Fraction(value)
        return sp.Rational(fraction.numerator, fraction.denominator)
    return sp.sympify(value)
