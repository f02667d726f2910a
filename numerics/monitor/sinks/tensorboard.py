"""Measurements as TensorBoard scalars."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from epsrank.numerics.monitor.sinks.protocol import Value, finite_numbers, optional_package


class TensorBoardSink:
    """Writes every finite number as a scalar of its name, with the characters that tags allow.

    Parameters
    ----------
    writer : torch.utils.tensorboard.SummaryWriter, str or Path
        A writer, which stays open, or a folder of event files for an own one.

    Raises
    ------
    InputError
        If a folder is given and tensorboard is not installed.
    """

    def __init__(self, writer: Any) -> None:
        self._own = isinstance(writer, (str, Path))
        if self._own:
            module = optional_package(
                lambda: importlib.import_module("torch.utils.tensorboard"),
                "tensorboard",
                "tensorboard",
            )
            writer = module.SummaryWriter(str(writer))
        self.writer = writer

    def log(self, step: int, values: Mapping[str, Value]) -> None:
        """Add the scalars of one measurement.

        Parameters
        ----------
        step : int
            Training steps made.
        values : mapping
            From `flat`.
        """
        for name, value in finite_numbers(values).items():
            self.writer.add_scalar(tag(name), value, step)

    def close(self) -> None:
        """Close an own writer, flush one that was given."""
        if self._own:
            self.writer.close()
        else:
            self.writer.flush()


def tag(name: str) -> str:
    """Return a name in the characters that TensorBoard and MLflow both allow.

    Parameters
    ----------
    name : str
        Such as ``epsrank/body.1 (input)/eps=1e-06/lower``.

    Returns
    -------
    str
        Such as ``epsrank/body.1_input/eps_1e-06/lower``.
    """
    return "/".join(re.sub(r"[^\w.\-]+", "_", part).strip("_") for part in name.split("/"))
