"""Laws of weights and biases at initialisation, with the scaling by fan-in written out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from epsrank.theory.errors import InputError

Distribution = Literal["normal", "uniform"]

#: Initialisations that have independent weights, as in
#: ``epsrank.numerics.networks.INITIALISATIONS``.
LAWS = ("default", "xavier", "he", "uniform", "normal")


@dataclass(frozen=True)
class LayerInit:
    """z = w·y + b with independent centred entries: Var w_i = σ_w²/fan_in, Var b = σ_b²."""

    #: Law of the entries.
    distribution: Distribution
    #: σ_w² = fan_in · Var w_i.
    weight_variance: float
    #: σ_b².
    bias_variance: float

    def __post_init__(self) -> None:
        if self.distribution not in {"normal", "uniform"}:
            raise InputError(
                "distribution", f"is {self.distribution!r}", "choose 'normal' or 'uniform'"
            )
        for name in ("weight_variance", "bias_variance"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise InputError(name, f"is {value!r}", "pass a number ≥ 0")
            if not (math.isfinite(value) and value >= 0):
                raise InputError(name, f"is {value!r}", "pass a number ≥ 0")

    def __str__(self) -> str:
        return (
            f"{self.distribution}, σ_w² = {self.weight_variance:g}, σ_b² = {self.bias_variance:g}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the law as plain data."""
        return {
            "distribution": self.distribution,
            "weight_variance": self.weight_variance,
            "bias_variance": self.bias_variance,
        }


def layer_init(name: str, fan_in: int, fan_out: int, scale: float | None = None) -> LayerInit:
    """Return the law of one layer under a named initialisation.

    =======  ==========================================  ============================  ============
    name     entries                                     σ_w²                          σ_b²
    =======  ==========================================  ============================  ============
    default  uniform on ±1/√fan_in                       1/3                           1/(3 fan_in)
    xavier   uniform on ±s√(6/(fan_in + fan_out))        2s² fan_in/(fan_in+fan_out)   0
    he       normal of variance 2s²/fan_in               2s²                           0
    uniform  uniform on ±s                               s² fan_in/3                   s²/3
    normal   normal of deviation s (or else 1/√fan_in)   s² fan_in                     s²
    =======  ==========================================  ============================  ============

    s is 1 where not given, except in the last row.
    """
    if scale is not None and not (math.isfinite(scale) and scale > 0):
        raise InputError("init_scale", f"is {scale!r}", "pass a positive number")
    s = 1.0 if scale is None else float(scale)
    if name == "default":
        if scale is not None:
            raise InputError(
                "init_scale", f"is {scale!r} but init is 'default'", "choose 'uniform' or 'normal'"
            )
        return LayerInit("uniform", 1 / 3, 1 / (3 * fan_in))
    if name == "xavier":
        return LayerInit("uniform", 2 * s**2 * fan_in / (fan_in + fan_out), 0.0)
    if name == "he":
        return LayerInit("normal", 2 * s**2, 0.0)
    if name == "uniform":
        return LayerInit("uniform", s**2 * fan_in / 3, s**2 / 3)
    if name == "normal":
        deviation = 1 / math.sqrt(fan_in) if scale is None else s
        return LayerInit("normal", fan_in * deviation**2, deviation**2)
    raise InputError(
        "init", f"is {name!r}, no known law of independent entries", f"choose of {', '.join(LAWS)}"
    )
