"""Layer kernels by the name of their activation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import sympy as sp
from scipy import special

from epsrank.theory.errors import InputError
from epsrank.theory.kernels import closed_forms
from epsrank.theory.kernels.closed_forms import S_xx, S_xy, S_yy
from epsrank.theory.kernels.layer_kernel import LayerKernel
from epsrank.theory.kernels.polar import gauss_rule, polar_kernel
from epsrank.theory.numbers.arrays import Array, Vector

#: Nodes per scale, and of the coarser rule that estimates the error.
NODES, COARSE = 20, 15

# Kolmogorov's law has mass below 1e-17 outside.
_LEAST_K, _MOST_K = 0.16, 4.6
# Numbers held at once: bounds the memory.
_NUMBERS_HELD = 4_000_000


def kolmogorov_density(s: Array) -> Array:
    """Density of Kolmogorov's law, 8 Σ_{k≥1} (−1)^{k−1} k² s exp(−2k²s²), without cancellation."""
    # Further terms of either series vanish on its side of 0.8.
    k = np.arange(1, 12)[:, None]
    point = np.asarray(s, dtype=np.float64)[None, :]
    far = 8 * np.sum((-1.0) ** (k - 1) * k**2 * point * np.exp(-2 * k**2 * point**2), axis=0)
    # Jacobi's theta transform: no cancellation near 0.
    odd = (2 * k - 1) ** 2 * np.pi**2
    terms = (odd / (4 * point**4) - 1 / point**2) * np.exp(-odd / (8 * point**2))
    near = np.sqrt(2 * np.pi) * np.sum(terms, axis=0)
    # Each series where it converges fast.
    return np.asarray(np.where(point[0] < 0.8, near, far), dtype=np.float64)


@cache
def _rule(count: int) -> tuple[Array, Array]:
    """Return K² at the nodes of a Gauss rule in log K, and the weights (sum 1)."""
    # The trapezoidal rule converges geometrically: the density vanishes with all derivatives.
    logs, step = np.linspace(np.log(_LEAST_K), np.log(_MOST_K), 400, retstep=True)
    scale = np.exp(logs)
    nodes, weights = gauss_rule(logs, step * scale * kolmogorov_density(scale), count)
    return np.exp(2 * nodes), weights / weights.sum()


