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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from epsrank.numerics.experiments.analysis import Analysis, Finding, Judgement, Picture, Table
from epsrank.numerics.experiments.experiment import Experiment, Request, Size
from epsrank.numerics.experiments.fitting import EPS, arm_rows, curve, fitting_trial
from epsrank.numerics.experiments.histories import History, read_histories
from epsrank.numerics.experiments.pretraining.claims import (
    ACCURACY,
    RANK,
    SPEED,
    Comparison,
    compare,
    tables,
)
from epsrank.numerics.experiments.pretraining.claims import judge as judge_pretraining
from epsrank.numerics.experiments.pretraining.figures import draw_effects
from epsrank.numerics.experiments.pretraining.runs import read_run
from epsrank.numerics.experiments.stair_claims import RunStaircase, judge_staircases
from epsrank.numerics.experiments.stairs import detected, staircase_tables
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


_RATES = {"quick": (3e-4, 1e-2), "full": (1e-4, 3e-4, 3e-3, 1e-2, 3e-2)}
_BATCHES = {"quick": (20,), "full": (10, 50, 200)}
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


def levels(size: Size, width: int) -> Iterator[Level]:
    """Give the levels of all factors."""
    yield Level("base", "Adam 1e-3, all samples", {})
    for rate in _RATES[size]:
        yield Level("rate", f"{rate:g}", {"learning_rate": rate})
    for batch in _BATCHES[size]:
        yield Level("batch", f"{batch}", {"batch_size": batch})
    for name, rate, share in _OPTIMISERS:
        settings = {"optimizer": name, "learning_rate": rate}
        yield Level("optimiser", name, settings, share=share)
    if size == "quick":
        return
    for other in _WIDTHS:
        yield Level("width", f"{other}", {"width": other})
    for depth in _DEPTHS:
        yield Level("depth", f"{depth}", {"depth": depth})
    for activation in _ACTIVATIONS:
        yield Level("activation", activation, {"activation": activation})
    for scale in _SCALES:
        yield Level(
            "scale",
            f"{scale:g}",
            {"init": "normal", "init_scale": scale / width**0.5},
            {"init": "structured", "init_scale": scale},
        )


CLAIM = "optimiser-robust"
_FIRST = ("default", "structured")
_WIDTH = {"quick": 30, "full": 50}
#: Of the source.
_STEPS = 15_000
_POINTS = {"quick": 100, "full": 500}
_MEASUREMENTS = {"quick": 125, "full": 250}


def plan(request: Request) -> list[Trial]:
    """Return the trainings of all levels with both first layers."""
    return [
        _trial(request, level, first, seed)
        for level in levels(request.size, _WIDTH[request.size])
        for first in _FIRST
        for seed in request.seed_range(6)
    ]


def _trial(request: Request, level: Level, first: str, seed: int) -> Trial:
    size = request.size
    steps = round(level.share * _STEPS)
    base = {
        "width": _WIDTH[size],
        "depth": 2,
        "init": first,
        "n_train": _POINTS[size],
        "measure_every": max(1, steps // _MEASUREMENTS[size]),
    }
    more = {**level.settings, **(level.structured if first == "structured" else {})}
    return fitting_trial(request, steps=steps, seed=seed, **(base | more))


@cache
def _catalogue() -> dict[str, tuple[Level, str]]:
    """Return level and first layer by the settings of a run, seed and device left out."""
    known: dict[str, tuple[Level, str]] = {}
    sizes: tuple[Size, ...] = ("quick", "full")
    for size in sizes:
        for level in levels(size, _WIDTH[size]):
            for first in _FIRST:
                trial = _trial(Request(size=size), level, first, 0)
                known[_mark(trial.settings)] = (level, first)
    return known


def _mark(settings: Mapping[str, Any]) -> str:
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
    return Finding(
        CLAIM, judge_gains(claimed), text, effects, max(1, 2 * len(claimed)), part="gains"
    )


def _stairs(found: Sequence[RunStaircase]) -> Finding:
    return replace(judge_staircases(found)[0], claim=CLAIM, part="staircases")


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
            *staircase_tables(plain, found),
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
