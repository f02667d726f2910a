"""The page of a training run: a slider over its measurements, from its records alone."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from epsrank.numerics.files import write_text
from epsrank.numerics.staircase import detect_staircase
from epsrank.numerics.training.run import load_run
from epsrank.proofs.report.page import environment
from epsrank.theory.errors import InputError
from epsrank.theory.strict_json import worded

if TYPE_CHECKING:
    from epsrank.numerics.training.run import Run
    from epsrank.theory.floor.plateau import PlateauCurve

PAGE = "report.html"

# More than an eye tells apart on a screen, and small enough for one file.
_MOST_STEPS, _MOST_EIGENVALUES = 240, 96
# Curves V(B): a tenth of a second each for squares of usual size, and seconds for what is
# convex or large. Between two of them the page shows the one before.
_NORMS, _CURVES, _DEAR_CURVES = 41, 80, 6
_USUAL_SIZE = 200_000
# Share of its upper bound that V has to have from below to be drawn.
_KNOWN = 0.5


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
    """Return what the page draws: series, spectra of every layer, curves V(B), and stages."""
    places = _thinned(range(len(run.records)), _MOST_STEPS)
    records = [run.records[place] for place in places]
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
        "curves": curves_of(run, places),
        "stages": stages_of(run),
    }


def stages_of(run: Run) -> dict[str, Any]:
    """Return the plateaus and drops that the detector finds in the loss, by their steps."""
    steps = [record.step for record in run.records]
    try:
        found = detect_staircase([record.loss for record in run.records], times=steps)
    except InputError as error:
        # Too short a record, or one of losses that have no logarithm.
        return {"says": f"The detector cannot judge this loss: it {error.problem}.", "parts": []}
    # Without a step there are no plateaus: a smooth descent has one stage.
    kinds = {
        "plateau": [(part.start, part.end) for part in found.plateaus],
        "drop": [(drop.start, drop.end) for drop in found.found],
    }
    parts = [
        {"kind": kind, "number": number, "from": steps[start], "to": steps[end]}
        for kind, stretches in kinds.items()
        for number, (start, end) in enumerate(stretches if found.found else (), 1)
    ]
    return {"says": f"{found}.", "parts": sorted(parts, key=lambda part: part["from"])}


def curves_of(run: Run, places: Sequence[int]) -> dict[str, Any]:
    """Return V over the norm of the head at some measurements, with the network's place on it."""
    try:
        there = {at for at in run.with_last_layer() if run.records[at].reading is not None}
        usable = [at for at, place in enumerate(places) if place in there]
        first = run.last_layer(places[usable[0]]) if usable else None
        usual = first is not None and np.size(first.features) <= _USUAL_SIZE
        most = _CURVES if usual and run.config.loss == "mse" else _DEAR_CURVES
        known = []
        for at in _thinned(usable, most):
            curve = run.last_layer(places[at]).curve(run.config.loss, _NORMS)
            known.append({"at": at, **_of_curve(curve)})
    except InputError as error:
        return {"cause": f"{error.argument} {error.problem}", "known": []}
    return {"cause": None if known else "no measurement of this run has a reading", "known": known}


def _of_curve(curve: PlateauCurve) -> dict[str, Any]:
    """Return a curve and the place of the head; an upper bound must not pass for V."""
    reading = curve.reading
    shown = np.where(curve.lower > _KNOWN * curve.upper, curve.upper, np.nan)
    half = reading.half_norm
    return {
        "norms": [_short(value) for value in curve.norms],
        "values": [None if math.isnan(value) else _short(value) for value in shown],
        "norm": _short(reading.norm),
        "loss": _short(reading.loss),
        "half": None if half is None or not math.isfinite(half) else _short(half),
        "reading": reading.name,
    }


def _thinned(places: Sequence[int], most: int) -> list[int]:
    """Return at most so many places, the first and the last among them."""
    count = min(len(places), most)
    return [places[round(at * (len(places) - 1) / max(count - 1, 1))] for at in range(count)]


def _short(value: Any) -> float | None:
    """Return a number in five digits."""
    return None if value is None else float(f"{float(value):.5g}")
