"""`train`: the loop that updates, measures and saves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from epsrank.numerics.named import user_code
from epsrank.numerics.processes.signals import Interrupts
from epsrank.numerics.tasks import Task
from epsrank.numerics.training.build import (
    build_network,
    build_optimizer,
    build_task,
    resolve_device,
)
from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.folder import claimed
from epsrank.numerics.training.making import RunInMaking, SaveClock
from epsrank.numerics.training.measure import NotFiniteError
from epsrank.numerics.training.objective import task_objective
from epsrank.numerics.training.own_network import is_own
from epsrank.numerics.training.process import reproducible
from epsrank.numerics.training.record import StepRecord
from epsrank.numerics.training.run import Run
from epsrank.numerics.training.seeds import Stream, epoch_order, stream_seed
from epsrank.numerics.training.state import Progress
from epsrank.theory.data.inputs import as_whole

ProgressCallback = Callable[[int, int, StepRecord | None], None]


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
    process keeps freed memory from then on (`epsrank.numerics.processes.memory`).

    Examples
    --------
    >>> run = train(RunConfig(width=8, depth=1, steps=3, n_train=20, device="cpu"))
    >>> run.status, [record.step for record in run.records]
    ('complete', [0, 1, 2, 3])
    """
    if stop_after is not None:
        stop_after = as_whole(stop_after, "stop_after", least=0)
    task, device = build_task(config), resolve_device(config.device)
    session = _Session(config, task, device)  # before the folder: bad settings leave no trace
    with claimed(out):
        session.take_up(out, session.model, session.optimizer, resume=resume)
        with reproducible(config.threads) as interrupts:
            session.proceed(stop_after, progress, interrupts)
    return session.run()


class _Session(RunInMaking):
    """A run in the making, with its network and optimiser."""

    def __init__(self, config: RunConfig, task: Task, device: torch.device) -> None:
        super().__init__(config, task, device)
        self.model = build_network(config, task).to(device)
        self.optimizer = build_optimizer(config, self.model)
        self.objective = task_objective(config, task, device)
        self._order: tuple[int, torch.Tensor] | None = None
        self._clock = SaveClock()

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
            # A resumed run may have measured this step: it stops after measurements.
            if step in self.schedule and step not in measured:
                try:
                    with self._own_code(step):
                        record = self.measure(self.model, step)
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
            if cause is None and self.folder.kept and self._clock.due:
                self._save()
        self._save()

    def _reason_to_stop(self, step: int, end: int, interrupts: Interrupts) -> str | None:
        """Return why to stop now, or None."""
        # First, since a run that stops at its last step is complete.
        if step >= self.config.steps:
            return "all steps done"
        if step >= end:
            return f"asked to stop after step {end}"
        return "interrupted by a signal" if interrupts.pending else None

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

        # L-BFGS evaluates the loss several times in a step.
        def closure() -> torch.Tensor:
            self.optimizer.zero_grad(set_to_none=True)
            with self._own_code(step):
                loss = self.objective(self.model, index)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        loss: torch.Tensor = self.optimizer.step(closure)  # type: ignore[arg-type,assignment]
        return loss.detach().item()

    @contextmanager
    def _own_code(self, step: int) -> Iterator[None]:
        """Let what a user's network draws follow from seed and step; what it raises is a line."""
        if not is_own(self.config):
            yield
            return
        what = f"{self.config.network} failed at step {step}"
        devices = [self.device] if self.device.type == "cuda" else []
        with user_code("network", what, "see to its forward"), torch.random.fork_rng(devices):
            torch.manual_seed(stream_seed(self.config.seed, Stream.STEP, step))
            yield

    def _save(self) -> None:
        with self._clock.saving():
            self.save(self.model, self.optimizer)
