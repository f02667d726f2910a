"""Draw the chain loss ≥ V(B) ≥ envelope ≥ floor with the numbers of docs/concepts/chain.md.

``python docs/draw_chain.py`` writes docs/images/chain.svg; heights are a scheme, numbers are not.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

from epsrank import LossFloor, loss_floor

matplotlib.use("svg")
from matplotlib import pyplot as plt

IMAGE = Path(__file__).parent / "images" / "chain.svg"
EPS = 1e-4
LEVELS = ("loss", "V(B)", "envelope", "floor")
MEANINGS = (
    "of the output layer as it is",
    "least loss of any output layer of norm B",
    "best bound from the spectrum, over all p",
    "bound at p = the ε-rank",
)
GAPS = ("training the output layer", "how the target lies in the features", "the choice of ε")
COLOURS = ("#1a1a1a", "#0b5394", "#38761d", "#b45f06")


def example(rcond: float) -> LossFloor:
    """Return the chain of 30 tanh neurons on cos 6x with a least-squares head, cut off at rcond."""
    x = np.linspace(-1, 1, 500)
    features = np.tanh(x[:, None] + np.linspace(-1, 1, 30))
    target = np.cos(6 * x)
    beta = np.linalg.lstsq(features, target, rcond=rcond)[0]
    return loss_floor(features, target, eps=EPS, coefficients=beta)


def values(found: LossFloor) -> list[str]:
    """Return the four numbers of a chain as text."""
    numbers = (found.loss, found.reachable, found.envelope, found.floor)
    return [f"{number:.3f}" if number else "0" for number in numbers]


def draw() -> None:
    """Write the picture."""
    small, large = example(1e-3), example(1e-4)
    columns = (values(small), values(large))
    plt.rcParams.update({"svg.hashsalt": "chain", "svg.fonttype": "none", "font.size": 11})
    figure, axes = plt.subplots(figsize=(9, 4.2))
    for k, (name, meaning, colour) in enumerate(zip(LEVELS, MEANINGS, COLOURS, strict=True)):
        height = 3 - k
        axes.plot([0, 6.0], [height, height], color=colour, linewidth=3, solid_capstyle="butt")
        axes.text(0.05, height + 0.1, name, color=colour, fontweight="bold")
        axes.text(1.3, height + 0.1, meaning, color=colour, fontsize=10)
        for column, numbers in enumerate(columns):
            axes.text(7.0 + 1.5 * column, height - 0.05, numbers[k], color=colour, ha="center")
        if k < 3:
            axes.annotate(
                "", (5.6, height - 0.95), (5.6, height - 0.05),
                arrowprops={"arrowstyle": "->", "color": "#666666"},
            )  # fmt: skip
            axes.text(
                5.4,
                height - 0.45,
                GAPS[k],
                color="#444444",
                fontsize=9.5,
                style="italic",
                ha="right",
                va="center",
            )
    for column, (found, label) in enumerate(((small, "small head"), (large, "large head"))):
        axes.text(
            7.0 + 1.5 * column,
            3.75,
            f"{label}\nB = {found.coefficient_norm:.3g}",
            ha="center",
            fontsize=10,
        )
    axes.set(xlim=(-0.1, 9.4), ylim=(-0.3, 4.3))
    axes.axis("off")
    figure.savefig(IMAGE, bbox_inches="tight", metadata={"Date": None})


if __name__ == "__main__":
    draw()
