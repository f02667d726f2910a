"""What an experiment found: findings on claims with effect sizes, tables and figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from epsrank.theory.statistics import MedianInterval, median_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Judgement = Literal["supported", "regime", "refuted", "undecided"]


@dataclass(frozen=True)
class Effect:
    """One effect size over seeds.

    Attributes
    ----------
    name : str
        What is compared, in words: ``"rank of layer 4 − rank of layer 1, d = 1, default"``.
    interval : MedianInterval
        Median over seeds and its interval.
    null : float
        The value of no effect (0 for differences, 1 for ratios).
    unit : str
        Unit of the numbers, ``""`` where they have none.
    """

    name: str
    interval: MedianInterval
    null: float = 0.0
    unit: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the effect as plain values.

        Returns
        -------
        dict
            Keys ``name``, ``null``, ``unit`` and those of the interval.
        """
        head = {"name": self.name, "null": self.null, "unit": self.unit}
        return head | self.interval.to_json()


@dataclass(frozen=True)
class Finding:
    """What the runs say about one claim of the ledger.

    Attributes
    ----------
    claim : str
        Id of the claim.
    judgement : {"supported", "regime", "refuted", "undecided"}
        ``regime``: it holds in the part of the settings that the statement names, and not
        elsewhere. ``refuted``: an interval that excludes the claim, see `witness`. ``undecided``:
        intervals that contain no effect, or too few seeds.
    statement : str
        What was found, in one or two sentences with its numbers and its regime.
    effects : sequence of Effect
        All comparisons that were made for it, the unfavourable ones too.
    tried : int
        How many comparisons there were in all, for the reader's multiplicity.
    witness : mapping or None
        Settings and numbers of a counterexample.
    part : str or None
        Part of a claim of several statements.
    """

    claim: str
    judgement: Judgement
    statement: str
    effects: Sequence[Effect] = ()
    tried: int = 1
    witness: Mapping[str, Any] | None = None
    part: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the finding as plain values.

        Returns
        -------
        dict
            One entry per attribute.
        """
        return {
            "claim": self.claim,
            "part": self.part,
            "judgement": self.judgement,
            "statement": self.statement,
            "tried": self.tried,
            "effects": [effect.to_json() for effect in self.effects],
            "witness": None if self.witness is None else dict(self.witness),
        }


@dataclass(frozen=True)
class Table:
    """Rows under a name.

    Attributes
    ----------
    name : str
        File name without ending: letters, digits and hyphens.
    title : str
        One sentence.
    rows : sequence of mapping
        All with the same keys; numbers, strings or None.
    """

    name: str
    title: str
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Picture:
    """A figure, drawn when asked for.

    Attributes
    ----------
    name : str
        File name without ending: letters, digits and hyphens.
    title : str
        Caption: what is seen, and which claim it decides.
    draw : callable
        Makes the matplotlib figure.
    """

    name: str
    title: str
    draw: Callable[[], Figure] = field(repr=False)


@dataclass(frozen=True)
class Analysis:
    """All that follows from the outcomes of an experiment's trials, and from nothing else.

    Attributes
    ----------
    findings : tuple of Finding
        On the claims of the ledger.
    tables : tuple of Table
        The numbers behind them.
    pictures : tuple of Picture
        The figures.
    notes : tuple of str
        What a reader has to know: runs that failed or diverged, data that were stood in for.
    """

    findings: tuple[Finding, ...]
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    notes: tuple[str, ...] = ()


def effect(
    name: str,
    values: Sequence[float],
    *,
    null: float = 0.0,
    unit: str = "",
    coverage: float = 0.95,
) -> Effect | None:
    """Return the median of observations with its interval.

    Parameters
    ----------
    name : str
        What is compared.
    values : sequence of float
        One number per seed; NaN is left out.
    null : float
        Value of no effect.
    unit : str
        Unit.
    coverage : float
        Coverage asked for.

    Returns
    -------
    Effect or None
        None where there is no observation.
    """
    known = [float(value) for value in values if not math.isnan(value)]
    if not known:
        return None
    return Effect(name, median_interval(known, coverage), null, unit)


def paired(
    name: str,
    values: Mapping[int, float],
    others: Mapping[int, float],
    *,
    unit: str = "",
    coverage: float = 0.95,
) -> Effect | None:
    """Return the median of a_s − b_s over the seeds s that both arms have.

    Parameters
    ----------
    name : str
        What is compared.
    values, others : mapping of int to float
        a_s and b_s by seed.
    unit : str
        Unit.
    coverage : float
        Coverage asked for.

    Returns
    -------
    Effect or None
        None where no seed has both.
    """
    common = sorted(set(values) & set(others))
    differences = [values[seed] - others[seed] for seed in common]
    return effect(name, differences, unit=unit, coverage=coverage)


def sign(item: Effect, least: float = 0.95) -> int:
    """Return what an effect establishes about its median.

    Parameters
    ----------
    item : Effect
        Median and interval.
    least : float
        Coverage that the interval must have; with fewer seeds nothing is established.

    Returns
    -------
    int
        1 if the interval lies above no effect, −1 if below, 0 otherwise.
    """
    interval = item.interval
    if interval.coverage < least:
        return 0
    return int(interval.low > item.null) - int(interval.high < item.null)
