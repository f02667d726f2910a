"""F6: why a loss stays where it is, read off the curve B ↦ V(B) of what its features allow.

The one place where the words and their thresholds are defined. With B the norm of the head and
B½ = min{B′ : V(B′) ≤ loss/2}, ∞ if there is none up to a cap,

* *optimiser-limited*: V(B) ≤ loss/2, so these features and this norm allow half the loss;
* *norm-limited*: loss ≤ 1.25 V(B) and B½ < ∞, so a head B½/B times as large halves the loss;
* *feature-limited*: loss ≤ 1.25 V(B) and B½ = ∞, so no head within the cap halves it;
* *between*: none of the three, for certain; *undetermined*: not known, or the loss is 0.

Each word asks for a proof in its own direction. "V(B) ≤ loss/2" and "B½ ≤ B′" rest on a head that
was found, "loss ≤ 1.25 V(B)" and "B½ = ∞" on lower bounds of V.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

ReadingName = Literal[
    "feature-limited", "norm-limited", "optimiser-limited", "between", "undetermined"
]

#: All readings, in the order of the list above.
READINGS: tuple[str, ...] = get_args(ReadingName)

#: How an output bias enters a reading: unpenalised, a feature and part of the norm, or held.
ReadingBias = Literal["free", "feature", "fixed"]

#: loss/V at most this: any output layer of this norm removes at most 1 − 1/1.25 = 20 % of the loss.
FEATURE_LIMITED = 1.25
#: loss/V at least this: an output layer of this norm removes at least 1 − 1/2 = 50 % of the loss.
OPTIMISER_LIMITED = 2.0
#: B½ asks for this share of the loss.
HALF = 0.5
#: B½ is looked for up to this many times the larger of B and the norm natural to the target.
CAP = 1e4

#: What each word means, for people.
MEANINGS: dict[str, str] = {
    "feature-limited": "no head within the cap halves the loss: the features must change",
    "norm-limited": (
        "a larger head halves the loss: train longer, or with a larger rate or less weight decay, "
        "or scale the features up"
    ),
    "optimiser-limited": (
        "a head of this very norm halves the loss: the head is not trained to the end"
    ),
    "between": "a head of this norm removes between a fifth and a half of the loss",
    "undetermined": "nothing is claimed",
}

#: Why a norm alone has no reading.
NO_LOSS = "no coefficients were given, so no loss"

_LARGEST_FLOAT = sys.float_info.max


class Curve(Protocol):
    """B ↦ V(B) of fixed features, enclosed."""

    def bounds(self, norm: float) -> tuple[float, float, float]:
        """Return a lower bound of V(B), the best estimate, and an upper bound."""
        ...

    def half_norm(self, least: float, most: float, cap: float) -> float | None:
        """Return a B′ ≤ cap, small, with V(B′) ≤ least for certain, or ∞ if V(cap) > most."""
        ...

    def sketch(self, norm: float) -> tuple[float, float]:
        """Return an enclosure of V(B) from what is known already, for a picture."""
        ...

    @property
    def natural_norm(self) -> float:
        """‖u* − ū*‖/√λ_1: the scale of heads that matter, also where the head is 0."""
        ...


@dataclass(frozen=True)
class Reading:
    """What the curve V says about a plateau (F6): a word, and the two numbers it rests on.

    Attributes
    ----------
    name : str
        ``"feature-limited"``, ``"norm-limited"``, ``"optimiser-limited"``, ``"between"`` or
        ``"undetermined"``.
    ratio : float or None
        loss/V(B) as computed; ∞ for V = 0 < loss, None without a loss or for 0/0.
    lower, upper : float or None
        Enclosure of the ratio.
    reason : str
        One sentence with both numbers.
    half_norm : float or None
        B½, rounded up: V(half_norm) ≤ loss/2. ∞ where V(cap) > loss/2 is proved; None where
        neither is known.
    cap : float or None
        Largest norm that was considered.
    norm : float or None
        B = ‖W‖_F, with the bias only where ``bias="feature"``.
    loss : float or None
        The loss read.
    reachable, attained : float or None
        Enclosure of V(B), in the units of the loss.
    bias : {"free", "feature", "fixed"} or None
        How an output bias entered; None for a head without one.
    """

    name: ReadingName
    ratio: float | None
    lower: float | None
    upper: float | None
    reason: str
    half_norm: float | None = None
    cap: float | None = None
    norm: float | None = None
    loss: float | None = None
    reachable: float | None = None
    attained: float | None = None
    bias: ReadingBias | None = None

    @property
    def half_ratio(self) -> float | None:
        """B½/B: how many times larger a head has to be to halve the loss; ∞ for B = 0 or B½ = ∞."""
        return half_ratio(self.half_norm, self.norm)

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"

    def to_json(self) -> dict[str, Any]:
        """Return word and numbers as plain values, null for ∞ and for what is not known.

        Returns
        -------
        dict
            Keys ``reading``, ``reason``, ``ratio``, ``ratio_lower``, ``ratio_upper``,
            ``half_norm``, ``half_ratio``, ``half_reachable`` (whether B½ is finite, null where
            that is not known), ``norm_cap``, ``reading_norm``, ``reading_reachable``,
            ``reading_attained`` and ``reading_bias``.
        """
        numbers = {
            "ratio": self.ratio,
            "ratio_lower": self.lower,
            "ratio_upper": self.upper,
            "half_norm": self.half_norm,
            "half_ratio": self.half_ratio,
            "norm_cap": self.cap,
            "reading_norm": self.norm,
            "reading_reachable": self.reachable,
            "reading_attained": self.attained,
        }
        finite = {
            key: value if value is not None and math.isfinite(value) else None
            for key, value in numbers.items()
        }
        half = None if self.half_norm is None else math.isfinite(self.half_norm)
        return {
            "reading": self.name,
            "reason": self.reason,
            **finite,
            "half_reachable": half,
            "reading_bias": self.bias,
        }


def word_of_ratio(ratio: float | None) -> str:
    """Return what loss/V alone says: it cannot tell features from a head that is too small."""
    if ratio is None or math.isnan(ratio):
        return "undetermined"
    if ratio <= FEATURE_LIMITED:
        return "feature- or norm-limited"
    return "optimiser-limited" if ratio >= OPTIMISER_LIMITED else "between"


def half_ratio(half_norm: float | None, norm: float | None) -> float | None:
    """Return B½/B; ∞ for B = 0 < B½, None where B½ is not known."""
    if half_norm is None or norm is None:
        return None
    if norm == 0:
        return math.inf if half_norm > 0 else 1.0
    return half_norm / norm


def no_reading(reason: str, *, bias: ReadingBias | None = None) -> Reading:
    """Return a reading that claims nothing."""
    return Reading("undetermined", None, None, None, reason, bias=bias)


def read_curve(
    curve: Curve,
    loss: float | None,
    norm: float,
    *,
    error: float = 0.0,
    bias: ReadingBias | None = None,
) -> Reading:
    """Read a plateau off its curve (F6), for every loss within `error` of the one given."""
    if loss is None:
        return no_reading(NO_LOSS, bias=bias)
    low, value, high = curve.bounds(norm)
    least, most = max(0.0, loss - error), loss + error
    # A ratio beyond float64 is still finite unless V = 0: the lower end must not claim more.
    lower = min(quotient(least, high), _LARGEST_FLOAT) if least > 0 else 0.0
    upper = quotient(most, low)
    ratio = None if loss == value == 0 else quotient(loss, value)
    cap = CAP * max(norm, curve.natural_norm)
    half: float | None = None
    if least > 0:
        half = curve.half_norm(HALF * least, HALF * most, cap)
        if high <= HALF * least:
            half = norm if half is None else min(half, norm)
    name = _name(lower, upper, half)
    if loss == 0:
        reason = "the loss is 0, so there is nothing to read"
    elif least == 0:
        reason = f"the loss is below its rounding bound {error:.1e}"
    else:
        reason = _reason(name, (lower, ratio, upper), half, norm, cap)
    if loss == 0 or least == 0:
        name = "undetermined"
    return Reading(
        name, ratio, lower, upper, reason, half, cap, norm, loss, low, high, bias
    )  # fmt: skip


def _name(lower: float, upper: float, half: float | None) -> ReadingName:
    """Return the word that the whole range of loss/V and what is known of B½ allow."""
    if lower >= OPTIMISER_LIMITED:
        return "optimiser-limited"
    if upper <= FEATURE_LIMITED and half is not None:
        return "norm-limited" if math.isfinite(half) else "feature-limited"
    if lower > FEATURE_LIMITED and upper < OPTIMISER_LIMITED:
        return "between"
    return "undetermined"


def _reason(
    name: ReadingName,
    ratios: tuple[float, float | None, float],
    half: float | None,
    norm: float,
    cap: float,
) -> str:
    """Return one sentence with loss/V and B½/B."""
    lower, ratio, upper = ratios
    if name == "undetermined":
        numbers = f"loss/V is only known to lie in [{lower:.4g}, {upper:.4g}]"
        if lower > upper * 0.99:
            numbers = f"loss/V = {upper:.4g}"
        crosses = lower <= FEATURE_LIMITED < upper or lower < OPTIMISER_LIMITED <= upper
        why = "across a threshold" if crosses else "and it is not known whether B½ is finite"
        return f"{numbers}, {why}; {half_text(half, norm, cap)}"
    shown = upper if ratio is None else ratio
    return f"loss/V = {shown:.4g}, {half_text(half, norm, cap)}; {MEANINGS[name]}"


def half_text(half: float | None, norm: float | None, cap: float | None) -> str:
    """Return B½/B in words, or B½ alone for a head of norm 0."""
    if half is None:
        return "B½ is not known"
    if math.isinf(half):
        most = "" if cap is None or math.isinf(cap) else f" up to the norm {cap:.3g}"
        return f"B½ = ∞{most}"
    times = half_ratio(half, norm)
    if times is None or math.isinf(times):
        return f"B½ = {half:.4g} while B = 0"
    return f"B½/B = {times:.4g}"


def quotient(numerator: float, denominator: float) -> float:
    """Return the quotient of numbers ≥ 0, ∞ where the denominator is 0 or float64 ends."""
    if denominator == 0:
        return math.inf
    try:
        return numerator / denominator
    except OverflowError:
        return math.inf
