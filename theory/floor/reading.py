"""F6: whether a plateau is the features' or the optimiser's, read off loss / V(‖β‖)."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Literal

ReadingName = Literal["feature-limited", "optimiser-limited", "between", "undetermined"]

#: loss/V at most this: any output layer of this norm removes at most 1 − 1/1.25 = 20 % of the loss.
FEATURE_LIMITED = 1.25
#: loss/V at least this: an output layer of this norm removes at least 1 − 1/2 = 50 % of the loss.
OPTIMISER_LIMITED = 2.0

_LARGEST_FLOAT = sys.float_info.max


@dataclass(frozen=True)
class Reading:
    """What loss/V(‖β‖) says about a plateau, with the range that rounding leaves to the ratio."""

    #: The reading; ``"undetermined"`` where no loss is given, or rounding straddles a threshold.
    name: ReadingName
    #: loss/V as computed; ∞ for V = 0 < loss, None without a loss or for 0/0.
    ratio: float | None
    #: Enclosure of the ratio.
    lower: float | None
    upper: float | None
    #: One sentence.
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def read_plateau(loss_norm: float | None, reachable_norm: float, tolerance: float) -> Reading:
    """Read a plateau: loss/V ≤ 1.25 feature-limited, ≥ 2 optimiser-limited, else between (F6)."""
    if loss_norm is None:
        return Reading("undetermined", None, None, None, "no coefficients were given, so no loss")
    least = max(0.0, loss_norm - tolerance)
    # A ratio beyond float64 is still finite unless V = 0: the lower end must not claim more.
    lower = min(_ratio(least, reachable_norm + tolerance), _LARGEST_FLOAT) if least > 0 else 0.0
    # A reading asks for the whole range of the ratio on one side of its threshold.
    upper = _ratio(loss_norm + tolerance, max(0.0, reachable_norm - tolerance))
    ratio = None if loss_norm == reachable_norm == 0 else _ratio(loss_norm, reachable_norm)
    if upper <= FEATURE_LIMITED:
        reason = (
            f"loss/V = {ratio:.4g} ≤ {FEATURE_LIMITED:g}, so no output layer of this norm removes "
            "more than a fifth of the loss: more ε-rank or a larger norm is needed"
        )
        return Reading("feature-limited", ratio, lower, upper, reason)
    if lower >= OPTIMISER_LIMITED:
        reason = (
            f"loss/V = {ratio:.4g} ≥ {OPTIMISER_LIMITED:g}: with these features an output layer of "
            "this norm removes at least half of the loss"
        )
        return Reading("optimiser-limited", ratio, lower, upper, reason)
    if lower > FEATURE_LIMITED and upper < OPTIMISER_LIMITED:
        reason = f"loss/V = {ratio:.4g} lies between {FEATURE_LIMITED:g} and {OPTIMISER_LIMITED:g}"
        return Reading("between", ratio, lower, upper, reason)
    if loss_norm <= tolerance:
        reason = f"the loss is below its rounding bound {tolerance:.1e} on the norm"
    else:
        reason = (
            f"rounding leaves loss/V anywhere in [{lower:.4g}, {upper:.4g}], across a threshold"
        )
    return Reading("undetermined", ratio, lower, upper, reason)


def read_ratio(
    loss: float | None, reachable: float, attained: float, tolerance: float = 0.0
) -> Reading:
    """Read a plateau of any loss from an enclosure  reachable ≤ V ≤ attained  (F6).

    ``feature-limited`` rests on the certified lower bound of V, ``optimiser-limited`` on an output
    layer that was found.
    """
    if loss is None:
        return Reading("undetermined", None, None, None, "no coefficients were given, so no loss")
    most, least = loss + tolerance, max(0.0, loss - tolerance)
    upper = most / reachable if reachable > 0 else math.inf
    lower = min(least / (attained + tolerance), _LARGEST_FLOAT) if attained + tolerance > 0 else 0.0
    ratio = loss / attained if attained > 0 else None
    if upper <= FEATURE_LIMITED:
        reason = (
            f"loss/V ≤ {upper:.4g}, certified, so no output layer of this norm removes more than a "
            "fifth of the loss: more ε-rank or a larger norm is needed"
        )
        return Reading("feature-limited", ratio, lower, upper, reason)
    if lower >= OPTIMISER_LIMITED:
        reason = (
            f"loss/V ≥ {lower:.4g}: an output layer of this norm was found that removes at least "
            "half of the loss"
        )
        return Reading("optimiser-limited", ratio, lower, upper, reason)
    if lower > FEATURE_LIMITED and upper < OPTIMISER_LIMITED:
        reason = f"loss/V lies in [{lower:.4g}, {upper:.4g}], between the two thresholds"
        return Reading("between", ratio, lower, upper, reason)
    reason = f"loss/V is only known to lie in [{lower:.4g}, {upper:.4g}]"
    return Reading("undetermined", ratio, lower, upper, reason)


def _ratio(numerator: float, denominator: float) -> float:
    """Return (numerator/denominator)², ∞ where the denominator is 0 or float64 ends."""
    if denominator == 0:
        return math.inf
    quotient = numerator / denominator
    return quotient * quotient
