"""Threads of arithmetic: a fixed number, since last bits depend on it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from threadpoolctl import threadpool_limits

#: The libraries read these once, when they are loaded: workers have them from their start.
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)


@contextmanager
def compute_threads(count: int) -> Iterator[None]:
    """Compute with a fixed number of threads inside the block, and restore what was before.

    A sum that is split among threads is added up in another order, so the same seed gives the same
    bits only for the same number of threads. One is also the fastest for layers of some hundred
    neurons, and by far so on a busy machine.
    """
    import torch  # here: a worker whose tasks need no torch does not wait for it

    # PyTorch has a pool of its own; threadpoolctl sets those of the BLAS that NumPy and SciPy use.
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with threadpool_limits(count):
            yield
    finally:
        torch.set_num_threads(before)


def one_thread() -> AbstractContextManager[object]:
    """Compute with one thread, as tasks do that run side by side."""
    if "torch" not in sys.modules and os.environ.get("OMP_NUM_THREADS") == "1":
        limits: AbstractContextManager[object] = threadpool_limits(1)
        return limits  # and torch, if the task should import it, obeys the variable
    return compute_threads(1)
