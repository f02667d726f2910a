"""Function fitting on the target of A1: the trials, and what their histories say arm by arm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.histories import History, over_seeds
from epsrank.numerics.plots.over_seeds import Curve, Panel, time_panels
from epsrank.numerics.plots.style import power
from epsrank.numerics.sweeps.trial import Trial
from epsrank.theory.floor.reading import FEATURE_LIMITED
from epsrank.theory.numbers.arrays import Array, Vector
from epsrank.theory.statistics import median_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPS = (1e-6, 1e-4, 1e-2)


def fitting_trial(
    request: Request, rules: Mapping[str, Any], *, seed: int, share: float = 1.0, **settings: Any
) -> Trial:
    """Return a training on cos x + cos 2x + cos 30x on [−1, 1], mean squared error.

    `rules`, those of its experiment, give the points of the grid, the steps (of which `share` are
    made) and the number of measurements, evenly spaced for the detector or ``"auto"``, dense at
    first; and ``keep_features`` where drops are explained. `settings` are entries of `RunConfig`
    that differ from tanh, Adam with rate 1e-3 and the whole grid in every step (rate and grid are
    ours).
    """
    steps = round(share * rules["steps"])
    if "keep_features" in rules:
        settings = {"keep_features": rules["keep_features"]} | settings
    common = {
        "task": "cosines",
        "network": "mlp",
        "activation": "tanh",
        "init": "default",
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "steps": steps,
        "n_train": rules["points"],
        "measure_every": measure_every(rules, steps),
        "eps": list(EPS),
        "device": request.device,
        "seed": seed,
    }
    return Trial("train", common | settings)


def measure_every(rules: Mapping[str, Any], steps: int) -> int | str:
    """Return the steps between measurements by the rules of an experiment."""
    count = rules["measurements"]
    return count if isinstance(count, str) else max(1, steps // count)


def arm_rows(arms: Mapping[str, Sequence[History]]) -> list[dict[str, Any]]:
    """Return one row per arm: ranks, losses and the plateau's reading, medians over seeds."""
    return [_arm_row(name, runs) for name, runs in arms.items()]


def _arm_row(name: str, runs: Sequence[History]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "arm": name,
        "seeds": len(runs),
        "diverged": sum(run.status != "complete" for run in runs),
    }
    for what, values in {
        "rank at first": [run.rank()[0] for run in runs],
        "rank at last": [run.rank()[-1] for run in runs],
        "loss at last": [run.loss[-1] for run in runs],
        "loss/V at last": [loss_ratio(run)[-1] for run in runs],
        "share at V": [_share(loss_ratio(run)) for run in runs],
        "rank leads by": [rank_lead(run) for run in runs],
    }.items():
        known = [float(value) for value in values if np.isfinite(value)]
        interval = median_interval(known) if known else None
        row[what] = None if interval is None else interval.value
        row[f"{what}, low"] = None if interval is None else interval.low
        row[f"{what}, high"] = None if interval is None else interval.high
    return row


def rank_lead(run: History) -> float:
    """Return the steps from the rank's half-way up to the log-loss's half-way down."""
    known = np.isfinite(run.loss) & (run.loss > 0)
    if not known.any():
        return float("nan")
    steps, rank, fall = run.steps[known], run.rank()[known], -np.log(run.loss[known])
    # What never moves is never half-way.
    if rank.max() == rank[0] or fall.max() == fall[0]:
        return float("nan")
    # argmax of truth values is the first that is true.
    arrivals = [
        float(steps[np.argmax(series >= (series[0] + series.max()) / 2)]) for series in (rank, fall)
    ]
    return arrivals[1] - arrivals[0]


def loss_ratio(run: History) -> Vector:
    """Return loss/V(‖β‖) over time; NaN where V is 0 or not known."""
    # V may be 0, and a diverging loss overflows: both are NaN below.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = run.loss / run.reachable
    found: Array = np.where(np.isfinite(ratio), ratio, np.nan)
    return found


def _share(ratio: Array) -> float:
    known = ratio[np.isfinite(ratio)]
    return float((known <= FEATURE_LIMITED).mean()) if known.size else float("nan")


#: Series of a run by name.
LOSS = "loss"
BOUND = "V(‖β‖): least loss with these features"


def curve(name: str, runs: Sequence[History], value: Callable[[History], Array]) -> Curve:
    """Return one quantity of an arm over its seeds."""
    steps, values = over_seeds(runs, value)
    return Curve(name, steps, values)


def draw_staircases(
    arms: Mapping[str, Sequence[History]],
    title: str,
    marks: Mapping[str, Sequence[float]] | None = None,
    measure: str = "mean",
) -> Figure:
    """Draw loss with V(‖β‖), ε-rank of the last layer, and loss/V, one column per arm."""
    columns = []
    at = marks or {}
    for name, runs in arms.items():
        eps = power(runs[0].eps[0])
        columns.append(
            [
                Panel(
                    f"loss and its bound\n({measure} measure)",
                    [
                        curve(LOSS, runs, lambda run: run.loss),
                        curve(BOUND, runs[:1], lambda run: run.reachable),
                    ],
                    "log",
                    name,
                    each=True,
                    marks=tuple(at.get(name, ())),
                ),
                Panel(
                    f"ε-rank at ε = {eps},\nlast hidden layer",
                    [curve("ε-rank", runs, lambda run: run.rank())],
                    "rank",
                    each=True,
                    marks=tuple(at.get(name, ())),
                ),
                Panel(
                    "loss / V(‖β‖)\n(1: at V)",
                    [curve("loss / V(‖β‖)", runs, loss_ratio)],
                    "log",
                    guide=1.0,
                    each=True,
                ),
            ]
        )
    return time_panels(columns, title=title)


def draw_comparison(arms: Mapping[str, Sequence[History]], title: str) -> Figure:
    """Draw loss and ε-rank of several arms in the same axes, medians and ranges over seeds."""
    eps = power(next(iter(arms.values()))[0].eps[0])
    loss = [curve(name, runs, lambda run: run.loss) for name, runs in arms.items()]
    rank = [curve(name, runs, lambda run: run.rank()) for name, runs in arms.items()]
    panels = [
        Panel("loss (mean measure)", loss, "log"),
        Panel(f"ε-rank at ε = {eps},\nlast hidden layer", rank, "rank"),
    ]
    return time_panels([panels], title=title)
