"""Calls that worker processes can import."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path


class Odd(Exception):
    """An error that is pickled and cannot be made again."""

    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


def square(x, seconds=0.0):
    time.sleep(seconds)
    return x * x


def fail(odd=False):
    print("no message of the pool")  # would break it, on standard output
    raise Odd("one", "two") if odd else ValueError("unlucky")


def leave():
    raise SystemExit("by itself")


def secret():
    return lambda: None


def die(log):
    with Path(log).open("a") as file:
        file.write("x")
    os.kill(os.getpid(), signal.SIGKILL)


def threads_and_place():
    import tempfile

    return os.environ["OMP_NUM_THREADS"], tempfile.gettempdir(), os.getpid()


def start_another(log):
    """Start a program, as Coq is, and wait for it."""
    other = subprocess.Popen(["sleep", "60"])
    Path(log + ".part").write_text(f"{os.getpid()} {other.pid}")
    os.replace(log + ".part", log)
    other.wait()
