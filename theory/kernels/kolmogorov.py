"""Logistic σ as a scale mixture of error functions, which makes its kernel a mixture of arc-sines.

The logistic law is that of 2Kg with g normal and K of Kolmogorov's law (Andrews & Mallows, J. R.
Stat. Soc. B 36, 1974). So sigmoid z = E Φ(z/2K), tanh z = E erf(z/(√2 K)), and
E[tanh u tanh v] = E[(2/π) asin(S_xy/√((K² + S_xx)(K′² + S_yy)))] with K, K′ independent: a smooth
integrand whatever the scale of u and v, where products of tanh need ever more nodes.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import sympy as sp

from epsrank.theory.inputs import Array
from epsrank.theory.kernels.closed_forms import S_xx, S_xy, S_yy
from epsrank.theory.kernels.polar import gauss_rule

#: Nodes per scale, and of the coarser rule that estimates the error.
NODES, COARSE = 20, 15

# Kolmogorov's law has mass below 1e-17 outside.
_LEAST, _MOST = 0.16, 4.6
_HELD = 4_000_000


def kolmogorov_density(s: Array) -> Array:
    """Density of Kolmogorov's law, 8 Σ_{k≥1} (−1)^{k−1} k² s exp(−2k²s²), without cancellation.

    Parameters
    ----------
    s : ndarray of float64
        Points > 0.

    Returns
    -------
    ndarray of float64
        Density.
    """
    k = np.arange(1, 12)[:, None]
    point = np.asarray(s, dtype=np.float64)[None, :]
    far = 8 * np.sum((-1.0) ** (k - 1) * k**2 * point * np.exp(-2 * k**2 * point**2), axis=0)
    # Jacobi's theta transform: no cancellation near 0.
    odd = (2 * k - 1) ** 2 * np.pi**2
    terms = (odd / (4 * point**4) - 1 / point**2) * np.exp(-odd / (8 * point**2))
    near = np.sqrt(2 * np.pi) * np.sum(terms, axis=0)
    return np.asarray(np.where(point[0] < 0.8, near, far), dtype=np.float64)


@cache
def _rule(count: int) -> tuple[Array, Array]:
    """Return K² at the nodes of a Gauss rule in log K, and the weights (sum 1)."""
    # The trapezoidal rule converges geometrically: the density vanishes with all derivatives.
    logs, step = np.linspace(np.log(_LEAST), np.log(_MOST), 400, retstep=True)
    scale = np.exp(logs)
    nodes, weights = gauss_rule(logs, step * scale * kolmogorov_density(scale), count)
    return np.exp(2 * nodes), weights / weights.sum()


def _mixture(xx: Array, xy: Array, yy: Array, shift: float, count: int) -> Array:
    """E asin(S_xy/√((shift·K² + S_xx)(shift·K′² + S_yy))) by the product rule."""
    square, weight = _rule(count)
    block = max(1, _HELD // count**2)
    out = np.empty_like(xy)
    for i in range(0, len(xy), block):
        part = slice(i, i + block)
        left = 1 / np.sqrt(shift * square + xx[part, None])
        right = 1 / np.sqrt(shift * square + yy[part, None])
        ratio = xy[part, None, None] * left[:, :, None] * right[:, None, :]
        out[part] = np.einsum("pij,i,j->p", np.arcsin(np.clip(ratio, -1, 1)), weight, weight)
    return out


def _estimate(xx: Array, xy: Array, yy: Array, shift: float) -> float:
    """Difference of the rule from a coarser one on trial pairs."""
    chosen = np.unique(np.linspace(0, len(xy) - 1, min(len(xy), 96)).round().astype(int))
    trial = (xx[chosen], xy[chosen], yy[chosen])
    fine, coarse = _mixture(*trial, shift, NODES), _mixture(*trial, shift, COARSE)
    return float(np.abs(fine - coarse).max())


def tanh_kernel(xx: Array, xy: Array, yy: Array) -> tuple[Array, float]:
    """E[tanh u tanh v] = (2/π) E asin(S_xy/√((K² + S_xx)(K′² + S_yy))).

    Parameters
    ----------
    xx, xy, yy : ndarray of float64, shape (P,)
        Variances and covariances of P pairs.

    Returns
    -------
    tuple of (ndarray of float64 of shape (P,), float)
        Values, and the estimate of their error.
    """
    factor = 2 / np.pi
    return factor * _mixture(xx, xy, yy, 1.0, NODES), factor * _estimate(xx, xy, yy, 1.0)


def sigmoid_kernel(xx: Array, xy: Array, yy: Array) -> tuple[Array, float]:
    """E[sigmoid u sigmoid v] = 1/4 + E asin(S_xy/√((4K² + S_xx)(4K′² + S_yy)))/(2π).

    Parameters
    ----------
    xx, xy, yy : ndarray of float64, shape (P,)
        Variances and covariances of P pairs.

    Returns
    -------
    tuple of (ndarray of float64 of shape (P,), float)
        Values, and the estimate of their error.
    """
    factor = 1 / (2 * np.pi)
    values = 0.25 + factor * _mixture(xx, xy, yy, 4.0, NODES)
    return values, factor * _estimate(xx, xy, yy, 4.0)


def mixture_expression(name: str) -> sp.Expr:
    """Return the kernel of tanh or sigmoid as a SymPy integral over Kolmogorov's density f.

    Parameters
    ----------
    name : {"tanh", "sigmoid"}
        Which.

    Returns
    -------
    sympy Expr
        An unevaluated double integral.
    """
    s, t = sp.symbols("s t", positive=True)
    f = sp.Function("f")
    shift = 1 if name == "tanh" else 4
    ratio = S_xy / sp.sqrt((shift * s**2 + S_xx) * (shift * t**2 + S_yy))
    mean = sp.Integral(sp.asin(ratio) * f(s) * f(t), (s, 0, sp.oo), (t, 0, sp.oo))
    return 2 / sp.pi * mean if name == "tanh" else sp.Rational(1, 4) + mean / (2 * sp.pi)
