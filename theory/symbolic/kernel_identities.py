"""The closed forms of layer kernels, decided by SymPy against the Gaussian integral.

Price's theorem is the bridge. The normal density p of covariance S satisfies ∂p/∂S_xy = ∂²p/∂u∂v
(an identity below), so by parts ∂κ/∂S_xy = E[σ′(u)σ′(v)], and likewise for σ″ with the second
derivative. A closed form is therefore right if its derivative in S_xy is the Gaussian integral of
σ′ (or σ″), and if at S_xy = 0, where u and v are independent, it is E σ(u) · E σ(v).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import sympy as sp

from epsrank.theory.kernels import closed_forms
from epsrank.theory.kernels.closed_forms import S_xx, S_xy, S_yy, z
from epsrank.theory.symbolic.identity import Identity
from epsrank.theory.symbolic.kernel_statements import FORMS

_u, _v = sp.symbols("u v", real=True)
# S inside the cone of covariance matrices: S_xx = s², S_yy = t², S_xy = s t m/√(1 + m²).
_s, _t = sp.symbols("s t", positive=True)
_m = sp.Symbol("m", real=True)
_INSIDE = {S_xx: _s**2, S_yy: _t**2, S_xy: _s * _t * _m / sp.sqrt(1 + _m**2)}
# The same by scales and the correlation ρ.
_SCALED = {S_xx: _s**2, S_yy: _t**2, S_xy: _s * _t * sp.Symbol("rho", real=True)}


def _density() -> Any:
    """Density of N(0, S) at (u, v)."""
    det = S_xx * S_yy - S_xy**2
    square = (S_yy * _u**2 - 2 * S_xy * _u * _v + S_xx * _v**2) / det
    return sp.exp(-square / 2) / (2 * sp.pi * sp.sqrt(det))


@cache
def _mean(sigma: Any) -> Any:
    """E σ(u) for u ~ N(0, S_xx), integrated by SymPy."""
    density = sp.exp(-(z**2) / (2 * S_xx)) / sp.sqrt(2 * sp.pi * S_xx)
    return sp.simplify(sp.integrate(sigma * density, (z, -sp.oo, sp.oo)))


def _half_mean(sigma: Any) -> Any:
    """E[σ(u); u > 0]."""
    density = sp.exp(-(z**2) / (2 * S_xx)) / sp.sqrt(2 * sp.pi * S_xx)
    return sp.simplify(sp.integrate(sigma * density, (z, 0, sp.oo)))


def _other(expression: Any) -> Any:
    """Write an expression in S_xx for v."""
    return expression.subs(S_xx, S_yy)


def _price() -> tuple[Identity, ...]:
    """∂p/∂S_xy = ∂²p/∂u∂v for the normal density."""
    density = _density()
    return (
        Identity(
            "kernel-price",
            "I1",
            "∂p/∂S_xy = ∂²p/∂u∂v for the normal density p, whence ∂κ/∂S_xy = E[σ′(u)σ′(v)] (Price)",
            sp.simplify((sp.diff(density, S_xy) - sp.diff(density, _u, _v)) / density),
        ),
    )


def _kinked() -> tuple[Identity, ...]:
    """Step and ReLU, the slopes of which are p(0, 0) and the kernel of the step; leaky ReLU."""
    at_origin = _density().subs({_u: 0, _v: 0})
    step, relu = FORMS["step"], FORMS["relu"]
    alpha = sp.Symbol("alpha", nonnegative=True)
    leaky = FORMS["leaky_relu"]
    # σ = max(z, 0) − α max(−z, 0): two kernels of ReLU and two with one sign turned.
    parts = (1 + alpha**2) * relu - 2 * alpha * relu.subs(S_xy, -S_xy)
    return (
        Identity(
            "kernel-step-slope",
            "I1-step",
            "∂κ/∂S_xy = p(0, 0), as the derivative of the step is a point mass",
            sp.diff(step, S_xy).subs(_INSIDE),
            at_origin.subs(_INSIDE),
        ),
        Identity(
            "kernel-step-independent",
            "I1-step",
            "at S_xy = 0 it is P(u > 0) P(v > 0)",
            step.subs(S_xy, 0),
            _half_mean(sp.Integer(1)) * _other(_half_mean(sp.Integer(1))),
        ),
        Identity(
            "kernel-relu-slope",
            "I1-relu",
            "∂κ/∂S_xy is the kernel of the step",
            sp.simplify(sp.diff(relu, S_xy).subs(_SCALED)).rewrite(sp.asin),
            step.subs(_SCALED),
        ),
        Identity(
            "kernel-relu-independent",
            "I1-relu",
            "at S_xy = 0 it is E max(u, 0) · E max(v, 0)",
            relu.subs(S_xy, 0),
            _half_mean(z) * _other(_half_mean(z)),
        ),
        Identity(
            "kernel-leaky",
            "I1-leaky_relu",
            "(1 − α)² κ_relu + α S_xy is the sum over the four pairs of signs",
            leaky.rewrite(sp.asin),
            parts.rewrite(sp.asin),
        ),
    )


def _smooth() -> tuple[Identity, ...]:
    """Check the Gaussian by its own integral, erf by its slope, which is a Gaussian."""
    erf, gaussian = FORMS["erf"], FORMS["gaussian"]
    # E exp(−u² − v²): the integral of a Gaussian of precision S⁻¹ + 2I.
    det = S_xx * S_yy - S_xy**2
    precision = sp.Matrix([[S_yy, -S_xy], [-S_xy, S_xx]]) / det + 2 * sp.eye(2)
    return (
        Identity(
            "kernel-gaussian",
            "I1-gaussian",
            "κ⁻² = det S · det(S⁻¹ + 2I), the Gaussian integral of exp(−u² − v²)",
            1 / gaussian**2,
            det * precision.det(),
        ),
        Identity(
            "kernel-gaussian-independent",
            "I1-gaussian",
            "at S_xy = 0 it is E exp(−u²) · E exp(−v²)",
            gaussian.subs(S_xy, 0),
            _mean(sp.exp(-(z**2))) * _other(_mean(sp.exp(-(z**2)))),
        ),
        Identity(
            "kernel-erf-slope",
            "I1-erf",
            "∂κ/∂S_xy = (4/π) κ_gaussian, as erf′(z) = (2/√π) exp(−z²)",
            sp.diff(erf, S_xy).subs(_INSIDE),
            (4 / sp.pi * gaussian).subs(_INSIDE),
        ),
        Identity(
            "kernel-erf-independent",
            "I1-erf",
            "at S_xy = 0 it is 0 = E erf(u) · E erf(v)",
            erf.subs(S_xy, 0),
            _mean(sp.erf(z)) * _other(_mean(sp.erf(z))),
        ),
    )


def _waves() -> tuple[Identity, ...]:
    """Cosine and sine from E cos(u ± v)."""
    variance = sp.Symbol("V", positive=True)
    wave = _mean(sp.cos(z)).subs(S_xx, variance)  # E cos w for w ~ N(0, V)
    near, far = (wave.subs(variance, S_xx + S_yy - sign * 2 * S_xy) for sign in (1, -1))
    return (
        Identity(
            "kernel-wave",
            "I1-cosine",
            "E cos w = exp(−V/2) for w ~ N(0, V), integrated",
            wave,
            sp.exp(-variance / 2),
        ),
        Identity(
            "kernel-cosine",
            "I1-cosine",
            "cos u cos v = ½ cos(u − v) + ½ cos(u + v), each of a normal variable",
            FORMS["cosine"],
            (near + far) / 2,
        ),
        Identity(
            "kernel-sine",
            "I1-sine",
            "sin u sin v = ½ cos(u − v) − ½ cos(u + v)",
            FORMS["sine"],
            (near - far) / 2,
        ),
        Identity(
            "kernel-angle",
            "I1-cosine",
            "cos u cos v + sin u sin v = cos(u − v): the sum of both kernels is stationary",
            FORMS["cosine"] + FORMS["sine"],
            sp.exp(-(S_xx + S_yy - 2 * S_xy) / 2),
        ),
    )


def _gelu() -> tuple[Identity, ...]:
    """GELU by its second derivative in S_xy, a moment of a normal law."""
    form = FORMS["gelu"]
    # σ″(z) = (2 − z²) φ(z), so E[σ″(u)σ″(v)] is a moment of N(0, S(I + S)⁻¹).
    det = (1 + S_xx) * (1 + S_yy) - S_xy**2
    s = sp.Matrix([[S_xx, S_xy], [S_xy, S_yy]])
    inner = (s * (sp.eye(2) + s).inv()).applyfunc(sp.cancel)
    a, c, b = inner[0, 0], inner[0, 1], inner[1, 1]
    curvature = (4 - 2 * a - 2 * b + a * b + 2 * c**2) / (2 * sp.pi * sp.sqrt(det))
    normal = sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi)
    second = sp.diff(z * (1 + sp.erf(z / sp.sqrt(2))) / 2, z, 2)
    mean = _mean(z**2 * normal)  # E[uΦ(u)] = S_xx E φ(u) by parts; and E[u² φ(u)] alike
    return (
        Identity(
            "kernel-gelu-second",
            "I1-gelu",
            "σ″(z) = (2 − z²) φ(z)",
            second,
            (2 - z**2) * normal,
        ),
        Identity(
            "kernel-gelu-curvature",
            "I1-gelu",
            "∂²κ/∂S_xy² = E[σ″(u)σ″(v)]",
            sp.diff(form, S_xy, 2),
            curvature,
        ),
        Identity(
            "kernel-gelu-slope",
            "I1-gelu",
            "at S_xy = 0, ∂κ/∂S_xy = E σ′(u) · E σ′(v) = ¼, as σ′ − ½ is odd",
            sp.diff(form, S_xy).subs(S_xy, 0),
            sp.Rational(1, 4),
        ),
        Identity(
            "kernel-gelu-independent",
            "I1-gelu",
            "at S_xy = 0 it is S_xx S_yy E φ(u) · E φ(v), as E[uΦ(u)] = S_xx E φ(u)",
            form.subs(S_xy, 0),
            S_xx * S_yy * _mean(normal) * _other(_mean(normal)),
        ),
        Identity(
            "kernel-gelu-moment",
            "I1-gelu",
            "E[u² φ(u)] = S_xx/(1 + S_xx) · E φ(u): the variance that S(I + S)⁻¹ says",
            mean,
            S_xx / (1 + S_xx) * _mean(normal),
        ),
    )


def _polynomial() -> tuple[Identity, ...]:
    """E[u^p v^q] from derivatives of the moment generating function exp(½ wᵀSw) at w = 0."""
    first, second = sp.symbols("w_1 w_2", real=True)
    generating = sp.exp((S_xx * first**2 + 2 * S_xy * first * second + S_yy * second**2) / 2)
    found = []
    for p, q in ((1, 1), (2, 2), (3, 3), (3, 1), (4, 2)):
        moment = sp.diff(generating, first, p, second, q).subs({first: 0, second: 0})
        found.append(
            Identity(
                f"kernel-moment-{p}-{q}",
                "I1-cubic",
                f"E[u^{p} v^{q}] from the moment generating function",
                closed_forms.moment(p, q),
                sp.expand(moment),
            )
        )
    return tuple(found)


def _limits() -> tuple[Identity, ...]:
    """On the diagonal u = v, where κ is a one-dimensional integral."""
    diagonal = {S_xy: S_xx, S_yy: S_xx}
    rows: tuple[tuple[str, Any], ...] = (
        ("step", _half_mean(sp.Integer(1))),
        ("relu", _half_mean(z**2)),
        ("cosine", _mean(sp.cos(z) ** 2)),
        ("sine", _mean(sp.sin(z) ** 2)),
        ("gaussian", _mean(sp.exp(-2 * z**2))),
        ("cubic", _mean(z**6)),
    )
    return tuple(
        Identity(
            f"kernel-{name}-diagonal",
            f"I1-{name}",
            "at x = y it is E σ(u)², integrated",
            FORMS[name].subs(diagonal),
            value,
        )
        for name, value in rows
    )


#: Price's theorem first, then by activation.
KERNEL_PARTS = (_price, _kinked, _smooth, _waves, _gelu, _polynomial, _limits)
