"""I1: layer kernels in closed form, with the count that they predict."""

from __future__ import annotations

from typing import Any

import sympy as sp

from epsrank.theory.kernels import closed_forms
from epsrank.theory.kernels.closed_forms import S_xx, S_xy, S_yy
from epsrank.theory.symbolic.notation import Indicator, epsilon, k, kernel_eigenvalue, n
from epsrank.theory.symbolic.statement import Statement

kappa = sp.Function("kappa")(S_xx, S_xy, S_yy)

#: Closed forms by activation; a slope α stands for that of leaky ReLU.
FORMS: dict[str, Any] = {
    "relu": closed_forms.relu(),
    "step": closed_forms.step(),
    "leaky_relu": closed_forms.leaky_relu(sp.Symbol("alpha", nonnegative=True)),
    "erf": closed_forms.erf(),
    "cosine": closed_forms.cosine(),
    "sine": closed_forms.sine(),
    "gaussian": closed_forms.gaussian(),
    "gelu": closed_forms.gelu(),
    "cubic": closed_forms.moment(3, 3),
}

_NAMES = {
    "relu": "ReLU: the arc-cosine kernel of order 1",
    "step": "step: the arc-cosine kernel of order 0",
    "leaky_relu": "leaky ReLU of slope α",
    "erf": "erf: the arc-sine kernel",
    "cosine": "cos z",
    "sine": "sin z",
    "gaussian": "exp(−z²)",
    "gelu": "GELU, z Φ(z)",
    "cubic": "z³, by Isserlis' theorem",
}


def kernel_statements() -> tuple[Statement, ...]:
    """Return the prediction and the closed forms of κ(S) = E[σ(u)σ(v)], as in the text."""
    count = sp.Sum(Indicator(sp.Gt(n * kernel_eigenvalue[k], epsilon)), (k, 1, n))
    forms = (
        Statement(
            f"I1-{name}",
            f"layer kernel of {_NAMES[name]}",
            sp.Eq(kappa, form, evaluate=False),
            form,
            (S_xx, S_xy, S_yy, *sorted(form.free_symbols - {S_xx, S_xy, S_yy}, key=str)),
            "" if name == "cubic" else f"epsrank.theory.kernels.closed_forms.{name}",
            "§6",
        )
        for name, form in FORMS.items()
    )
    return (
        Statement(
            "I1",
            "ε-rank at initialisation in the limit of many neurons",
            sp.Eq(sp.Symbol("r_infinity"), count),
            count,
            (n, epsilon, kernel_eigenvalue),
            "epsrank.theory.kernels.prediction.initial_ranks",
            "§6",
        ),
        *forms,
    )
