"""Watching one training step: hooks from one `step` call to the next, and what they cost."""

from __future__ import annotations

import time
from typing import Any

from torch import Tensor

from epsrank.numerics.monitor.capture import Capture
from epsrank.numerics.monitor.measurer import Measurer
from epsrank.numerics.monitor.probe_parts import Sample


class BatchWatch:
    """Hooks that sum the features of the training batches of one step.

    Parameters
    ----------
    measurer : Measurer
        Whose collector gets the features.

    Attributes
    ----------
    active : bool
        Whether hooks are in place.
    cost : float
        Seconds that they took so far.
    step : int
        Training steps made before they were put in place.
    """

    def __init__(self, measurer: Measurer) -> None:
        self._measurer = measurer
        self._capture = Capture(measurer.plan, self._timed)
        self.active = False
        self.cost = 0.0
        self.step = 0

    def begin(self, step: int) -> None:
        """Put hooks in place.

        Parameters
        ----------
        step : int
            Training steps made so far.
        """
        began = time.perf_counter()
        self.step = step
        self._measurer.begin()
        self.active = True
        self._capture.start()
        self.cost = time.perf_counter() - began

    def end(self) -> None:
        """Remove the hooks; nothing happens if there are none."""
        self._capture.stop()
        self.active = False

    def note(self, targets: Any) -> Sample:
        """Hand over what could not be captured.

        Parameters
        ----------
        targets : Tensor, array_like or None
            Of the batch.

        Returns
        -------
        Sample
            The batch.
        """
        self._measurer.note(self._capture)
        return Sample(targets)

    def _timed(self, name: str, features: Tensor) -> None:
        """Sum features, and account for the time."""
        began = time.perf_counter()
        try:
            self._measurer.consume(name, features)
        finally:
            self.cost += time.perf_counter() - began
