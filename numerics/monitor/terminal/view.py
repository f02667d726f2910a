"""What a terminal shows of a training: a few numbers per layer and how they went."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from epsrank.numerics.monitor.alarms.signatures import Signature
from epsrank.numerics.monitor.records.history import History
from epsrank.numerics.monitor.records.record import LayerRecord
from epsrank.theory.words import plural

_BARS = "▁▂▃▄▅▆▇█"
_ASCII = "_.-~=+*#"


@dataclass(frozen=True)
class LayerView:
    """One layer."""

    #: Its name.
    name: str
    #: Neurons n; 0 where it was not reached.
    n_features: int
    #: The interval at every ε: ``"29"`` or ``"[29, 34]"``, ``"–"`` where there is none.
    ranks: tuple[str, ...]
    #: Lower ends at the first ε, over time.
    series: tuple[float, ...]
    #: What the further columns hold.
    extras: tuple[str, ...] = ()
    #: Why it was not measured.
    failure: str | None = None


@dataclass(frozen=True)
class View:
    """One moment of a training, with its past as series."""

    #: What is watched.
    title: str
    #: How far it is.
    state: str
    #: Headings of the thresholds, and of further columns.
    eps: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    #: One per layer.
    layers: tuple[LayerView, ...] = ()
    #: Losses over time, NaN where none is known.
    loss: tuple[float, ...] = ()
    #: The last layer against its floor.
    reading: str | None = None
    #: Failure signatures and failures.
    warnings: tuple[str, ...] = ()
    #: The user's own quantities, the latest of each.
    quantities: str | None = None


def view_of_history(history: History, *, title: str, signatures: Sequence[Signature] = ()) -> View:
    """Return the view of what a monitor saw."""
    if not len(history):
        return View(title, "no measurement yet")
    last = history[-1].step
    now = {record.layer: record for record in history if record.step == last}
    thresholds: list[float] = list(
        dict.fromkeys(entry.eps for record in history for entry in record.ranks)
    )
    mark = "·λ₁" if history[-1].relative else ""
    losses = {record.step: record.loss for record in history}
    count = len(losses)
    reading = next((record.reading for record in now.values() if record.reading is not None), None)
    failures = [f"{r.layer}: {r.failure}" for r in now.values() if r.failure is not None]
    quantities = history[-1].own_quantities
    # A pass that failed is named with the layers.
    causes = {record.failure for record in now.values()}
    failures += [
        f"quantity {own.name}: {own.cause}"
        for own in quantities
        if own.cause is not None and own.cause not in causes
    ]
    return View(
        title=title,
        state=f"step {last}, {plural(count, 'measurement')} kept{_part(history[-1])}",
        eps=tuple(f"{eps:g}{mark}" for eps in thresholds),
        extras=("stable rank", "dormant"),
        layers=tuple(_layer(history, name, now.get(name), thresholds) for name in history.layers),
        loss=tuple(math.nan if loss is None else loss for _, loss in sorted(losses.items())),
        reading=None if reading is None else str(reading),
        quantities=", ".join(f"{own.name} {own.shown}" for own in quantities) or None,
        warnings=tuple([str(signature) for signature in signatures][-3:] + failures),
    )


def _part(record: LayerRecord) -> str:
    """Say how much of a probe was measured, where it was not all of it."""
    part = record.probe_part
    return "" if part is None or part == 1 else f", {part:.3g} of the probe"


def _layer(
    history: History, name: str, record: LayerRecord | None, thresholds: Sequence[float]
) -> LayerView:
    """Return one layer of `view_of_history`."""
    rows = history.of_layer(name)
    series = tuple(float(row.ranks[0].lower) for row in rows if row.ranks)
    if record is None or not record.ranks:
        failure = "not in the latest measurement" if record is None else record.failure
        n_features = max(row.n_features for row in rows)
        unknown = ("–",) * len(thresholds)
        return LayerView(name, n_features, unknown, series, ("–", "–"), failure)
    found = {entry.eps: entry.ends for entry in record.ranks}
    extras: tuple[str, ...] = ("–", "–")
    if record.quantities is not None:
        own = record.quantities
        extras = (f"{own.stable_rank:.3g}", f"{own.dormant:.0%}")
    ranks = tuple(found.get(eps, "–") for eps in thresholds)
    return LayerView(name, record.n_features, ranks, series, extras, record.failure)


def sparkline(
    series: Sequence[float],
    width: int,
    *,
    log: bool = False,
    ascii_only: bool = False,
    least: float | None = None,
    most: float | None = None,
) -> str:
    """Draw a series in one line of characters, its last point at the right end.

    `least` and `most` are the ends of a scale that several share; those of the series by default.
    """
    values: list[Any] = list(series)
    if len(values) > width > 0:
        values = [values[(i + 1) * len(values) // width - 1] for i in range(width)]
    finite = [value for value in values if math.isfinite(value)]
    if not finite or width < 1:
        return ""
    if log and min(finite) > 0:
        values = [math.log(v) if math.isfinite(v) else v for v in values]
        finite = [math.log(value) for value in finite]
    low = min(finite) if least is None else least
    high = max(finite) if most is None else most
    bars = _ASCII if ascii_only else _BARS
    span = (high - low) or 1.0
    return "".join(
        # The largest value would be the ninth of eight bars.
        bars[min(7, int(8 * ((value - low) / span)))] if math.isfinite(value) else " "
        for value in values
    )
