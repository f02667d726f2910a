"""Where records go: the history, the failure signatures, warnings, and the sinks."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.utils._pytree import tree_leaves

from epsrank.numerics.monitor.alarms.signatures import RankWarning, Signatures
from epsrank.numerics.monitor.measuring.price import PUT_OFF
from epsrank.numerics.monitor.records.history import History
from epsrank.numerics.monitor.records.record import LayerRecord, QuantityRecord
from epsrank.numerics.monitor.sinks.protocol import Sink, as_sinks, deliver
from epsrank.theory.errors import described
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.numerics.monitor.measuring.settings import Settings

# Different failures that are spoken of; after so many there is nothing new to say.
_MOST = 100

# Signs and exponents differ as digits do: -58.3, 5.83e-05, nan.
_NUMBER = re.compile(r"[-+−]?(?:\b(?:nan|inf)\b|\d+(?:\.\d+)?(?:e[-+]?\d+)?)")


class Reporter:
    """Passes measurements on; nothing that a sink does reaches the training."""

    def __init__(self, history: History, sinks: Iterable[Sink], warn: bool) -> None:
        self.history = history
        self.signatures = Signatures()
        self._sinks = as_sinks(sinks)
        self._warn = warn
        self._said: set[str] = set()

    def report(self, records: list[LayerRecord], last: str | None) -> None:
        """Pass one measurement on; there is none in all processes of a group but the first.

        `last` is the layer before the head, by its name.
        """
        if not records:
            return
        self.history.append(records)
        # Nothing is wrong where a reading waits: the record says so.
        failed = [
            record
            for record in records
            if record.failure is not None and not record.failure.startswith(PUT_OFF)
        ]
        # Reversed, so that of each kind the first layer stays.
        kinds = {_kind(record.failure or ""): record for record in reversed(failed)}
        for kind, record in kinds.items():
            count = sum(_kind(other.failure or "") == kind for other in failed)
            where = (
                f"{plural(count, 'layer')}, the first {record.layer}" if count > 1 else record.layer
            )
            self._say_once(f"{where}: {record.failure}", kind, record.step)
        self._report_quantities(records[0].own_quantities, kinds)
        for signature in self.signatures.update(records, last):
            if self._warn:
                _warn(str(signature))
        metadata, step = self.history.metadata, records[0].step
        self._sinks = [
            sink
            for sink in self._sinks
            if self._safely("log", partial(deliver, sink, records, metadata), step)
        ]

    def _report_quantities(
        self, quantities: Sequence[QuantityRecord], kinds: Collection[str]
    ) -> None:
        """Warn of what went wrong in quantities, once for each of them and kind."""
        for own in quantities:
            # The pass that failed has been spoken of with the layers.
            if own.cause is not None and _kind(own.cause) not in kinds:
                # Which parameters it changed varies from step to step.
                kind = re.sub(r"\([^)]*\)", "", _kind(own.cause))
                self._say_once(f"quantity {own.name}: {own.cause}", f"{own.name}: {kind}", own.step)

    def close(self) -> None:
        """Close the sinks."""
        for sink in self._sinks:
            self._safely("close", sink.close, -1)
        self._sinks = []

    def _say_once(self, message: str, kind: str, step: int) -> None:
        """Warn of a failure, once for each kind."""
        if kind not in self._said and len(self._said) < _MOST:
            self._said.add(kind)
            _warn(f"{message} (step {step}; said once)")

    def _safely(self, name: str, action: Callable[[], None], step: int) -> bool:
        """Call a sink, and say so if it fails."""
        try:
            action()
        except Exception as error:
            cause = described(error)
            message = f"{name} of a sink failed, it is left out: {cause}"
            self._say_once(message, _kind(cause), step)
            return False
        return True


def warn_of_ignored(settings: Settings, targets: Any) -> None:
    """Warn where labels leave samples out of the loss, and nothing leaves them out of the ranks."""
    losses = settings.loss.values() if isinstance(settings.loss, Mapping) else [settings.loss]
    ignored = {loss.ignored for loss in losses if loss is not None and loss.name == "cross_entropy"}
    for labels in tree_leaves(targets):
        if not ignored or not isinstance(labels, Tensor) or labels.is_floating_point():
            continue
        count = sum(int((labels == label).sum()) for label in ignored)
        if count:
            label = min(ignored)
            _warn(
                f"{count} of {plural(labels.numel(), 'label')} are "
                f"{label}: these samples are left out of "
                f"the loss, and count in ranks; pass mask=(targets != {label}) to leave them out"
            )


def _warn(message: str) -> None:
    """Warn at the line of the training loop that called the monitor, however deep this is."""
    level, frame = 1, sys._getframe()
    own = f"{__package__}."
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(own):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, RankWarning, stacklevel=level)


def _kind(cause: str) -> str:
    """Return a cause without its numbers, which differ from step to step."""
    return _NUMBER.sub("", cause)
