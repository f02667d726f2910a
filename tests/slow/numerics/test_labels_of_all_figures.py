"""The texts of every public figure fit: inside it, and none on another. Each is laid out once."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache, partial

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from epsrank.numerics.monitor import RankMonitor
from epsrank.numerics.papers.axes import OWN_KINDS
from epsrank.numerics.plots.gallery import THEORY_FIGURES, theory_figure
from epsrank.numerics.plots.run_figures import KINDS, figure_of_run
from epsrank.numerics.plots.sweep_figures import Wishes, sweep_figures
from epsrank.numerics.plots.training_stages import draw_training_stages
from epsrank.numerics.results import RunResult, SweepResults
from epsrank.numerics.stages import training_stages
from epsrank.numerics.tightness import Tightness
from epsrank.numerics.training import Run, RunConfig, train
from epsrank.theory.floor.tightness.layer import layer_tightness
from tests.figure_texts import misfits


@cache
def run(loss: str = "mse") -> Run:
    task = "digits" if loss != "mse" else "cosines"
    settings = {"task": task, "loss": loss, "n_train": 40, "probe": 40, "n_test": 40}
    return train(RunConfig(width=5, depth=3, steps=6, measure_every=2, device="cpu", **settings))


@cache
def own() -> Tightness:
    x = np.linspace(-1, 1, 40)
    phi = np.tanh(np.outer(x, np.arange(1, 9)))
    heads = [(step, np.ones(8) * (1 + step) / 100) for step in (0, 50, 100)]
    moments = [
        layer_tightness(phi, np.sin(5 * x), coefficients=head, eps=(1e-2, 1e-6), step=step)
        for step, head in heads
    ]
    return Tightness("a network with a rather long name", tuple(moments), "u = φW")


@cache
def sweeps() -> dict[str, Figure | str]:
    settings = {"width": [4, 128], "activation": ["leaky_relu", "tanh"], "init": ["a", "b"]}
    steps = np.arange(5.0)
    made = [
        RunResult(
            dict(zip(settings, cell, strict=True)), seed, "done", None,
            {"loss": 1e-3 * (1 + seed), "rank_lower": 5.0, "rank_upper": 6.0}, {},
            {"step": steps, "loss": 1 / (1 + steps), "rank_lower": steps, "rank_upper": steps + 1},
        )
        for cell in itertools.product(*settings.values())
        for seed in range(2)
    ]  # fmt: skip
    kinds = ("curves", "ends", "map", "scatter")
    found = SweepResults("a folder with a rather long name", tuple(made), eps=1e-6)
    return dict(sweep_figures(found, kinds, Wishes(), strict=False))


def monitored() -> Figure:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))
    x = torch.linspace(-1, 1, 20)[:, None]
    with RankMonitor(model, probe=x, targets=x**2, loss="mse", every=1) as monitor:
        for loss in (1.0, 0.5, 0.25):
            monitor.step(loss=loss)
    return monitor.plot()


SWEPT = [name for name, found in sweeps().items() if isinstance(found, Figure)]
FIGURES: dict[str, Callable[[], Figure]] = {
    **{f"run, {kind}": partial(lambda kind: figure_of_run(run(), kind), kind) for kind in KINDS},
    "classes, staircase": lambda: figure_of_run(run("cross-entropy"), "staircase"),
    **{
        f"theory, {name}": partial(theory_figure, name)
        for name in THEORY_FIGURES
        if name != "floor-rank"
    },
    **{
        f"own, {kind}": partial(lambda kind: own().plot(kind).get_figure(root=True), kind)
        for kind in OWN_KINDS[:-1]
    },
    **{f"sweep, {name}": partial(lambda name: sweeps()[name], name) for name in SWEPT},
    "monitor": monitored,
    "stages": lambda: draw_training_stages(training_stages(run().out or run())),
}


@pytest.mark.parametrize("name", FIGURES)
def test_the_texts_of_a_figure_fit(name: str) -> None:
    assert misfits(FIGURES[name]()) == []
