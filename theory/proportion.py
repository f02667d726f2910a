"""Intervals for a proportion from the binomial distribution (Clopper and Pearson)."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

from scipy.stats import beta

from epsrank.theory.errors import InputError


@dataclass(frozen=True)
class Proportion:
    """A share k/m with [low, high] ∋ p for k ~ Bin(m, p).

    Attributes
    ----------
    count, total : int
        k and m.
    low, high : float
        Ends of the interval.
    coverage : float
        P(low ≤ p ≤ high), at least, whatever p.
    """

    count: int
    total: int
    low: float
    high: float
    coverage: float

    @property
    def value(self) -> float:
        """k/m."""
        return self.count / self.total

    def __str__(self) -> str:
        return f"{self.count} of {self.total} [{self.low:.2f}, {self.high:.2f}]"

    def _repr_html_(self) -> str:
        return f"<span>{html.escape(str(self))}</span>"

    def to_json(self) -> dict[str, Any]:
        """Return the share as plain data.

        Returns
        -------
        dict
            Keys ``count``, ``total``, ``value``, ``low``, ``high``, ``coverage``.
        """
        return dict(vars(self)) | {"value": self.value}


def proportion(count: int, total: int, coverage: float = 0.95) -> Proportion:
    """Return the interval of all p with  P(Bin(m, p) ≥ k), P(Bin(m, p) ≤ k) > (1 − coverage)/2.

    Parameters
    ----------
    count : int
        k, from 0 to m.
    total : int
        m ≥ 1.
    coverage : float
        Coverage asked for, in (0, 1).

    Returns
    -------
    Proportion
        The share and its interval, of coverage at least what is asked for.

    Raises
    ------
    InputError
        If k is not between 0 and m, m is not positive, or the coverage is not in (0, 1).

    References
    ----------
    C. J. Clopper, E. S. Pearson, Biometrika 26 (1934) 404–413.

    Examples
    --------
    >>> print(proportion(6, 6))
    6 of 6 [0.54, 1.00]
    """
    if total < 1:
        raise InputError("total", f"is {total}", "pass at least one trial")
    if not 0 <= count <= total:
        raise InputError("count", f"is {count} of {total}", "pass 0 ≤ count ≤ total")
    if not 0 < coverage < 1:
        raise InputError("coverage", f"is {coverage}", "pass a number between 0 and 1")
    half = (1 - coverage) / 2
    low = float(beta.ppf(half, count, total - count + 1)) if count else 0.0
    high = float(beta.ppf(1 - half, count + 1, total - count)) if count < total else 1.0
    return Proportion(count, total, low, high, coverage)
