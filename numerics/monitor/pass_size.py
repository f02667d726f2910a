"""How many samples of a probe go through the model at once: as many as the caches hold."""

from __future__ import annotations

from collections.abc import Iterable

#: Rows per sample and neurons of a layer.
Shape = tuple[float, int]

#: Most and fewest samples of one pass whose size was not asked for.
MOST, LEAST = 1024, 16

# Bytes of the widest layer's features in one pass. On a CPU 4 MiB stay in the caches, and memory is
# used again and not asked for anew: convolutions on 1024 images at once take three times as long
# as on 64. A GPU wants large batches.
_CPU_BYTES = 2**22
_GPU_BYTES = 2**28

_FLOAT = 4


def pass_size(shapes: Iterable[Shape], *, on_cpu: bool) -> int:
    """Return the samples b of one forward pass:  b · max_l (rows_l · n_l) · 4 bytes ≤ 4 MiB.

    Parameters
    ----------
    shapes : iterable of (float, int)
        Rows per sample and neurons of every layer measured.
    on_cpu : bool
        False allows 256 MiB.

    Returns
    -------
    int
        A power of two from 16 to 1024.
    """
    widest = max((rows * n for rows, n in shapes), default=0.0)
    room = _CPU_BYTES if on_cpu else _GPU_BYTES
    size = MOST
    while size > LEAST and size * widest * _FLOAT > room:
        size //= 2
    return size
