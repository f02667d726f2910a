"""How records become lines of a file; a line is whole, or it does not count."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from epsrank.numerics.monitor.record import LayerRecord
from epsrank.theory.errors import InputError


class Lines(Protocol):
    """How records become lines: head lines with the metadata first, then blocks of rows."""

    head_lines: int

    def head(self, metadata: Mapping[str, Any], records: Sequence[LayerRecord]) -> bytes:
        """Return the first lines of a file."""
        ...

    def block(self, records: Sequence[LayerRecord], head: bytes) -> bytes:
        """Return the lines of some records, in a file with that head."""
        ...

    def metadata(self, head: bytes) -> dict[str, Any]:
        """Return the metadata in a head."""
        ...

    def records(self, block: bytes, head: bytes) -> list[LayerRecord]:
        """Return the records in some whole lines."""
        ...


def parse_object(line: bytes) -> dict[str, Any]:
    """Return the JSON object in a line.

    Parameters
    ----------
    line : bytes
        The line.

    Returns
    -------
    dict
        The object.

    Raises
    ------
    InputError
        If it holds none.
    """
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError("path", "is not a history", "pass a file that a monitor wrote")
    return found
