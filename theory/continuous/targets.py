"""Targets u* on an interval as piecewise analytic functions of a complex ball."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flint import acb


@dataclass(frozen=True)
class AnalyticTarget:
    """u*: Ω → R, analytic between its breaks.

    Attributes
    ----------
    formula : str
        As printed.
    function : callable
        From an ``acb`` z and a point x of the piece (a float that is no break) to u*(z): the
        continuation of the branch that holds x. A ball that holds a singularity must be answered by
        one that is not finite, as FLINT's functions do at poles; branch cuts must be checked.
    breaks : tuple of float
        Where the branch changes.
    """

    formula: str
    function: Callable[[Any, float], Any]
    breaks: tuple[float, ...] = ()


def _multiscale(z: Any, _: float) -> Any:
    """Σ_{k=0}^{5} 2^{−k} sin 2^k πz."""
    return sum((((2**k) * z).sin_pi() / 2**k for k in range(6)), acb(0))


#: The one-dimensional targets of the tasks, by the task's name.
ANALYTIC_TARGETS: dict[str, AnalyticTarget] = {
    "cosines": AnalyticTarget(
        "cos x + cos 2x + cos 30x", lambda z, _: z.cos() + (2 * z).cos() + (30 * z).cos()
    ),
    "step": AnalyticTarget("sign x", lambda z, x: acb(1 if x > 0 else -1), (0.0,)),
    "absolute": AnalyticTarget("|x|", lambda z, x: z if x > 0 else -z, (0.0,)),
    "runge": AnalyticTarget("1/(1 + 25x²)", lambda z, _: 1 / (1 + 25 * z * z)),
    "chirp": AnalyticTarget("cos 20x²", lambda z, _: (20 * z * z).cos()),
    "multiscale": AnalyticTarget("Σ_{k=0}^{5} 2^{−k} sin 2^k πx", _multiscale),
    "frequencies": AnalyticTarget(
        "sin x + 2 sin 3x + 3 sin 5x",
        lambda z, _: z.sin() + 2 * (3 * z).sin() + 3 * (5 * z).sin(),
    ),
}
ANALYTIC_TARGETS["cosines-l2"] = ANALYTIC_TARGETS["cosines"]
