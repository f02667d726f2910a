"""What a training asks of its process: signals held back, some threads."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

import torch
from threadpoolctl import threadpool_limits

from epsrank.numerics.memory import keep_freed_memory

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
def compute_threads(count: int) -> Iterator[None]:
    """Compute with a fixed number of threads inside the block, and restore what was before.

    A sum that is split among threads is added up in another order, so the same seed gives the same
    bits only for the same number of threads. One is also the fastest for layers of some hundred
    neurons, and by far so on a busy machine.
    """
    # PyTorch has a pool of its own; threadpoolctl sets those of the BLAS that NumPy and SciPy use.
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with threadpool_limits(count):
            yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def reproducible(threads: int) -> Iterator[Interrupts]:
    """Compute the same bits on any day, signals held back to the end of the block."""
    # cuDNN may otherwise choose another algorithm on another day; TF32 would not be float32.
    exact = torch.backends.cudnn.flags(
        enabled=torch.backends.cudnn.enabled,
        benchmark=False,
        deterministic=True,
        allow_tf32=False,
    )
    keep_freed_memory()
    with Interrupts() as interrupts, exact, compute_threads(threads):
        yield interrupts
    interrupts.deliver()
