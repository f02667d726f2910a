"""What one measurement of a run says."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from epsrank.numerics.training.config import RunConfig
from epsrank.theory.numbers.arrays import Array, Vector
from epsrank.theory.rank.bounds import DecidedRank
from epsrank.theory.rank.interval import RankInterval
from epsrank.theory.shown import Explained
from epsrank.theory.strict_json import nulled


@dataclass(frozen=True)
class RankRecord(DecidedRank):
    """The certified interval of one ε-rank, as a run keeps it: `RankInterval` without matrices.

    The ends are those of the features as the training's dtype holds them.
    """

    #: Interval over all features that round to those held (wider in float32).
    storage: tuple[int, int]

    def to_json(self) -> dict[str, Any]:
        """Return the entry as plain values."""
        return {
            "eps": self.eps,
            "lower": self.lower,
            "upper": self.upper,
            "route": self.route,
            "reason": self.reason,
            "storage": list(self.storage),
        }


@dataclass(frozen=True, eq=False)
class LayerRanks:
    """Spectrum and ε-ranks of one hidden layer's Gram matrix."""

    #: 1 for the first hidden layer.
    layer: int
    #: λ_1 ≥ … ≥ λ_n in the measure.
    spectrum: Vector = field(repr=False)
    #: Error bound of each eigenvalue; below the noise floor float64 Gram matrices resolve no ε.
    spectrum_error: float
    noise_floor: float
    #: Rows of the feature matrix (samples, times positions for a convolution).
    n_samples: int
    #: Of the features.
    dtype: str
    measure: str
    #: One per ε of the run, in its order.
    ranks: tuple[RankRecord, ...]

    @property
    def n_features(self) -> int:
        """Number n of neurons."""
        return len(self.spectrum)

    @classmethod
    def of(cls, layer: int, intervals: Sequence[RankInterval]) -> LayerRanks:
        """Keep what a run needs of the intervals of one layer."""
        first = intervals[0]
        return cls(
            layer,
            first.spectrum,
            first.spectrum_error,
            first.noise_floor,
            first.n_samples,
            first.dtype,
            first.measure,
            tuple(RankRecord.of(r.eps, r, storage=r.storage) for r in intervals),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain values."""
        return {
            "layer": self.layer,
            "spectrum": self.spectrum.tolist(),
            "spectrum_error": self.spectrum_error,
            "noise_floor": self.noise_floor,
            "n_samples": self.n_samples,
            "dtype": self.dtype,
            "measure": self.measure,
            "ranks": [rank.to_json() for rank in self.ranks],
        }


@dataclass(frozen=True, eq=False)
class StepRecord(Explained):
    """Loss, its floors and every layer's ε-ranks after `step` updates, on the probe samples.

    All losses are of the run's kind in the task's measure, restricted to the probe; for ``mse``
    that is ‖φW + b − u*‖², and  loss ≥ reachable ≥ envelope ≥ floors  (F2, F3).
    """

    #: Number of updates made.
    step: int
    #: In float64, from the features and coefficients of the record.
    loss: float
    #: In the dtype of the training.
    training_loss: float
    #: On the test samples, mean, in the dtype of the training.
    test_loss: float
    #: Share of test samples classified correctly; None for regression.
    test_accuracy: float | None
    #: ‖W‖_F, with the bias where ``bias="feature"``.
    coefficient_norm: float
    #: V(‖W‖_F) and max_p floor_p². For a cross-entropy `reachable` is a certified lower bound of V
    #: (L2), where the probe is small enough, and there is no envelope.
    reachable: float | None
    envelope: float | None
    #: The floor at the ε-rank, one per ε.
    floors: tuple[float | None, ...]
    #: Reading of F6.
    reading: str | None
    #: Why the reading is so, or why there is no floor.
    reason: str
    #: One per hidden layer, first to last.
    layers: tuple[LayerRanks, ...]
    #: Worst state of the inequalities loss ≥ reachable ≥ envelope ≥ floor over all ε, each held
    #: against its derived rounding bound (`epsrank.theory.floor.chain`); None where there is no
    #: floor. ``violated`` would be a finding: `Run.certificate` decides it in ball arithmetic.
    chain: str | None = None
    #: loss/V(B) and B½ of the reading, whose bias is free; None in records from before they were
    #: kept, and where they are not known.
    ratio: float | None = None
    half_norm: float | None = None

    @property
    def eps(self) -> tuple[float, ...]:
        """Thresholds ε, in the order of the run."""
        return tuple(rank.eps for rank in self.layers[-1].ranks)

    def rank(self, layer: int = -1, eps: float | None = None) -> RankRecord:
        """Return the ε-rank of one layer."""
        # Layers count from 1; negative numbers count from the end.
        wanted = layer if layer > 0 else len(self.layers) + 1 + layer
        for entry in self.layers:
            for rank in entry.ranks:
                if entry.layer == wanted and (eps is None or rank.eps == eps):
                    return rank
        raise KeyError(f"no layer {layer} with eps {eps} in this record")

    def __str__(self) -> str:
        rank = self.rank()
        floor = "" if self.reachable is None else f", V {self.reachable:.4g}, {self.reading}"
        return (
            f"step {self.step}: loss {self.loss:.4g}{floor}, last-layer ε-rank {rank} of "
            f"{self.layers[-1].n_features} at ε = {rank.eps:g}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain values, spectra included."""
        return {
            "step": self.step,
            "loss": self.loss,
            "training_loss": self.training_loss,
            "test_loss": nulled(self.test_loss),
            "test_accuracy": self.test_accuracy,
            "coefficient_norm": nulled(self.coefficient_norm),
            "reachable": self.reachable,
            "envelope": self.envelope,
            "floors": list(self.floors),
            "reading": self.reading,
            "reason": self.reason,
            "chain": self.chain,
            "ratio": None if self.ratio is None else nulled(self.ratio),
            "half_norm": None if self.half_norm is None else nulled(self.half_norm),
            "layers": [entry.to_json() for entry in self.layers],
        }


#: Numbers of a measurement, by the names of their columns.
NUMBERS = (
    "loss",
    "training_loss",
    "test_loss",
    "test_accuracy",
    "coefficient_norm",
    "reachable",
    "envelope",
)
_TEXTS = ("reading", "reason", "chain")
#: Columns that tables from before they were kept lack.
_LATER = ("ratio", "half_norm")
_LAYER = ("spectrum_error", "noise_floor", "n_samples", "dtype", "measure")
_LAYER_TYPES = (pa.float64(), pa.float64(), pa.int64(), pa.string(), pa.string())


def floor_column(eps: float) -> str:
    """Return the name of the column of the floor at ε."""
    # repr reads back as the very float.
    return f"floor_{eps!r}"


def rank_columns(layer: int, eps: float) -> tuple[str, str]:
    """Return the names of the columns of one layer's ε-rank.

    An example is ``("rank_lower_layer1_1e-06", "rank_upper_layer1_1e-06")``.
    """
    return f"rank_lower_layer{layer}_{eps!r}", f"rank_upper_layer{layer}_{eps!r}"


def width_column(layer: int) -> str:
    """Return the name of the column of a layer's width, which a user's network alone has."""
    return f"width_layer{layer}"


def layer_numbers(columns: Collection[str], config: RunConfig) -> range:
    """Return the numbers of the hidden layers that a table has."""
    eps = config.eps[0]
    count = config.depth
    if width_column(1) in columns:
        count = sum(rank_columns(layer, eps)[0] in columns for layer in range(1, len(columns)))
    return range(1, count + 1)


def history_table(records: Sequence[StepRecord], config: RunConfig) -> pa.Table:
    """Return one row per measurement: losses, floors, and each layer's ranks."""
    columns: dict[str, pa.Array] = {"step": pa.array([r.step for r in records], pa.int64())}
    for name in NUMBERS + _LATER:
        columns[name] = pa.array([getattr(r, name) for r in records], pa.float64())
    for index, threshold in enumerate(config.eps):
        values = [r.floors[index] for r in records]
        columns[floor_column(threshold)] = pa.array(values, pa.float64())
    for name in _TEXTS:
        columns[name] = pa.array([getattr(r, name) for r in records], pa.string())
    for layer in range(len(records[0].layers) if records else config.depth):
        for index, threshold in enumerate(config.eps):
            ranks = [r.layers[layer].ranks[index] for r in records]
            lower, upper = rank_columns(layer + 1, threshold)
            columns[lower] = pa.array([rank.lower for rank in ranks], pa.int64())
            columns[upper] = pa.array([rank.upper for rank in ranks], pa.int64())
        if config.own_network:
            widths = [r.layers[layer].n_features for r in records]
            columns[width_column(layer + 1)] = pa.array(widths, pa.int64())
    return pa.table(columns)


def spectra_table(records: Sequence[StepRecord]) -> pa.Table:
    """Return one row per measurement and layer: the spectrum and how the ranks were decided."""
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
    history: pa.Table, spectra: pa.Table, config: RunConfig
) -> list[StepRecord]:
    """Return the records that two tables hold."""
    layers: dict[int, list[LayerRanks]] = {}
    for row in spectra.to_pylist():
        layers.setdefault(row["step"], []).append(_layer_ranks(row))
    return [
        StepRecord(
            step=row["step"],
            **{name: row[name] for name in NUMBERS + _TEXTS},
            **{name: row.get(name) for name in _LATER},
            floors=tuple(row[floor_column(threshold)] for threshold in config.eps),
            layers=tuple(layers[row["step"]]),
        )
        for row in history.to_pylist()
    ]
