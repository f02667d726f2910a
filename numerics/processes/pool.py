"""The pool: calls in worker processes, results as they come, deaths without harm to others.

A worker is a plain Python process with pipes to this one: it needs no semaphores or files, takes no
part in this process's standard output, computes with one thread, and the kernel ends it when this
process ends. Its calls are module-level functions and partials of them, which pickle names.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from epsrank.numerics.processes.cores import workers_for
from epsrank.numerics.processes.messages import Answer, opened_answer, packed_call, receive, send
from epsrank.numerics.processes.scratch import scratch
from epsrank.numerics.processes.signals import Interrupts
from epsrank.numerics.processes.threads import ONE_THREAD
from epsrank.numerics.processes.worker import answer

# What a worker begins with: this process's path of imports, so that it finds the same modules.
_START = (
    "import sys; sys.path[:] = {path!r}; "
    "from epsrank.numerics.processes.worker import main; main({parent})"
)


@dataclass(frozen=True)
class Finished:
    """What became of a call."""

    #: Its place in the list.
    index: int
    #: What it returned.
    value: Any = None
    #: What it raised; its cause shows where in the worker.
    error: BaseException | None = None
    #: How the process died that carried it out, twice, the second time without neighbours.
    death: str | None = None
    #: Wall-clock seconds it took.
    seconds: float = 0.0


def carry_out(
    calls: Sequence[Callable[[], Any]], jobs: int | None = None
) -> Generator[Finished, None, None]:
    """Carry out calls, and yield what became of each as soon as it is known.

    There are as many processes as `jobs` says, but no more than calls or cores. One job is done in
    this process, in order. Whatever ends the loop early, an error of the caller's or Ctrl-C, kills
    the workers first. Where a worker dies its call is carried out again at the end, alone: it may
    have been out of memory for another's sake.
    """
    if not calls:
        return
    if jobs == 1:
        yield from map(_here, range(len(calls)), calls)
        return
    with scratch("workers") as folder, contextlib.closing(_Pool(folder)) as pool:
        suspects = []
        for found in pool.run(enumerate(calls), workers_for(jobs, len(calls))):
            if found.death is None:
                yield found
            else:
                suspects.append(found.index)
        for index in suspects:
            # By itself, and in a new process.
            pool.close()
            yield from pool.run([(index, calls[index])], 1)


def in_order(stream: Iterable[Finished]) -> Iterator[Finished]:
    """Yield what became of calls in their order, each as soon as those before it are known."""
    early: dict[int, Finished] = {}
    expected = 0
    for found in stream:
        early[found.index] = found
        while expected in early:
            yield early.pop(expected)
            expected += 1


def _here(index: int, call: Callable[[], Any]) -> Finished:
    """Carry out a call in this process."""
    try:
        found = answer(call)
    except Exception as error:
        return Finished(index, error=error)
    return Finished(index, found.value, seconds=found.seconds)


class _Worker:
    """A process, the call it is at, and the thread that waits for its answers."""

    def __init__(self, folder: Path, answers: queue.SimpleQueue[tuple[_Worker, Any]]) -> None:
        start = _START.format(path=sys.path, parent=os.getpid())
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
        places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), os.fspath(folder))
        self.index: int | None = None
        self.process = subprocess.Popen(
            [sys.executable, *flags, "-c", start],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **ONE_THREAD, **places},
            # A group of its own: Ctrl-C passes it by, and what it starts is killed with it.
            process_group=0 if os.name == "posix" else None,
        )
        self._reader = threading.Thread(target=self._read, args=(answers,), daemon=True)
        self._reader.start()

    def _read(self, answers: queue.SimpleQueue[tuple[_Worker, Any]]) -> None:
        stream = cast("BinaryIO", self.process.stdout)
        while (content := receive(stream)) is not None:
            answers.put((self, opened_answer(content)))
        answers.put((self, None))

    def hand_over(self, index: int, content: bytes) -> None:
        """Give it a call."""
        self.index = index
        # A worker that has died says so through its reader.
        with contextlib.suppress(OSError):
            send(cast("BinaryIO", self.process.stdin), content)

    def kill(self) -> None:
        """Kill it with all that it has started."""
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()

    def end(self) -> str:
        """Wait for its end, and say how it came."""
        code = self.process.wait()
        self._reader.join()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                cast("BinaryIO", stream).close()
        if code >= 0:
            return f"exit code {code}"
        try:
            return f"{signal.Signals(-code).name}({code})"
        except ValueError:
            return f"signal {-code}"


class _Pool:
    """Workers under way."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._workers: list[_Worker] = []
        self._answers: queue.SimpleQueue[tuple[_Worker, Answer | None]] = queue.SimpleQueue()

    def run(
        self, calls: Iterable[tuple[int, Callable[[], Any]]], size: int
    ) -> Generator[Finished, None, None]:
        """Carry out calls; a death is a result, and a new worker takes the place of the dead."""
        waiting = deque(calls)
        while waiting or any(worker.index is not None for worker in self._workers):
            yield from self._fill(waiting, size)
            busy = [worker for worker in self._workers if worker.index is not None]
            if not busy:
                continue
            worker, found = self._answers.get()
            if worker not in self._workers:
                continue  # the last word of one that was ended
            index, worker.index = worker.index, None
            if found is None:
                self._workers.remove(worker)
                # What it has started outlives it.
                worker.kill()
                how = worker.end()
                if index is not None:
                    yield Finished(index, death=how)
            elif index is not None:
                # Before the result is given out: no worker waits for the caller.
                early = list(self._fill(waiting, size))
                yield Finished(index, found.value, found.error, None, found.seconds)
                yield from early

    def _fill(
        self, waiting: deque[tuple[int, Callable[[], Any]]], size: int
    ) -> Generator[Finished, None, None]:
        """Give every free worker a call, and start workers up to the size."""
        while waiting:
            free = next((each for each in self._workers if each.index is None), None)
            if free is None and len(self._workers) >= size:
                return
            index, call = waiting.popleft()
            try:
                content = packed_call(call)
            except Exception as error:  # a local function, say
                yield Finished(index, error=error)
                continue
            if free is None:
                free = self._started()
            free.hand_over(index, content)

    def _started(self) -> _Worker:
        """Start a worker; a signal between its start and its entry in the list waits."""
        with Interrupts() as held:
            worker = _Worker(self._folder, self._answers)
            self._workers.append(worker)
        held.deliver()
        return worker

    def close(self) -> None:
        """End all workers: idle ones have nothing to lose, and nobody waits for others' results."""
        for worker in self._workers:
            worker.kill()
        while self._workers:
            self._workers.pop().end()