def _mixture(xx: Array, xy: Array, yy: Array, shift: float, count: int) -> Array:
    """E asin(S_xy/√((shift·K² + S_xx)(shift·K′² + S_yy))) by the product rule."""
    square, weight = _rule(count)
    block = max(1, _NUMBERS_HELD // count**2)
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


def tanh_kernel(xx: Vector, xy: Vector, yy: Vector) -> tuple[Vector, float]:
    """E[tanh u tanh v] = (2/π) E asin(S_xy/√((K² + S_xx)(K′² + S_yy))).

    The values come with an estimate of their error.
    """
    factor = 2 / np.pi
    return factor * _mixture(xx, xy, yy, 1.0, NODES), factor * _estimate(xx, xy, yy, 1.0)


def sigmoid_kernel(xx: Vector, xy: Vector, yy: Vector) -> tuple[Vector, float]:
    """E[sigmoid u sigmoid v] = 1/4 + E asin(S_xy/√((4K² + S_xx)(4K′² + S_yy)))/(2π).

    The values come with an estimate of their error.
    """
    factor = 1 / (2 * np.pi)
    values = 0.25 + factor * _mixture(xx, xy, yy, 4.0, NODES)
    return values, factor * _estimate(xx, xy, yy, 4.0)


def mixture_expression(name: str) -> sp.Expr:
    """Return the kernel of tanh or sigmoid as a SymPy integral over Kolmogorov's density f."""
    s, t = sp.symbols("s t", positive=True)
    f = sp.Function("f")
    shift = 1 if name == "tanh" else 4
    ratio = S_xy / sp.sqrt((shift * s**2 + S_xx) * (shift * t**2 + S_yy))
    mean = sp.Integral(sp.asin(ratio) * f(s) * f(t), (s, 0, sp.oo), (t, 0, sp.oo))
    return 2 / sp.pi * mean if name == "tanh" else sp.Rational(1, 4) + mean / (2 * sp.pi)


Sigma = Callable[[Array], Array]

_ULP = float(np.finfo(np.float64).eps)


def _relu(z: Array) -> Array:
    return np.maximum(z, 0.0)


def _leaky_relu(z: Array, slope: float) -> Array:
    return np.asarray(np.where(z > 0, z, slope * z), dtype=np.float64)


def _elu(z: Array) -> Array:
    return np.asarray(np.where(z > 0, z, np.expm1(np.minimum(z, 0.0))), dtype=np.float64)


def _gelu(z: Array) -> Array:
    return np.asarray(z * special.ndtr(z), dtype=np.float64)


def _gaussian(z: Array) -> Array:
    return np.asarray(np.exp(-np.square(z)), dtype=np.float64)


def _step(z: Array) -> Array:
    return np.asarray(np.heaviside(z, 0.5), dtype=np.float64)


def _step_rule(xx: Array, xy: Array, yy: Array) -> tuple[Array, float]:
    """Evaluate 1/4 + asin(ρ)/(2π), whose slope is infinite at ρ = ±1."""
    rho = np.clip(xy / (np.sqrt(xx) * np.sqrt(yy)), -1.0, 1.0)
    # Within rounding of ±1 the two inputs are taken to be collinear.
    rho = np.where(np.abs(rho) > 1 - 4 * _ULP, np.sign(rho), rho)
    steep = 1 - rho**2
    rounding = 4 * _ULP / np.sqrt(np.where(steep > 0, steep, 1.0)) / (2 * np.pi)
    return 0.25 + np.arcsin(rho) / (2 * np.pi), float(rounding.max())


def _polynomial(z: Array, coefficients: tuple[float, ...]) -> Array:
    return np.asarray(np.polynomial.polynomial.polyval(z, coefficients), dtype=np.float64)


#: σ by name, entrywise; the names are those of ``epsrank.numerics.networks.ACTIVATIONS`` and three
#: more.
SIGMAS: dict[str, Sigma] = {
    "tanh": np.tanh,
    "relu": _relu,
    "elu": _elu,
    "cosine": np.cos,
    "sine": np.sin,
    "sigmoid": special.expit,
    "gelu": _gelu,
    "gaussian": _gaussian,
    "erf": special.erf,
    "leaky_relu": partial(_leaky_relu, slope=0.01),
    "step": _step,
    "identity": partial(_polynomial, coefficients=(0.0, 1.0)),
}


def layer_kernel(
    activation: str | Sigma, *, slope: float = 0.01, coefficients: Sequence[float] | None = None
) -> LayerKernel:
    """Return κ(S_xx, S_xy, S_yy) = E[σ(u)σ(v)] for (u, v) ~ N(0, S).

    ============================  ==========================================================
    activation                    κ
    ============================  ==========================================================
    relu, leaky_relu, step        arc-cosine kernels of order 1 and 0
    erf                           arc-sine
    cosine, sine, gaussian, gelu  closed forms by Gaussian integrals
    identity, polynomial          moments by Isserlis' theorem
    tanh, sigmoid                 mixture of arc-sines over Kolmogorov's law, by Gauss rules
    elu, any callable             polar quadrature, exponentially accurate for σ that is
                                  smooth on either side of 0
    ============================  ==========================================================

    Parameters
    ----------
    activation : str or callable
        Name of σ, or σ itself, entrywise on float64 arrays.
    slope : float
        Slope of ``leaky_relu`` for z < 0.
    coefficients : sequence of float, optional
        c_0, c_1, … of ``polynomial``.

    Returns
    -------
    LayerKernel
        The kernel.

    Raises
    ------
    InputError
        If the name is unknown, or the coefficients are missing or not finite.

    Examples
    --------
    >>> round(float(layer_kernel("erf")(1.0, 0.5, 1.0)), 6)
    0.216347
    """
    if callable(activation):
        name = getattr(activation, "__name__", type(activation).__name__)
        return LayerKernel(name, activation, "quadrature", rule=partial(polar_kernel, activation))
    if activation == "polynomial":
        return _polynomial_kernel(coefficients)
    if activation not in SIGMAS:
        known = ", ".join([*SIGMAS, "polynomial"])
        raise InputError("activation", f"is {activation!r}", f"choose one of {known}")
    sigma = SIGMAS[activation]
    if activation == "leaky_relu":
        alpha = _finite("slope", [slope])[0]
        form = closed_forms.leaky_relu(closed_forms.exact_number(alpha))
        return LayerKernel(activation, partial(_leaky_relu, slope=alpha), "closed form", form)
    if activation == "identity":
        return LayerKernel(activation, sigma, "closed form", closed_forms.S_xy)
    if activation in {"tanh", "sigmoid"}:
        rule = tanh_kernel if activation == "tanh" else sigmoid_kernel
        return LayerKernel(activation, sigma, "quadrature", mixture_expression(activation), rule)
    if activation == "step":
        return LayerKernel(activation, sigma, "closed form", closed_forms.step(), _step_rule)
    if activation == "elu":
        return LayerKernel(activation, sigma, "quadrature", rule=partial(polar_kernel, sigma))
    return LayerKernel(activation, sigma, "closed form", getattr(closed_forms, activation)())


def _polynomial_kernel(coefficients: Sequence[float] | None) -> LayerKernel:
    """Build the kernel of Σ c_k z^k."""
    if coefficients is None or len(coefficients) == 0:
        raise InputError("coefficients", "are missing", "pass c_0, c_1, … of the polynomial")
    checked = _finite("coefficients", coefficients)
    sigma = partial(_polynomial, coefficients=tuple(checked))
    return LayerKernel("polynomial", sigma, "closed form", closed_forms.polynomial(checked))


def _finite(name: str, values: Sequence[Any]) -> list[float]:
    """Check finite numbers."""
    try:
        checked = [float(value) for value in values]
    except (TypeError, ValueError):
        raise InputError(name, f"is {values!r}", "pass finite numbers") from None
    if not np.isfinite(checked).all():
        raise InputError(name, f"is {values!r}", "pass finite numbers")
    return checked
