"""The mean of the losses between two measurements, without waiting for the device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from epsrank.theory.errors import InputError


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
        """Add the loss of one step.

        Parameters
        ----------
        loss : Tensor, float or None
            A tensor of several losses counts with their mean; None adds nothing.

        Raises
        ------
        InputError
            If it is no number.
        """
        if isinstance(loss, Tensor):
            # At nearly every step, with cold caches: no call that is not needed.
            value = loss if loss.ndim == 0 else loss.detach().mean()
            if value.is_cpu:
                self._sum += value.item()
            else:
                if self._on_device is None or self._on_device.device != value.device:
                    self._flush()
                    self._on_device = torch.zeros((), dtype=torch.float64, device=value.device)
                self._on_device += value.detach()
        elif loss is None:
            return
        else:
            try:
                self._sum += float(loss)
            except (TypeError, ValueError):
                problem = f"is a {type(loss).__name__}"
                raise InputError("loss", problem, "pass the loss tensor or a float") from None
        self._count += 1

    def mean(self) -> float | None:
        """Return the mean since the last call, and start anew.

        Returns
        -------
        float or None
            None if there was no loss.
        """
        self._flush()
        mean = self._sum / self._count if self._count else None
        self._sum, self._count = 0.0, 0
        return mean

    def _flush(self) -> None:
        if self._on_device is not None:
            self._sum += float(self._on_device)
            self._on_device = None
