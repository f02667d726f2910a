"""B1 and B4: how long small weights stay small, with two layers and with more."""

from __future__ import annotations

import sympy as sp

from epsrank.theory.symbolic.notation import growing, layers, rate, scale, strength
from epsrank.theory.symbolic.statement import Statement

ESCAPE = sp.log(2 * strength / (scale**2 * growing)) / (2 * rate)
blow_up_time = sp.Function("t_*")
BLOW_UP = scale ** (2 - layers) * blow_up_time(1)
BALANCED = scale ** (2 - layers) / (rate * (layers - 2))

_escape_time = sp.Symbol("T_escape", positive=True)
_t = sp.Symbol("tau", nonnegative=True)
_weight = sp.Function("q")


def flow_statements() -> tuple[Statement, ...]:
    """Return the laws of the first plateau, as in the experiments B1 and B4."""
    return (
        Statement(
            "B1-escape",
            "two layers leave 0 exponentially, so the plateau grows by 1/ρ per nat of 1/σ",
            sp.Eq(_escape_time, ESCAPE, evaluate=False),
            ESCAPE,
            (scale, strength, growing, rate),
            "epsrank.theory.flows.escape.escape_time",
            "B1",
        ),
        Statement(
            "B4-homogeneous",
            "blow-up of the leading-order flow of ℓ ≥ 3 layers, all scaled by σ",
            sp.Eq(blow_up_time(scale), BLOW_UP, evaluate=False),
            source="B4",
        ),
        Statement(
            "B4-balanced",
            "the same for ℓ balanced layers of one neuron, q̇ = ρ q^(ℓ−1)",
            sp.Eq(blow_up_time(scale), BALANCED, evaluate=False),
            BALANCED,
            (scale, layers, rate),
            "epsrank.theory.flows.leading_order.leading_order_blow_up",
            "B4",
        ),
        Statement(
            "B4-two-layers",
            "two layers grow exponentially, and never blow up",
            sp.Eq(_weight(_t), scale * sp.exp(rate * _t), evaluate=False),
            scale * sp.exp(rate * _t),
            (scale, rate, _t),
            source="B4",
        ),
    )
