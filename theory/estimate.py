"""A number with an interval, and what that interval claims."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from epsrank.theory.errors import InputError

#: What the interval of a quantity claims.
Meaning = Literal["certified", "confidence"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number q̂ with low ≤ q ≤ high, and what that interval means.

    Parameters
    ----------
    value : float
        q̂, in float64; a tensor or array of one element is converted. ±∞ is a value, NaN is none: a
        monitor records its cause.
    low, high : float, optional
        Ends of the interval; either may be None, for a bound from one side.
    meaning : {None, "certified", "confidence"}
        ``"certified"``: the interval holds, rounding included, for these samples. ``"confidence"``:
        it holds with probability `level` over what the quantity drew at random. None: it is a
        spread that claims neither.
    level : float, optional
        In (0, 1), with ``meaning="confidence"`` alone.

    Raises
    ------
    InputError
        If something is no number, low ≤ value ≤ high does not hold, or `meaning` and `level` do not
        fit each other or the interval.

    Examples
    --------
    >>> Estimate(2.5, low=2.4, high=2.7, meaning="confidence", level=0.95)
    Estimate(value=2.5, low=2.4, high=2.7, meaning='confidence', level=0.95)
    """

    #: q̂.
    value: float
    #: Ends; None where there is none.
    low: float | None = None
    high: float | None = None
    #: What the interval claims.
    meaning: Meaning | None = None
    #: Probability of a confidence interval.
    level: float | None = None

    def __post_init__(self) -> None:
        for name in ("value", "low", "high", "level"):
            given = getattr(self, name)
            if given is not None or name == "value":
                object.__setattr__(self, name, as_number(name, given))
        for name, end in (("low", self.low), ("high", self.high)):
            if end is not None and math.isnan(end):
                raise InputError(name, "is NaN", "pass a number, or None where there is no bound")
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        # A NaN may come with its interval: the monitor records what became of it.
        if not math.isnan(self.value) and not low <= self.value <= high:
            interval = f"[{low!r}, {high!r}]"
            raise InputError("value", f"is {self.value!r}, outside of {interval}", "order them")
        if self.meaning not in (None, *get_args(Meaning)):
            remedy = "choose None, 'certified' or 'confidence'"
            raise InputError("meaning", f"is {self.meaning!r}", remedy)
        if self.meaning is not None and self.low is None and self.high is None:
            raise InputError("meaning", f"is {self.meaning!r}", "pass low, high or both with it")
        if (self.level is not None) != (self.meaning == "confidence"):
            remedy = "pass a level with meaning='confidence', and with nothing else"
            raise InputError("level", f"is {self.level!r}", remedy)
        if self.level is not None and not 0 < self.level < 1:
            raise InputError("level", f"is {self.level!r}", "pass a probability, such as 0.95")


def as_number(name: str, given: Any) -> float:
    """Return one number as a float; text is none, though float() reads it."""
    if not isinstance(given, (str, bytes)):
        try:
            return float(given)
        except (TypeError, ValueError, RuntimeError):
            pass
    kind = "None" if given is None else f"a {type(given).__name__}"
    shape = getattr(given, "shape", None)
    shaped = f" of shape {tuple(shape)}" if isinstance(shape, tuple) else ""
    raise InputError(name, f"is {kind}{shaped}", "return one number or an Estimate")
