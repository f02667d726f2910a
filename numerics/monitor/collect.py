"""Features of a measurement on their way into sums: nothing but the sums stays."""

from __future__ import annotations

from torch import Tensor

from epsrank.numerics.monitor.accumulate import LayerAccumulator
from epsrank.numerics.monitor.few_rows import FewRows
from epsrank.numerics.monitor.plan import LayerPlan
from epsrank.numerics.monitor.rows import Rows
from epsrank.numerics.monitor.settings import Settings
from epsrank.theory.errors import InputError


class Collector:
    """Per layer a Gram matrix, and for the last layer the rows that a reading needs.

    Parameters
    ----------
    plan : LayerPlan
        What is measured.
    settings : Settings
        How.
    """

    def __init__(self, plan: LayerPlan, settings: Settings) -> None:
        self._plan = plan
        self._settings = settings
        self._last = plan.last.name if plan.last is not None else None
        self.sums: dict[str, LayerAccumulator] = {}
        self.problems: dict[str, str] = {}
        self.rows: Rows | None = None

    def begin(self) -> None:
        """Prepare for one measurement: start anew, or let what was seen count less."""
        self.problems = {}
        if self._settings.forgetting:
            for accumulator in self.sums.values():
                accumulator.forget(self._settings.forgetting)
        else:
            self.sums = {}
        wanted = self._settings.loss is not None and self._last is not None
        self.rows = Rows(self._settings.max_samples) if wanted else None

    def consume(self, name: str, features: Tensor) -> None:
        """Take rows of a layer's features.

        Parameters
        ----------
        name : str
            The layer.
        features : Tensor, shape (N, n)
            Its features.

        Raises
        ------
        InputError
            If they cannot be summed; the layer is then given up for this measurement.
        """
        if name in self.problems or features.shape[0] == 0:
            return
        accumulator = self.sums.get(name)
        if accumulator is None:
            # A spectrum is wanted to the last digit; a count allows float32 where ε does.
            counts = not self._settings.spectrum(int(features.shape[1]))
            # One batch is often shorter than its layer is wide; forgetting adds up many.
            kind = LayerAccumulator if self._settings.forgetting else FewRows
            accumulator = self.sums[name] = kind(
                int(features.shape[1]),
                device=features.device,
                measure=self._settings.measure,
                eps=min(self._settings.eps) if counts else None,
                relative=self._settings.relative,
            )
        try:
            accumulator.update(features)
        except InputError as error:
            self.problems[name] = str(error)
            del self.sums[name]
            raise
        if name == self._last and self.rows is not None:
            self.rows.add(features)

    def note(self, problems: dict[str, str]) -> None:
        """Take over what a capture could not hand on.

        Parameters
        ----------
        problems : dict of str to str
            Layer and why.
        """
        self.problems = {**problems, **self.problems}

    def end(self) -> None:
        """Let go of what only this measurement needed."""
        self.rows = None
        if not self._settings.forgetting:
            self.sums = {}
