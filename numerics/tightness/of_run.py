"""The tightness at the measurements of a run, rebuilt from its checkpoints."""

from __future__ import annotations

import numpy as np

from epsrank.numerics.tightness.asked import Asked
from epsrank.numerics.tightness.result import Tightness
from epsrank.numerics.training import Run
from epsrank.theory.errors import InputError
from epsrank.theory.floor.tightness.layer import layer_tightness
from epsrank.theory.floor.tightness.result import LayerTightness
from epsrank.theory.numbers.spaced import spaced
from epsrank.theory.words import plural


def tightness_of_run(run: Run, asked: Asked, *, moments: int, index: int | None) -> Tightness:
    """Return the tightness at some measurements, evenly spread, or at one alone."""
    if not run.records:
        raise InputError("run", "has no measurements yet", "train it first")
    count = len(run.records)
    if index is not None:
        chosen = [range(count)[index]] if -count <= index < count else []
        if not chosen:
            raise InputError("index", f"is {index}", f"the run has {plural(count, 'measurement')}")
    else:
        # Of one it is the end: what is shown first is the last of all.
        chosen = spaced(count, moments) if moments > 1 else [count - 1]
    records: list[LayerTightness] = []
    left_out: list[str] = []
    # From the end: the last one that can be read is the one with all details.
    for at in reversed(chosen):
        try:
            found = _at(run, at, asked, last=not records)
        except InputError as error:
            if index is not None or len(chosen) == 1 or _is_ours(error):
                raise
            left_out.append(f"step {run.records[at].step}: {error}")
            continue
        records.append(found)
    if not records:
        raise InputError(
            "run", f"has no checkpoint that can be read ({left_out[0]})", "train it anew"
        )
    return Tightness(
        str(run.out) if run.out is not None else run.config.title,
        tuple(reversed(records)),
        _form(run),
        left_out=tuple(reversed(left_out)),
    )


def _is_ours(error: InputError) -> bool:
    """Whether what is wrong is what was asked, at every moment alike."""
    return error.argument in ("eps", "norms", "certified", "run", "bias")


def _form(run: Run) -> str:
    """Say what the output of a network of the suite is."""
    operator = run.task.operator
    return "u = φW + b" if operator is None else f"𝓛u = 𝓛(φW + b), 𝓛u: {operator}"


def _at(run: Run, index: int, asked: Asked, *, last: bool) -> LayerTightness:
    """Return the tightness at one measurement."""
    layer = run.last_layer(index)
    return layer_tightness(
        layer.features.astype(np.float32) if run.config.dtype == "float32" else layer.features,
        layer.target,
        coefficients=layer.coefficients,
        loss=run.config.loss,
        bias=asked.bias,
        bias_value=layer.bias,
        constant=layer.constant,
        measure=layer.measure,
        **asked.arguments(last=last, step=run.records[index].step),
    )
