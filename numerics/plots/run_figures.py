"""The figures of one training run, from its records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from epsrank.numerics.plots.floor_curve import floor_curve, rank_ratios
from epsrank.numerics.plots.layers import layer_ranks, spectra
from epsrank.numerics.plots.plateau import draw_plateau
from epsrank.numerics.plots.staircase import staircase
from epsrank.theory.data.inputs import as_eps
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.spaced import spaced

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from epsrank.numerics.training import Run, StepRecord
    from epsrank.theory.floor.result import LossFloor
    from epsrank.theory.numbers.arrays import Array

# Checkpoints that a floor figure rebuilds: enough for the eye.
_MOST_POINTS = 60


def figure_of_run(run: Run, kind: str, *, eps: float | None = None) -> Figure:
    """Draw one figure of a run."""
    if kind not in tuple(KINDS):  # of a list there is no hash
        raise InputError("kind", f"is {kind!r}", f"choose one of {', '.join(KINDS)}")
    if not run.records:
        raise InputError("run", "has no measurements yet", "train it first")
    known = run.records[0].eps
    threshold = known[0] if eps is None else as_eps(eps)
    if threshold not in known:
        choices = ", ".join(f"{value:g}" for value in known)
        raise InputError("eps", f"is {threshold:g}", f"the run has measured {choices}")
    if kind == "reading" and not has_reading(run):
        raise InputError("kind", "is 'reading', but the run has none", "see its last record")
    if kind in NEED_FLOOR and not has_floor(run):
        raise InputError(
            "kind", f"is {kind!r}, but the run has no squared-error floor", "train with --loss mse"
        )
    return KINDS[kind](run, threshold)


def has_floor(run: Run) -> bool:
    """Tell whether the squared-error floor was measured (it does not apply to cross-entropy)."""
    return all(record.envelope is not None for record in run.records)


def has_reading(run: Run) -> bool:
    """Tell whether the plateau at the last measurement was read."""
    return run.records[-1].reading is not None


def title_of_run(run: Run) -> str:
    """Return one line that names a run."""
    return run.config.title


def _staircase(run: Run, eps: float) -> Figure:
    records = run.records
    at = records[0].eps.index(eps)
    bounds = {}
    # Of a convex loss V is certified where the probe is not too large; it has no envelope.
    if any(record.reachable is not None for record in records):
        bounds["V(‖β‖)"] = _column(records, "reachable")
    if has_floor(run):
        bounds["envelope"] = _column(records, "envelope")
        bounds["floor"] = np.array([record.floors[at] for record in records], dtype=np.float64)
    return staircase(
        _steps(records),
        _column(records, "loss"),
        {f"layer {entry.layer}": _ends(records, entry.layer, eps) for entry in records[0].layers},
        eps=eps,
        measure=_measure(records),
        bounds=bounds,
        title=title_of_run(run),
    )


def _spectra(run: Run, eps: float) -> Figure:
    records = run.records
    last = [record.layers[-1] for record in records]
    return spectra(
        _steps(records),
        np.stack([entry.spectrum for entry in last]),
        eps=eps,
        measure=_measure(records),
        noise_floor=[entry.noise_floor for entry in last],
        title=title_of_run(run),
    )


def _floor(run: Run, eps: float) -> Figure:
    # Rebuilt from checkpoints: with an output bias the rank of F2 counts the constant feature too,
    # and the records keep the rank of the layer alone.
    there = run.with_last_layer()
    count = len(there)
    if not count:
        raise InputError("kind", "is 'floor', but no last layer was kept", "pass keep_features=0.5")
    places = spaced(count, _MOST_POINTS)
    floors = [floor_at(run, there[place], eps) for place in places]
    last = floors[-1]
    return floor_curve(
        np.arange(len(last.distances)),
        np.square(np.maximum(last.distances - np.sqrt(eps) * last.coefficient_norm, 0.0)),
        eps=eps,
        norm=last.coefficient_norm,
        run_ranks=[floor.rank.upper for floor in floors],
        run_loss=[np.nan if floor.loss is None else floor.loss for floor in floors],
        run_floors=[floor.floor for floor in floors],
        measure=last.measure,
        rank_label="ε-rank p of features and 1" if last.bias == "feature" else "ε-rank p",
        curve_label=f"floor (d_p − √ε·B)² of the features at step {run.records[-1].step}",
        title=title_of_run(run),
    )


def floor_at(run: Run, index: int, eps: float) -> LossFloor:
    """Return the floor at one measurement, with d_p for every p, rebuilt from its checkpoint."""
    from epsrank.theory.floor.loss_floor import loss_floor

    last = run.last_layer(index)
    return loss_floor(
        last.features,
        last.target,
        eps=eps,
        coefficients=last.coefficients,
        measure=last.measure,
        bias="fixed" if run.config.bias == "fixed" else "feature",
        bias_value=last.bias,
        constant=last.constant,
        # No budget of ranks, which costs time and is not drawn.
        losses=(),
    )


def _layers(run: Run, eps: float) -> Figure:
    records = run.records
    chosen = sorted({0, len(records) // 3, (2 * len(records)) // 3, len(records) - 1})
    layers = records[0].layers
    return layer_ranks(
        [str(entry.layer) for entry in layers],
        {
            records[index].step: (
                [records[index].rank(entry.layer, eps).lower for entry in layers],
                [records[index].rank(entry.layer, eps).upper for entry in layers],
            )
            for index in chosen
        },
        eps=eps,
        measure=_measure(records),
        widths=[entry.n_features for entry in layers],
        title=title_of_run(run),
    )


def _tightness(run: Run, eps: float) -> Figure:
    records = run.records
    return rank_ratios(
        _ends(records, -1, eps)[1],
        _column(records, "loss"),
        _column(records, "reachable"),
        _column(records, "envelope"),
        eps=eps,
        measure=_measure(records),
        title=title_of_run(run),
    )


def _reading(run: Run, eps: float) -> Figure:
    """Draw V(B) of the features at the last measurement; ε plays no part."""
    return draw_plateau(run.last_layer().curve(run.config.loss), title=title_of_run(run))


def _steps(records: Sequence[StepRecord]) -> Array:
    return np.array([record.step for record in records], dtype=np.float64)


def _column(records: Sequence[StepRecord], name: str) -> Array:
    """Return one number per record, NaN where it is missing."""
    return np.array([getattr(record, name) for record in records], dtype=np.float64)


def _ends(records: Sequence[StepRecord], layer: int, eps: float) -> tuple[Array, Array]:
    """Return the lower and upper ends of one layer's ranks."""
    ranks = [record.rank(layer, eps) for record in records]
    return (
        np.array([rank.lower for rank in ranks], dtype=np.float64),
        np.array([rank.upper for rank in ranks], dtype=np.float64),
    )


def _measure(records: Sequence[StepRecord]) -> str:
    return records[0].layers[-1].measure


KINDS: dict[str, Callable[[Run, float], Figure]] = {
    "staircase": _staircase,
    "spectra": _spectra,
    "floor": _floor,
    "layers": _layers,
    "tightness": _tightness,
    "reading": _reading,
}
NEED_FLOOR = {"floor", "tightness"}
