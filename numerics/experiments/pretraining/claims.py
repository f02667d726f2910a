"""The claims on pre-training, judged from pairs of arms: rank, speed, accuracy.

Written down before any run was looked at. A *comparison* has a plain and a pre-trained arm that
differ in the initialisation alone, paired by seed s. It gives three differences:

* rank: r_s(pre-trained) − r_s(plain), ε-rank of the last hidden layer before training, as far as
  the intervals of both make it certain;
* speed: log₁₀ of the ratio of the numbers of steps after which the error is at most τ for the first
  time, pre-trained over plain; τ is the largest final error of both arms that is finite: the same
  for both, and what every completed run attains. A run that never arrives counts as +∞, two such
  runs as equal; step 0 counts as 1;
* accuracy: log₁₀ of the ratio of final errors, or the difference of the shares that are classified
  wrongly; a run that diverged has the error +∞.

A comparison *favours* a claim where the 95 % interval of the median difference (order statistics)
excludes 0 in the claimed direction, and *opposes* it where it excludes 0 in the other one. Over the
m comparisons of an experiment the claim is

* supported, where all of them favour it;
* true in a regime, where some favour it, more than chance would have: the probability of so many
  among m without any effect is at most 5 %;
* refuted, where none favours it, and more oppose it than chance would have;
* undecided otherwise.

Claims are on steps and errors. What initialising costs, and steps in seconds, are measured (as time
of the processor, one thread, or a wall clock on CUDA) and stand in a table of costs, which differs
from run to run and decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.stats import binom

from epsrank.numerics.experiments.analysis import Effect, Finding, Judgement, Table, effect, sign
from epsrank.numerics.experiments.pretraining.runs import Metric, PretrainingRun, rank_gain
from epsrank.numerics.experiments.rules import shared_rules
from epsrank.theory.statistics import median_interval
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

# Chance of so many comparisons that favour or oppose a claim without any effect.
_CHANCE = float(shared_rules("pretraining")["level"])
_ONE_SIDED = float(shared_rules("pretraining")["one_sided"])


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
    #: τ.
    target: float
    #: By claim; and ``"final rank"``, which decides nothing.
    effects: Mapping[str, Effect]

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
    pairs = [(arms[0][seed], arms[1][seed]) for seed in seeds]
    ends = [run.final_error for pair in pairs for run in pair]
    # The largest: every run that was completed arrives there.
    target = max((error for error in ends if math.isfinite(error)), default=math.inf)
    ratio = _log_ratio if metric != "test_error" else _difference
    values = {
        RANK: ("initial ε-rank, pre-trained − plain", "", _gain(pairs, "first_rank")),
        "final rank": ("final ε-rank, pre-trained − plain", "", _gain(pairs, "last_rank")),
        SPEED: (
            f"steps to an error of {target:.3g}, pre-trained / plain",
            "log10",
            # An arm may start below the target: step 0 counts as 1, for the logarithm.
            [_log_ratio(max(b.arrival(target), 1), max(a.arrival(target), 1)) for a, b in pairs],
        ),
        ACCURACY: (
            "final error, pre-trained / plain"
            if metric != "test_error"
            else "share classified wrongly at the end, pre-trained − plain",
            "log10" if metric != "test_error" else "",
            [ratio(b.final_error, a.final_error) for a, b in pairs],
        ),
    }
    effects = {
        claim: found
        for claim, (what, unit, differences) in values.items()
        if (found := effect(f"{name}: {what}", differences, unit=unit)) is not None
    }
    used = [{seed: arm[seed] for seed in seeds} for arm in arms]
    return Comparison(name, metric, used[0], used[1], target, effects)


def _gain(pairs: Sequence[tuple[PretrainingRun, PretrainingRun]], name: str) -> list[float]:
    return [rank_gain(getattr(b, name), getattr(a, name)) for a, b in pairs]


def _log_ratio(value: float, other: float) -> float:
    """Return log₁₀(value/other) for numbers in [0, ∞]; equal ones give 0."""
    if value == other:
        return 0.0
    if value == 0 or math.isinf(other):
        return -math.inf
    if other == 0 or math.isinf(value):
        return math.inf
    return math.log10(value) - math.log10(other)


def _difference(value: float, other: float) -> float:
    """Return value − other; two infinite ones give 0."""
    return 0.0 if value == other else value - other


def judge(comparisons: Sequence[Comparison], claim: str) -> Judgement:
    """Apply the rule of this file."""
    signs = [item.direction(claim) for item in comparisons]
    if signs and min(signs) > 0:
        return "supported"
    if _beyond_chance(signs.count(1), len(signs)):
        return "regime"
    # One comparison in favour is enough for no refutation.
    if not signs.count(1) and _beyond_chance(signs.count(-1), len(signs)):
        return "refuted"
    return "undecided"


def _beyond_chance(count: int, total: int) -> bool:
    """Whether so many one-sided 97.5 % intervals exclude no effect by chance seldom enough."""
    # sf(k − 1) is P(X ≥ k).
    return count > 0 and float(binom.sf(count - 1, total, _ONE_SIDED)) <= _CHANCE


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
    effects = [item.effects[claim] for item in comparisons if claim in item.effects]
    if claim == SPEED and any(math.isinf(e.interval.value) for e in effects):
        statement += "; ×0 where the plain arm, ×∞ where the pre-trained one does not arrive"
    if claim == RANK:
        effects += [item.effects["final rank"] for item in comparisons]
    # The first that opposes, whatever the judgement: a reader may want to see it.
    worst = next((item for item in comparisons if item.direction(claim) < 0), None)
    witness = None if worst is None else _witness(worst, claim)
    return Finding(claim, judgement, statement, effects, max(tried, 1), witness)


def _witness(item: Comparison, claim: str) -> dict[str, Any]:
    """Return settings and numbers of a comparison that opposes a claim."""
    run = next(iter(item.pretrained.values()))
    settings = {key: value for key, value in run.settings.items() if key != "seed"}
    interval = item.effects[claim].interval
    numbers = {key: worded(value) for key, value in interval.to_json().items()}
    return {"comparison": item.name, "settings": settings, "difference": numbers}


def tables(comparisons: Sequence[Comparison]) -> tuple[Table, ...]:
    """Return the table behind the findings, and that of costs, which differs from run to run."""
    if not comparisons:
        return ()
    rows = [_row(item, arm) for item in comparisons for arm in ("plain", "pretrained")]
    found = [Table("pretraining", "Pre-training by arm, medians over seeds", rows)]
    costs = [_cost(item) for item in comparisons]
    known = [row for row in costs if row is not None]
    if known:
        title = (
            "Time to the target with the initialisation's own (of one thread), medians over seeds"
        )
        found.append(Table("cost-pretraining", title, known))
    return tuple(found)


def _row(item: Comparison, arm: str) -> dict[str, Any]:
    runs = list((item.plain if arm == "plain" else item.pretrained).values())
    arrivals = [run.arrival(item.target) for run in runs]
    return {
        "comparison": item.name,
        "arm": arm,
        "seeds": len(runs),
        "initial rank": _median([sum(run.first_rank) / 2 for run in runs]),
        "final rank": _median([sum(run.last_rank) / 2 for run in runs]),
        "final error": _median([run.final_error for run in runs]),
        "target": worded(item.target),
        "steps to target": _median(arrivals),
        "arrive": sum(math.isfinite(value) for value in arrivals),
    }


def _median(values: Sequence[float]) -> float | str:
    value: float | str = worded(median_interval(values).value)
    return value


def _cost(item: Comparison) -> dict[str, Any] | None:
    """Return what the arms take to the target, in seconds, and what pre-training saves."""
    arms = [list(arm.values()) for arm in (item.plain, item.pretrained)]
    times = [[run.seconds(max(run.arrival(item.target), 1)) for run in arm] for arm in arms]
    known = [[value for value in values if value is not None] for values in times]
    # Without times of every run the medians would be of other seeds.
    if not all(len(values) == len(arms[0]) for values in known):
        return None
    ratio = median_interval([_log_ratio(b, a) for a, b in zip(*known, strict=True)])
    return {
        "comparison": item.name,
        **{
            f"{what}, {name}": _median([float(getattr(run, attribute) or 0.0) for run in arm])
            for name, arm in zip(("plain", "pre-trained"), arms, strict=True)
            for what, attribute in (
                ("s to initialise", "seconds_first"),
                ("s per update", "seconds_update"),
            )
        },
        "s to target, plain": _median(known[0]),
        "s to target, pre-trained": _median(known[1]),
        "ratio": power(ratio.value),
        "ratio, low": power(ratio.low),
        "ratio, high": power(ratio.high),
        "pays": "yes" if ratio.high < 0 else "no" if ratio.low > 0 else "undecided",
    }
