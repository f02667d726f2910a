"""Measurements as metrics of an MLflow run."""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping
from typing import Any

from epsrank.numerics.monitor.sinks.protocol import Value, finite_numbers, optional_package
from epsrank.numerics.monitor.sinks.tensorboard import tag
from epsrank.theory.errors import InputError

# Most metrics in one request to a tracking server.
_BATCH = 1000


class MlflowSink:
    """Logs every finite number under its name, with the characters that MLflow allows.

    Parameters
    ----------
    run_id : str, optional
        The run; by default the one active now. It is not ended by `close`.
    client : mlflow.MlflowClient, optional
        Where; by default a client of the current tracking URI.

    Raises
    ------
    InputError
        If mlflow is not installed, or no run is given and none is active.
    """

    def __init__(self, run_id: str | None = None, *, client: Any = None) -> None:
        mlflow = optional_package(lambda: importlib.import_module("mlflow"), "mlflow", "mlflow")
        if run_id is None:
            active = mlflow.active_run()
            if active is None:
                raise InputError(
                    "run_id", "is missing, and no run is active", "call mlflow.start_run() first"
                )
            run_id = active.info.run_id
        self.run_id = run_id
        self.client = mlflow.MlflowClient() if client is None else client
        self._metric = mlflow.entities.Metric

    def log(self, step: int, values: Mapping[str, Value]) -> None:
        """Log one measurement.

        Parameters
        ----------
        step : int
            Training steps made.
        values : mapping
            From `flat`.
        """
        now = int(time.time() * 1000)
        numbers = finite_numbers(values).items()
        metrics = [self._metric(tag(name), value, now, step) for name, value in numbers]
        for start in range(0, len(metrics), _BATCH):
            self.client.log_batch(self.run_id, metrics=metrics[start : start + _BATCH])

    def close(self) -> None:
        """Do nothing: the run belongs to the caller."""
