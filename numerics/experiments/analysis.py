"""What an experiment found: findings on claims with effect sizes, tables and figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from epsrank.theory.statistics import (
    MedianInterval,
    detectable_shift,
    median_interval,
    sign_flip_pvalue,
)
from epsrank.theory.strict_json import nulled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Judgement = Literal["supported", "regime", "refuted", "undecided"]


@dataclass(frozen=True)
class Effect:
    """One effect size over seeds."""

    #: What is compared, in words: ``"rank of layer 4 − rank of layer 1, d = 1, default"``.
    name: str
    #: Median over seeds and its interval.
    interval: MedianInterval
    #: The value of no effect (0 for differences, 1 for ratios).
    null: float = 0.0
    #: Unit of the numbers, ``""`` where they have none.
    unit: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the effect as plain values."""
        head = {"name": self.name, "null": self.null, "unit": self.unit}
        found = detectable_shift(self.interval.count)
        return head | self.interval.to_json() | {"detectable": nulled(found)}


@dataclass(frozen=True)
class Finding:
    """What the runs say about one claim of the ledger."""

    #: Id of the claim.
    claim: str
    #: ``regime``: it holds in the part of the settings that the statement names, and not elsewhere.
    #: ``refuted``: an interval that excludes the claim, see `witness`. ``undecided``: intervals
    #: that contain no effect, or too few seeds.
    judgement: Judgement
    #: What was found, in one or two sentences with its numbers and its regime.
    statement: str
    #: All comparisons that were made for it, the unfavourable ones too.
    effects: Sequence[Effect] = ()
    #: How many comparisons there were in all, for the reader's multiplicity.
    tried: int = 1
    #: Settings and numbers of a counterexample.
    witness: Mapping[str, Any] | None = None
    #: Part of a claim of several statements.
    part: str | None = None
    #: Probability that the test finds the effect if it is there, simulated for this very record;
    #: None where that was not done.
    power: float | None = None
    #: Probability of so much in favour of the claim without any effect, by a test that counts
    #: seeds; what Holm's correction over all empirical claims takes. None where there is no test.
    pvalue: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the finding as plain values."""
        return {
            "claim": self.claim,
            "part": self.part,
            "judgement": self.judgement,
            "statement": self.statement,
            "tried": self.tried,
            "power": self.power,
            "pvalue": self.pvalue,
            "effects": [effect.to_json() for effect in self.effects],
            "witness": None if self.witness is None else dict(self.witness),
        }


@dataclass(frozen=True)
class Table:
    """Rows under a name."""

    #: File name without ending: letters, digits and hyphens.
    name: str
    #: One sentence.
    title: str
    #: All with the same keys; numbers, strings or None.
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Picture:
    """A figure, drawn when asked for."""

    #: File name without ending: letters, digits and hyphens.
    name: str
    #: Caption: what is seen, and which claim it decides.
    title: str
    #: Makes the matplotlib figure.
    draw: Callable[[], Figure] = field(repr=False)


@dataclass(frozen=True)
class Analysis:
    """All that follows from the outcomes of an experiment's trials, and from nothing else."""

    #: On the claims of the ledger.
    findings: tuple[Finding, ...]
    #: The numbers behind them.
    tables: tuple[Table, ...] = ()
    #: The figures.
    pictures: tuple[Picture, ...] = ()
    #: What a reader has to know: runs that failed or diverged, data that were stood in for.
    notes: tuple[str, ...] = ()


def effect(
    name: str,
    values: Sequence[float],
    *,
    null: float = 0.0,
    unit: str = "",
    coverage: float = 0.95,
) -> Effect | None:
    """Return the median of observations with its interval, None where there is none."""
    # ±∞ stays: order statistics need no finite numbers, and divergence is an observation.
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
    """Return the median of a_s − b_s over the seeds s that both arms have, None without any."""
    common = sorted(set(values) & set(others))
    differences = [values[seed] - others[seed] for seed in common]
    return effect(name, differences, unit=unit, coverage=coverage)


def sign(item: Effect, least: float = 0.95) -> int:
    """Return what an effect establishes about its median.

    `least`: Coverage that the interval must have; with fewer seeds nothing is established.
    """
    interval = item.interval
    # The interval is the widest there is when seeds are too few for the coverage.
    if interval.coverage < least:
        return 0
    return int(interval.low > item.null) - int(interval.high < item.null)


def seeds_pvalue(scores: Iterable[Mapping[int, float]]) -> float | None:
    """Return the p-value of comparisons that share seeds: one vote per seed and comparison.

    `scores`: By seed, a number that is positive where the claim is right, per comparison. A seed's
    votes are its signs, so that infinite differences count like others; under no effect all
    votes of a seed turn round together (sign-flip permutation), however they depend on each other.
    """
    votes: dict[int, float] = {}
    for comparison in scores:
        for seed, score in comparison.items():
            vote = 0.0 if math.isnan(score) else float((score > 0) - (score < 0))
            votes[seed] = votes.get(seed, 0.0) + vote
    return sign_flip_pvalue(list(votes.values())) if votes else None


def family_pvalue(comparisons: Sequence[Mapping[int, float]]) -> float | None:
    """Return the p-value of "right in some comparison, or in all together", over seeds.

    A claim that is right in some settings only would drown among the others. Each comparison is
    asked by itself, and the least p-value counts as often as there are comparisons (Bonferroni);
    all together they are asked as one; the better of both counts twice.
    """
    each = [p for votes in comparisons if (p := seeds_pvalue([votes])) is not None]
    every = seeds_pvalue(comparisons)
    if every is None:
        return None
    return min(1.0, 2 * min(every, len(each) * min(each)))
