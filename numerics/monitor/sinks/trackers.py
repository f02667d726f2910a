"""Measurements in experiment trackers: TensorBoard, MLflow, Weights & Biases."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from epsrank.numerics.monitor.sinks.protocol import Value, finite_numbers
from epsrank.theory.errors import InputError
from epsrank.theory.extras import optional_package


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
            module = optional_package("torch.utils.tensorboard", "tensorboard")
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
    """Return a name in the characters that TensorBoard and MLflow both allow."""
    return "/".join(re.sub(r"[^\w.\-]+", "_", part).strip("_") for part in name.split("/"))


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
        mlflow = optional_package("mlflow")
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
            wandb = optional_package("wandb")
            run = wandb.run
        if run is None:
            raise InputError("run", "is missing, and none is active", "call wandb.init() first")
        self.run = run
        self._commit = commit
        run.define_metric("epsrank/step")
        run.define_metric("epsrank/*", step_metric="epsrank/step")
        run.define_metric("quantity/*", step_metric="epsrank/step")

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
