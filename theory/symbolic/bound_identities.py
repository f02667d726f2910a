"""The closed forms in the proofs of theorems P1 and P2 (docs/plateau-bounds.md), for two layers."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from epsrank.theory.symbolic.bound_statements import GROWN, PLATEAU
from epsrank.theory.symbolic.identity import Identity
from epsrank.theory.symbolic.notation import bend, drive, first_norm, loss_factor, norm

_step = sp.Symbol("h", positive=True)
_speed = loss_factor * norm * (drive + bend * norm**2)


def _flow() -> tuple[Identity, ...]:
    """Derive T from ṁ = c m (γ + b m²)."""
    return (
        Identity(
            "plateau-time",
            "P1",
            "dT/dm = 1/ṁ for ṁ = c m (γ + b m²), so that T is when m gets there",
            sp.simplify(sp.diff(PLATEAU, norm) * _speed),
            sp.Integer(1),
        ),
        Identity(
            "plateau-start", "P1", "T = 0 at m = m₀", PLATEAU.subs(norm, first_norm),
            sp.Integer(0),
        ),
        Identity(
            "plateau-nats",
            "P1",
            "dT/d log(1/σ) → 1/(cγ) for m₀ = σμ as σ → 0: the law's own slope",
            sp.limit(-sp.diff(PLATEAU, first_norm) * first_norm, first_norm, 0),
            1 / (loss_factor * drive),
        ),
    )  # fmt: skip


def _growth() -> tuple[Identity, ...]:
    """Derive E, and what is left across, along the same flow."""
    speed, error = _speed, loss_factor * bend * norm**2
    across = (
        norm
        - first_norm
        - sp.sqrt(drive / bend)
        * (sp.atan(norm * sp.sqrt(bend / drive)) - sp.atan(first_norm * sp.sqrt(bend / drive)))
    ) / first_norm
    return (
        Identity(
            "condensation-error",
            "P2",
            "d log E/dt = c b m²: E is what relative errors c b m² add up to",
            sp.simplify(sp.diff(sp.log(GROWN), norm) * speed),
            error,
        ),
        Identity(
            "condensation-growth",
            "P2",
            "e^{cγT} E = m/m₀: growth is that of the linear flow times E",
            sp.simplify(sp.exp(2 * loss_factor * drive * PLATEAU) * GROWN**2),
            (norm / first_norm) ** 2,
        ),
        Identity(
            "condensation-across",
            "P2",
            "the integral Q of c b m²·m/m₀, in closed form",
            sp.simplify(sp.diff(across, norm) * speed),
            error * norm / first_norm,
        ),
    )


def _descent() -> tuple[Identity, ...]:
    """Show that one step of descent adds no more to E than the closed form does."""
    before = bend * norm**2
    after = bend * (norm * (1 + _step * (drive + before))) ** 2
    return (
        Identity(
            "condensation-step",
            "P2",
            "(γ + b m′²) − (γ + b m²)(1 + h b m²)² = h² γ b m² (γ + b m²) for "
            "m′ = m(1 + h(γ + b m²)), and is not negative",
            sp.expand((drive + after) - (drive + before) * (1 + _step * before) ** 2),
            sp.expand(_step**2 * drive * before * (drive + before)),
        ),
        Identity(
            "condensation-cubes",
            "P2",
            "(1 + y)³ − 1 ≥ 3y, with which Q/P ≤ E b m²/(3γ)",
            sp.expand((1 + _step) ** 3 - 1 - 3 * _step),
            kind="nonnegative",
        ),
    )


def _angle() -> tuple[Identity, ...]:
    """Find the largest angle of w = ĝ(p − q)/√2 + w_⊥ with q² + w_⊥² = τ²p²."""
    tau, q = sp.symbols("tau q", positive=True)
    tangent = 2 * (tau**2 - q**2) / (1 - q) ** 2
    return (
        Identity(
            "condensation-angle",
            "P2",
            "2τ²/(1 − τ²) − 2(τ² − q²)/(1 − q)² = 2(q − τ²)²/((1 − τ²)(1 − q)²): none is larger",
            sp.simplify(2 * tau**2 / (1 - tau**2) - tangent),
            2 * (q - tau**2) ** 2 / ((1 - tau**2) * (1 - q) ** 2),
        ),
        Identity(
            "condensation-cosine",
            "P2",
            "1/(1 + 2τ²/(1 − τ²)) = (1 − τ²)/(1 + τ²)",
            sp.simplify(1 / (1 + 2 * tau**2 / (1 - tau**2))),
            (1 - tau**2) / (1 + tau**2),
        ),
    )


BOUND_PARTS: tuple[tuple[str, Callable[[], tuple[Identity, ...]]], ...] = (
    ("P1", _flow),
    ("P2", _growth),
    ("P2", _descent),
    ("P2", _angle),
)
