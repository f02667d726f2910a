"""From a layer's sums to its record: counts, quantities, and for the last layer the reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from epsrank.numerics.gram.few_rows import FewRows
from epsrank.numerics.gram.layer import LayerAccumulator
from epsrank.numerics.gram.threads import blas_for
from epsrank.numerics.monitor.measuring.settings import Settings
from epsrank.numerics.monitor.model.plan import LayerPlan
from epsrank.numerics.monitor.numbers.quantities import Quantities, quantities
from epsrank.numerics.monitor.numbers.sketch import sketch_spectrum
from epsrank.numerics.monitor.numbers.sketched import SketchedProblem, sketched_quantities
from epsrank.numerics.monitor.records.record import LayerRank, LayerReading, LayerRecord
from epsrank.theory.errors import InputError
from epsrank.theory.rank.bounds import Decision
from epsrank.theory.rank.of_gram import GramProblem
from epsrank.theory.rank.problem import Problem, Thresholds

Reader = Callable[[], LayerReading | None]


@dataclass(frozen=True)
class Moment:
    """What all records of one measurement have in common."""

    #: Training steps made.
    step: int
    #: Mean training loss since the measurement before.
    loss: float | None
    #: Since the monitor began.
    seconds: float
    #: Share of the probe; None without a probe.
    part: float | None = None


def measured(
    plan: LayerPlan,
    sums: Mapping[str, LayerAccumulator],
    problems: Mapping[str, str],
    settings: Settings,
    moment: Moment,
    reader: Reader | None,
) -> list[LayerRecord]:
    """Return one record for each planned layer; trouble is a value in it."""
    records = []
    for layer in plan.layers:
        failure = problems.get(layer.name)
        accumulator = sums.get(layer.name)
        dtype = "unknown"
        ranks: tuple[LayerRank, ...] = ()
        own: Quantities | None = None
        reading: LayerReading | None = None
        if failure is None and (accumulator is None or accumulator.n_samples == 0):
            failure = "the forward pass did not reach this layer"
        if failure is None and accumulator is not None:
            try:
                with blas_for(accumulator.order):
                    ranks, own, dtype = layer_numbers(accumulator, settings)
            except Exception as error:
                failure = described(error)
        if layer.role == "last" and failure is None and reader is not None:
            try:
                with blas_for(accumulator.n_features if accumulator is not None else 0):
                    reading = reader()
            except Exception as error:
                failure = f"no reading: {described(error)}"
        seen = accumulator if ranks else None
        records.append(
            LayerRecord(
                step=moment.step,
                layer=layer.name,
                loss=moment.loss,
                n_samples=0 if seen is None else seen.n_samples,
                n_features=0 if accumulator is None else accumulator.n_features,
                dtype=dtype,
                measure=settings.measure,
                relative=settings.relative,
                ranks=ranks,
                quantities=own,
                reading=reading,
                seconds=moment.seconds,
                cost=0.0,
                failure=failure,
                probe_part=moment.part,
            )
        )
    return records


def layer_numbers(
    accumulator: LayerAccumulator, settings: Settings
) -> tuple[tuple[LayerRank, ...], Quantities | None, str]:
    """Return ranks and quantities of one layer: from one eigen-decomposition, a sketch, or counts.

    Returns one rank per ε; quantities unless only ranks are wanted; dtype of the features.
    """
    activity = accumulator.mean_abs
    if isinstance(accumulator, FewRows):
        values, error = accumulator.smallest()
        dtype = accumulator.dtype
    else:
        gram = accumulator.gram()
        values, error, dtype = gram.values, gram.error, gram.dtype
    everything = settings.spectrum(accumulator.order)
    whole = GramProblem(values, error, counts_only=not everything)
    problem: Problem = whole
    own = None
    if everything:
        # Fewer samples than neurons leave eigenvalues that are 0 exactly.
        spectrum = np.zeros(accumulator.n_features)
        spectrum[: len(values)] = whole.spectrum
        own = quantities(spectrum, whole.spectrum_error, activity)
    elif settings.quantities == "auto":
        sketch = sketch_spectrum(whole.matrix, whole.error)
        own = sketched_quantities(sketch, activity, whole.scale)
        problem = SketchedProblem(whole, sketch)
    if activity.any():
        decisions = problem.decide(Thresholds(tuple(settings.eps), settings.relative))
    else:
        zero = Decision(0, 0, "zero", "every neuron is zero at every sample")
        decisions = [zero] * len(settings.eps)
    ranks = (LayerRank.of(e, d) for e, d in zip(settings.eps, decisions, strict=True))
    return tuple(ranks), own, dtype


def described(error: BaseException) -> str:
    """Return an exception as one line."""
    line = (str(error).splitlines() or [""])[0]
    return line if isinstance(error, InputError) else f"{type(error).__name__}: {line}"


def whole_failure(
    plan: LayerPlan, settings: Settings, moment: Moment, cause: str
) -> list[LayerRecord]:
    """Return the records of a measurement that failed as a whole."""
    problems: dict[str, Any] = {layer.name: cause for layer in plan.layers}
    return measured(plan, {}, problems, settings, moment, None)
