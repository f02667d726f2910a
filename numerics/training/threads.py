"""The number of threads of a run: part of its settings, because it can change the last bits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits


@contextmanager
def compute_threads(count: int) -> Iterator[None]:
    """Compute with a fixed number of threads inside the block, and restore what was before.

    A sum that is split among threads is added up in another order, so the same seed gives the same
    bits only for the same number of threads. One is also the fastest for layers of some hundred
    neurons, and by far so on a busy machine.

    Parameters
    ----------
    count : int
        Threads of torch, and of the BLAS that the measurements use.

    Yields
    ------
    None
        Control.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with threadpool_limits(count):
            yield
    finally:
        torch.set_num_threads(before)
