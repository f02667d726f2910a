"""A run in the making, except for its network: what is measured when, and what is kept of it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import torch

from epsrank.numerics.files import write_table
from epsrank.numerics.networks import FeatureNetwork
from epsrank.numerics.tasks import Task
from epsrank.numerics.training.build import check_loss
from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.drops import keep_features
from epsrank.numerics.training.folder import HISTORY, SPECTRA, WEIGHTS, open_folder
from epsrank.numerics.training.measure import measure
from epsrank.numerics.training.probe import choose_probe, with_test_samples
from epsrank.numerics.training.record import StepRecord, history_table, spectra_table
from epsrank.numerics.training.run import Run, read_records
from epsrank.numerics.training.sources import sources_of
from epsrank.numerics.training.state import SOURCE, Progress, restore_state, save_state
from epsrank.numerics.training.tensors import write_tensors

# Measurements per decade at first, and in all over the evenly spaced rest; ours.
_PER_DECADE = 16
_EVEN = 100

# Saving may take a twentieth of the time, and a kill may cost the work of a second or so.
_SAVE_SHARE, _SAVE_SECONDS = 20.0, 1.0


def measurement_steps(steps: int, every: int | str) -> list[int]:
    """Return the steps at which a run is measured, 0 and the last one always among them.

    ``auto`` takes the union of a geometric sequence (16 a decade: the early phase changes on a
    logarithmic clock) and an even one of 100 (so that a late plateau or drop is never a single
    point between two far ones).
    """
    if isinstance(every, int):
        chosen = set(range(0, steps, every))
    else:
        chosen = set(range(0, steps, max(1, steps // _EVEN)))
        k, step = 0, 1
        while step < steps:
            chosen.add(step)
            k += 1
            step = round(10 ** (k / _PER_DECADE))
    return sorted(chosen | {0, steps})


class RunInMaking:
    """The data of a run, its probe and schedule, and its measurements so far."""

    def __init__(self, config: RunConfig, task: Task, device: torch.device) -> None:
        self.config = config
        self.task = task
        self.device = device
        check_loss(config, task)
        self.probe = choose_probe(config, task, device)
        self.testing = with_test_samples(config, task, device)
        self.schedule = set(measurement_steps(config.steps, config.measure_every))
        self.records: list[StepRecord] = []
        self.progress = Progress(0, "stopped", "not begun")

    @cached_property
    def environment(self) -> dict[str, str]:
        """What a resumed run must find again."""
        # Sources first: other data follow from another source.
        sources = {f"{SOURCE}{name}": value for name, value in sources_of(self.config).items()}
        return sources | {"data": self.task.fingerprint(), "device": self.device.type}

    def open(self, out: str | Path | None, *, resume: bool = False) -> None:
        """Make or enter the folder of the run."""
        self.folder = open_folder(out, self.config, resume=resume)

    def take_up(
        self,
        out: str | Path | None,
        model: FeatureNetwork,
        optimizer: torch.optim.Optimizer,
        *,
        resume: bool,
    ) -> bool:
        """Make the folder, or go on from what it holds; tell whether it held anything.

        To be called by what the user calls: a warning about damage names the user's line.
        """
        self.open(out, resume=resume)
        found = restore_state(self.folder, model, optimizer, self.environment)
        if found is None:
            return False
        # The tables are written before the state, so they can be ahead of it but never behind.
        kept = read_records(self.folder.path, self.config)
        self.records = [record for record in kept if record.step <= found.step]
        self.progress = found
        return True

    def measure(self, model: FeatureNetwork, step: int) -> StepRecord:
        """Measure, and keep the weights of the measurement."""
        record = measure(model, self.config, self.testing, self.probe, step)
        # Before the record: whoever finds one finds its weights.
        self.folder.save_checkpoint(step, model.state_dict())
        self.records.append(record)
        return record

    def save(self, model: FeatureNetwork, optimizer: torch.optim.Optimizer) -> None:
        """Bring the folder up to date: tables, weights, and last the state that refers to them."""
        if not self.folder.kept:
            return
        path, seals = self.folder.path, self.folder.manifest
        write_table(path / SPECTRA, spectra_table(self.records), manifest=seals)
        write_table(path / HISTORY, history_table(self.records, self.config), manifest=seals)
        write_tensors(path / WEIGHTS, model.state_dict(), manifest=seals)
        # Before the state, so that a run that is found complete has them.
        keep_features(self.run())
        save_state(self.folder, model, optimizer, self.progress, self.environment)

    def run(self) -> Run:
        """Return the run as it stands."""
        return Run(self.config, self.records, self.progress, self.folder, self.task)


class SaveClock:
    """Says when to save, by what saving costs."""

    def __init__(self) -> None:
        # The first save is due at once: a run that is killed early can be resumed.
        self._saved_at, self._cost = -math.inf, 0.0

    @property
    def due(self) -> bool:
        """Whether enough time has passed since the last save."""
        elapsed = time.monotonic() - self._saved_at
        return elapsed > max(_SAVE_SECONDS, _SAVE_SHARE * self._cost)

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Take the time of a save."""
        begun = time.monotonic()
        yield
        self._saved_at = time.monotonic()
        self._cost = self._saved_at - begun
