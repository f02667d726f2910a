"""The last layer against its floor: whose fault a plateau is (F6), for the loss as it is given.

The output is u = D(φW + b) + r (F7), where D is 1 and r is 0 in most models. With ``bias="free"``
any b may go with a W of norm B = ‖W‖_F; with ``"feature"`` the constant 1 is a feature like the
others and B = ‖(W; b)‖_F; with ``"fixed"`` b stays as it is. The numbers and the word are those of
`theory/floor/plateau.py`, as everywhere.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from epsrank.numerics.monitor.heads.insertion import RANKS
from epsrank.numerics.monitor.heads.share import Share
from epsrank.numerics.monitor.records.record import LayerReading
from epsrank.theory.errors import InputError
from epsrank.theory.floor.reading import ReadingBias
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.numerics.losses import UserLoss
    from epsrank.numerics.monitor.heads.rows import HeadRows
    from epsrank.numerics.monitor.measuring.settings import Settings

Bias = ReadingBias

# Most numbers in the outputs of the samples read, and in W, of a cross-entropy reading.
_MOST_OUTPUTS = 2**24
_MOST_WEIGHTS = 2**22

# Relative gap at which the cross-entropy solver stops, and its most steps: the thresholds of F6 are
# a fifth and a half of the loss.
_TOLERANCE = 1e-2
_ITERATIONS = 200


def read_last_layer(share: Share, head: str, *, loss: UserLoss, bias: Bias) -> LayerReading:
    """Return the reading of a head (F6), on fewer rows for many classes."""
    rows = share.rows
    n, k = rows.weight.shape
    if not np.isfinite(rows.weight).all() or (
        rows.bias is not None and not np.isfinite(rows.bias).all()
    ):
        raise InputError("head", "has NaN or infinite weights", "fix the training")
    if not loss.squares:
        if rows.copies > 1:
            raise InputError(
                "head",
                f"{rows.apart} ({rows.form})",
                f"a floor of that is known for loss='mse' alone: {RANKS}",
            )
        if n * k > _MOST_WEIGHTS:
            raise InputError(
                "head",
                f"has {n} × {plural(k, 'weight')}: a {loss.name} floor of that size takes too long",
                "leave targets out, and the ranks are measured all the same",
            )
        rows = rows.first(max(1, _MOST_OUTPUTS // k))
    count, times = len(rows), rows.copies
    known = loss.of(share.targets[:count], rows.n_outputs)
    shares = None
    if rows.weights is not None:
        shares = rows.weights.repeat_interleave(times).numpy()
    # Loaded by the first reading: a monitor of ranks does without.
    from epsrank.theory.floor.plateau import read_plateau

    found = read_plateau(
        rows.features.double().numpy(),
        # Rows of single outputs have targets of their own.
        known.goal.reshape(-1, 1) if times > 1 else known.goal,
        loss="squared" if loss.squares else known.law,
        coefficients=rows.weight,
        bias=None if rows.bias is None else bias,
        bias_value=rows.bias,
        constant=None if rows.units is None else rows.units.numpy(),
        offset=None if rows.offset is None else rows.offset.numpy(),
        weights=shares,
        tolerance=_TOLERANCE,
        iterations=_ITERATIONS,
    )
    reading = LayerReading.of(found, kind=loss.name, n_samples=count, head=head, form=rows.form)
    # In the units of the loss as it was given, its reduction included; the loss of a sample is the
    # sum over its rows.
    scale = known.scale * times
    return replace(
        reading,
        loss=scale * reading.loss,
        reachable=scale * reading.reachable,
        attained=scale * reading.attained,
    )


def with_rank(reading: LayerReading, rows: HeadRows, settings: Settings) -> LayerReading:
    """Return a reading with the ε-rank of its features, where these are Dφ and not φ (F7)."""
    # Of outputs with rows of their own the Gram matrix is one of n·k features: no rank of a layer.
    if rows.units is None or rows.copies > 1:
        return reading
    from epsrank.theory.rank import epsilon_rank

    found = epsilon_rank(
        rows.features.double().numpy(),
        settings.eps[0],
        weights=None if rows.weights is None else rows.weights.numpy(),
        measure=settings.measure,
        relative=settings.relative,
    )
    return replace(reading, rank_lower=found.lower, rank_upper=found.upper)
