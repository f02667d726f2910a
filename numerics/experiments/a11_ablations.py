"""A11: rate, batch size, optimiser, width, depth, activation and initial scale, one at a time.

Around the setting of A1 (tanh, 2 hidden layers, Adam with rate 1e-3 on all samples) one factor is
varied at a time, each level with the default and with the structured first layer, paired by seed.
The claim ``optimiser-robust`` is about rate, batch size and optimiser; the other factors are mapped
beside it (at full size). Rule, fixed beforehand, over all levels of the three factors and the base:

* part ``gains``: speed and accuracy of the structured against the default first layer, by the
  comparisons of `experiments.pretraining.claims` on the training loss. Supported where every
  level favours both; a regime where some level favours one of them, more often than chance has it;
  refuted where none favours either and one of them is refuted; else undecided.
* part ``staircases``: the runs with the default first layer, one setting per level, by the rule on
  steps of `epsrank.numerics.experiments.stair_claims`.

Runs take the source's 15 000 steps, since shorter ones end before the stairs of A1 do, those of
L-BFGS a tenth; both first layers of a level have the same number. Quick trains networks of width 30
on 100 points, full those of A1. Those of one shape train together as one batched program.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from epsrank.numerics.experiments.analysis import Analysis, Finding, Judgement, Picture, Table
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.fitting import EPS, arm_rows, curve, fitting_trial
from epsrank.numerics.experiments.histories import History, read_histories
from epsrank.numerics.experiments.pretraining.claims import (
    ACCURACY,
    RANK,
    SPEED,
    Comparison,
    compare,
    pvalue,
)
from epsrank.numerics.experiments.pretraining.claims import judge as judge_pretraining
from epsrank.numerics.experiments.pretraining.figures import draw_effects
from epsrank.numerics.experiments.pretraining.runs import read_run
from epsrank.numerics.experiments.pretraining.tables import tables
from epsrank.numerics.experiments.rules import SIZES, experiment_rules
from epsrank.numerics.experiments.stair_claims import RunStaircase, judge_steps
from epsrank.numerics.experiments.stairs import coupled, detected, staircase_tables
from epsrank.numerics.plots.over_seeds import Panel, time_panels
from epsrank.numerics.plots.style import power
from epsrank.numerics.sweeps.trial import Outcome, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What the claim on robustness is about; the other factors are mapped beside it.
CLAIMED = ("base", "rate", "batch", "optimiser")


@dataclass(frozen=True)
class Level:
    """One level of one factor."""

    #: What is varied: ``"rate"``, ``"batch"``, ``"optimiser"``, ``"width"``, ``"depth"``,
    #: ``"activation"``, ``"scale"``; ``"base"`` where nothing is.
    factor: str
    #: The level.
    name: str
    #: Entries of `RunConfig` that it changes, in both arms.
    settings: Mapping[str, Any]
    #: Entries that it changes in the arm with the structured first layer alone.
    structured: Mapping[str, Any] = field(default_factory=dict)
    #: Share of the steps of the other levels that it takes.
    share: float = 1.0

    @property
    def label(self) -> str:
        """Factor and level in words."""
        return self.name if self.factor == "base" else f"{self.factor} {self.name}"


#: Optimiser, rate and share of the steps. The rates of plain descent are ours: beyond 2/λ_1 of the
#: Hessian, λ_1 near 2n, the output layer alone diverges. A step of L-BFGS searches along a line.
_OPTIMISERS = (
    ("sgd", 1e-2, 1.0),
    ("momentum", 1e-2, 1.0),
    ("adamw", 1e-3, 1.0),
    ("lbfgs", 1.0, 0.1),
)
_WIDTHS, _DEPTHS = (10, 25, 100, 200), (1, 3, 4, 6)
_ACTIVATIONS = ("relu", "elu", "cosine", "sine", "gelu")
#: Factors on the initial weights: deviation s/√fan-in of all weights by default, slopes times s.
_SCALES = (0.25, 0.5, 2.0, 4.0)


def levels(rules: Mapping[str, Any]) -> Iterator[Level]:
    """Give the levels of the factors that are varied, the base first."""
    yield Level("base", "Adam 1e-3, all samples", {})
    for factor in rules["factors"]:
        yield from _LEVELS[factor](rules)


def _optimisers(rules: Mapping[str, Any]) -> Iterator[Level]:
    for name, rate, share in _OPTIMISERS:
        settings = {"optimizer": name, "learning_rate": rate}
        yield Level("optimiser", name, settings, share=share)


def _scales(rules: Mapping[str, Any]) -> Iterator[Level]:
    for scale in _SCALES:
        yield Level(
            "scale",
            f"{scale:g}",
            # The hidden fan-in; a structured layer takes a factor on its slope instead.
            {"init": "normal", "init_scale": scale / rules["width"] ** 0.5},
            {"init": "structured", "init_scale": scale},
        )


def _plain(factor: str, name: str, values: Iterable[Any]) -> Iterator[Level]:
    """Give the levels of a factor that is one entry of `RunConfig`."""
    for value in values:
        text = value if isinstance(value, str) else f"{value:g}"
        yield Level(factor, text, {name: value})


_LEVELS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Level]]] = {
    "rate": lambda rules: _plain("rate", "learning_rate", rules["rates"]),
    "batch": lambda rules: _plain("batch", "batch_size", rules["batches"]),
    "optimiser": _optimisers,
    "width": lambda rules: _plain("width", "width", _WIDTHS),
    "depth": lambda rules: _plain("depth", "depth", _DEPTHS),
    "activation": lambda rules: _plain("activation", "activation", _ACTIVATIONS),
    "scale": _scales,
}


CLAIM = "optimiser-robust"
_FIRST = ("default", "structured")


def plan(request: Request) -> list[Trial]:
    """Return the trainings of all levels with both first layers."""
    rules = experiment_rules("A11", request.size)
    return [
        _trial(request, level, first, seed)
        for level in levels(rules)
        for first in _FIRST
        for seed in request.seed_range(rules["seeds"])
    ]


def _trial(request: Request, level: Level, first: str, seed: int) -> Trial:
    rules = experiment_rules("A11", request.size)
    base = {"width": rules["width"], "depth": 2, "init": first}
    more = {**level.settings, **(level.structured if first == "structured" else {})}
    return fitting_trial(request, rules, seed=seed, share=level.share, **(base | more))


@cache
def _catalogue() -> dict[str, tuple[Level, str]]:
    """Return level and first layer by the settings of a run, seed and device left out."""
    known: dict[str, tuple[Level, str]] = {}
    for size in SIZES:
        for level in levels(experiment_rules("A11", size)):
            for first in _FIRST:
                trial = _trial(Request(size=size), level, first, 0)
                known[_mark(trial.settings)] = (level, first)
    return known


def _mark(settings: Mapping[str, Any]) -> str:
    # A trial knows its settings and not its level: they are the key to it.
    kept = {name: settings[name] for name in settings if name not in {"seed", "device"}}
    return json.dumps(kept, sort_keys=True)


def placed(
    outcomes: Sequence[Outcome],
) -> dict[tuple[str, str], tuple[Level, str, list[Outcome]]]:
    """Return outcomes by level and first layer."""
    found: dict[tuple[str, str], tuple[Level, str, list[Outcome]]] = {}
    for outcome in outcomes:
        entry = _catalogue().get(_mark(outcome.settings))
        if entry is not None:
            level, first = entry
            found.setdefault((level.label, first), (level, first, []))[2].append(outcome)
    return found


def comparisons(outcomes: Sequence[Outcome]) -> dict[str, tuple[Level, Comparison]]:
    """Return structured against default first layer, level by level."""
    arms = placed(outcomes)
    found = {}
    for (label, first), (level, _, plain) in arms.items():
        if first != "default":
            continue
        other = arms.get((label, "structured"), (level, "structured", []))[2]
        runs = [
            [run for item in mine if (run := read_run(item, "loss", EPS[0])) is not None]
            for mine in (plain, other)
        ]
        result = compare(label, runs[0], runs[1], "loss")
        if result is not None:
            found[label] = (level, result)
    return found


def judge_gains(found: Sequence[Comparison]) -> Judgement:
    """Apply the rule on gains."""
    both = {judge_pretraining(found, claim) for claim in (SPEED, ACCURACY)}
    if both == {"supported"}:
        return "supported"
    if both & {"supported", "regime"}:
        return "regime"
    return "refuted" if "refuted" in both else "undecided"


def _gains(found: Mapping[str, tuple[Level, Comparison]]) -> Finding:
    claimed = [item for level, item in found.values() if level.factor in CLAIMED]
    told = []
    for claim, what in ((SPEED, "fewer steps"), (ACCURACY, "a smaller final loss")):
        signs = {item.name: item.direction(claim) for item in claimed}
        against = [name for name, value in signs.items() if value < 0]
        text = f"{what} in {sum(value > 0 for value in signs.values())} of {len(signs)} levels"
        told.append(text + (f", the reverse in {', '.join(against)}" if against else ""))
    effects = [
        item.effects[claim]
        for _, item in found.values()
        for claim in (SPEED, ACCURACY, RANK)
        if claim in item.effects
    ]
    text = "The structured first layer gives " + " and ".join(told)
    if not claimed:
        text = "No pair of runs was carried out"
    # Two claims per level were tried. Both have to hold, so that the larger p-value counts.
    each = [pvalue(claimed, claim) for claim in (SPEED, ACCURACY)]
    known = [p for p in each if p is not None]
    return Finding(
        CLAIM,
        judge_gains(claimed),
        text,
        effects,
        max(1, 2 * len(claimed)),
        part="gains",
        pvalue=max(known) if len(known) == len(each) else None,
    )


def _stairs(found: Sequence[RunStaircase]) -> Finding:
    return replace(judge_steps(found), claim=CLAIM, part="staircases")


def draw_levels(arms: Mapping[str, Mapping[str, Sequence[History]]]) -> Figure:
    """Draw loss and ε-rank of all levels of the claim, one column per first layer."""
    columns = []
    for first, by_level in arms.items():
        runs = {label: mine for label, mine in by_level.items() if mine}
        if not runs:
            continue
        eps = power(next(iter(runs.values()))[0].eps[0])
        loss = [curve(label, mine, lambda run: run.loss) for label, mine in runs.items()]
        rank = [curve(label, mine, lambda run: run.rank()) for label, mine in runs.items()]
        columns.append(
            [
                Panel("loss (mean measure)", loss, "log", f"{first} first layer"),
                Panel(f"ε-rank at ε = {eps},\nlast hidden layer", rank, "rank"),
            ]
        )
    return time_panels(columns, title="Rates, batch sizes and optimisers around the setting of A1")


def _histories(
    outcomes: Sequence[Outcome], factors: Sequence[str] | None = None
) -> dict[str, dict[str, list[History]]]:
    """Return the runs by first layer and level, of some factors or of all."""
    found: dict[str, dict[str, list[History]]] = {}
    for (label, first), (level, _, mine) in placed(outcomes).items():
        if factors is None or level.factor in factors:
            found.setdefault(first, {})[label] = read_histories(mine)[0]
    return found


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge whether staircases and the gains of the structured first layer persist."""
    known = [item for _, _, mine in placed(outcomes).values() for item in mine]
    notes = read_histories(known)[1]
    made = comparisons(outcomes)
    claimed = _histories(outcomes, CLAIMED)
    plain = claimed.get("default", {})
    found = detected(plain)
    findings = (_gains(made), _stairs(found))
    if not known:
        return Analysis(findings)
    by_level = {
        f"{label}, {first}": runs
        for first, levels_of in _histories(outcomes).items()
        for label, runs in levels_of.items()
        if runs
    }
    shown = [item for _, item in made.values()]
    pictures = []
    if by_level:
        pictures.append(
            Picture(
                "levels",
                "Loss and ε-rank of the last hidden layer over rates, batch sizes and optimisers. "
                "Decides optimiser-robust",
                partial(draw_levels, claimed),
            )
        )
    if shown:
        pictures.append(
            Picture(
                "effects",
                "What the structured first layer changes, level by level. Decides optimiser-robust",
                partial(draw_effects, shown, "structured against default first layer"),
            )
        )
    return Analysis(
        findings,
        (
            Table("arms", "Ranks, losses and readings, medians over seeds", arm_rows(by_level)),
            *tables(shown),
            *staircase_tables(plain, found, coupled(found)),
        ),
        tuple(pictures),
        tuple(notes),
    )


EXPERIMENT = Experiment(
    id="A11",
    title="Ablations: rate, batch size, optimiser, width, depth, activation, initial scale",
    source="around the setting of A1, one factor at a time; ours",
    claims=(CLAIM,),
    plan=plan,
    analyse=analyse,
    batched=True,
)
