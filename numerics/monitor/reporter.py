"""Who is told of a measurement: the history, the sinks, and the user where something is wrong."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable
from functools import partial

from epsrank.numerics.monitor.history import History
from epsrank.numerics.monitor.measure import described
from epsrank.numerics.monitor.record import LayerRecord
from epsrank.numerics.monitor.signatures import RankWarning, Signatures
from epsrank.numerics.monitor.sinks import Sink, as_sinks, deliver

# Different failures that are spoken of; after so many there is nothing new to say.
_MOST = 100


class Reporter:
    """Passes measurements on; nothing that a sink does reaches the training.

    Parameters
    ----------
    history : History
        Gets every measurement.
    sinks : iterable of Sink
        Get every measurement; one that raises is left out from then on.
    last : str or None
        The layer that the signatures look at.
    warn : bool
        Whether signatures are also Python warnings.

    Raises
    ------
    InputError
        If a sink has no ``log`` and ``close``.
    """

    def __init__(
        self, history: History, sinks: Iterable[Sink], last: str | None, warn: bool
    ) -> None:
        self.history = history
        self.signatures = Signatures()
        self._sinks = as_sinks(sinks)
        self._last = last
        self._warn = warn
        self._told: set[str] = set()

    def report(self, records: list[LayerRecord]) -> None:
        """Pass one measurement on.

        Parameters
        ----------
        records : list of LayerRecord
            Its layers.
        """
        self.history.append(records)
        failed = [record for record in records if record.failure is not None]
        kinds = {_kind(record.failure or ""): record for record in reversed(failed)}
        for kind, record in kinds.items():
            count = sum(_kind(other.failure or "") == kind for other in failed)
            where = f"{count} layers, the first {record.layer}" if count > 1 else record.layer
            self.tell(f"{where}: {record.failure}", kind, record.step)
        for signature in self.signatures.update(records, self._last):
            if self._warn:
                warnings.warn(str(signature), RankWarning, stacklevel=5)
        if not self._sinks:
            return
        kept = []
        for sink in self._sinks:
            action = partial(deliver, sink, records, self.history.metadata)
            if self._safely("log", action, records[0].step):
                kept.append(sink)
        self._sinks = kept

    def close(self) -> None:
        """Close the sinks."""
        for sink in self._sinks:
            self._safely("close", sink.close, -1)
        self._sinks = []

    def tell(self, message: str, kind: str, step: int) -> None:
        """Warn of a failure, once for each kind.

        Parameters
        ----------
        message : str
            What happened.
        kind : str
            What makes it the same as another one.
        step : int
            When.
        """
        if kind not in self._told and len(self._told) < _MOST:
            self._told.add(kind)
            warnings.warn(f"{message} (step {step}; said once)", RankWarning, stacklevel=6)

    def _safely(self, name: str, action: Callable[[], None], step: int) -> bool:
        """Call a sink, and say so if it fails."""
        try:
            action()
        except Exception as error:
            cause = described(error)
            self.tell(f"{name} of a sink failed, it is left out: {cause}", _kind(cause), step)
            return False
        return True


def _kind(cause: str) -> str:
    """Return a cause without its numbers."""
    return re.sub(r"\d+", "", cause)
