"""`LightningRankCallback`: a monitor that a Lightning trainer starts, steps and closes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from epsrank.numerics.monitor.integrations.shared import (
    derived,
    find_bases,
    part_of,
    rebuilt,
    shared,
)
from epsrank.numerics.monitor.monitor import RankMonitor
from epsrank.numerics.monitor.records.history import History
from epsrank.numerics.monitor.sinks.protocol import Sink, Value, as_sinks, finite_numbers
from epsrank.numerics.monitor.sinks.trackers import tag
from epsrank.theory.errors import InputError

_BASES = (("lightning.pytorch", "Callback"), ("pytorch_lightning", "Callback"))


class LightningRankCallback:
    """Watches a LightningModule, or a part of it, with a `RankMonitor`.

    The monitor is made when training starts (after checkpoints are loaded and modules are moved),
    counts optimiser steps (with ``accumulate_grad_batches`` several batches make one step, and the
    training loss of the step is the mean of theirs), and is closed at the end and on exceptions.
    It stays readable in `monitor` and `history` afterwards. The trained weights are the same as
    without the callback, bit for bit.

    Objects are callbacks of ``lightning.pytorch`` and of ``pytorch_lightning``, whichever the
    program uses.

    Parameters
    ----------
    module : str or nn.Module, optional
        What is watched: dotted name of a part of the LightningModule, or a module; by default the
        LightningModule itself.
    log : bool
        Whether every measurement goes to the trainer's loggers.
    sinks : iterable of Sink
        Further places where it goes.
    batch_targets : callable, optional
        ``batch_targets(batch)`` returns the targets, for the reading of the last layer without a
        probe; by default ``batch[1]`` where the batch is a tuple or list, where `loss` is given.
    batch_inputs : callable, optional
        ``batch_inputs(batch)`` returns what the watched module takes: a due measurement then sends
        the batch through it again in evaluation mode, as compiled modules need.
    **settings
        Of `RankMonitor`: ``probe``, ``targets``, ``loss``, ``layers``, ``head``, ``eps``, …

    Attributes
    ----------
    monitor : RankMonitor or None
        The monitor of the latest fit.

    Raises
    ------
    InputError
        If neither lightning nor pytorch-lightning is installed.
    """

    _plain: type[Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> LightningRankCallback:
        """Make an object that is also a Lightning callback."""
        bases = find_bases(_BASES, name="lightning", extra="lightning")
        return cast("LightningRankCallback", object.__new__(derived(cls, bases)))

    def __init__(
        self,
        module: str | nn.Module | None = None,
        *,
        log: bool = True,
        sinks: Iterable[Sink] = (),
        batch_targets: Callable[[Any], Any] | None = None,
        batch_inputs: Callable[[Any], Any] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__()
        self.monitor: RankMonitor | None = None
        self._module = module
        self._log = log
        self._sinks = tuple(as_sinks(sinks))
        self._batch_targets = batch_targets
        self._batch_inputs = batch_inputs
        self._settings = settings
        self._global_step = 0
        self._losses: list[Tensor] = []
        self._targets: list[Any] = []

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without a monitor, for processes that a trainer starts."""
        return rebuilt, (type(self)._plain, {**self.__dict__, "monitor": None})

    @property
    def history(self) -> History:
        """What the monitor saw.

        Raises
        ------
        InputError
            Before the first fit.
        """
        if self.monitor is None:
            raise InputError("history", "is empty", "call trainer.fit() first")
        return self.monitor.history

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Make the monitor.

        Parameters
        ----------
        trainer : Trainer
            The trainer.
        pl_module : LightningModule
            Its module.
        """
        self._close()
        settings = shared(self._settings, trainer.world_size)
        sinks = [*self._sinks, *([_Loggers(trainer)] if self._log and trainer.loggers else [])]
        part = part_of(pl_module, self._module, "the LightningModule")
        self._global_step = trainer.global_step
        settings.setdefault("first_step", self._global_step)  # of a resumed training
        self.monitor = RankMonitor(part, sinks=sinks, **settings)

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Step the monitor if the optimiser did.

        Parameters
        ----------
        trainer : Trainer
            The trainer.
        pl_module : LightningModule
            Its module.
        outputs : Tensor, mapping or None
            What the training step returned, its loss divided by ``accumulate_grad_batches``.
        batch : object
            The batch.
        batch_idx : int
            Its number.
        """
        if self.monitor is None:
            return
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if isinstance(loss, Tensor):
            share = trainer.accumulate_grad_batches if pl_module.automatic_optimization else 1
            self._losses.append(loss.detach() * share)
        if self._settings.get("loss") is not None and self._settings.get("probe") is None:
            found = _second(batch) if self._batch_targets is None else self._batch_targets(batch)
            self._targets.append(found)
        # The optimiser made no step: gradients of several batches are accumulated.
        if trainer.global_step == self._global_step:
            return
        self._global_step = trainer.global_step
        mean = torch.stack(self._losses).mean() if self._losses else None
        inputs = None
        if self._batch_inputs is not None and self._settings.get("probe") is None:
            # Only this batch goes through the module again, so only its targets count.
            inputs, self._targets = self._batch_inputs(batch), self._targets[-1:]
        self.monitor.step(mean, _joined(self._targets), inputs=inputs)
        self._losses, self._targets = [], []

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Measure the last step, as leaving a ``with`` block does, and close the monitor.

        Parameters
        ----------
        trainer : Trainer
            The trainer.
        pl_module : LightningModule
            Its module.
        """
        if self.monitor is not None:
            self.monitor.finish()
        self._close()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Close the monitor; Ctrl-C is an exception, too.

        Parameters
        ----------
        trainer : Trainer
            The trainer.
        pl_module : LightningModule
            Its module.
        exception : BaseException
            What happened.
        """
        self._close()

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Close the monitor.

        Parameters
        ----------
        trainer : Trainer
            The trainer.
        pl_module : LightningModule
            Its module.
        stage : str
            What ends.
        """
        self._close()

    def _close(self) -> None:
        self._losses, self._targets = [], []
        if self.monitor is not None:
            self.monitor.close()


class _Loggers:
    """The loggers of a trainer as a sink."""

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer

    def log(self, step: int, values: Mapping[str, Value]) -> None:
        """Hand one measurement to every logger, at the trainer's own step."""
        numbers = {tag(name): value for name, value in finite_numbers(values).items()}
        for logger in self._trainer.loggers:
            logger.log_metrics(numbers, step=self._trainer.global_step)

    def close(self) -> None:
        """Do nothing: the loggers belong to the trainer."""


def _second(batch: Any) -> Any:
    """Return the second of a batch's parts, None where it has no parts."""
    return batch[1] if isinstance(batch, (tuple, list)) and len(batch) > 1 else None


def _joined(targets: Sequence[Any]) -> Any:
    """Return the targets of several batches as one; None where one has none."""
    if not targets or any(not isinstance(target, Tensor) for target in targets):
        return None
    return targets[0] if len(targets) == 1 else torch.cat(list(targets))
