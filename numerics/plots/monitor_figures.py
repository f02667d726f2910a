"""What a monitor saw: losses with the reachable loss, the ε-rank of every layer, quantities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from epsrank.numerics.plots.staircase import staircase
from epsrank.theory.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from epsrank.numerics.monitor.records.history import History
    from epsrank.numerics.monitor.records.record import LayerRecord, QuantityRecord
    from epsrank.theory.numbers.arrays import Array

# More layers than this cannot be distinguished in one panel.
_MOST_LAYERS = 6
_ENDS = ("value", "low", "high")


def monitor_figure(
    history: History, *, eps: float, title: str = "", head: str | None = None
) -> Figure:
    """Draw losses over the ε-rank r_ε (D1) of the layers, against training steps.

    Where the last layer was read, its loss and the certified reachable loss V(‖W‖) are drawn (F6),
    else the training loss alone. A rank whose interval is open is drawn as a band. Where the part
    of a probe that was measured changes, the title says at which steps: what jumps there may be the
    samples' doing. Of several heads one is drawn, and named: `head`, or the first. Quantities of
    the user's own have a panel below, with their intervals as bands.
    """
    rows = [record for record in history if record.ranks]
    if not rows:
        raise InputError("history", "has no measurement to draw", "plot after a measured step")
    steps = history.steps
    names = list(dict.fromkeys(record.layer for record in rows))
    heads = list(dict.fromkeys(r.reading.head for r in rows if r.reading is not None))
    if head is not None and head not in heads:
        known = ", ".join(map(repr, heads)) or "none"
        raise InputError("head", f"is {head!r}", f"heads with readings are {known}")
    chosen = head if head is not None or not heads else heads[0]
    readings = {
        r.step: r.reading for r in rows if r.reading is not None and r.reading.head == chosen
    }
    losses = {r.step: r.loss for r in rows if r.loss is not None}
    bounds = {}
    label = "mean training loss"
    if readings:
        losses = {step: reading.loss for step, reading in readings.items()}
        reachable = {step: reading.reachable for step, reading in readings.items()}
        bounds["certified reachable loss"] = _along(steps, reachable)
        label = "loss on the samples measured"
        if len(heads) > 1:
            label = f"loss of head {chosen}, on the samples measured"
    first = rows[0]
    notes = ["thresholds ε are multiples of λ₁"] if first.relative else []
    return staircase(
        steps,
        _along(steps, losses),
        {name: _ends(steps, [r for r in rows if r.layer == name], eps) for name in _some(names)},
        eps=eps,
        measure=first.measure,
        bounds=bounds,
        loss_label=label,
        title=title or "; ".join(notes + _parts(rows)),
        others=_quantities(steps, history.quantities),
    )


def _quantities(
    steps: Sequence[int], records: Sequence[QuantityRecord]
) -> dict[str, tuple[Array, Array, Array]]:
    """Return value, lower and upper end of each quantity along the steps."""
    names = list(dict.fromkeys(record.name for record in records))
    found = {}
    for name in _some(names):
        own = [record for record in records if record.name == name and record.value is not None]
        series = [{record.step: getattr(record, end) for record in own} for end in _ENDS]
        # An end that is not known is a gap.
        value, low, high = (
            _along(steps, {step: end for step, end in ends.items() if end is not None})
            for ends in series
        )
        found[name] = (value, low, high)
    return found


def _parts(rows: Sequence[LayerRecord]) -> list[str]:
    """Say from which steps on which part of a probe was measured; nothing if always all of it."""
    parts = {record.step: record.probe_part for record in rows}
    if set(parts.values()) <= {None, 1.0}:
        return []
    changes = [
        (step, part)
        for (step, part), before in zip(parts.items(), [None, *parts.values()], strict=False)
        if part is not None and part != before
    ]
    told = ", ".join(f"{part:.3g} from step {step}" for step, part in changes[:3])
    return [f"share of the probe: {told}" + " …" * (len(changes) > 3)]


def _some(names: list[str]) -> list[str]:
    """Return at most six names, spread over the depth, the first and the last among them."""
    if len(names) <= _MOST_LAYERS:
        return names
    chosen = np.linspace(0, len(names) - 1, _MOST_LAYERS).round().astype(int)
    return [names[index] for index in chosen]


def _along(steps: Sequence[int], values: dict[int, float]) -> Array:
    """Return one value per step, NaN where there is none."""
    return np.array([values.get(step, np.nan) for step in steps], dtype=np.float64)


def _ends(steps: Sequence[int], rows: Sequence[LayerRecord], eps: float) -> tuple[Array, Array]:
    """Return the ends of one layer's ranks."""
    ranks = {record.step: record.rank(eps) for record in rows}
    lower = {step: float(rank.lower) for step, rank in ranks.items()}
    upper = {step: float(rank.upper) for step, rank in ranks.items()}
    return _along(steps, lower), _along(steps, upper)
