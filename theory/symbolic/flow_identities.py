"""The identities behind B1 and B4, from the losses of small networks with free weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sympy as sp

from epsrank.theory.symbolic.flow_statements import BALANCED, ESCAPE
from epsrank.theory.symbolic.identity import Identity
from epsrank.theory.symbolic.notation import growing, layers, rate, scale, strength
from epsrank.theory.words import plural

_c = sp.Symbol("c", positive=True)
_s = sp.Symbol("s_0", positive=True)
_t = sp.Symbol("tau", nonnegative=True)
_x = sp.symbols("x_1:3", real=True)
_y = sp.symbols("y_1:3", real=True)


class _Small:
    """Arithmetic with weights of order s: terms beyond an order of s are dropped."""

    def __init__(self, order: int) -> None:
        self.order = order

    def kept(self, expression: Any) -> Any:
        """Drop the terms beyond the order."""
        terms = sp.Poly(sp.expand(expression), _s).terms()
        return sp.Add(*(c * _s**power for (power,), c in terms if power <= self.order))

    def activation(self, z: Any) -> Any:
        """Return φ(z) with φ(0) = 0, φ′(0) = 1 and free coefficients of z² and z³."""
        square, cube = sp.symbols("kappa_2:4", real=True)
        z = self.kept(z)
        second = self.kept(z**2)
        return self.kept(z + square * second + cube * self.kept(second * z))

    def descent(self, outputs: Sequence[Any], weights: Sequence[Any]) -> Any:
        """Return the part of −∂loss/∂θ of the least order, one below that of this arithmetic."""
        loss = self.kept(_mean_loss([self.kept(u) for u in outputs]))
        part = sp.Poly(loss, _s).coeff_monomial(_s**self.order)
        # Nothing of a lower order moves the weights.
        lower = loss - part * _s**self.order
        assert not any(sp.diff(lower, w) for w in weights)
        return sp.Matrix([-sp.diff(part, w) for w in weights])


def _mean_loss(outputs: Sequence[Any]) -> Any:
    """Return c/2 · mean (u − y)² over two samples."""
    return _c / 2 * sum((u - y) ** 2 for u, y in zip(outputs, _y, strict=True)) / 2


def _mean(values: Sequence[Any]) -> Any:
    return sum(values) / len(values)


def _escape() -> tuple[Identity, ...]:
    """Derive the linearised flow of two neurons, its spectrum, and the time that it takes."""
    a, w, b = (sp.symbols(f"{name}_1:3", real=True) for name in "awb")
    small = _Small(2)
    outputs = [
        sum(_s * p * small.activation(_s * (q * x + r)) for p, q, r in zip(a, w, b, strict=True))
        for x in _x
    ]
    linear = small.descent(outputs, (*a, *w, *b))
    g = (_mean([x * y for x, y in zip(_x, _y, strict=True)]), _mean(_y))
    expected = [_c * (g[0] * q + g[1] * r) for q, r in zip(w, b, strict=True)]
    expected += [_c * p * g[0] for p in a] + [_c * p * g[1] for p in a]
    found = [
        Identity(
            "escape-linearised",
            "B1-escape",
            "to first order in the weights ȧ_k = c g·w_k and ẇ_k = c a_k g with g = mean y (x, 1), "
            "for two neurons and two samples",
            linear,
            sp.Matrix(expected),
        )
    ]
    variable = sp.Symbol("lambda")
    for size in (1, 2, 3):
        v = sp.Matrix(sp.symbols(f"g_1:{size + 1}", real=True))
        flow = _c * sp.Matrix(sp.BlockMatrix([[sp.zeros(1, 1), v.T], [v, sp.zeros(size, size)]]))
        found.append(
            Identity(
                f"escape-rates-{size}",
                "B1-escape",
                "its rates for each neuron are ±c‖g‖ and 0, g in "
                f"{plural(size, 'dimension')}, whatever the "
                "width",
                flow.charpoly(variable).as_expr(),
                variable ** (size - 1) * (variable**2 - _c**2 * (v.T * v)[0]),
            )
        )
    size_then = scale**2 * growing / 2 * sp.exp(2 * rate * ESCAPE)
    level = sp.symbols("z_1:3", real=True)
    middle = _mean(level)
    points, values = (_x[0], -_x[0], _x[1], -_x[1]), (level[0], level[0], level[1], level[1])
    even = sp.Matrix(
        [
            _mean([x * (z - middle) for x, z in zip(points, values, strict=True)]),
            _mean([z - middle for z in values]),
        ]
    )
    found += [
        Identity(
            "escape-time",
            "B1-escape",
            "½σ²P e^{2ρT} = s: at T the affine part has the size at which the loss has fallen",
            sp.expand_log(size_then).simplify(),
            strength,
        ),
        Identity(
            "escape-slope",
            "B1-escape",
            "dT/d log(1/σ) = 1/ρ",
            -scale * sp.diff(ESCAPE, scale),
            1 / rate,
        ),
        Identity(
            "escape-even",
            "B1-escape",
            "g = 0 for an even target on symmetric samples, less its mean: no such law",
            even,
            sp.zeros(2, 1),
        ),
    ]
    return tuple(found)


def _product(count: int) -> tuple[list[Any], list[Any], Any]:
    """Return layers of two neurons with free weights, all weights, and u = W_ℓ ⋯ W_1 v."""
    matrices = [
        sp.Matrix(1 if number == count else 2, 2, lambda i, j, n=number: sp.Symbol(f"w_{n}{i}{j}"))
        for number in range(1, count + 1)
    ]
    found = sp.Matrix(sp.symbols("v_1:3", real=True))
    for matrix in matrices:
        found = matrix * found
    return matrices, [entry for matrix in matrices for entry in matrix], found[0]


def _blow_up() -> tuple[Identity, ...]:
    """Leading order of three layers from their loss; homogeneity; what is conserved."""
    # A two-one-one network of one input has all index patterns that differ.
    w, (v_1, v_2), r = (
        sp.symbols("w_1:3", real=True),
        sp.symbols("v_1:3", real=True),
        sp.Symbol("r"),
    )
    small = _Small(3)
    outputs = [
        _s
        * r
        * small.activation(
            sum(_s * v * small.activation(_s * u * x) for v, u in zip((v_1, v_2), w, strict=True))
        )
        for x in _x
    ]
    drive = _mean([x * y for x, y in zip(_x, _y, strict=True)])
    weights = (*w, v_1, v_2, r)
    leading = _c * drive * r * (v_1 * w[0] + v_2 * w[1])
    found = [
        Identity(
            "blow-up-leading",
            "B4-homogeneous",
            "to second order in the weights −∂loss/∂θ is the gradient of c W₃W₂W₁v, v = mean y x, "
            "for three layers and two samples",
            small.descent(outputs, weights),
            sp.Matrix([sp.diff(leading, each) for each in weights]),
        )
    ]
    for count in (2, 3, 4):
        _, entries, u = _product(count)
        field = sp.Matrix([sp.diff(u, entry) for entry in entries])
        at = field.subs({entry: scale * entry for entry in entries}, simultaneous=True)
        found.append(
            Identity(
                f"blow-up-homogeneous-{count}",
                "B4-homogeneous",
                f"F(σθ) = σ^{count - 1} F(θ) for {plural(count, 'layer')}, "
                f"so that σθ(σ^{count - 2} t) "
                "solves the flow where θ(t) does",
                at.applyfunc(sp.expand),
                (scale ** (count - 1) * field).applyfunc(sp.expand),
            )
        )
    (first, second, _), entries, u = _product(3)
    one, two = (matrix.applyfunc(lambda entry: sp.diff(u, entry)) for matrix in (first, second))
    kept = one * first.T + first * one.T - two.T * second - second.T * two
    found.append(
        Identity(
            "blow-up-balance",
            "B4-homogeneous",
            "W₁W₁ᵀ − W₂ᵀW₂ is conserved (three layers)",
            kept.applyfunc(sp.expand),
            sp.zeros(2, 2),
        )
    )
    return tuple(found)


def _balanced() -> tuple[Identity, ...]:
    """Solve q̇ = ρ q^(ℓ−1) in closed form."""
    power = sp.Symbol("m", positive=True)  # m = ℓ − 2
    start = sp.Symbol("q_0", positive=True)
    inside = sp.Symbol("h", positive=True)
    # q = h^(−1/m) with h = q₀^(−m) − mρτ; ḣ = −mρ.
    q = inside ** (-1 / power)
    time = BALANCED.subs(scale, start)
    return (
        Identity(
            "blow-up-balanced-flow",
            "B4-balanced",
            "q(τ) = (q₀^{−m} − mρτ)^{−1/m}, m = ℓ − 2, solves q̇ = ρ q^{m+1}",
            sp.powsimp(sp.diff(q, inside) * -power * rate / q ** (power + 1)),
            rate,
        ),
        Identity(
            "blow-up-balanced-end",
            "B4-balanced",
            "and its bracket is 0 at t* = q₀^{−m}/(mρ)",
            (start ** (2 - layers) - (layers - 2) * rate * time),
            sp.Integer(0),
        ),
        Identity(
            "blow-up-balanced-scale",
            "B4-balanced",
            "t*(σq₀) = σ^{−m} t*(q₀)",
            sp.expand_power_base(time.subs(start, scale * start)),
            scale ** (2 - layers) * time,
        ),
    )


def _two_layers() -> tuple[Identity, ...]:
    """Growth of two layers, and of three with a bias in the second."""
    solution = scale * sp.exp(rate * _t)
    r, bias = sp.symbols("r_1:3", real=True), sp.symbols("b_1:3", real=True)
    w, v = sp.Symbol("w", real=True), sp.symbols("v_1:3", real=True)
    small = _Small(2)
    outputs = [
        sum(
            _s * p * small.activation(_s * (q * small.activation(_s * w * x) + d))
            for p, q, d in zip(r, v, bias, strict=True)
        )
        for x in _x
    ]
    weights = (*r, *bias, w, *v)
    mean = _mean(_y)
    expected = [_c * mean * d for d in bias] + [_c * mean * p for p in r] + [0] * 3
    return (
        Identity(
            "two-layers-flow",
            "B4-two-layers",
            "q(τ) = σ e^{ρτ} solves q̇ = ρ q, the flow of two balanced layers",
            sp.diff(solution, _t),
            rate * solution,
        ),
        Identity(
            "bias-flow",
            "B4-two-layers",
            "a bias in the second of three layers has the first order back: ṙ_k = c ȳ b_k and "
            "ḃ_k = c ȳ r_k, so that the plateau is log(1/σ) again wherever mean y is not 0",
            small.descent(outputs, weights),
            sp.Matrix(expected),
        ),
    )


FLOW_PARTS: tuple[tuple[str, Callable[[], tuple[Identity, ...]]], ...] = (
    ("B1", _escape),
    ("B4", _blow_up),
    ("B4", _balanced),
    ("B4", _two_layers),
)
