"""What a benchmark found: tables of figures, and what they were measured on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from epsrank.benchmarks.settings import BenchmarkSettings

Cell = Callable[[Any], str]


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    #: Of the rows.
    key: str
    #: For people.
    heading: str
    #: Value to text.
    form: Cell = str


@dataclass(frozen=True)
class Table:
    """Figures of one comparison."""

    #: For JSON.
    name: str
    #: One line.
    title: str
    #: What people see.
    columns: tuple[Column, ...]
    #: Plain data; may hold more than the columns show.
    rows: tuple[Mapping[str, Any], ...]
    #: How to read it.
    note: str = ""
    #: What was left out, and why.
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def headings(self) -> list[str]:
        """Headings of the columns."""
        return [column.heading for column in self.columns]

    @property
    def cells(self) -> list[list[str]]:
        """The rows as text; a dash where there is no value."""
        return [
            ["–" if row.get(c.key) is None else c.form(row[c.key]) for c in self.columns]
            for row in self.rows
        ]

    @property
    def notes(self) -> str:
        """The note, and a line for everything that was left out."""
        lines = [self.note, *(f"left out: {what} ({why})" for what, why in self.skipped)]
        return "\n".join(line for line in lines if line)

    def markdown(self) -> str:
        """Return the table for a page of text."""
        lines = [f"### {self.title}", "", _row(self.headings), _row(["---"] * len(self.columns))]
        # A bar inside would end the cell.
        lines += [_row([cell.replace("|", "\\|") for cell in cells]) for cells in self.cells]
        return "\n".join([*lines, "", *self.notes.splitlines(), ""])

    def to_json(self) -> dict[str, Any]:
        """Return the table as plain data."""
        return {
            "name": self.name,
            "title": self.title,
            "rows": [dict(row) for row in self.rows],
            "note": self.note,
            "skipped": [{"what": what, "reason": why} for what, why in self.skipped],
        }


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


@dataclass(frozen=True)
class BenchmarkResult:
    """Tables of one benchmark."""

    #: Of the benchmark.
    name: str
    #: How it was run.
    settings: BenchmarkSettings
    #: On what.
    environment: Mapping[str, Any]
    #: What it found.
    tables: tuple[Table, ...]

    def __str__(self) -> str:
        threads = json.dumps(self.environment["threads"])
        return f"{self.name}: {len(self.tables)} tables, threads {threads}"

    def markdown(self) -> str:
        """Return all tables for a page of text."""
        packages = self.environment["packages"]
        threads = self.environment["threads"]
        about = (
            f"{self.environment['processor'] or self.environment['architecture']}, "
            f"{self.environment['cores']} cores, threads: PyTorch {threads['torch']}, "
            f"BLAS {threads['blas']}; PyTorch {packages['torch']}, NumPy {packages['numpy']}, "
            f"SciPy {packages['scipy']}, {', '.join(self.environment['blas'])}; "
            f"load {self.environment['load']}, {self.environment['date']}, "
            f"effort {self.settings.effort}."
        )
        parts = [f"## {self.name}", "", about, "", *(table.markdown() for table in self.tables)]
        return "\n".join(parts)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "name": self.name,
            "settings": self.settings.to_json(),
            "environment": dict(self.environment),
            "tables": [table.to_json() for table in self.tables],
        }

    def kept(self) -> dict[str, Any]:
        """Return all that is printed and written of it, as plain data."""
        tables = [
            {"title": t.title, "headings": t.headings, "cells": t.cells, "notes": t.notes}
            for t in self.tables
        ]
        page = self.markdown()
        return {"line": str(self), "page": page, "data": self.to_json(), "tables": tables}


@dataclass(frozen=True)
class KeptTable:
    """A table as it was printed."""

    title: str
    headings: list[str]
    cells: list[list[str]]
    notes: str


@dataclass(frozen=True)
class KeptResult:
    """A benchmark of a command that was interrupted later: its forms of columns are gone."""

    #: What `BenchmarkResult.kept` gave.
    parts: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Of the benchmark."""
        return str(self.parts["data"]["name"])

    @property
    def tables(self) -> tuple[KeptTable, ...]:
        """What it found."""
        return tuple(KeptTable(**table) for table in self.parts["tables"])

    def __str__(self) -> str:
        return f"{self.parts['line']} (measured before the interruption)"

    def markdown(self) -> str:
        """Return all tables for a page of text."""
        return str(self.parts["page"])

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return dict(self.parts["data"])


def seconds(value: float) -> str:
    """Format a duration."""
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        if value * factor >= 1:
            return f"{value * factor:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def ratio(value: Mapping[str, Any]) -> str:
    """Format a ratio with its interval."""
    return f"{value['value']:.3g} [{value['low']:.3g}, {value['high']:.3g}]"


def overhead(value: Mapping[str, Any]) -> str:
    """Format a ratio as what is added to 1, in percent."""
    middle, low, high = (100 * (value[key] - 1) for key in ("value", "low", "high"))
    digits = 0 if abs(middle) >= 100 else 1 if abs(middle) >= 10 else 2
    return f"{middle:+.{digits}f} % [{low:+.{digits}f}, {high:+.{digits}f}]"
