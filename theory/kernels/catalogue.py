"""Layer kernels by the name of their activation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy import special

from epsrank.theory.errors import InputError
from epsrank.theory.inputs import Array
from epsrank.theory.kernels import closed_forms
from epsrank.theory.kernels.kolmogorov import mixture_expression, sigmoid_kernel, tanh_kernel
from epsrank.theory.kernels.layer_kernel import LayerKernel
from epsrank.theory.kernels.polar import polar_kernel

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


#: σ by name, entrywise; the names are those of ``numerics.networks.ACTIVATIONS`` and three more.
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
    >>> layer_kernel("erf")(1.0, 0.5, 1.0).round(6)
    array(0.216347)
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
    """Build the kernel of Σ c_k z^k.

    Raises
    ------
    InputError
        If there are no coefficients.
    """
    if coefficients is None or len(coefficients) == 0:
        raise InputError("coefficients", "are missing", "pass c_0, c_1, … of the polynomial")
    checked = _finite("coefficients", coefficients)
    sigma = partial(_polynomial, coefficients=tuple(checked))
    return LayerKernel("polynomial", sigma, "closed form", closed_forms.polynomial(checked))


def _finite(name: str, values: Sequence[Any]) -> list[float]:
    """Check finite numbers.

    Raises
    ------
    InputError
        If they are not.
    """
    try:
        checked = [float(value) for value in values]
    except (TypeError, ValueError):
        raise InputError(name, f"is {values!r}", "pass finite numbers") from None
    if not np.isfinite(checked).all():
        raise InputError(name, f"is {values!r}", "pass finite numbers")
    return checked
