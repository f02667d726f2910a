"""`train`: the loop that updates, measures and saves."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from epsrank.numerics.files import write_table
from epsrank.numerics.tasks import Task, load_task
from epsrank.numerics.training.build import (
    build_network,
    build_optimizer,
    check_loss,
    resolve_device,
)
from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.folder import HISTORY, SPECTRA, WEIGHTS, RunFolder, open_folder
from epsrank.numerics.training.measure import NotFiniteError, measure
from epsrank.numerics.training.objective import task_objective
from epsrank.numerics.training.probe import choose_probe, with_test_samples
from epsrank.numerics.training.process import Interrupts, compute_threads, keep_freed_memory
from epsrank.numerics.training.record import StepRecord, history_table, spectra_table
from epsrank.numerics.training.run import Run, read_records
from epsrank.numerics.training.seeds import epoch_order
from epsrank.numerics.training.state import Progress, restore_state, save_state
from epsrank.numerics.training.tensors import write_tensors
from epsrank.theory.data.inputs import as_whole

# Measurements per decade at first, and in all over the evenly spaced rest; ours.
_PER_DECADE = 16
_EVEN = 100


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


ProgressCallback = Callable[[int, int, StepRecord | None], None]

# Saving may take a twentieth of the time, and a kill may cost the work of a second or so.
_SAVE_SHARE, _SAVE_SECONDS = 20.0, 1.0


def train(
    config: RunConfig,
    out: str | Path | None = None,
    *,
    resume: bool = False,
    progress: ProgressCallback | None = None,
    stop_after: int | None = None,
) -> Run:
    """Minimise L(θ) = ∫ ℓ(u_θ, u*) dμ, and measure loss, floors and ε-ranks on the way.

    Parameters
    ----------
    config : RunConfig
        Settings.
    out : path, optional
        Folder for settings, history, spectra, weights and checkpoints; it must be empty or new
        unless `resume`. Whatever is in it is whole at any moment, also after a kill.
    resume : bool
        Continue the run in `out` to the same numbers, bit for bit, as without the interruption.
        A folder without a run begins one; a finished or diverged run is returned as it is.
    progress : callable, optional
        ``progress(step, total, record)`` after every update, `record` None where not measured.
    stop_after : int, optional
        Stop, resumably, once so many updates are made in all.

    Returns
    -------
    Run
        The run. Divergence is no error: its ``status`` is ``"diverged"``, with the cause.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C, after the state is saved. (SIGTERM: saved, then its usual effect.)

    Notes
    -----
    Bad settings, data or folders raise ``InputError``. Ctrl-C and SIGTERM are held back to the end
    of the step. The global random generators of torch, NumPy and Python are not touched. The
    process keeps freed memory from then on (`epsrank.numerics.training.process`).

    Examples
    --------
    >>> run = train(RunConfig(width=8, depth=1, steps=3, n_train=20, device="cpu"))
    >>> run.status, [record.step for record in run.records]
    ('complete', [0, 1, 2, 3])
    """
    if stop_after is not None:
        stop_after = as_whole(stop_after, "stop_after", least=0)
    task = load_task(
        config.task,
        n_train=config.n_train,
        data=config.data,
        seed=config.seed,
        dtype=config.torch_dtype,
        boundary_weight=config.boundary_weight,
    )
    device = resolve_device(config.device)
    session = _Session(config, task, device)  # before the folder: bad settings leave no trace
    folder = open_folder(out, config, resume=resume)
    session.enter(folder)
    # cuDNN may otherwise choose another algorithm on another day; TF32 would not be float32.
    exact = torch.backends.cudnn.flags(
        enabled=torch.backends.cudnn.enabled,
        benchmark=False,
        deterministic=True,
        allow_tf32=False,
    )
    keep_freed_memory()
    with Interrupts() as interrupts, exact, compute_threads(config.threads):
        session.proceed(stop_after, progress, interrupts)
    interrupts.deliver()
    return session.run()


class _Session:
    """A run in the making: network, optimiser, records, and where they are saved."""

    def __init__(self, config: RunConfig, task: Task, device: torch.device) -> None:
        self.config = config
        self.task = task
        self.device = device
        check_loss(config, task)
        self.probe = choose_probe(config, task, device)
        self.model = build_network(config, task).to(device)
        self.optimizer = build_optimizer(config, self.model)
        self.objective = task_objective(config.loss, task, device)
        self.testing = with_test_samples(config, task, device)
        self.schedule = set(measurement_steps(config.steps, config.measure_every))
        self.records: list[StepRecord] = []
        self.progress = Progress(0, "stopped", "not begun")
        self.environment: dict[str, Any] = {"data": task.fingerprint(), "device": device.type}
        self._order: tuple[int, torch.Tensor] | None = None
        self._saved_at, self._save_cost = -math.inf, 0.0

    def enter(self, folder: RunFolder) -> None:
        """Take up what the folder holds."""
        self.folder = folder
        found = restore_state(folder, self.model, self.optimizer, self.environment)
        if found is None:
            return
        # The tables are written before the state, so they can be ahead of it but never behind.
        kept = read_records(folder.path, self.config)
        self.records = [record for record in kept if record.step <= found.step]
        self.progress = found

    def proceed(
        self, stop_after: int | None, progress: ProgressCallback | None, interrupts: Interrupts
    ) -> None:
        """Update and measure until the end, a stop, a signal or divergence."""
        if self.progress.status != "stopped":
            return
        total = self.config.steps
        end = total if stop_after is None else min(total, stop_after)
        step = self.progress.step
        measured = {record.step for record in self.records}
        cause = None
        while cause is None:
            record = None
            if step in self.schedule and step not in measured:
                try:
                    record = self._measure(step)
                except NotFiniteError as error:
                    self.progress = Progress(step, "diverged", str(error))
                    break
            if progress is not None:
                progress(step, total, record)
            cause = self._reason_to_stop(step, end, interrupts)
            if cause is None:
                loss = self._update(step)
                if not math.isfinite(loss):
                    self.progress = Progress(step, "diverged", f"the loss is {loss} at step {step}")
                    break
                step += 1
            done = cause is not None and step == total
            self.progress = Progress(
                step, "complete" if done else "stopped", cause or "running, or killed"
            )
            if cause is None and self._save_is_due():
                self._save()
        self._save()

    def _reason_to_stop(self, step: int, end: int, interrupts: Interrupts) -> str | None:
        """Return why to stop now, or None."""
        if step >= self.config.steps:
            return "all steps done"
        if step >= end:
            return f"asked to stop after step {end}"
        return "interrupted by a signal" if interrupts.pending else None

    def _measure(self, step: int) -> StepRecord:
        """Measure, and keep the weights of the measurement."""
        record = measure(self.model, self.config, self.testing, self.probe, step)
        self.folder.save_checkpoint(step, self.model.state_dict())
        self.records.append(record)
        return record

    def _batch(self, step: int) -> torch.Tensor | None:
        """Return the samples of a step, None for all."""
        size, n_samples = self.config.batch_size, self.task.n_samples
        if size is None or size >= n_samples:
            return None
        per_epoch = -(-n_samples // size)
        epoch, position = divmod(step, per_epoch)
        if self._order is None or self._order[0] != epoch:
            self._order = (epoch, epoch_order(self.config.seed, n_samples, epoch).to(self.device))
        return self._order[1][position * size : (position + 1) * size]

    def _update(self, step: int) -> float:
        """Make one update and return the loss before it."""
        index = self._batch(step)

        def closure() -> torch.Tensor:
            self.optimizer.zero_grad(set_to_none=True)
            loss = self.objective(self.model, index)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        loss: torch.Tensor = self.optimizer.step(closure)  # type: ignore[arg-type,assignment]
        return loss.detach().item()

    def _save_is_due(self) -> bool:
        """Whether enough time has passed since the last save."""
        if not self.folder.kept:
            return False
        elapsed = time.monotonic() - self._saved_at
        return elapsed > max(_SAVE_SECONDS, _SAVE_SHARE * self._save_cost)

    def _save(self) -> None:
        """Bring the folder up to date: tables, weights, and last the state that refers to them."""
        if not self.folder.kept:
            return
        begun = time.monotonic()
        path, config = self.folder.path, self.config
        write_table(path / SPECTRA, spectra_table(self.records))
        write_table(path / HISTORY, history_table(self.records, config.eps, config.depth))
        write_tensors(path / WEIGHTS, self.model.state_dict())
        save_state(self.folder, self.model, self.optimizer, self.progress, self.environment)
        self._saved_at = time.monotonic()
        self._save_cost = self._saved_at - begun

    def run(self) -> Run:
        """Return the run as it stands."""
        return Run(self.config, self.records, self.progress, self.folder, self.task)
