"""SIGTERM as Ctrl-C, and both held back where work must not be cut in two."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Context in which SIGINT and SIGTERM only leave a note, so that a step is never cut in two.

    `pending` asks the loop to save and stop; `deliver` then does what the signal would have done.
    A second Ctrl-C is not held back. Outside the main thread, where Python gives no signal
    handlers, and where a signal is ignored, nothing is changed.
    """

    def __init__(self) -> None:
        self._caught: int | None = None
        self._previous: dict[int, Any] = {}

    @property
    def pending(self) -> bool:
        """Whether a signal has come."""
        return self._caught is not None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                # None: set by other than Python, and not to be put back by it.
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._caught == number == signal.SIGINT:
            raise KeyboardInterrupt
        self._caught = number

    def deliver(self) -> None:
        """Let the signal have its effect, once the handlers of before are back in place."""
        if self._caught is not None:
            os.kill(os.getpid(), self._caught)


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does, where it would end the process without a word."""
    ours = threading.current_thread() is threading.main_thread()
    # Python lets the main thread alone set handlers; one that the caller has set stays.
    if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _interrupt(number: int, frame: FrameType | None) -> Any:
    raise KeyboardInterrupt
