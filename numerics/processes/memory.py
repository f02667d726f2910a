"""Freed memory is kept for the next allocation, since steps repeat theirs."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache

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
