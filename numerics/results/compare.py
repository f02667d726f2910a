"""Two collections of runs against each other: effects of pairs, with intervals over the seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from epsrank.numerics.results.collection import RunResult, SweepResults, frozen
from epsrank.numerics.results.pairing import Pairing, pair
from epsrank.numerics.sweeps.figures import FALLING
from epsrank.theory.data.inputs import several
from epsrank.theory.errors import InputError
from epsrank.theory.shown import Shown
from epsrank.theory.statistics import MedianInterval, Proportion, median_interval, proportion
from epsrank.theory.words import plural

Scale = Literal["ratio", "difference"]

#: Figures that are compared where nothing is said, as far as both have them.
USUAL = ("loss", "test_loss", "test_accuracy", "rank_lower")


@dataclass(frozen=True)
class Effect(Shown):
    """What B does to one figure, of pairs (a_i, b_i) that share settings and seed."""

    #: The setting that the pairs share; None for all of them together.
    settings: Mapping[str, Any] | None
    figure: str
    #: ``ratio`` is b/a, of losses; ``difference`` b − a.
    scale: Scale
    #: Pairs behind it, and those that say nothing: the figure is missing, or infinite in both.
    pairs: int
    silent: int
    #: Medians of a and of b over these pairs.
    median_a: float
    median_b: float
    #: Median of the effect, and an interval between two of them by order statistics. Over all
    #: settings: of each seed the median of its cells, and then over the seeds, as cells with one
    #: seed are not independent.
    effect: MedianInterval
    #: In how many pairs B is better; equal ones count as no pair.
    better: Proportion | None

    def __str__(self) -> str:
        where = "all settings" if self.settings is None else _named(self.settings)
        mark = "B/A" if self.scale == "ratio" else "B − A"
        better = "" if self.better is None else f"; B better in {self.better}"
        return f"{where}: {self.figure} {mark} {self.effect}{better}"

    def to_json(self) -> dict[str, Any]:
        """Return the effect as plain data."""
        return {
            **vars(self),
            "settings": None if self.settings is None else dict(self.settings),
            "effect": self.effect.to_json(),
            "better": None if self.better is None else self.better.to_json(),
        }


@dataclass(frozen=True, eq=False)
class Comparison(Shown):
    """A against B, paired by settings and seed.

    Attributes
    ----------
    a, b : SweepResults
        What is compared.
    pairing : Pairing
        The pairs, in which settings the two differ, and what has no partner.
    effects : tuple of Effect
        Per figure the effect over all settings, then that of each.
    """

    a: SweepResults
    b: SweepResults
    pairing: Pairing
    effects: tuple[Effect, ...]

    def __str__(self) -> str:
        whole = [str(effect) for effect in self.effects if effect.settings is None]
        return f"{plural(self.pairing.count, 'pair')}; " + "; ".join(whole)

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as plain data."""
        return {
            "a": self.a.source,
            "b": self.b.source,
            "pairs": self.pairing.count,
            "differences": {name: list(ends) for name, ends in self.pairing.differences.items()},
            "unpaired": list(self.pairing.unpaired),
            "effects": [effect.to_json() for effect in self.effects],
        }


