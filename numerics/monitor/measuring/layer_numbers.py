"""From a layer's sums to its record: counts, quantities, and for the last layer the reading."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from epsrank.numerics.gram.few_rows import FewRows
from epsrank.numerics.gram.layer import LayerAccumulator
from epsrank.numerics.monitor.heads.share import NoReading
from epsrank.numerics.monitor.measuring.price import PutOff
from epsrank.numerics.monitor.measuring.seen import Moment, Seen
from epsrank.numerics.monitor.measuring.settings import Settings
from epsrank.numerics.monitor.model.plan import LayerPlan
from epsrank.numerics.monitor.numbers.quantities import Quantities, quantities
from epsrank.numerics.monitor.numbers.sketch import sketch_spectrum
from epsrank.numerics.monitor.numbers.sketched import SketchedProblem, sketched_quantities
from epsrank.numerics.monitor.quantity.evaluate import failed
from epsrank.numerics.monitor.records.record import LayerRank, LayerReading, LayerRecord
from epsrank.theory.errors import described
from epsrank.theory.numbers.threads import blas_for
from epsrank.theory.rank.bounds import Decision
from epsrank.theory.rank.of_gram import GramProblem
from epsrank.theory.rank.problem import Problem, Thresholds

Reader = Callable[[str], LayerReading | None]

#: How the failure of a record begins that has ranks and no reading.
NO_READING = "no reading:"

#: Of a layer that no sample went through.
NOT_REACHED = (
    "the forward pass did not reach this layer; if it was replaced or removed, make a new "
    "RankMonitor for the new model"
)


def measured(
    plan: LayerPlan, settings: Settings, moment: Moment, seen: Seen, reader: Reader
) -> list[LayerRecord]:
    """Return one record for each planned layer; trouble is a value in it."""
    records = []
    sample = moment.sample
    # A pass that failed has looked at no quantity either.
    own_quantities = sample.own or failed(settings.own, str(sample.cause), moment.step)
    for layer in plan.layers:
        failure, accumulator = seen.cause, None
        if failure is None:
            failure, accumulator = seen.problems.get(layer.name), seen.sums.get(layer.name)
        dtype = "unknown"
        ranks: tuple[LayerRank, ...] = ()
        own: Quantities | None = None
        reading: LayerReading | None = None
        if failure is None and (accumulator is None or accumulator.n_samples == 0):
            failure = NOT_REACHED
        if failure is None and accumulator is not None:
            try:
                with blas_for(accumulator.order):
                    ranks, own, dtype = layer_numbers(accumulator, settings)
            except Exception as error:
                failure = described(error)
        if layer.role == "last" and failure is None:
            try:
                with blas_for(accumulator.n_features if accumulator is not None else 0):
                    reading = reader(layer.name)
            except PutOff as wait:
                failure = str(wait)
            except NoReading as error:
                failure = f"{NO_READING} {error}"
            except Exception as error:
                failure = f"{NO_READING} {described(error)}"
        if failure is None and layer.name in seen.lost:
            failure = f"a part of the samples is missing: it {seen.lost[layer.name]}"
        records.append(
            LayerRecord(
                step=moment.step,
                layer=layer.name,
                loss=moment.loss,
                # Of a layer that failed the width is all that is known.
                n_samples=accumulator.n_samples if ranks and accumulator is not None else 0,
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
                probe_part=sample.part,
                own_quantities=own_quantities,
            )
        )
    return records


def layer_numbers(
    accumulator: LayerAccumulator, settings: Settings
) -> tuple[tuple[LayerRank, ...], Quantities | None, str]:
    """Return ranks at every ε, quantities, and the dtype of the features, of one layer.

    They come from one eigen-decomposition, from a sketch of a wide layer, or are counts alone.
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
