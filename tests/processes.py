"""Processes of a test's own, forked: they have PyTorch already, whose import takes seconds."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch


class Child:
    """A function under way in another process; what it prints is kept."""

    def __init__(self, function: Callable[..., None], *arguments: Any) -> None:
        # Neither Windows nor the threads that a GPU brings can fork.
        possible = hasattr(os, "fork") and not torch.cuda.is_available()
        context: Any = multiprocessing.get_context("fork" if possible else "spawn")
        number, name = tempfile.mkstemp()
        os.close(number)
        self._output = Path(name)
        self._process: BaseProcess = context.Process(
            target=_redirected, args=(name, function, arguments)
        )
        with warnings.catch_warnings():
            # Python 3.12 warns of threads: those of pytest-xdist, which wait for messages.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()

    def send(self, number: int) -> None:
        """Send a signal."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def ended(self, seconds: float = 120) -> tuple[int, str]:
        """Wait for the end; return the exit code, −N after signal N, and what was printed."""
        self._process.join(seconds)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        code, output = self._process.exitcode, self._output.read_text(encoding="utf-8")
        self._output.unlink()
        assert code is not None
        return code, output


def run_all(function: Callable[..., None], *calls: tuple[Any, ...]) -> None:
    """Call a function in as many processes at the same time, and see that all of them end well."""
    children = [Child(function, *arguments) for arguments in calls]
    ends = [child.ended() for child in children]
    assert [code for code, _ in ends] == [0] * len(calls), "\n".join(output for _, output in ends)


def _redirected(name: str, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    with open(name, "w", encoding="utf-8", buffering=1) as stream:
        for number in (1, 2):
            os.dup2(stream.fileno(), number)
        sys.stdout = sys.stderr = stream
        try:
            function(*arguments)
        except SystemExit as done:
            os._exit(done.code if isinstance(done.code, int) else 1)
        except BaseException:
            # While the stream is open.
            sys.excepthook(*sys.exc_info())
            os._exit(1)
