"""Figures of the networks that a verification trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from epsrank.proofs.instances.networks import TrainedNetwork

#: Kinds of figures per network, with what they show.
KINDS = {
    "staircase": "Loss, V(‖β‖), floor and ε-rank over training, on one time axis",
    "floor": "The floor against the ε-rank",
    "spectra": "Spectra of the last layer over training",
    "tightness": "How tight the bounds are",
}


def figure_path(network: str, kind: str) -> str:
    """Return the path of a figure relative to the report."""
    return f"figures/{network.replace(' ', '-').replace('×', 'x')}-{kind}.svg"


def caption(path: str) -> str:
    """Return the caption of a figure from its path."""
    name, _, kind = Path(path).stem.rpartition("-")
    return f"{name}: {KINDS.get(kind, kind)}"


def draw_figures(network: TrainedNetwork, folder: Path) -> list[str]:
    """Draw and save the figures of one network."""
    from epsrank.numerics.plots.run_figures import figure_of_run
    from epsrank.numerics.plots.save import save_figure

    run = network.run()
    drawn = []
    for kind in KINDS:
        figure: Any = figure_of_run(run, kind)
        path = figure_path(network.name, kind)
        save_figure(figure, folder / path)
        # Figures hold their data, and circles of references keep them for long.
        figure.clear()
        drawn.append(path)
    return drawn
