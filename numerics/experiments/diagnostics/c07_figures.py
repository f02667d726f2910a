"""C7: figures of the survey beside the claims: a grid of rates, early paths, the top space, a CNN.

Sources: figures 2, 6 (right), 7 and 9 (third column) of the survey, after Leclerc and Madry 2020
(arXiv:2002.10376), Jastrzębski et al. 2020 (2002.09572) and Xu, Zhang, Xiao 2018 (1807.01251); that
descent moves into a small space is Gur-Ari, Roberts, Dyer 2018 (1812.04754). Ours: digits, and
MNIST and CIFAR-10 where they are at hand, a small MLP and CNN, plain descent.

- *grid*: accuracy on samples never seen at every rate and momentum, from one start in one order.
- *steps*: ΔL = L(θ_{t+1}) − L(θ_t) on all samples over λ_K¹ of one measuring batch, and λ_H¹.
- *paths*: both rates from one start until 65 % of the training samples are right, in the plane of
  the two principal components of both paths.
- *space*: the share of the gradient's square in the space of the ten leading eigenvectors of the
  Hessian (ten classes), over training; a random direction has 10/n.
- *waves*: Δ(γ) along the first principal component for a CNN (C4 has the MLP).

No claim of the ledger rests on any of this: the notes say what is seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from epsrank.numerics.experiments.analysis import Analysis, Picture, Table
from epsrank.numerics.experiments.diagnostics.arms import Arms, arms_of, curve, failures
from epsrank.numerics.experiments.diagnostics.c04_frequency import draw_runs, fitted_at, names_of
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.rules import experiment_rules
from epsrank.numerics.plots.over_seeds import Panel, time_panels
from epsrank.numerics.plots.style import INK, dress, look, new_figure, power
from epsrank.numerics.sweeps.trial import Outcome, Trial
from epsrank.theory.numbers.arrays import Vector

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GRID, _PATH, _WAVES = "rate-grid", "early-path", "frequency-images"


def plan(request: Request) -> list[Trial]:
    """Return a grid and a pair of paths per network and seed, and the waves of each CNN."""
    rules = experiment_rules("C7", request.size)
    trials = []
    for task, name, own in rules["networks"]:
        if task != "digits" and task not in request.datasets:
            continue
        for seed in request.seed_range(rules["seeds"]):
            of = {"task": task, "network": name, "width": rules["widths"][name], "seed": seed}
            trials.append(Trial(_GRID, {**rules["grid"], **of, **own}))
            trials.append(Trial(_PATH, {**rules["path"], **of, **own}))
            if name == "cnn":
                # As in C4, whose trials have no network by name: theirs is the MLP.
                trials.append(Trial(_WAVES, {**rules["waves"], **of, **own}, version=2))
    return trials


def arm_of(outcome: Outcome) -> str:
    """Return task and network."""
    return f"{outcome.settings['task']}, {outcome.settings['network']}"


def column(run: dict[str, Any], name: str) -> Vector:
    """Return what was measured along a path, NaN where it was not finite."""
    held = run["series"][name]
    return np.array([math.nan if value is None else value for value in held], dtype=np.float64)


def grid_rows(arms: Arms) -> list[dict[str, Any]]:
    """Return medians of accuracy over seeds, one row per momentum."""
    rows = []
    for name, runs in arms.items():
        rates, momenta = runs[0].settings["rates"], runs[0].settings["momenta"]
        for momentum, values in zip(momenta, _accuracies(runs), strict=True):
            row: dict[str, Any] = {"arm": name, "momentum": momentum}
            row |= {f"η = {rate:g}": float(v) for rate, v in zip(rates, values, strict=True)}
            rows.append(row)
    return rows


def _accuracies(runs: Sequence[Outcome]) -> Any:
    """Return medians over seeds, momenta × rates; a run that diverges is right once in ten."""
    every = [[[0.1 if v is None else v for v in row] for row in o.result["accuracy"]] for o in runs]
    return np.median(np.array(every, dtype=np.float64), axis=0)


def path_rows(arms: Arms) -> list[dict[str, Any]]:
    """Return per network and rate what the paths show, medians over seeds."""
    rows = []
    for name, outcomes in arms.items():
        level = outcomes[0].settings["accuracy"]
        for index, rate in enumerate(outcomes[0].settings["rates"]):
            runs = [o.result["runs"][index] for o in outcomes]
            found: dict[str, list[float]] = {}
            for run in runs:
                right, space = column(run, "accuracy") >= level, column(run, "share")
                place = int(np.argmax(right)) if right.any() else None
                noise, fall = column(run, "noise")[1:], column(run, "fall")[1:]
                values = {
                    f"step at {level:.0%}": math.nan if place is None else _at(run, place),
                    "max λ_K": float(np.nanmax(noise)),
                    "max λ_H": float(np.nanmax(column(run, "hessian"))),
                    # Infinity where no step does.
                    "least λ_K of a step that raises the loss": float(
                        noise[fall < 0].min(initial=math.inf)
                    ),
                    "steps that raise the loss": float(np.mean(fall < 0)),
                    "share in the top space, start": float(space[0]),
                    "least": float(np.nanmin(space)),
                    "end": float(space[-1]),
                }
                for key, value in values.items():
                    found.setdefault(key, []).append(value)
            rows.append(
                {"arm": name, "η": rate, "runs": len(runs)}
                | {key: _median(values) for key, values in found.items()}
            )
    return rows


def _at(run: dict[str, Any], place: int) -> float:
    return float(column(run, "step")[place])


def _median(values: Sequence[float]) -> float | None:
    known = [value for value in values if math.isfinite(value)]
    return float(np.median(known)) if known else None


def wave_rows(arms: Arms) -> list[dict[str, Any]]:
    """Return when each frequency is fitted by a CNN."""
    rows = []
    for name, runs in arms.items():
        for place, error in enumerate(names_of(runs[0])):
            steps = [fitted_at(run, error) for run in runs]
            rows.append({
                "arm": name, "frequency, from the lowest": place + 1,
                "median step": _median(steps), "arrived": sum(map(math.isfinite, steps)),
                "runs": len(steps),
            })  # fmt: skip
    return rows


def notes_of(grids: Arms, paths: Sequence[dict[str, Any]]) -> list[str]:
    """Say what the figures show, and that it decides nothing."""
    said = []
    for name, runs in grids.items():
        values = _accuracies(runs)
        down, across = np.unravel_index(int(np.argmax(values)), values.shape)
        settings = runs[0].settings
        said.append(
            f"{name}: accuracy is largest ({values.max():.3f}) at η = "
            f"{settings['rates'][across]:g}, μ = {settings['momenta'][down]:g}; at the smallest "
            f"rate momentum {settings['momenta'][-1]:g} changes it by "
            f"{values[-1, 0] - values[0, 0]:+.3f}, at the largest by "
            f"{values[-1, -1] - values[0, -1]:+.3f}"
        )
    for row in paths:
        least = row["least λ_K of a step that raises the loss"]
        rises = "no step that was looked at raises the loss"
        if least is not None:
            share = row["steps that raise the loss"]
            rises = f"{share:.0%} of the steps raise the loss, none below λ_K = {least:.2g}"
        said.append(
            f"{row['arm']}, η = {row['η']:g}: λ_K peaks at {row['max λ_K']:.2g}, {rises}; the top "
            f"space has {row['share in the top space, start']:.2f} of the gradient at the start, "
            f"{row['least']:.2f} at least and {row['end']:.2f} at the end"
        )
    return said


def draw_grid(arms: Arms) -> Figure:
    """Draw accuracy over rate and momentum."""
    figure = new_figure(3.6 * len(arms) + 1.0, 3.2)
    panels = figure.subplots(1, len(arms), squeeze=False)[0]
    low = min(float(_accuracies(runs).min()) for runs in arms.values())
    for axes, (name, runs) in zip(panels, arms.items(), strict=True):
        values, settings = _accuracies(runs), runs[0].settings
        image = axes.imshow(values, vmin=low, vmax=1.0, cmap="viridis", aspect="auto")
        for (down, across), value in np.ndenumerate(values):
            ink = "white" if value < (low + 1) / 2 else INK
            axes.text(across, down, f"{value:.2f}", ha="center", va="center", color=ink, fontsize=7)
        axes.set_xticks(range(len(settings["rates"])), [power(r) for r in settings["rates"]])
        axes.set_yticks(range(len(settings["momenta"])), [f"{m:g}" for m in settings["momenta"]])
        dress(axes, x="rate η", y="momentum μ", panel=name)
        axes.grid(False)
    figure.colorbar(image, ax=list(panels), label="accuracy, samples never seen")
    return figure


def draw_steps(arms: Arms) -> Figure:
    """Draw ΔL of a step and λ_H over λ_K, every measurement of every run."""
    figure = new_figure(3.6 * len(arms) + 0.8, 5.6)
    grid = figure.subplots(2, len(arms), squeeze=False)
    for (above, below), (name, outcomes) in zip(grid.T, arms.items(), strict=True):
        for outcome in outcomes:
            for index, run in enumerate(outcome.result["runs"]):
                style, noise = look(index), column(run, "noise")
                label = f"η = {run['rate']:g}" if outcome is outcomes[0] else None
                for axes, values in (
                    (above, column(run, "hessian")),
                    (below, -column(run, "fall")),
                ):
                    axes.plot(noise, values, style.marker, color=style.colour, markersize=3,
                              alpha=0.5, label=label)  # fmt: skip
        above.set_yscale("log")
        below.set_yscale("symlog", linthresh=1e-3)
        below.axhline(0.0, color=INK, linewidth=0.9, linestyle=(0, (6, 2)))
        for axes, what in ((above, "λ_H¹"), (below, "ΔL of the next step")):
            axes.set_xscale("log")
            dress(axes, x="λ_K¹" if axes is below else "", y=what,
                  panel=name if axes is above else "")  # fmt: skip
        above.legend(fontsize=7, frameon=False)
    return figure


def draw_paths(arms: Arms) -> Figure:
    """Draw both paths of every seed until the accuracy asked for."""
    figure = new_figure(3.8 * len(arms) + 0.6, 3.8)
    for axes, (name, outcomes) in zip(
        figure.subplots(1, len(arms), squeeze=False)[0], arms.items(), strict=True
    ):
        for outcome in outcomes:
            first = outcome is outcomes[0]
            for index, run in enumerate(outcome.result["runs"]):
                # Signs of principal components mean nothing: all begin to the right and upwards.
                ways = [math.copysign(1.0, outcome.result["runs"][-1][k][-1] or 1.0) for k in "xy"]
                x, y = (way * np.array(run[k]) for way, k in zip(ways, "xy", strict=True))
                style = look(index)
                axes.plot(x, y, color=style.colour, linestyle=style.dashes, linewidth=1.2,
                          alpha=1.0 if first else 0.3,
                          label=f"η = {run['rate']:g}" if first else None)  # fmt: skip
                axes.plot(x[-1:], y[-1:], style.marker, color=style.colour, markersize=4,
                          alpha=1.0 if first else 0.4)  # fmt: skip
        axes.plot(0, 0, "k+", markersize=8)
        plane = float(np.median([sum(o.result["plane"]) for o in outcomes]))
        dress(
            axes,
            x="first principal component",
            y="second",
            panel=f"{name}; {plane:.0%} of the variance",
        )
        axes.legend(fontsize=7, frameon=False)
    return figure


def draw_space(arms: Arms) -> Figure:
    """Draw the share of the gradient in the top space, and the loss."""
    columns = []
    for name, outcomes in arms.items():
        for index, rate in enumerate(outcomes[0].settings["rates"]):
            runs = [
                Outcome(o.trial, "done", {"series": o.result["runs"][index]["series"]})
                for o in outcomes
            ]
            columns.append([
                Panel("share of ‖∇L‖² in the top 10", [curve("each run", runs, "share")],
                      "linear", f"{name}, η = {rate:g}", each=True, guide=1.0),
                Panel("loss", [curve("each run", runs, "loss")], "log", each=True),
            ])  # fmt: skip
    return time_panels(columns, title="Every run, the first one strong", time_scale="log")


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Put the figures together; nothing is judged."""
    grids, paths, waves = (
        arms_of([o for o in outcomes if o.trial.kind == kind], arm_of)
        for kind in (_GRID, _PATH, _WAVES)
    )
    rows = path_rows(paths)
    tables = (
        Table("grid", "Accuracy on samples never seen, medians over seeds", grid_rows(grids)),
        Table("paths", "Early paths, medians over seeds", rows),
        Table("waves", "When each frequency is fitted by a CNN", wave_rows(waves)),
    )
    pictures = [
        Picture(name, f"C7: {words}. Decides nothing", partial(draw, arms))
        for name, words, draw, arms in (
            ("grid", "accuracy over rate and momentum, medians over seeds", draw_grid, grids),
            ("steps", "λ_H¹ and the change of the loss in the next step over λ_K¹, every "
             "measurement; above 0 (dashed) a step raises the loss", draw_steps, paths),
            ("paths", "two rates from one start (cross) until 65 % of the samples are right, every "
             "seed, in the plane of both", draw_paths, paths),
            ("space", "the share of the gradient in the ten leading eigenvectors of the Hessian",
             draw_space, paths),
            ("waves", "relative error Δ of each frequency in a CNN, and the loss", draw_runs,
             waves),
        )
        if arms
    ]  # fmt: skip
    notes = notes_of(grids, rows)
    return Analysis((), tables, tuple(pictures), (*failures(outcomes), *notes))


EXPERIMENT = Experiment(
    "C7",
    "Further figures of the survey: rate × momentum, early paths, the top space, a CNN",
    "arXiv:2002.10376, 2002.09572, 1812.04754, 1807.01251; settings ours",
    (),
    plan,
    analyse,
)
