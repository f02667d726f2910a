"""What a training asks of its process: signals held back, freed memory kept, some threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from epsrank.numerics.processes.memory import keep_freed_memory
from epsrank.numerics.processes.signals import Interrupts
from epsrank.numerics.processes.threads import compute_threads


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
