"""What a training asks of its process: signals held back, freed memory kept, some threads."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import FrameType, TracebackType
from typing import Any, Self

import torch
from threadpoolctl import threadpool_limits

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


# glibc's numbers for `mallopt`.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
# The largest that glibc takes, and how much may lie idle at the top of the heap.
_MMAP_BYTES, _IDLE_BYTES = 32 * 2**20, 256 * 2**20


@cache
def keep_freed_memory() -> bool:
    """Let the C library keep up to 256 MiB of freed memory for the next allocation.

    A training step frees all intermediate arrays that it has allocated. Of arrays of some hundred
    kilobytes and more, glibc gives the pages back to the system at once, and gets them again, page
    by page and zeroed, in the next step: 500 page faults per step of 32 networks of width 50, a
    fifth of its time on a virtual machine. No result depends on it.
    """
    chosen = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
    # Whoever has set one of these has decided already.
    if not sys.platform.startswith("linux") or any(name in os.environ for name in chosen):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES) and mallopt(_M_TRIM_THRESHOLD, _IDLE_BYTES))


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
