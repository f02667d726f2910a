"""Records as tables, and tables as records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from epsrank.numerics.training.record import LayerRanks, RankRecord, StepRecord
from epsrank.theory.inputs import Array

_NUMBERS = (
    "loss",
    "training_loss",
    "test_loss",
    "test_accuracy",
    "coefficient_norm",
    "reachable",
    "envelope",
)
_TEXTS = ("reading", "reason", "chain")
_LAYER = ("spectrum_error", "noise_floor", "n_samples", "dtype", "measure")
_LAYER_TYPES = (pa.float64(), pa.float64(), pa.int64(), pa.string(), pa.string())


def floor_column(eps: float) -> str:
    """Return the name of the column of floor² at ε.

    Parameters
    ----------
    eps : float
        The threshold.

    Returns
    -------
    str
        Such as ``"floor_1e-06"``.
    """
    return f"floor_{eps!r}"


def rank_columns(layer: int, eps: float) -> tuple[str, str]:
    """Return the names of the columns of one layer's ε-rank.

    Parameters
    ----------
    layer : int
        1 for the first hidden layer.
    eps : float
        The threshold.

    Returns
    -------
    tuple of str
        Such as ``("rank_lower_layer1_1e-06", "rank_upper_layer1_1e-06")``.
    """
    return f"rank_lower_layer{layer}_{eps!r}", f"rank_upper_layer{layer}_{eps!r}"


def history_table(records: Sequence[StepRecord], eps: Sequence[float], n_layers: int) -> pa.Table:
    """Return one row per measurement: losses, floors, and each layer's ranks.

    Parameters
    ----------
    records : sequence of StepRecord
        Measurements.
    eps : sequence of float
        Thresholds of the run.
    n_layers : int
        Hidden layers of the run.

    Returns
    -------
    Table
        Columns ``step``, the numbers of `StepRecord`, ``floor_{ε}``, ``reading``, ``reason``,
        ``chain``, and ``rank_lower_layer{k}_{ε}``, ``rank_upper_layer{k}_{ε}``.
    """
    columns: dict[str, pa.Array] = {"step": pa.array([r.step for r in records], pa.int64())}
    for name in _NUMBERS:
        columns[name] = pa.array([getattr(r, name) for r in records], pa.float64())
    for index, threshold in enumerate(eps):
        values = [r.floors[index] for r in records]
        columns[floor_column(threshold)] = pa.array(values, pa.float64())
    for name in _TEXTS:
        columns[name] = pa.array([getattr(r, name) for r in records], pa.string())
    for layer in range(n_layers):
        for index, threshold in enumerate(eps):
            ranks = [r.layers[layer].ranks[index] for r in records]
            lower, upper = rank_columns(layer + 1, threshold)
            columns[lower] = pa.array([rank.lower for rank in ranks], pa.int64())
            columns[upper] = pa.array([rank.upper for rank in ranks], pa.int64())
    return pa.table(columns)


def spectra_table(records: Sequence[StepRecord]) -> pa.Table:
    """Return one row per measurement and layer: the spectrum and how the ranks were decided.

    Parameters
    ----------
    records : sequence of StepRecord
        Measurements.

    Returns
    -------
    Table
        Columns ``step``, ``layer``, ``eigenvalues``, the other fields of `LayerRanks`, and
        ``ranks`` as JSON.
    """
    rows = [(record.step, entry) for record in records for entry in record.layers]
    columns = {
        "step": pa.array([step for step, _ in rows], pa.int64()),
        "layer": pa.array([entry.layer for _, entry in rows], pa.int64()),
        "eigenvalues": pa.array([entry.spectrum for _, entry in rows], pa.list_(pa.float64())),
    }
    for name, kind in zip(_LAYER, _LAYER_TYPES, strict=True):
        columns[name] = pa.array([getattr(entry, name) for _, entry in rows], kind)
    texts = [json.dumps([rank.to_json() for rank in entry.ranks]) for _, entry in rows]
    columns["ranks"] = pa.array(texts, pa.string())
    return pa.table(columns)


def _layer_ranks(row: dict[str, Any]) -> LayerRanks:
    """Read one row of `spectra_table`."""
    spectrum: Array = np.array(row["eigenvalues"], dtype=np.float64)
    ranks = tuple(
        RankRecord(**{**entry, "storage": tuple(entry["storage"])})
        for entry in json.loads(row["ranks"])
    )
    known = {name: row[name] for name in _LAYER}
    return LayerRanks(layer=row["layer"], spectrum=spectrum, ranks=ranks, **known)


def records_from_tables(
    history: pa.Table, spectra: pa.Table, eps: Sequence[float]
) -> list[StepRecord]:
    """Return the records that two tables hold.

    Parameters
    ----------
    history : Table
        From `history_table`.
    spectra : Table
        From `spectra_table`; may be ahead of `history` after a kill.
    eps : sequence of float
        Thresholds of the run.

    Returns
    -------
    list of StepRecord
        One per row of `history`.
    """
    layers: dict[int, list[LayerRanks]] = {}
    for row in spectra.to_pylist():
        layers.setdefault(row["step"], []).append(_layer_ranks(row))
    return [
        StepRecord(
            step=row["step"],
            **{name: row[name] for name in _NUMBERS + _TEXTS},
            floors=tuple(row[floor_column(threshold)] for threshold in eps),
            layers=tuple(layers[row["step"]]),
        )
        for row in history.to_pylist()
    ]
