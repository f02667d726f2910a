"""Scalars of TensorBoard's event files, read by TensorBoard itself; nothing is unpickled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from epsrank.numerics.boundary import parsing
from epsrank.theory.errors import InputError
from epsrank.theory.extras import optional_package

_LOADER = "tensorboard.backend.event_processing.event_file_loader"


def read_events(path: Path) -> dict[str, list[Any]]:
    """Return the scalars of an event file: a column ``step``, and one per tag, None at gaps."""
    values: dict[str, dict[int, float]] = {}
    loader = optional_package(_LOADER, "tensorboard")
    with parsing(str(path), "write it again, or take it out"):
        # A file cut short by a kill is read up to its last whole record.
        for event in loader.EventFileLoader(str(path)).Load():
            for tag, number in _scalars(event):
                values.setdefault(tag, {})[int(event.step)] = number
    if not values:
        raise InputError(str(path), "has no scalars", "name a file with losses")
    steps = sorted({step for column in values.values() for step in column})
    columns = {tag: [column.get(step) for step in steps] for tag, column in values.items()}
    return {**columns, "step": steps}


def _scalars(event: Any) -> Iterator[tuple[str, float]]:
    """Return the scalars of one record: of version 1 as the loader translates them, and of 2."""
    tensor_util = optional_package("tensorboard.util.tensor_util", "tensorboard")
    for value in event.summary.value:
        if value.HasField("simple_value"):
            yield value.tag, float(value.simple_value)
        elif value.HasField("tensor") and value.metadata.plugin_data.plugin_name == "scalars":
            yield value.tag, float(tensor_util.make_ndarray(value.tensor).item())
