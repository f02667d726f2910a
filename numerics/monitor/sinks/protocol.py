"""What a sink is: anything with `log` and `close`; and the flat names that `log` receives."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from epsrank.numerics.monitor.numbers.quantities import QUANTITY_NAMES
from epsrank.numerics.monitor.records.record import LayerRecord
from epsrank.theory.errors import InputError

Value = float | int | str

_READING = (
    "loss", "reachable", "attained", "norm", "ratio_lower", "ratio_upper",
    "half_norm", "half_ratio",
)  # fmt: skip
_OWN = ("low", "high", "cause")


@runtime_checkable
class Sink(Protocol):
    """Receives one flat mapping per measurement, as it is made.

    A sink that has a method ``write(records, metadata)`` besides gets the records themselves
    instead: strings, reasons and all (`RecordSink`).
    """

    def log(self, step: int, values: Mapping[str, Value]) -> None:
        """Take the numbers of one measurement; see `flat`."""
        ...

    def close(self) -> None:
        """Finish; called once, when the monitor closes, also after an exception."""
        ...


@runtime_checkable
class RecordSink(Sink, Protocol):
    """A sink of whole records, such as a file."""

    def write(self, records: Sequence[LayerRecord], metadata: Mapping[str, Any]) -> None:
        """Take one measurement; the metadata are those of the history."""
        ...


class WholeRecords:
    """Base of sinks that take whole records, and nothing less."""

    def log(self, step: int, values: Mapping[str, Value]) -> None:
        """Refuse scalars."""
        raise InputError("values", "are no records", "call write(records, metadata)")


def as_sinks(sinks: Any) -> list[Sink]:
    """Check sinks."""
    alone = isinstance(sinks, Sink) or not isinstance(sinks, Iterable)
    given = [sinks] if alone else list(sinks)
    for sink in given:
        if not isinstance(sink, Sink) or isinstance(sink, type):
            kind = sink.__name__ if isinstance(sink, type) else type(sink).__name__
            raise InputError("sinks", f"hold a {kind}", "pass objects with log and close")
    return given


def deliver(sink: Sink, records: Sequence[LayerRecord], metadata: Mapping[str, Any]) -> None:
    """Hand one measurement to a sink, in the form that it takes."""
    if isinstance(sink, RecordSink):
        sink.write(records, metadata)
    elif records:
        sink.log(records[0].step, flat(records))


def flat(records: Sequence[LayerRecord]) -> dict[str, Value]:
    """Return one measurement as names and values, such as dashboards take.

    Parameters
    ----------
    records : sequence of LayerRecord
        The layers of one step.

    Returns
    -------
    dict
        ``epsrank/LAYER/eps=1e-06/lower`` and ``…/upper``, ``epsrank/LAYER/QUANTITY``, for the last
        layer ``epsrank/LAYER/reading`` (text) and ``…/reading/loss``, ``…/reachable`` and so on,
        ``epsrank/LAYER/failure`` (text), and for all layers together ``epsrank/loss``,
        ``epsrank/cost`` (seconds) and ``epsrank/probe_part``. Own quantities are ``quantity/NAME``,
        with ``…/low``, ``…/high`` and ``…/cause`` (text). What is missing or not known is left out.
    """
    values: dict[str, Value | None] = {}
    for record in records:
        place = f"epsrank/{record.layer}"
        values |= {"epsrank/loss": record.loss, "epsrank/cost": record.cost}
        values["epsrank/probe_part"] = record.probe_part
        for entry in record.ranks:
            values[f"{place}/eps={entry.eps:g}/lower"] = entry.lower
            values[f"{place}/eps={entry.eps:g}/upper"] = entry.upper
        for name in QUANTITY_NAMES if record.quantities is not None else ():
            values[f"{place}/{name}"] = getattr(record.quantities, name)
        if record.reading is not None:
            values[f"{place}/reading"] = record.reading.name
            values |= {
                f"{place}/reading/{name}": getattr(record.reading, name) for name in _READING
            }
        values[f"{place}/failure"] = record.failure
        for own in record.own_quantities:
            values[f"quantity/{own.name}"] = own.value
            values |= {f"quantity/{own.name}/{end}": getattr(own, end) for end in _OWN}
    return {name: value for name, value in values.items() if value is not None}


def finite_numbers(values: Mapping[str, Value]) -> dict[str, float]:
    """Return what a plot can show: neither texts nor NaN nor infinities."""
    return {
        name: float(value)
        for name, value in values.items()
        if not isinstance(value, str) and math.isfinite(value)
    }
