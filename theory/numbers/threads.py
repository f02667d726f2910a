"""One BLAS thread for small matrices: a pool costs more than it gives there, and waits on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

#: Largest order of a matrix whose eigenvalues one thread computes as fast as several.
SMALL = 512

_lock = threading.Lock()
# Several threads of a caller may be inside at once: the first sets, the last one out restores.
_users = 0
_before: list[tuple[Any, int]] = []


@contextmanager
def blas_for(order: int) -> Iterator[None]:
    """Keep SciPy's and NumPy's BLAS to the calling thread while matrices are small.

    Their pool is not PyTorch's. After a product its threads stay awake for milliseconds, on the
    cores of the next training step; and on a busy machine every product of small matrices waits for
    a thread that has no core: eigenvalues of order 128 then take a hundred times as long. PyTorch's
    own threads are left alone, and every number of threads is as before afterwards.
    """
    global _users, _before
    if order > SMALL:
        yield
        return
    with _lock:
        _users += 1
        if _users == 1:
            _before = [(library, library.num_threads) for library in _libraries()]
            _before = [(library, threads) for library, threads in _before if threads != 1]
            for library, _ in _before:
                library.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                for library, threads in _before:
                    library.set_num_threads(threads)
                _before = []


@cache
def _libraries() -> tuple[Any, ...]:
    """Return the BLAS libraries of the process; looking for them takes milliseconds, so once."""
    import scipy.linalg  # noqa: F401  (loads its BLAS)

    return tuple(ThreadpoolController().select(user_api="blas").lib_controllers)
