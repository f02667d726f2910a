"""One run among many: what is its own, and where it is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from epsrank.numerics.ensemble.optimizers import StackedOptimizer
from epsrank.numerics.networks import FeatureNetwork
from epsrank.numerics.tasks import Task
from epsrank.numerics.training.build import build_optimizer
from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.folder import HISTORY, SPECTRA, WEIGHTS, open_folder
from epsrank.numerics.training.measure import measure
from epsrank.numerics.training.probe import choose_probe
from epsrank.numerics.training.record import StepRecord
from epsrank.numerics.training.run import Run
from epsrank.numerics.training.schedule import measurement_steps
from epsrank.numerics.training.state import Progress, Status, save_state
from epsrank.numerics.training.storage import write_table, write_tensors
from epsrank.numerics.training.tables import history_table, spectra_table
from epsrank.numerics.training.testing import with_test_samples


class Member:
    """One run of an ensemble: its data, probe, schedule, records and folder.

    Parameters
    ----------
    place : int
        Its place in the list of the user.
    config : RunConfig
        Its settings.
    task : Task
        Its task, on the CPU.
    device : torch.device
        Where it is computed.
    """

    def __init__(self, place: int, config: RunConfig, task: Task, device: torch.device) -> None:
        self.place = place
        self.config = config
        self.task = task
        self.probe = choose_probe(config, task, device)
        self.testing = with_test_samples(config, task, device)
        self.schedule = set(measurement_steps(config.steps, config.measure_every))
        self.records: list[StepRecord] = []
        self.progress = Progress(0, "stopped", "not begun")
        self.device = device

    def enter(self, out: Path | None) -> None:
        """Make the folder of the run.

        Parameters
        ----------
        out : Path or None
            Where; None keeps it only as long as the run.
        """
        self.folder = open_folder(out, self.config, resume=False)

    def measure(self, model: FeatureNetwork, step: int) -> StepRecord:
        """Measure as `train` does, and keep the weights of the measurement.

        Parameters
        ----------
        model : FeatureNetwork
            The network of this run as it is now.
        step : int
            Updates made.

        Returns
        -------
        StepRecord
            The measurement.
        """
        record = measure(model, self.config, self.testing, self.probe, step)
        self.folder.save_checkpoint(step, model.state_dict())
        self.records.append(record)
        return record

    def end(self, step: int, status: Status, cause: str) -> None:
        """Say how far the run has come.

        Parameters
        ----------
        step : int
            Updates made.
        status : {"complete", "stopped", "diverged"}
            What became of it.
        cause : str
            Why.
        """
        self.progress = Progress(step, status, cause)

    def save(self, model: FeatureNetwork, optimizer: StackedOptimizer, position: int) -> None:
        """Bring the folder up to date, so that `train` could resume the run.

        Parameters
        ----------
        model : FeatureNetwork
            The network of this run as it is now.
        optimizer : StackedOptimizer
            The optimiser of all.
        position : int
            Place of this run in its stack.
        """
        if not self.folder.kept:
            return
        path, config = self.folder.path, self.config
        write_table(path / SPECTRA, spectra_table(self.records))
        write_table(path / HISTORY, history_table(self.records, config.eps, config.depth))
        write_tensors(path / WEIGHTS, model.state_dict())
        environment: dict[str, Any] = {
            "data": self.task.fingerprint(),
            "device": self.device.type,
        }
        own = build_optimizer(config, model)
        whole = own.state_dict()
        whole["state"] = dict(enumerate(optimizer.state_of(position)))
        own.load_state_dict(whole)
        save_state(self.folder, model, own, self.progress, environment)

    def run(self) -> Run:
        """Return the run as it stands.

        Returns
        -------
        Run
            Of the same form as that of `train`.
        """
        return Run(self.config, self.records, self.progress, self.folder, self.task)
