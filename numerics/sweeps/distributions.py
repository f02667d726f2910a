"""Random settings: distributions as a specification names them, drawn alike on every machine."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from epsrank.theory.errors import InputError

DISTRIBUTIONS = ("uniform", "loguniform", "integers", "choice")
_EXAMPLE = "write { uniform = [0, 1] }, or loguniform, integers, choice"


@dataclass(frozen=True)
class Distribution:
    """A distribution of one setting."""

    #: The setting; it has a stream of random numbers of its own, so that the draws of one do not
    #: depend on which others there are.
    name: str
    #: Uniform on [a, b], uniform in the logarithm, integers from a to b (both included), or one of
    #: several values, all alike.
    family: str
    #: (a, b), or the values.
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if self.family not in DISTRIBUTIONS:
            known = ", ".join(DISTRIBUTIONS)
            raise InputError(
                self.name, f"has the distribution {self.family!r}", f"choose one of {known}"
            )
        if self.family == "choice":
            if not self.values:
                raise InputError(self.name, "has no values to choose from", "name some")
            return
        wanted = int if self.family == "integers" else (int, float)
        fits = len(self.values) == 2 and all(
            isinstance(end, wanted) and not isinstance(end, bool) and math.isfinite(end)
            for end in self.values
        )
        if not fits:
            kind = "integers" if self.family == "integers" else "numbers"
            raise InputError(
                self.name, f"is {self.family} on {list(self.values)}", f"give two {kind} [a, b]"
            )
        low, high = self.values
        if low > high or (self.family == "loguniform" and low <= 0):
            least = "0 < a ≤ b" if self.family == "loguniform" else "a ≤ b"
            raise InputError(
                self.name, f"is {self.family} on {list(self.values)}", f"give [a, b] with {least}"
            )

    @classmethod
    def parse(cls, name: str, given: Any) -> Distribution:
        """Read a distribution as a specification has it."""
        if not isinstance(given, Mapping) or len(given) != 1:
            raise InputError(name, f"is {given!r}, no distribution", _EXAMPLE)
        family, values = next(iter(given.items()))
        if not isinstance(values, list):
            raise InputError(name, f"is {family} of {values!r}", _EXAMPLE)
        return cls(name, family, tuple(values))

    def draw(self, count: int, seed: int) -> Sequence[Any]:
        """Draw values; the first ones do not depend on how many are drawn."""
        # Of Python's generators only random() is promised to stay the same between versions.
        stream = random.Random(f"{seed} {self.name}")
        return [self._value(stream.random()) for _ in range(count)]

    def _value(self, u: float) -> Any:
        """Return the value at u, uniform in [0, 1)."""
        if self.family == "choice":
            return self.values[int(u * len(self.values))]
        low, high = self.values
        if self.family == "integers":
            return low + int(u * (high - low + 1))
        if self.family == "uniform":
            value = low + u * (high - low)
        else:
            value = math.exp(math.log(low) + u * (math.log(high) - math.log(low)))
        # exp and log differ in last digits between machines: 12 digits are alike, and so is the
        # hash of the settings. Rounding may leave [a, b].
        return min(max(float(f"{value:.12g}"), float(low)), float(high))
