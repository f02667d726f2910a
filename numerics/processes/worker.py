"""A worker process: it answers the calls that come by its standard input, until that ends."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from epsrank.numerics.processes.messages import (
    Answer,
    packed_answer,
    receive,
    send,
    trace_of,
)
from epsrank.numerics.processes.parent import end_with
from epsrank.numerics.processes.threads import one_thread


def answer(call: Callable[[], Any]) -> Answer:
    """Carry out a call with one thread: nothing depends on how many run side by side."""
    start = time.perf_counter()
    with one_thread():
        value = call()
    return Answer(value, seconds=time.perf_counter() - start)


def _answered(content: bytes) -> Answer:
    """Carry out a call that came as bytes; whatever it raises is an answer."""
    start = time.perf_counter()
    try:
        call = pickle.loads(content)
        return answer(call)
    # SystemExit and KeyboardInterrupt, too: a library that exits ends its task alone.
    except BaseException as error:
        return Answer(None, error, trace_of(error), time.perf_counter() - start)


def main(parent: int) -> None:
    """Answer calls until the parent closes its end."""
    end_with(parent)
    # Ctrl-C is the parent's to answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    calls, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # From here on, what a task reads is empty, and what it prints is no message.
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    while (content := receive(calls)) is not None:
        send(answers, packed_answer(_answered(content)))
    # Threads that a library has left running hold nobody up.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
