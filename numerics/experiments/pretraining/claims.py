"""The claims on pre-training, judged from pairs of arms: rank, speed, accuracy.

Written down before any run was looked at. A *comparison* has a plain and a pre-trained arm that
differ in the initialisation alone, paired by seed s. It gives three differences:

* rank: r_s(pre-trained) − r_s(plain), ε-rank of the last hidden layer before training, as far as
  the intervals of both make it certain;
* speed: log₁₀ of the ratio of the numbers of steps to an error τ, pre-trained over plain, as the
  median over a fixed grid of τ; one that does not arrive counts as if it did at its end (`speed`);
* accuracy: log₁₀ of the ratio of final errors, or the difference of the shares that are classified
  wrongly; a run that diverged has the error +∞.

A comparison *favours* a claim where the 95 % interval of the median difference (order statistics)
excludes 0 in the claimed direction, and *opposes* it where it excludes 0 in the other one. Over the
m comparisons of an experiment the claim is

* supported, where all of them favour it;
* true in a regime, where some favour it, more than chance would have;
* refuted, where none favours it, and some oppose it, more than chance would have;
* undecided otherwise.

Chance is asked over seeds, since comparisons may share runs (`experiments.analysis.family_pvalue`).
A comparison is *equal within the margin* where two one-sided tests place its median there; margins
stand in the rules.

Claims are on steps and errors. What initialising costs, and steps in seconds, are measured (as time
of the processor, one thread, or a wall clock on CUDA) and stand in a table of costs, which differs
from run to run and decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from epsrank.numerics.experiments.analysis import (
    Effect,
    Finding,
    Judgement,
    effect,
    family_pvalue,
    sign,
)
from epsrank.numerics.experiments.pretraining.runs import Metric, PretrainingRun, rank_gain
from epsrank.numerics.experiments.pretraining.speed import (
    SpeedPoint,
    log_ratio,
    scores,
    speed_curve,
    targets_of,
)
from epsrank.numerics.experiments.rules import shared_rules
from epsrank.theory.statistics import equivalent, median_interval
from epsrank.theory.strict_json import worded

# Comparisons of one kind that a statement names.
_NAMED = 6


def listed(names: Sequence[str]) -> str:
    """Name the first few comparisons; all are among the effects."""
    rest = len(names) - _NAMED
    return "; ".join(names[:_NAMED]) + (f"; and {rest} more" if rest > 0 else "")


def plus(item: Effect, form: str = "g") -> str:
    """Write a difference with its interval."""
    interval = item.interval
    return f"{interval.value:+{form}}, {interval.low:+{form}} to {interval.high:+{form}}"


def times(item: Effect) -> str:
    """Write a ratio with its interval."""
    interval = item.interval
    return f"×{power(interval.value)}, {power(interval.low)} to {power(interval.high)}"


def power(value: float) -> str:
    """Write 10^value; ±∞ is allowed."""
    return f"{10**value:.2g}" if math.isfinite(value) else ("∞" if value > 0 else "0")


RANK, SPEED, ACCURACY = "pretraining-rank", "pretraining-speed", "pretraining-accuracy"
CLAIMS = (RANK, SPEED, ACCURACY)

# Chance of so much in favour of a claim, or against it, without any effect.
_CHANCE = float(shared_rules("pretraining")["level"])


@dataclass(frozen=True, eq=False)
class Comparison:
    """A plain and a pre-trained arm, put side by side."""

    #: What is compared, in words: ``"poisson, tanh MLP: structured against xavier"``.
    name: str
    #: What errors are.
    metric: Metric
    #: Runs by seed, of the seeds that both arms have.
    plain: Mapping[int, PretrainingRun]
    pretrained: Mapping[int, PretrainingRun]
    #: Steps to τ, over the grid.
    curve: tuple[SpeedPoint, ...]
    #: By claim; and ``"final rank"``, which decides nothing.
    effects: Mapping[str, Effect]
    #: The differences behind them by claim and seed, positive where the claim is right.
    scores: Mapping[str, Mapping[int, float]]
    #: Claims whose effect two one-sided tests place within the margin of no effect.
    equal: frozenset[str] = frozenset()

    def direction(self, claim: str) -> int:
        """Tell what the comparison says about a claim."""
        found = self.effects.get(claim)
        if found is None:
            return 0
        # More rank, but fewer steps and smaller errors.
        return sign(found) if claim == RANK else -sign(found)


def compare(
    name: str,
    plain: Iterable[PretrainingRun],
    pretrained: Iterable[PretrainingRun],
    metric: Metric,
) -> Comparison | None:
    """Compare two arms by seed; None where no seed has both."""
    arms = [{run.seed: run for run in runs} for runs in (plain, pretrained)]
    seeds = sorted(set(arms[0]) & set(arms[1]))
    if not seeds:
        return None
    used = [{seed: arm[seed] for seed in seeds} for arm in arms]
    pairs = {seed: (arms[0][seed], arms[1][seed]) for seed in seeds}
    ratio = log_ratio if metric != "test_error" else _difference
    targets = targets_of(metric)
    curve = speed_curve(used[0], used[1], targets)
    span = f"from {targets[0]:g} to {targets[-1]:g}"
    values: dict[str, tuple[str, str, Mapping[int, float]]] = {
        RANK: ("initial ε-rank, pre-trained − plain", "", _gain(pairs, "first_rank")),
        "final rank": ("final ε-rank, pre-trained − plain", "", _gain(pairs, "last_rank")),
        SPEED: (
            f"steps to an error τ, median over τ {span}, pre-trained / plain",
            "log10",
            scores(curve),
        ),
        ACCURACY: (
            "final error, pre-trained / plain"
            if metric != "test_error"
            else "share classified wrongly at the end, pre-trained − plain",
            "log10" if metric != "test_error" else "",
            {seed: ratio(b.final_error, a.final_error) for seed, (a, b) in pairs.items()},
        ),
    }
    effects = {
        claim: found
        for claim, (what, unit, differences) in values.items()
        if (found := effect(f"{name}: {what}", list(differences.values()), unit=unit)) is not None
    }
    in_favour = {
        claim: {
            seed: (value if claim == RANK else -value) for seed, value in values[claim][2].items()
        }
        for claim in CLAIMS
    }
    equal = {
        claim
        for claim in CLAIMS
        if claim in effects and _equal(claim, metric, list(values[claim][2].values()))
    }
    return Comparison(name, metric, used[0], used[1], curve, effects, in_favour, frozenset(equal))


def _equal(claim: str, metric: Metric, values: Sequence[float]) -> bool:
    """Whether two one-sided tests find the median within the margin of the rules."""
    margins = shared_rules("pretraining")["margins"]
    key = "share" if claim == ACCURACY and metric == "test_error" else claim
    level = _CHANCE
    return equivalent(median_interval(values, 1 - 2 * level), 0.0, float(margins[key]), level)


def _gain(
    pairs: Mapping[int, tuple[PretrainingRun, PretrainingRun]], name: str
) -> dict[int, float]:
    return {seed: rank_gain(getattr(b, name), getattr(a, name)) for seed, (a, b) in pairs.items()}


def _difference(value: float, other: float) -> float:
    """Return value − other; two infinite ones give 0."""
    return 0.0 if value == other else value - other


def judge(comparisons: Sequence[Comparison], claim: str) -> Judgement:
    """Apply the rule of this file."""
    signs = [item.direction(claim) for item in comparisons]
    if signs and min(signs) > 0:
        return "supported"
    if signs.count(1):
        return "regime" if _beyond_chance(comparisons, claim) else "undecided"
    # One comparison in favour is enough for no refutation.
    if signs.count(-1) and _beyond_chance(comparisons, claim, against=True):
        return "refuted"
    return "undecided"


def pvalue(comparisons: Sequence[Comparison], claim: str, *, against: bool = False) -> float | None:
    """Return the p-value, over seeds, of what points one way in the comparisons."""
    turn = -1 if against else 1
    return family_pvalue(
        [{seed: turn * score for seed, score in item.scores[claim].items()} for item in comparisons]
    )


def _beyond_chance(comparisons: Sequence[Comparison], claim: str, *, against: bool = False) -> bool:
    """Whether so much in favour (or against) would be chance seldom enough."""
    found = pvalue(comparisons, claim, against=against)
    return found is not None and found <= _CHANCE


def findings(comparisons: Sequence[Comparison]) -> tuple[Finding, ...]:
    """Return what comparisons say about each of the three claims, with all effects."""
    return tuple(_finding(comparisons, claim) for claim in CLAIMS)


_ASKED: dict[str, tuple[str, Callable[[Effect], str]]] = {
    RANK: ("The initial ε-rank is raised", plus),
    SPEED: ("Fewer steps are needed", times),
    ACCURACY: ("The result is better", lambda e: times(e) if e.unit else plus(e, ".3f")),
}


def _finding(comparisons: Sequence[Comparison], claim: str) -> Finding:
    judgement = judge(comparisons, claim)
    words, form = _ASKED[claim]
    groups: dict[int, list[str]] = {1: [], -1: [], 0: []}
    for item in comparisons:
        if claim in item.effects:
            shown = form(item.effects[claim])
            groups[item.direction(claim)].append(f"{item.name} ({shown})")
    tried = len(comparisons)
    statement = f"{words} in {len(groups[1])} of {tried} comparisons"
    for key, lead in ((1, ""), (-1, "the reverse holds in "), (0, "undecided in ")):
        if groups[key]:
            statement += f"{':' if key == 1 else ';'} {lead}{listed(groups[key])}"
    equal = [item.name for item in comparisons if claim in item.equal]
    if equal:
        statement += f"; equal within the margin in {listed(equal)}"
    effects = [item.effects[claim] for item in comparisons if claim in item.effects]
    if claim == SPEED and any(math.isinf(e.interval.value) for e in effects):
        statement += "; ×0 where the plain arm, ×∞ where the pre-trained one diverges"
    if claim == RANK:
        effects += [item.effects["final rank"] for item in comparisons]
    # The first that opposes, whatever the judgement: a reader may want to see it.
    worst = next((item for item in comparisons if item.direction(claim) < 0), None)
    witness = None if worst is None else _witness(worst, claim)
    return Finding(
        claim,
        judgement,
        statement,
        effects,
        max(tried, 1),
        witness,
        pvalue=pvalue(comparisons, claim),
    )


def _witness(item: Comparison, claim: str) -> dict[str, Any]:
    """Return settings and numbers of a comparison that opposes a claim."""
    run = next(iter(item.pretrained.values()))
    settings = {key: value for key, value in run.settings.items() if key != "seed"}
    interval = item.effects[claim].interval
    numbers = {key: worded(value) for key, value in interval.to_json().items()}
    return {"comparison": item.name, "settings": settings, "difference": numbers}
