"""A thread that measures beside the training: in order, in bounded memory, on its own stream."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from epsrank.theory.errors import InputError

# Bytes of copied features that may wait for the thread; a training that is faster waits, too.
_MOST_BYTES = 2**28


class Background:
    """Runs actions one after another in a thread; what they return is fetched when it is there.

    Only the thread touches what the actions touch, so nothing is locked. On CUDA it has a stream of
    its own, which waits for the training's stream where features were copied on that.
    """

    def __init__(self, device: torch.device | None = None) -> None:
        self._device = device
        self._stream: Any = None
        if device is not None:
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._actions: queue.SimpleQueue[tuple[Callable[[], None], int] | None] = (
            queue.SimpleQueue()
        )
        self._changed = threading.Condition()
        self._bytes = 0
        self._left = 0
        #: What was finished and not fetched, with the thread's seconds. Whoever asks at every step
        #: looks whether this is empty, and calls nothing; a deque needs no lock for that.
        self.done: deque[tuple[Any, float]] = deque()
        self._error: BaseException | None = None
        self._spent = 0.0
        # A daemon: a program that never calls `close` can end all the same.
        self._thread = threading.Thread(target=self._run, name="epsrank-monitor", daemon=True)
        self._thread.start()

    def consume(self, action: Callable[[Tensor], None], features: Tensor) -> None:
        """Copy features, and run ``action(copy)`` in the thread; wait while its queue is full."""
        size = features.numel() * features.element_size()
        # Before the copy is made, so that memory stays bounded.
        with self._changed:
            # Features larger than all the room go in alone.
            self._changed.wait_for(lambda: self._bytes == 0 or self._bytes + size <= _MOST_BYTES)
            self._bytes += size
        copy = features.detach().clone()
        ready = None
        if self._stream is not None and copy.is_cuda:
            ready = marker(copy)
            # Their memory is not given away before the thread's stream has read it.
            copy.record_stream(self._stream)

        def run() -> None:
            if ready is not None and self._stream is not None:
                self._stream.wait_event(ready)
            action(copy)

        self._put(run, size)

    def submit(self, action: Callable[[], None]) -> None:
        """Run an action in the thread; what it raises is a cause of the measurement under way."""
        self._put(action, 0)

    def finish(self, action: Callable[[BaseException | None, float], Any]) -> None:
        """Run ``action(error, seconds)`` in the thread, and keep what it returns for `fetch`.

        The error is the first since the last `finish`, and the seconds are those that the thread
        has worked since then, this action left out.
        """

        def run() -> None:
            error, spent = self._error, self._spent
            began = time.perf_counter()
            self._error, self._spent = None, 0.0
            found = action(error, spent)
            self.done.append((found, spent + time.perf_counter() - began))

        self._put(run, 0)

    def fetch(self, *, wait: bool = False) -> list[tuple[Any, float]]:
        """Return what was finished since the last call, in order, with the thread's seconds."""
        if wait:
            with self._changed:
                self._changed.wait_for(lambda: self._left == 0)
        return [self.done.popleft() for _ in range(len(self.done))]

    def close(self) -> None:
        """Let the thread finish its work, and end it."""
        self._actions.put(None)
        self._thread.join()

    def _put(self, action: Callable[[], None], size: int) -> None:
        with self._changed:
            self._left += 1
        self._actions.put((action, size))

    def _run(self) -> None:
        with ExitStack() as around:
            around.enter_context(torch.no_grad())
            if self._stream is not None:
                around.enter_context(torch.cuda.stream(self._stream))
            while (entry := self._actions.get()) is not None:
                self._one(*entry)
                entry = None  # lets go of the features

    def _one(self, action: Callable[[], None], size: int) -> None:
        began = time.perf_counter()
        try:
            action()
        except InputError:
            pass  # of one layer; the measurer has noted it
        except BaseException as error:
            self._error = self._error or error
        with self._changed:
            self._spent += time.perf_counter() - began
            self._bytes -= size
            self._left -= 1
            self._changed.notify_all()


def marker(tensor: Tensor) -> Any:
    """Return an event of the current stream of a CUDA tensor: what is queued there until now."""
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record(torch.cuda.current_stream(tensor.device))
    return event


def as_background(choice: object, model: nn.Module, grouped: bool) -> Background | None:
    """Return the thread that an argument asks for; ``"auto"`` takes one on a GPU or a free core."""
    # 1 == True, and is refused all the same.
    if choice not in (True, False, "auto") or not isinstance(choice, (bool, str)):
        raise InputError("background", f"is {choice!r}", "choose True, False or 'auto'")
    if choice is True and grouped:
        raise InputError(
            "background", "is True, but there is a process group", "leave one of them out"
        )
    device = next((p.device for p in model.parameters() if p.is_cuda), None)
    # In a group a measurement calls collective operations, which processes need in one order.
    if choice == "auto":
        choice = not grouped and (device is not None or _cores() > torch.get_num_threads())
    return Background(device) if choice else None


def _cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
