"""How the ε-rank differs between the last and the first hidden layer, setting by setting (A2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from epsrank.numerics.experiments.analysis import Effect, effect, sign
from epsrank.numerics.experiments.histories import History, certain_difference
from epsrank.numerics.sweeps.trial import Outcome
from epsrank.theory.numbers.arrays import Array

Stage = Literal["initial", "trained"]

#: Chance, over all initial settings together, that an interval misses its median.
FAMILY = 0.05


@dataclass(frozen=True)
class Cell:
    """One setting, with the differences r_ε(last layer) − r_ε(first layer) over seeds."""

    #: Before or after training.
    stage: Stage
    #: What the inputs are.
    inputs: str
    #: First layer.
    first: str
    #: Name of σ.
    activation: str
    #: Neurons of every hidden layer, and hidden layers.
    width: int
    depth: int
    #: Factor on the default law of the hidden layers.
    scale: float
    #: ε.
    eps: float
    #: Median of the certain difference, with its interval.
    effect: Effect
    #: 1 where the last layer's rank is larger, −1 where it is smaller, 0 where neither is
    #: established.
    established: int
    #: Share of the seeds in which no layer certainly has less rank than the one before it.
    ordered: float
    #: Median ε-rank of every layer.
    medians: tuple[float, ...]

    @property
    def full(self) -> bool:
        """Whether first and last layer have all the rank there is, so that neither can be ahead."""
        return self.medians[0] == self.medians[-1] == self.width

    def row(self) -> dict[str, Any]:
        """Return the cell as a row of a table."""
        interval = self.effect.interval
        return {
            "stage": self.stage,
            "inputs": self.inputs,
            "first layer": self.first,
            "activation": self.activation,
            "width": self.width,
            "depth": self.depth,
            "scale": self.scale,
            "eps": self.eps,
            "median ranks": " ".join(f"{value:g}" for value in self.medians),
            "last − first": interval.value,
            "low": interval.low,
            "high": interval.high,
            "coverage": interval.coverage,
            "seeds": interval.count,
            "ordered": self.ordered,
            "established": {1: "larger", -1: "smaller", 0: "neither"}[self.established],
        }


def _cell(
    stage: Stage, about: Mapping[str, Any], eps: float, lower: Array, upper: Array, coverage: float
) -> Cell:
    """Return a cell from the ends of the ranks, seeds × layers."""
    # Only what intervals make certain: an open rank must not decide.
    growth = certain_difference(lower[:, -1], upper[:, -1], lower[:, 0], upper[:, 0])
    adjacent = certain_difference(lower[:, 1:], upper[:, 1:], lower[:, :-1], upper[:, :-1])
    setting = f"{about['inputs']}, {about['first']}, {about['activation']}"
    name = (
        f"{stage}: rank of layer {lower.shape[1]} − rank of layer 1, {setting}, "
        f"n = {about['width']}, s = {about['scale']:g}, ε = {eps:g}"
    )
    item = effect(name, growth.tolist(), coverage=coverage)
    assert item is not None
    return Cell(
        stage=stage,
        depth=lower.shape[1],
        eps=eps,
        effect=item,
        established=sign(item, coverage),
        ordered=float((adjacent >= 0).all(axis=1).mean()),
        medians=tuple(np.median((lower + upper) / 2, axis=0).tolist()),
        inputs=str(about["inputs"]),
        first=str(about["first"]),
        activation=str(about["activation"]),
        width=int(about["width"]),
        scale=float(about["scale"]),
    )


def initial_cells(outcomes: Iterable[Outcome]) -> tuple[list[Cell], list[str]]:
    """Return one cell per trial of kind ``initial-layers`` and ε, and a note where trials failed.

    All intervals hold together with probability 1 − FAMILY (Bonferroni).
    """
    mine = [outcome for outcome in outcomes if outcome.trial.kind == "initial-layers"]
    done = [outcome for outcome in mine if outcome.status == "done"]
    count = sum(len(outcome.result["rank_lower"]) for outcome in done)
    cells = [
        _cell(
            "initial",
            outcome.settings,
            float(eps),
            np.array(lower, dtype=np.float64),
            np.array(outcome.result["rank_upper"][eps], dtype=np.float64),
            1 - FAMILY / count,
        )
        for outcome in done
        for eps, lower in outcome.result["rank_lower"].items()
    ]
    failed = [outcome for outcome in mine if outcome.status == "failed"]
    if not failed:
        return cells, []
    cause = f"the first with {failed[0].settings.get('inputs')}: {failed[0].cause}"
    return cells, [f"{len(failed)} of the settings before training failed, {cause}"]


def trained_cells(arms: Mapping[str, Sequence[History]], at: int = -1) -> list[Cell]:
    """Return one cell per arm and ε, at a measurement of its runs."""
    cells = []
    for runs in arms.values():
        # A run that diverged ended early: its last measurement is of another time.
        kept = [run for run in runs if run.status == "complete"]
        if not kept:
            continue
        settings = kept[0].settings
        about = {
            "inputs": kept[0].task,
            "first": "structured" if settings["init"] == "structured" else "default",
            "activation": settings["activation"],
            "width": settings["width"],
            "scale": 1.0,
        }
        for eps in kept[0].eps:
            lower = np.array([run.lower[eps][at] for run in kept])
            upper = np.array([run.upper[eps][at] for run in kept])
            cells.append(_cell("trained", about, eps, lower, upper, 0.95))
    return cells


def tally(cells: Iterable[Cell]) -> dict[str, int]:
    """Count what is established."""
    counts = {"larger": 0, "smaller": 0, "neither": 0, "full": 0}
    for cell in cells:
        counts[{1: "larger", -1: "smaller", 0: "neither"}[cell.established]] += 1
        counts["full"] += int(cell.established == 0 and cell.full)
    return counts
