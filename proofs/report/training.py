"""The page of a training run: a slider over its measurements, from its records alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from epsrank.numerics.files import write_text
from epsrank.numerics.staircase import detect_staircase
from epsrank.numerics.training.run import load_run
from epsrank.proofs.report.page import environment
from epsrank.theory.errors import InputError
from epsrank.theory.strict_json import worded

if TYPE_CHECKING:
    from epsrank.numerics.training.record import StepRecord
    from epsrank.numerics.training.run import Run

PAGE = "report.html"

# More than an eye tells apart on a screen, and small enough for one file.
_MOST_STEPS, _MOST_EIGENVALUES = 240, 96


def write_training(folder: Path | str) -> Path:
    """Write report.html of a run into its folder."""
    place = Path(folder).expanduser()
    run = load_run(place)
    if not run.records:
        raise InputError(str(place), "has no measurements yet", "train it first")
    data = json.dumps(worded(training_data(run)), ensure_ascii=False, separators=(",", ":"))
    # In a script element, only this would end it.
    text = (
        environment()
        .get_template("training.html.j2")
        .render(run=run, data=Markup(data.replace("<", "\\u003c")))
    )
    write_text(place / PAGE, text)
    return place / PAGE


def training_data(run: Run) -> dict[str, Any]:
    """Return what the page draws: series over the steps, and spectra of every layer."""
    records = _thinned(run.records)
    return {
        "title": run.config.title,
        "status": run.status,
        "cause": run.cause,
        "eps": list(records[0].eps),
        "steps": [record.step for record in records],
        "series": {
            "loss": [_short(record.loss) for record in records],
            "test loss": [_short(record.test_loss) for record in records],
            "V(B)": [_short(record.reachable) for record in records],
            "envelope": [_short(record.envelope) for record in records],
        },
        "floors": [[_short(value) for value in record.floors] for record in records],
        "norm": [_short(record.coefficient_norm) for record in records],
        "readings": [record.reading for record in records],
        "layers": [layer.layer for layer in records[0].layers],
        "ranks": [
            [[[rank.lower, rank.upper] for rank in layer.ranks] for layer in record.layers]
            for record in records
        ],
        "spectra": [
            [list(map(_short, layer.spectrum[:_MOST_EIGENVALUES])) for layer in record.layers]
            for record in records
        ],
        "neurons": [layer.n_features for layer in records[0].layers],
        "stages": stages_of(run),
    }


def stages_of(run: Run) -> list[int]:
    """Return the steps at which the loss begins a new plateau; none where it is no staircase."""
    losses = [record.loss for record in run.records]
    try:
        found = detect_staircase(losses)
    except InputError:
        # Too short a record, or one of losses that have no logarithm.
        return []
    return [run.records[int(at)].step for at in found.steps] if found.is_staircase else []


def _thinned(records: Sequence[StepRecord]) -> list[StepRecord]:
    """Return at most so many measurements, the first and the last among them."""
    count = min(len(records), _MOST_STEPS)
    last = len(records) - 1
    return [records[round(at * last / max(count - 1, 1))] for at in range(count)]


def _short(value: Any) -> float | None:
    """Return a number in five digits."""
    return None if value is None else float(f"{float(value):.5g}")
