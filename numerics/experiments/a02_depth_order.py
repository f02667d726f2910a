"""A2: does the ε-rank of hidden layers grow with depth? Where it does, and where it does not.

The effect is r_ε(last hidden layer) − r_ε(first) of one network, as far as the ranks are certain,
over seeds; growth from each layer to the next implies that it is positive. Before training, ranks
cost milliseconds, so settings are mapped densely: inputs, first layer, activation, width, the
factor s on the default law of the hidden weights, and ε. After training (the source's 4 × 50
networks; Adam with rate 1e-3 is ours, as it is everywhere in A) the map is thinner.

Rule, fixed beforehand. A setting is "larger" or "smaller" where the interval of the median excludes
0; before training all intervals hold together with 95 % (Bonferroni), after training each by
itself. ``depth-order`` (in every network no layer has less ε-rank than the one before it) is
refuted by a setting that is "smaller", else undecided: examples cannot support it.
``depth-order-regime`` is supported where all settings are "larger", a regime where some are and
some are not, refuted where none is and some are "smaller", else undecided.

Ranks are under the mean measure; images are 512 of the training set before training, at most 2000
after it. ε = 1e-6, 1e-4, 1e-2.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from epsrank.numerics.experiments.analysis import Analysis, Finding, Judgement, Picture, Table
from epsrank.numerics.experiments.depth_cells import Cell, initial_cells, tally, trained_cells
from epsrank.numerics.experiments.depth_figures import (
    draw_layers,
    draw_scales,
    draw_times,
    draw_widths,
)
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.histories import History, grouped, read_histories
from epsrank.numerics.experiments.rules import experiment_rules
from epsrank.numerics.sweeps.trial import Outcome, Trial

EPS = (1e-6, 1e-4, 1e-2)
DEPTH, WIDTH = 4, 50

_WIDTHS = (25, 50, 100, 200)
_FIRST = ("default", "structured")
_MEASUREMENTS = 10


def plan(request: Request) -> list[Trial]:
    """Return the trials of the map before training, then those of the trained networks."""
    return [*_initial(request), *_trained(request)]


def _initial(request: Request) -> list[Trial]:
    rules = experiment_rules("A2", request.size)
    whole = request.size == "full"
    seeds = request.seed_range(rules["seeds"])
    inputs = [*rules["inputs"], *(["mnist"] if "mnist" in request.datasets else [])]
    # Every setting at one width; other widths are thinner, unless the size is full.
    shapes = [(WIDTH, name, scale) for name in rules["activations"] for scale in rules["scales"]]
    shapes += [
        (width, name, scale)
        for width in _WIDTHS
        if width != WIDTH
        for name in (rules["activations"] if whole else ("tanh",))
        for scale in (rules["scales"] if whole else (1.0, 4.0))
    ]
    return [
        Trial(
            "initial-layers",
            {
                "inputs": what,
                "activation": activation,
                "width": width,
                "depth": DEPTH,
                "first": first,
                "scale": scale,
                "eps": list(EPS),
                "seed": seeds.start,
                "count": len(seeds),
            },
        )
        for what in inputs
        for first in _FIRST
        for width, activation, scale in shapes
    ]


def _trained(request: Request) -> list[Trial]:
    rules = experiment_rules("A2", request.size)
    arms = [
        (arm["task"], arm["activation"], arm["settings"], arm["steps"]) for arm in rules["trained"]
    ]
    if "mnist" in request.datasets and rules["mnist"]:
        arms.append(("mnist", "tanh", {"batch_size": 128, "n_train": 10_000}, 15_000))
    return [
        Trial(
            "train",
            {
                "task": task,
                "network": "mlp",
                "width": WIDTH,
                "depth": DEPTH,
                "activation": activation,
                "init": first,
                "optimizer": "adam",
                "learning_rate": 1e-3,
                "steps": steps,
                "measure_every": max(1, steps // _MEASUREMENTS),
                "eps": list(EPS),
                "device": request.device,
                "seed": seed,
                **more,
            },
        )
        for task, activation, more, steps in arms
        for first in _FIRST
        # Six are the fewest whose range holds the median with 95 %: 1 − 2/2⁶ is 96.9 %.
        for seed in request.seed_range(6)
    ]


def arm_of(run: History) -> str:
    """Return the name of a trained arm: task, activation and first layer."""
    return f"{run.task}, {run.settings['activation']}, {run.settings['init']}"


def judge(cells: Sequence[Cell]) -> tuple[Judgement, Judgement]:
    """Judge ``depth-order`` and ``depth-order-regime`` by the rule of this module."""
    counts = tally(cells)
    larger, smaller = counts["larger"], counts["smaller"]
    # Examples refute that it holds everywhere, and cannot establish it.
    universal: Judgement = "refuted" if smaller else "undecided"
    if larger:
        return universal, "supported" if larger == len(cells) else "regime"
    return universal, universal


def _part(cells: Sequence[Cell]) -> str:
    """Write the count of a part of the map: how many are larger, and smaller, of how many."""
    counts = tally(cells)
    return f"{counts['larger']} larger and {counts['smaller']} smaller of {len(cells)}"


def _statement(initial: Sequence[Cell], trained: Sequence[Cell]) -> str:
    """Say where the last layer has the larger ε-rank."""
    parts = []
    for scale in sorted({cell.scale for cell in initial}):
        mine = [cell for cell in initial if cell.scale == scale]
        parts.append(f"{_part(mine)} at s = {scale:g}")
    text = "Last layer against first, before training: " + "; ".join(parts) if parts else ""
    arms = [
        f"{cell.inputs} {cell.activation} {cell.first} {cell.effect.interval.value:+g} "
        f"({cell.effect.interval.low:+g} to {cell.effect.interval.high:+g}; in order through all "
        f"layers for {cell.ordered:.0%} of the seeds)"
        for cell in trained
        if cell.eps == EPS[0]
    ]
    if arms:
        text += (". After" if text else "After") + " training at ε = 1e-6: " + "; ".join(arms)
    return text or "No run was carried out"


def _effects(initial: Sequence[Cell], trained: Sequence[Cell]) -> list[Cell]:
    """Return the cells whose effects stand beside the finding; the table has all."""
    base = [
        cell
        for cell in initial
        if cell.eps == EPS[0] and cell.activation == "tanh" and cell.width == WIDTH
    ]
    return [*base, *trained]


def _findings(initial: Sequence[Cell], trained: Sequence[Cell]) -> tuple[Finding, Finding]:
    cells = [*initial, *trained]
    universal, regime = judge(cells)
    shown = [cell.effect for cell in _effects(initial, trained)]
    counts = tally(cells)
    smaller = [cell for cell in cells if cell.established < 0]
    # The reverse that is nearest to the source: its own networks first, then the largest.
    witness = min(
        smaller,
        key=lambda cell: (
            (cell.inputs, cell.activation, cell.first, cell.width, cell.scale, cell.eps)
            != ("box-1", "tanh", "default", WIDTH, 1.0, EPS[0]),
            cell.effect.interval.value,
        ),
        default=None,
    )
    text = (
        f"Of {len(cells)} settings the last hidden layer has a smaller ε-rank than the first in "
        f"{counts['smaller']}, a larger one in {counts['larger']}; {counts['neither']} are not "
        f"decided, in {counts['full']} of them both layers have rank n"
    )
    return (
        Finding(
            "depth-order",
            universal,
            text,
            shown,
            len(cells),
            None if witness is None else witness.row(),
        ),
        Finding("depth-order-regime", regime, _statement(initial, trained), shown, len(cells)),
    )


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge both claims, and draw the map."""
    initial, notes = initial_cells(outcomes)
    runs, more = read_histories(outcomes)
    arms = grouped(runs, arm_of)
    trained = trained_cells(arms)
    tables, pictures = [], []
    if initial:
        tables.append(Table("initial", "Ranks before training", [cell.row() for cell in initial]))
        where = f"at initialisation, ε = {EPS[0]:g}; ▲ larger, ▼ smaller, established together"
        pictures += [
            Picture(
                f"map-scale-{eps:g}",
                f"Where the last hidden layer has the larger ε-rank (ε = {eps:g}): first layer, "
                "activation and scale of the hidden weights, before training. Decides depth-order",
                partial(draw_scales, initial, eps),
            )
            for eps in (EPS[0], EPS[-1])
        ]
        pictures.append(
            Picture("map-width", f"The same over the width, {where}", partial(draw_widths, initial))
        )
    if trained:
        tables.append(Table("trained", "Ranks after training", [cell.row() for cell in trained]))
        pictures += [
            Picture(
                "layers-over-time",
                "ε-rank of every hidden layer over training: medians and ranges over seeds",
                partial(draw_layers, arms),
            ),
            Picture(
                "map-time",
                "When the last hidden layer has the larger ε-rank: over training",
                partial(draw_times, arms),
            ),
        ]
    return Analysis(_findings(initial, trained), tuple(tables), tuple(pictures), (*notes, *more))


EXPERIMENT = Experiment(
    id="A2",
    title="Order of the ε-rank by depth, and the regime in which it holds",
    source="[S1]: 4 × 50, deeper layers have larger ε-rank; the map is ours",
    claims=("depth-order", "depth-order-regime"),
    plan=plan,
    analyse=analyse,
    batched=True,
)