def compare_results(
    a: SweepResults, b: SweepResults, *, figures: Sequence[str] = (), coverage: float = 0.95
) -> Comparison:
    """Pair the runs of two collections by settings and seed, and return what B does.

    Of losses the effect is the ratio b/a, of all else the difference b − a. Its interval is that of
    the median over the seeds by order statistics, which assumes no distribution.

    Parameters
    ----------
    a, b : SweepResults
        From `load_results` or `import_runs`.
    figures : sequence of str
        Figures, as ``loss`` or ``rank_upper``; final loss, test loss, accuracy and ε-rank by
        default.
    coverage : float
        Of the intervals, where there are pairs enough.

    Returns
    -------
    Comparison
        Effects, and what could not be paired.

    Raises
    ------
    InputError
        If no run of A has a partner in B, or a figure is in neither.

    Examples
    --------
    >>> from epsrank.numerics.results.collection import RunResult, SweepResults
    >>> runs = lambda loss: tuple(
    ...     RunResult({"width": 4}, seed, "done", None, {"loss": loss * (1 + seed)})
    ...     for seed in range(6)
    ... )
    >>> print(compare_results(SweepResults("a", runs(1.0)), SweepResults("b", runs(0.5))))
    6 pairs; all settings: loss B/A 0.5 [0.5, 0.5] (96.9 %, n = 6); B better in 6 of 6 [0.54, 1.00]

    Source: H. A. David, H. N. Nagaraja, Order Statistics, 3rd ed., 2003, section 7.1.
    """
    for name, one in (("a", a), ("b", b)):
        if not isinstance(one, SweepResults):
            problem = f"is a {type(one).__name__}"
            raise InputError(name, problem, "pass what load_results or import_runs returns")
    figures = several(figures)
    paired = pair(a, b)
    if not paired.count:
        reasons = "; ".join(paired.unpaired) or "one of them is empty"
        raise InputError(
            "B", f"has no run that pairs with one of A ({reasons})", "use the same seeds and grid"
        )
    known = [name for name in a.figures if name in b.figures]
    unknown = [name for name in figures if name not in known]
    if unknown:
        raise InputError(
            "figures",
            f"has {unknown[0]!r}, which not both have",
            f"choose some of {', '.join(known)}",
        )
    effects = []
    for figure in figures or [name for name in USUAL if name in known]:
        whole = _effect(None, figure, [p for _, pairs in paired.cells for p in pairs], coverage)
        if whole is not None:
            effects.append(whole)
        for settings, pairs in paired.cells if len(paired.cells) > 1 else ():
            own = _effect(settings, figure, pairs, coverage)
            if own is not None:
                effects.append(own)
    return Comparison(a, b, paired, tuple(effects))


def _effect(
    settings: Mapping[str, Any] | None, figure: str,
    pairs: Sequence[tuple[RunResult, RunResult]], coverage: float,
) -> Effect | None:  # fmt: skip
    """Return the effect on one figure; None where no pair has it."""
    scale: Scale = "ratio" if figure.endswith(("loss", "reachable")) else "difference"
    both = [(one.seed, one.figures[figure], other.figures[figure]) for one, other in pairs
            if figure in one.figures and figure in other.figures]  # fmt: skip
    measure = _ratio if scale == "ratio" else _difference
    found = [(seed, a, b, measure(a, b)) for seed, a, b in both]
    told = [entry for entry in found if not math.isnan(entry[3])]
    if not told:
        return None
    effects = [effect for *_, effect in told]
    if settings is None:
        seeds: dict[str, list[float]] = {}
        for seed, _, _, effect in told:
            seeds.setdefault(frozen(seed), []).append(effect)
        effects = [median_interval(values).value for values in seeds.values()]
    falling = figure.startswith(FALLING) or figure.endswith("loss")
    even = 1.0 if scale == "ratio" else 0.0
    unequal = [effect for *_, effect in told if effect != even]
    better = sum((effect < even) == falling for effect in unequal)
    return Effect(
        settings=settings,
        figure=figure,
        scale=scale,
        pairs=len(told),
        silent=len(pairs) - len(told),
        median_a=median_interval([a for _, a, _, _ in told]).value,
        median_b=median_interval([b for _, _, b, _ in told]).value,
        effect=median_interval(effects, coverage),
        better=proportion(better, len(unequal), coverage) if unequal else None,
    )


def _ratio(a: float, b: float) -> float:
    """Return b/a of two losses; NaN where both diverged, or neither is above 0."""
    if math.isinf(a) and math.isinf(b):
        return math.nan
    if a == 0:
        return 1.0 if b == 0 else math.inf
    return b / a


def _difference(a: float, b: float) -> float:
    """Return b − a; NaN where both are infinite."""
    return math.nan if math.isinf(a) and math.isinf(b) else b - a


def _named(settings: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in settings.items()) or "the one setting"
