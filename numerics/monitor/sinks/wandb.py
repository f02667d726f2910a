"""Measurements as metrics of a Weights & Biases run."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from epsrank.numerics.monitor.sinks.protocol import Value, finite_numbers, optional_package
from epsrank.theory.errors import InputError


class WandbSink:
    """Logs every finite number, over the monitor's own step ``epsrank/step``.

    The run's own step counter is not set, so that it cannot clash with the training loop's logging.

    Parameters
    ----------
    run : wandb.Run, optional
        From ``wandb.init``; by default the one active now. It is not finished by `close`.
    commit : bool
        False adds the numbers to the row that the training loop logs next.

    Raises
    ------
    InputError
        If no run is given, and wandb is not installed or has no active run.
    """

    def __init__(self, run: Any = None, *, commit: bool = True) -> None:
        if run is None:
            wandb = optional_package(lambda: importlib.import_module("wandb"), "wandb", "wandb")
            run = wandb.run
        if run is None:
            raise InputError("run", "is missing, and none is active", "call wandb.init() first")
        self.run = run
        self._commit = commit
        run.define_metric("epsrank/step")
        run.define_metric("epsrank/*", step_metric="epsrank/step")

    def log(self, step: int, values: Mapping[str, Value]) -> None:
        """Log one measurement.

        Parameters
        ----------
        step : int
            Training steps made.
        values : mapping
            From `flat`.
        """
        row: dict[str, Any] = {"epsrank/step": step, **finite_numbers(values)}
        self.run.log(row, commit=self._commit)

    def close(self) -> None:
        """Do nothing: the run belongs to the caller."""
