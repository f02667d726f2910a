"""Freed memory is kept: counted by page faults, in processes of their own."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from epsrank.numerics.processes.memory import keep_freed_memory

# 200 arrays of 1.6 MB, as the steps of 32 networks of width 50 allocate and free them.
PROGRAM = """
import resource, sys
import numpy as np
from epsrank.numerics.processes.memory import keep_freed_memory
if sys.argv[1] == "keep":
    print(keep_freed_memory())
def step():
    arrays = [np.full(204_800, float(i)) for i in range(4)]
    return sum(array[0] for array in arrays)
for _ in range(5):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(mode: str, **variables: str) -> list[str]:
    """Return what the program prints."""
    unset = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, mode],
        env=environment | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_no_page_is_given_back_and_fetched_again() -> None:
    done, count = faults("keep")
    assert done == "True"
    assert int(count) < 100
    # The check can fail: without it, every step fetches its 1600 pages anew.
    assert int(faults("leave")[0]) > 10 * max(int(count), 100)


def test_limits_that_the_user_has_set_stay() -> None:
    assert faults("keep", MALLOC_TRIM_THRESHOLD_="131072")[0] == "False"


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    assert keep_freed_memory.__wrapped__() is False
