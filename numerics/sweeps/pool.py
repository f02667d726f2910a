"""Worker processes that may die: what they leave undone is done, and the one at fault is found."""

from __future__ import annotations

import os
import re
import signal
import warnings
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from typing import Any

from joblib.externals.loky.process_executor import BrokenProcessPool, ProcessPoolExecutor

from epsrank.numerics.sweeps.store import TrialStore
from epsrank.numerics.sweeps.trial import Outcome
from epsrank.numerics.sweeps.worker import Task, kept, killed, perform

# The libraries read these once, when they are loaded: workers have them from their start.
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
# Workers whose parent was killed finish their trial and end after so long without another.
_IDLE_SECONDS = 20


def run_in_workers(tasks: Iterable[Task], jobs: int) -> Iterator[Outcome]:
    """Compute trials in processes, each as soon as one is free.

    When a worker dies, all trials that were under way are repeated one at a time, each in a
    process of its own: the one whose process dies again failed.
    """
    waiting = deque(tasks)
    while waiting:
        suspects = yield from _until_a_worker_dies(waiting, min(jobs, len(waiting)))
        for task in suspects:
            # A worker that outlived the other may have finished and kept it.
            yield kept(task) or _alone(task)


def _until_a_worker_dies(waiting: deque[Task], jobs: int) -> Generator[Outcome, None, list[Task]]:
    """Take tasks from the queue and yield outcomes; return the tasks that a death cut off."""
    running: dict[Future[Outcome], Task] = {}
    with _workers(jobs) as pool:
        while waiting or running:
            broken = False
            while waiting and len(running) < jobs and not broken:
                try:
                    with _interrupts_held_back():
                        future = pool.submit(perform, waiting[0])
                    # Only what was handed over leaves the queue: a broken pool refuses tasks.
                    running[future] = waiting.popleft()
                except BrokenProcessPool:
                    broken = True
            finished = list(running) if broken else wait(running, return_when=FIRST_COMPLETED).done
            broken = broken or any(isinstance(f.exception(), BrokenProcessPool) for f in finished)
            if broken:  # then every future has its result or the news of the death
                wait(running)
            for future in [f for f in running if f.done()]:
                if not isinstance(future.exception(), BrokenProcessPool):
                    del running[future]
                    yield future.result()
            if broken:
                return list(running.values())
    return []


def _alone(task: Task) -> Outcome:
    """Compute a trial in a process of its own."""
    try:
        with _workers(1) as pool:
            with _interrupts_held_back():
                future: Future[Outcome] = pool.submit(perform, task)
            return future.result()
    except BrokenProcessPool as error:
        # loky gives the exit codes in its message alone, as in {SIGKILL(-9)}.
        found = re.search(r"\{([^{}]*)\}", str(error))
        outcome = kept(task) or killed(task.trial, found[1] if found else "")
    if task.folder is not None and outcome.status == "failed":
        TrialStore(task.folder).put(outcome)
    return outcome


def _leave_interrupts_to_the_parent() -> None:
    """Let Ctrl-C pass a worker by, also where the mask of its start does not hold it back."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


# Windows has no SIGKILL.
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


@contextmanager
def _workers(jobs: int) -> Iterator[Any]:
    """Open a pool of processes with one thread each; close it at once where something is raised."""
    pool = ProcessPoolExecutor(
        jobs, timeout=_IDLE_SECONDS, env=_ONE_THREAD, initializer=_leave_interrupts_to_the_parent
    )
    try:
        yield pool
    except BaseException:
        # All at the same moment: loky ends them one by one, and those that are left complain on
        # stderr of pipes that have lost their other end.
        for number in list(getattr(pool, "_processes", None) or ()):
            with suppress(OSError):
                os.kill(number, _KILL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # without pgrep, children of workers are not found
            pool.shutdown(kill_workers=True)
        raise
    pool.shutdown()


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach: this one decides what becomes of them."""
    # Windows has no masks; there the initialiser alone holds Ctrl-C off.
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Processes inherit the mask of the thread that starts them.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
