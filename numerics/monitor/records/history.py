"""What was seen: a list of records in bounded memory, as a table, and as files."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from epsrank.numerics.monitor.records.record import LayerRecord, QuantityRecord
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows kept by default: some tens of megabytes, and more than a plot can show.
MAX_RECORDS = 20_000


class History(Sequence[LayerRecord]):
    """One row per (step, layer), in the order measured.

    Memory is bounded: beyond `max_records` rows every second measurement is given up, those to come
    included, so that what stays is spread evenly over the whole training, its first and its latest
    measurement among it. `dropped` counts the rows given up; a sink sees all of them.
    """

    def __init__(
        self, metadata: dict[str, Any] | None = None, max_records: int | None = MAX_RECORDS
    ) -> None:
        if max_records is not None:
            remedy = "pass None or a number ≥ 2"
            max_records = as_whole(max_records, "max_records", least=2, remedy=remedy)
        self.metadata: dict[str, Any] = dict(metadata or {})
        self.max_records = max_records
        self.dropped = 0
        self._records: list[LayerRecord] = []
        # Of the measurements numbered 0, 1, 2 … every `_stride`-th is kept, and the latest.
        self._numbers: list[int] = []
        self._count = 0
        self._stride = 1

    def append(self, measurement: Sequence[LayerRecord]) -> None:
        """Add the rows of one measurement."""
        if self._numbers and self._numbers[-1] % self._stride:
            self._keep(lambda number: number != self._numbers[-1])
        self._records.extend(measurement)
        self._numbers.extend([self._count] * len(measurement))
        self._count += 1
        while self.max_records is not None and len(self._records) > self.max_records:
            if self._numbers[0] == self._numbers[-1]:
                break  # one measurement has more layers than rows are allowed
            self._stride *= 2
            last = self._numbers[-1]
            self._keep(lambda number: number % self._stride == 0 or number == last)  # noqa: B023

    def _keep(self, wanted: Callable[[int], bool]) -> None:
        """Give up the rows of all measurements whose number is not wanted."""
        flags = [wanted(number) for number in self._numbers]
        self.dropped += flags.count(False)
        self._records = list(compress(self._records, flags))
        self._numbers = list(compress(self._numbers, flags))

    @property
    def steps(self) -> list[int]:
        """Steps with a measurement, ascending."""
        return sorted({record.step for record in self._records})

    @property
    def layers(self) -> list[str]:
        """Names of the layers, in the order first seen."""
        return list(dict.fromkeys(record.layer for record in self._records))

    def of_layer(self, layer: str) -> list[LayerRecord]:
        """Return the rows of one layer."""
        rows = [record for record in self._records if record.layer == layer]
        if not rows:
            known = ", ".join(self.layers) or "nothing was measured yet"
            raise InputError("layer", f"is {layer!r}", f"choose one of: {known}")
        return rows

    @property
    def quantities(self) -> list[QuantityRecord]:
        """The user's own quantities, one record per measurement and name, in the order measured."""
        found: list[QuantityRecord] = []
        layers: set[str] = set()
        step = None
        for record in self._records:
            # All layers of a measurement hold the same ones; the next begins with another step, or
            # (as after `RankMonitor.measure`) with a layer that was there already.
            if record.step != step or record.layer in layers:
                found += record.own_quantities
                step, layers = record.step, set()
            layers.add(record.layer)
        return found

    def of_quantity(self, name: str) -> list[QuantityRecord]:
        """Return the records of one own quantity."""
        rows = [own for own in self.quantities if own.name == name]
        if not rows:
            known = ", ".join(dict.fromkeys(own.name for own in self.quantities))
            known = known or "none was measured yet"
            raise InputError("name", f"is {name!r}", f"choose one of: {known}")
        return rows

    @overload
    def __getitem__(self, index: int) -> LayerRecord: ...

    @overload
    def __getitem__(self, index: slice) -> list[LayerRecord]: ...

    def __getitem__(self, index: int | slice) -> LayerRecord | list[LayerRecord]:
        return self._records[index]

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[LayerRecord]:
        return iter(self._records)

    def __repr__(self) -> str:
        return (
            f"History({plural(len(self), 'row')}, {plural(len(self.steps), 'step')}, "
            f"layers {self.layers})"
        )

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{html.escape(str(record))}</td></tr>" for record in self[-20:])
        return f"<table><caption>{html.escape(repr(self))}</caption>{rows}</table>"

    def table(self) -> pa.Table:
        """Return one row per record as an Arrow table."""
        from epsrank.numerics.monitor.records.columns import to_table

        return to_table(self._records, self.metadata)

    def to_parquet(self, path: str | Path) -> Path:
        """Write the table as parquet, atomically."""
        from epsrank.numerics.monitor.records.files import write_parquet

        return write_parquet(Path(path), self._records, self.metadata)

    def to_csv(self, path: str | Path) -> Path:
        """Write the table as CSV, atomically; its first line is ``#`` and the metadata as JSON."""
        from epsrank.numerics.monitor.records.files import write_csv

        return write_csv(Path(path), self._records, self.metadata)

    def to_json(self, path: str | Path | None = None) -> dict[str, Any] | Path:
        """Return metadata and records as plain data, or write them as JSON, atomically."""
        from epsrank.numerics.monitor.records.files import write_json_file

        if path is None:
            records = [record.to_json() for record in self._records]
            return {"metadata": self.metadata, "records": records}
        return write_json_file(Path(path), self._records, self.metadata)

    @classmethod
    def read(cls, path: str | Path) -> History:
        """Read what `to_parquet`, `to_csv` or `to_json` wrote; nothing is unpickled."""
        from epsrank.numerics.monitor.records.files import read_records

        metadata, records = read_records(Path(path))
        history = cls(metadata, max_records=None)
        history.append(records)
        return history
