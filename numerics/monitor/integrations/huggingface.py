"""`HuggingFaceRankCallback`: a monitor that a transformers Trainer starts, steps and closes."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any, cast

from epsrank.numerics.monitor.integrations.shared import (
    derived,
    find_bases,
    part_of,
    rebuilt,
    shared,
)
from epsrank.numerics.monitor.monitor import RankMonitor
from epsrank.numerics.monitor.records.history import History
from epsrank.numerics.monitor.records.record import LayerRecord
from epsrank.numerics.monitor.sinks.protocol import Sink, as_sinks, finite_numbers, flat
from epsrank.theory.errors import InputError

_BASES = (("transformers", "TrainerCallback"),)


class HuggingFaceRankCallback:
    """Watches the model of a transformers ``Trainer``, or a part of it, with a `RankMonitor`.

    The monitor is made when training begins and counts optimiser steps, whatever
    ``gradient_accumulation_steps`` is. Training losses are those that the Trainer logs, every
    ``logging_steps``; the losses of single steps are not shown to callbacks. It stays readable in
    `monitor` and `history` afterwards. The trained weights are the same as without the callback,
    bit for bit.

    A Trainer does not report exceptions to its callbacks. Used as a context manager, the callback
    closes its monitor after one, too::

        with HuggingFaceRankCallback(probe=…) as callback:
            Trainer(…, callbacks=[callback]).train()

    Parameters
    ----------
    module : str, optional
        Dotted name of the part of the model that is watched; by default all of it.
    log : bool
        Whether every measurement goes to ``trainer.state.log_history``, and so into the
        checkpoints' ``trainer_state.json``.
    sinks : iterable of Sink
        Further places where it goes.
    **settings
        Of `RankMonitor`: ``probe``, ``targets``, ``loss``, ``layers``, ``head``, ``eps``, …

    Attributes
    ----------
    monitor : RankMonitor or None
        The monitor of the latest training.

    Raises
    ------
    InputError
        If transformers is not installed.
    """

    _plain: type[Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> HuggingFaceRankCallback:
        """Make an object that is also a ``TrainerCallback``."""
        bases = find_bases(_BASES, name="transformers", extra="huggingface")
        return cast("HuggingFaceRankCallback", object.__new__(derived(cls, bases)))

    def __init__(
        self,
        module: str | None = None,
        *,
        log: bool = True,
        sinks: Iterable[Sink] = (),
        **settings: Any,
    ) -> None:
        super().__init__()
        self.monitor: RankMonitor | None = None
        self._module = module
        self._log = log
        self._sinks = tuple(as_sinks(sinks))
        self._settings = settings
        self._pending = False
        self._loss: float | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without a monitor."""
        return rebuilt, (type(self)._plain, {**self.__dict__, "monitor": None})

    def __enter__(self) -> HuggingFaceRankCallback:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def history(self) -> History:
        """What the monitor saw.

        Raises
        ------
        InputError
            Before the first training.
        """
        if self.monitor is None:
            raise InputError("history", "is empty", "call trainer.train() first")
        return self.monitor.history

    def close(self) -> None:
        """Close the monitor; its history stays readable."""
        self._pending, self._loss = False, None
        if self.monitor is not None:
            self.monitor.close()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Make the monitor.

        Parameters
        ----------
        args, state, control : object
            Of the Trainer.
        **kwargs
            The model among them.
        """
        self.close()
        settings = shared(self._settings, args.world_size)
        part = part_of(kwargs["model"], self._module, "the model")
        settings.setdefault("first_step", state.global_step)  # of a resumed training
        self.monitor = RankMonitor(part, sinks=self._sinks, **settings)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Note that the optimiser made a step; the Trainer may log its loss in a moment.

        Parameters
        ----------
        args, state, control : object
            Of the Trainer.
        **kwargs
            Not used.
        """
        self._step(state)
        self._pending = True

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Keep the training loss.

        Parameters
        ----------
        args, state, control : object
            Of the Trainer.
        logs : dict
            With ``"loss"``, where it is the log of training steps.
        **kwargs
            Not used.
        """
        if logs and "loss" in logs:
            self._loss = float(logs["loss"])

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Step the monitor for the step before.

        Parameters
        ----------
        args, state, control : object
            Of the Trainer.
        **kwargs
            Not used.
        """
        self._step(state)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Step the monitor for the last step, measure it, and close the monitor.

        Parameters
        ----------
        args, state, control : object
            Of the Trainer.
        **kwargs
            Not used.
        """
        self._step(state)
        if self.monitor is not None:
            self._note(state, self.monitor.finish())
        self.close()

    def _step(self, state: Any) -> None:
        """Hand the step that is noted, and a loss if one was logged, to the monitor."""
        if self.monitor is None or not self._pending:
            return
        self._pending, loss, self._loss = False, self._loss, None
        self._note(state, self.monitor.step(loss))

    def _note(self, state: Any, records: list[LayerRecord]) -> None:
        """Write a measurement into the log history of the Trainer."""
        if records and self._log:
            numbers = finite_numbers(flat(records))
            state.log_history.append({**numbers, "step": state.global_step})
