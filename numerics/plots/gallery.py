"""Every figure of the theory by name, each drawn from nothing in seconds, or with given runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from epsrank.numerics.checkpoint.apriori import root_loss, run_points
from epsrank.numerics.plots.kernel_figures import KERNEL_FIGURES
from epsrank.numerics.plots.noise_figures import draw_noise
from epsrank.numerics.plots.sampling_figures import draw_sampling
from epsrank.numerics.plots.theory_figures import (
    TrainedPoint,
    apriori_floors,
    selection_constants,
    width_floors,
)
from epsrank.numerics.training import Run, RunConfig, train
from epsrank.theory.apriori import relu_distances, sobolev_widths
from epsrank.theory.errors import InputError
from epsrank.theory.rank import epsilon_rank

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Threshold at which trained networks are placed.
_EPS = 1e-6

# Pieces up to which E_p is drawn.
_MOST = 24


def floor_against_rank(runs: Sequence[Run] = ()) -> Figure:
    """Draw the floor (E_p − √((1+p(n−p))ε)B)_+ over p for several ε and B, with trained networks.

    `runs`: Networks of one hidden ReLU layer on one task of one input; small ones are trained on
    `cosines` where none are given.
    """
    networks = list(runs) or _trained()
    first = networks[0]
    for run in networks:
        _check(run, first)
    last = [run.last_layer() for run in networks]
    n = max(layer.features.shape[1] for layer in last)
    # The bias is the coefficient of the constant feature, and counts in the norm.
    norms = [float(np.linalg.norm(np.vstack([one.coefficients, one.bias]))) for one in last]
    points = [
        TrainedPoint(
            # The upper end: floors fall with the rank, so that this one holds in any case.
            epsilon_rank(one.features, _EPS, measure=one.measure).upper,
            root_loss(one),
            f"trained, n = {one.features.shape[1]} (ε = 1e-6)",
        )
        for one in last
    ]
    # As far to the right as a network lies.
    most = max(min(_MOST, n), *(point.rank for point in points))
    goal, law = last[0].target, last[0].measure
    distances = relu_distances(run_points(first), goal, min(most, n), measure=law)
    # Rounded up to one digit, so that every network has ‖β‖ ≤ B.
    largest = float(f"{max(norms):.1g}")
    largest += 10.0 ** math.floor(math.log10(largest)) if largest < max(norms) else 0.0
    title = f"{first.config.task}: ReLU networks of one hidden layer, ‖β‖ ≤ B"
    return apriori_floors(distances, n=n, norms=sorted({1.0, largest}), trained=points, title=title)


def _trained() -> list[Run]:
    """Train small ReLU networks on the task of experiment A1."""
    return [
        train(
            RunConfig(
                task="cosines", width=width, depth=1, activation="relu", steps=800, seed=seed,
                learning_rate=1e-2, n_train=160, measure_every=800, device="cpu", init=init,
            )
        )
        for width, init, seed in (
            (12, "default", 0), (12, "default", 1), (12, "he", 0),
            (24, "default", 0), (24, "default", 1), (24, "he", 0),
        )
    ]  # fmt: skip


def _check(run: Run, first: Run) -> None:
    """Check that a run belongs into the figure."""
    config = run.config
    where = "a run" if run.out is None else str(run.out)
    if (config.network, config.depth, config.activation) != ("mlp", 1, "relu"):
        raise InputError(
            where,
            f"is a {config.network} of {config.depth} hidden {config.activation} layers",
            "E_p is known for one hidden ReLU layer: train with --net mlp:1xN --activation relu",
        )
    if not run.records:
        raise InputError(where, "has no measurements yet", "train it first")
    if config.loss != "mse" or run.task.n_inputs != 1:
        raise InputError(where, "is no least-squares fit of one input", "choose one, as 'cosines'")
    if run.task.fingerprint() != first.task.fingerprint() or config.probe != first.config.probe:
        raise InputError(where, "has other data than the first run", "pass runs of one task")


def draw_widths() -> Figure:
    """Draw the floors of periodic Sobolev balls over the ε-rank."""
    widths = {f"s = {s}": sobolev_widths(s, 60) for s in (1, 2, 4)}
    return width_floors(widths, title="unit balls of the periodic W$^s$(0, 2π), ε = 1e-6",
                        measure="volume")  # fmt: skip


#: Figures of the theory by file name.
THEORY_FIGURES: dict[str, Callable[[], Figure]] = {
    "floor-rank": floor_against_rank,
    "floor-classes": draw_widths,
    "constants": lambda: selection_constants(title="choosing p of n neurons (N1)"),
    **KERNEL_FIGURES,
    "noise": draw_noise,
    "sampling": draw_sampling,
}


def theory_figure(name: str, runs: Sequence[Run] = ()) -> Figure:
    """Draw one figure of the theory."""
    if name not in THEORY_FIGURES:
        raise InputError("kind", f"is {name!r}", f"choose one of {', '.join(THEORY_FIGURES)}")
    return floor_against_rank(runs) if name == "floor-rank" else THEORY_FIGURES[name]()
