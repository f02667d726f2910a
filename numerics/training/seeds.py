"""Independent streams of random numbers from one seed; the global generator is never touched."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import torch


class Stream(IntEnum):
    """What a stream is for; the number is part of what a seed means, so it never changes."""

    WEIGHTS = 0
    STRUCTURED = 1
    ORDER = 2
    PROBE = 3
    TEST = 4
    STEP = 5


def generator(seed: int, stream: Stream, index: int = 0) -> torch.Generator:
    """Return the generator of one stream, on the CPU."""
    return torch.Generator().manual_seed(stream_seed(seed, stream, index))


def stream_seed(seed: int, stream: Stream, index: int = 0) -> int:
    """Return the seed of one stream."""
    # SeedSequence mixes, so that neighbouring seeds and epochs give unrelated numbers.
    mixed = np.random.SeedSequence([seed, int(stream), index]).generate_state(1, np.uint64)[0]
    return int(mixed) >> 1


def epoch_order(seed: int, n_samples: int, epoch: int) -> torch.Tensor:
    """Return the order of the samples in one epoch: a permutation drawn from (seed, epoch) alone.

    The data order is thus a pure function of the step, and a resumed run needs no generator state.
    """
    return torch.randperm(n_samples, generator=generator(seed, Stream.ORDER, epoch))
