"""A8: the residual network y_{k+1} = y_k + σ(W_k y_k + b_k) against the plain one, target of A1.

Both have a first layer y_1 = σ(W_0 x + b_0) and equally many matrices of equal size; the arms are
paired by seed, which draws the same weights for both. Compared is the ε-rank of the last hidden
layer at ε = 1e-6: before training, on average over the measurements (evenly spaced in steps), and
at the end; with the default and with the structured first layer.

The sum y_L grows with depth, and a factor c on φ is a factor c² on every eigenvalue (M5), so a
larger rank might be a matter of scale alone. So the residual network is counted at ε·L² (|φ_j| ≤ L
for tanh: φ/L has the range of the plain network), and this equal-scale arm decides; the comparison
at one ε stands beside it.

Rule, on the six comparisons at equal scale: supported where all 95 % intervals of the median paired
difference lie above 0; a regime where some do; refuted where none does and one lies below 0; else
undecided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from epsrank.numerics.experiments.analysis import (
    Analysis,
    Effect,
    Finding,
    Judgement,
    Picture,
    Table,
    family_pvalue,
    paired,
    sign,
)
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.fitting import (
    EPS,
    arm_rows,
    curve,
    draw_comparison,
    fitting_trial,
)
from epsrank.numerics.experiments.histories import History, grouped, read_histories
from epsrank.numerics.experiments.robustness import with_panel
from epsrank.numerics.experiments.rules import experiment_rules
from epsrank.numerics.plots.over_seeds import Panel, time_panels
from epsrank.numerics.plots.style import power
from epsrank.numerics.sweeps.trial import Outcome, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLAIM = "resnet-rank"
WIDTH, DEPTH = 50, 4
_FIRST = ("default", "structured")
#: ε of the control: the residual network divided by its depth.
CONTROL = EPS[0] * DEPTH**2

#: What is compared, and how it is read from a run, by ε.
_READ: Mapping[str, Callable[..., float]] = {
    "before training": lambda run, eps: float(run.rank(eps=eps)[0]),
    "on average over training": lambda run, eps: float(run.rank(eps=eps).mean()),
    "after training": lambda run, eps: float(run.rank(eps=eps)[-1]),
}


def plan(request: Request) -> list[Trial]:
    """Return the trainings of both networks with both first layers."""
    rules = experiment_rules("A8", request.size)
    return [
        fitting_trial(
            request,
            rules,
            seed=seed,
            network=network,
            width=WIDTH,
            depth=DEPTH,
            init=first,
            eps=[*EPS, CONTROL],
        )
        for first in _FIRST
        for network in ("mlp", "resnet")
        for seed in request.seed_range(rules["seeds"])
    ]


def arm_of(run: History) -> str:
    """Return network and first layer."""
    return f"{run.settings['network']}, {run.settings['init']}"


def _by_seed(runs: Sequence[History], read: Callable[[History], float]) -> dict[int, float]:
    """Return one number per run that was completed."""
    return {run.seed: read(run) for run in runs if run.status == "complete"}


def comparisons(
    arms: Mapping[str, Sequence[History]], eps: float, eps_plain: float
) -> list[Effect]:
    """Return the paired differences of last-layer ranks, residual network less plain one."""
    return [item for item, _ in _compared(arms, eps, eps_plain)]


def _compared(
    arms: Mapping[str, Sequence[History]], eps: float, eps_plain: float
) -> list[tuple[Effect, dict[int, float]]]:
    """Return every comparison with its differences by seed."""
    found = []
    at = f"ε = {power(eps)}" if eps == eps_plain else f"ε = {power(eps)} against {power(eps_plain)}"
    for first in _FIRST:
        pair = [arms.get(f"{network}, {first}", ()) for network in ("resnet", "mlp")]
        for when, read in _READ.items():
            values = [
                _by_seed(runs, partial(read, eps=value))
                for runs, value in zip(pair, (eps, eps_plain), strict=True)
            ]
            item = paired(f"rank of ResNet − MLP {when}, {first}, {at}", *values)
            if item is not None:
                residual, plain = values
                both = set(residual) & set(plain)
                found.append((item, {seed: residual[seed] - plain[seed] for seed in both}))
    return found


def judge(effects: Sequence[Effect]) -> Judgement:
    """Apply the rule of this experiment."""
    signs = [sign(item) for item in effects]
    # All six, so that a comparison that failed cannot make the rest a support.
    if signs and min(signs) > 0 and len(signs) == len(_FIRST) * len(_READ):
        return "supported"
    if 1 in signs:
        return "regime"
    return "refuted" if -1 in signs else "undecided"


def _statement(effects: Sequence[Effect], same: Sequence[Effect]) -> str:
    if not effects:
        return "No pair of runs was completed"
    said = [
        f"{item.name.removeprefix('rank of ResNet − MLP ').rpartition(', ')[0]} "
        f"{item.interval.value:+g} ({item.interval.low:+g} to {item.interval.high:+g})"
        for item in effects
    ]
    larger = sum(sign(item) > 0 for item in same)
    return (
        "Rank of the last hidden layer, ResNet at the scale of the MLP less MLP: "
        + "; ".join(said)
        + f". At one ε, scale left as it is, it is larger in {larger} of {len(same)} comparisons"
    )


def _layer_rows(arms: Mapping[str, Sequence[History]]) -> list[dict[str, Any]]:
    """Return the median rank of every layer of every arm, before and after training."""
    rows = []
    for name, runs in arms.items():
        for when, at in (("before training", 0), ("after training", -1)):
            for layer in range(DEPTH):
                ranks = [float(run.rank(layer)[at]) for run in runs]
                rows.append(
                    {
                        "arm": name,
                        "when": when,
                        "layer": layer + 1,
                        "median rank": float(np.median(ranks)),
                        "least": min(ranks),
                        "most": max(ranks),
                        "seeds": len(ranks),
                    }
                )
    return rows


def _loss_effects(arms: Mapping[str, Sequence[History]]) -> list[Effect]:
    """Return how far the losses at the end differ, in decades; for the reader, not for the rule."""
    found = []
    for first in _FIRST:
        values = [
            _by_seed(arms.get(f"{network}, {first}", ()), lambda run: float(np.log10(run.loss[-1])))
            for network in ("resnet", "mlp")
        ]
        item = paired(f"log10 loss of ResNet − MLP after training, {first}", *values)
        if item is not None:
            found.append(item)
    return found


def draw_layers(arms: Mapping[str, Sequence[History]]) -> Figure:
    """Draw the ε-rank of every layer over training, one panel per arm."""
    columns = []
    for first in _FIRST:
        column = []
        for network in ("mlp", "resnet"):
            runs = arms.get(f"{network}, {first}", ())
            if not runs:
                continue
            curves = [
                # The default binds the layer of this turn of the loop.
                curve(f"layer {layer + 1}", runs, lambda run, at=layer: run.rank(at))  # type: ignore[misc]
                for layer in range(DEPTH)
            ]
            label = f"ε-rank at ε = {power(runs[0].eps[0])}\n({network})"
            column.append(Panel(label, curves, "rank", f"{network}, {first} first layer"))
        columns.append(column)
    return time_panels([column for column in columns if column], title=f"{DEPTH} × {WIDTH}, tanh")


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge the claim on residual networks."""
    runs, notes = read_histories(outcomes)
    arms = grouped(runs, arm_of)
    plain = comparisons(arms, EPS[0], EPS[0])
    found = _compared(arms, CONTROL, EPS[0])
    effects = [item for item, _ in found]
    finding = Finding(
        CLAIM,
        judge(effects),
        _statement(effects, plain),
        [*effects, *plain, *_loss_effects(arms)],
        len(effects),
        pvalue=family_pvalue([differences for _, differences in found]),
    )
    if not arms:
        return Analysis((finding,), notes=tuple(notes))
    title = f"ResNet against MLP, {DEPTH} × {WIDTH}, tanh, target of A1"
    pictures = (
        Picture(
            "loss-and-rank",
            "Loss and ε-rank of the last hidden layer. Decides resnet-rank",
            partial(draw_comparison, arms, title),
        ),
        Picture("layers", "ε-rank of every hidden layer over training", partial(draw_layers, arms)),
    )
    tables = (
        Table("arms", "Ranks, losses and readings by arm, medians over seeds", arm_rows(arms)),
        Table("layers", "ε-ranks by layer", _layer_rows(arms)),
    )
    return Analysis((finding,), tables, pictures, tuple(notes))


EXPERIMENT = Experiment(
    id="A8",
    title="Residual against plain networks",
    source="[S1]: y_{k+1} = y_k + σ(W_k y_k + b_k) against an MLP on the target of A1",
    claims=(CLAIM,),
    plan=plan,
    analyse=partial(with_panel, analyse),
    batched=True,
)
