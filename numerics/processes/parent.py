"""Processes that end with the one that started them, also where that is killed."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence

# From <linux/prctl.h>: the signal that the kernel sends when the parent ends. It outlives exec.
_PR_SET_PDEATHSIG = 1
# Elsewhere a thread looks so often whether the parent is another by now.
_LOOK_SECONDS = 1.0

# A program that is not ours cannot ask for the signal, so Python asks and then becomes it. The
# parent may be gone before: then the signal would never come.
_ASK_AND_BECOME = (
    "import ctypes, os, sys; "
    f"ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, {int(getattr(signal, 'SIGKILL', 9))}); "
    "os.getppid() == int(sys.argv[1]) or os._exit(1); "
    "os.execvp(sys.argv[2], sys.argv[2:])"
)


def ending_with_us(command: Sequence[str]) -> list[str]:
    """Return the command line of a program that the kernel kills when this process ends.

    Where only Linux can do that, the program runs as it is.
    """
    if not sys.platform.startswith("linux"):
        return list(command)
    return [sys.executable, "-I", "-S", "-c", _ASK_AND_BECOME, str(os.getpid()), *command]


def end_with(parent: int) -> None:
    """Let this process end when its parent does."""
    if sys.platform.startswith("linux"):
        # By the kernel: a thread of Python's waits as long as a C library keeps the interpreter.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent and os.name == "posix":
        os._exit(1)
    if os.name == "posix" and not sys.platform.startswith("linux"):
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    """End when the parent has: an orphan is handed to another process."""
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)
