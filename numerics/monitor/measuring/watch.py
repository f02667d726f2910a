"""What is taken from the training itself: features of one step's batches, and all losses."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor

from epsrank.numerics.monitor.measuring.measurer import Measurer
from epsrank.numerics.monitor.measuring.seen import Sample
from epsrank.numerics.monitor.model.capture import Capture
from epsrank.numerics.monitor.model.passes import Arguments
from epsrank.theory.errors import InputError


class BatchWatch:
    """Sums the features of the training batches of one step."""

    def __init__(self, measurer: Measurer) -> None:
        self._measurer = measurer
        before = self._read if measurer.readers else None
        weigh = measurer.settings.weigh
        self._capture = Capture(measurer.plan, self._timed, before=before, weigh=weigh)
        #: Whether calls are watched. An attribute of its own, since it is asked for at every step.
        self.active = False
        #: Seconds that this took so far.
        self.cost = 0.0

    def begin(self) -> None:
        """Watch from now on."""
        began = time.perf_counter()
        self._measurer.begin()
        self.active = True
        self._capture.start()
        self.cost = time.perf_counter() - began

    def end(self) -> None:
        """Watch no longer; nothing happens if it does not."""
        self._capture.stop()
        self.active = False

    def note(self, targets: Any) -> Sample:
        """Hand over what could not be captured."""
        self._measurer.note(self._capture)
        return Sample(targets)

    def _read(self, arguments: Arguments) -> None:
        """Look at what the heads make of a batch, with the same modes and random numbers."""
        began = time.perf_counter()
        for reader in self._measurer.readers.values():
            reader.batch(arguments, as_is=True)
        self.cost += time.perf_counter() - began

    def _timed(self, name: str, features: Tensor, weights: Tensor | None = None) -> None:
        """Sum features, and account for the time."""
        began = time.perf_counter()
        try:
            self._measurer.consume(name, features, weights)
        finally:
            self.cost += time.perf_counter() - began


class LossMeter:
    """Sums losses where they are; only `mean` waits for the device.

    A loss on a GPU is added there, in float64, and no value is asked for until a measurement is
    made; no graph is kept.
    """

    def __init__(self) -> None:
        self._sum = 0.0
        self._count = 0
        self._on_device: Tensor | None = None

    def add(self, loss: Any) -> None:
        """Add the loss of one step."""
        try:
            if isinstance(loss, Tensor):
                # At nearly every step, with cold caches: no call that is not needed.
                value = loss if loss.ndim == 0 else loss.detach().mean()
                if value.is_cpu:
                    self._sum += float(value.item())  # of a complex number there is none
                else:
                    self._add_on_device(value.detach())
            elif loss is None:
                return
            elif isinstance(loss, (str, bytes)):
                raise TypeError  # float() reads text
            else:
                self._sum += float(loss)
        except (TypeError, ValueError, RuntimeError):
            raise InputError("loss", _what(loss), "pass the loss tensor or a float") from None
        self._count += 1

    def _add_on_device(self, value: Tensor) -> None:
        if value.is_meta or value.is_complex():
            raise TypeError  # `mean` could read no number
        if self._on_device is None or self._on_device.device != value.device:
            self._flush()
            self._on_device = torch.zeros((), dtype=torch.float64, device=value.device)
        self._on_device += value

    def mean(self) -> float | None:
        """Return the mean since the last call, None if there was no loss, and start anew."""
        self._flush()
        mean = self._sum / self._count if self._count else None
        self._sum, self._count = 0.0, 0
        return mean

    def _flush(self) -> None:
        if self._on_device is not None:
            self._sum += float(self._on_device)
            self._on_device = None


def _what(loss: Any) -> str:
    """Say in a few words what was passed as a loss."""
    if isinstance(loss, Tensor):
        kind = str(loss.dtype).removeprefix("torch.")
        return f"is a tensor of {kind} numbers and shape {tuple(loss.shape)} on {loss.device}"
    text = repr(loss)
    return f"is {text}" if len(text) <= 30 else f"is a {type(loss).__name__}"
