"""What ``epsrank train`` says at its end: the last measurement, and where its picture is."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from epsrank.cli.console import notice, number, print_table, say

if TYPE_CHECKING:
    from epsrank.numerics.training import Run


def _draw(run: Run, folder: Path) -> str:
    """Draw the staircase and name its file; what stands in the way costs the picture alone."""
    from epsrank.theory.errors import InputError
    from epsrank.theory.extras import optional_packages

    try:
        with optional_packages():
            from epsrank.numerics.plots.run_figures import figure_of_run
            from epsrank.numerics.plots.save import save_figure

            return str(save_figure(figure_of_run(run, "staircase"), folder / "staircase.svg"))
    except (InputError, OSError) as error:
        return f"none, {error}"


def print_run(run: Run, folder: Path) -> None:
    """Draw the staircase and print the last measurement."""
    if run.status == "diverged":
        notice(f"the run diverged: {run.cause}")
    if not run.records:
        return
    picture = _draw(run, folder)
    last = run.records[-1]
    columns = ["hidden layer", *(f"ε-rank at {eps:g}" for eps in last.eps), "of"]
    rows = [
        [
            str(entry.layer),
            *map(str, entry.ranks),
            str(entry.n_features),
        ]
        for entry in last.layers
    ]
    print_table(columns, rows, title=f"{run.config.title}: step {last.step} of {run.config.steps}")
    measure = last.layers[-1].measure
    figures = [
        [f"loss ({run.config.loss}, {measure} measure)", number(last.loss)],
        # NaN where a problem of the user's has no solution to be tested against.
        *([] if math.isnan(last.test_loss) else [["test loss", number(last.test_loss)]]),
    ]
    if last.test_accuracy is not None:
        figures.append(["test accuracy", f"{last.test_accuracy:.2%}"])
    if last.reachable is not None:
        bound = "V(‖β‖)" if last.envelope is not None else "reachable, certified,"
        figures.append([f"{bound} at ‖β‖ = {last.coefficient_norm:.4g}", number(last.reachable)])
    if last.envelope is not None:
        figures += [
            ["envelope", number(last.envelope)],
            *(
                [f"floor at ε = {eps:g}", number(value)]
                for eps, value in zip(last.eps, last.floors, strict=True)
            ),
        ]
    say()
    reading = f"reading: {last.reading}: {last.reason}" if last.reading else last.reason
    print_table(["quantity", "value"], figures, note=f"{reading}\npicture: {picture}")
