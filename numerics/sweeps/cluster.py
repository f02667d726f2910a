"""Trials on a cluster: each a task of Dask or Ray, which know whose process died."""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from typing import Any, Protocol

from epsrank.numerics.sweeps.store import TrialStore
from epsrank.numerics.sweeps.trial import Outcome
from epsrank.numerics.sweeps.worker import Task, kept, killed, perform_once
from epsrank.theory.errors import InputError
from epsrank.theory.extras import remedy

BACKENDS = ("local", "ray", "dask")

# A worker that died takes up to a minute to start again on a machine with much to do.
_LOOK_SECONDS, _LOOKS = 30.0, 4


class Engine(Protocol):
    """What is asked of a cluster engine."""

    def start(self, task: Task) -> Any:
        """Hand a task over."""

    def any_of(self, handles: Sequence[Any]) -> Any:
        """Wait until a task is finished."""

    def outcome(self, handle: Any) -> Outcome | str:
        """Return what became of a finished task."""

    def cancel(self, handles: Sequence[Any]) -> None:
        """Stop tasks."""


def run_on_cluster(
    tasks: Sequence[Task], jobs: int | None, backend: str
) -> Generator[Outcome, None, None]:
    """Compute trials on a cluster.

    Dask finds its cluster by a ``distributed.Client`` of this process or the variable
    ``DASK_SCHEDULER_ADDRESS``, Ray by ``ray.init`` or ``RAY_ADDRESS``; where there is none, the
    engine starts one on this machine. What dies with a worker is tried once more, alone. The
    store's folder is best one that all machines see: then a trial is kept as soon as it is done.
    Where they do not, it is kept when its outcome arrives.
    """
    package = _package(backend)
    waiting, running = iter(tasks), {}
    suspects: list[Task] = []
    with ExitStack() as opened:
        try:
            engine: Engine = (_Dask if backend == "dask" else _Ray)(package, jobs, opened)
            try:
                # Without a number of jobs all are handed over: the cluster knows its size.
                for task in itertools.islice(waiting, jobs):
                    running[engine.start(task)] = task
                while running:
                    handle = engine.any_of(list(running))
                    found, task = engine.outcome(handle), running.pop(handle)
                    # Before the outcome is given out: no worker waits for the caller.
                    for following in itertools.islice(waiting, 1):
                        running[engine.start(following)] = following
                    if isinstance(found, str):  # perhaps only beside the one at fault
                        suspects.append(task)
                    else:
                        yield _kept_here(task, found)
                # One at a time: now whoever's worker dies has killed it.
                for task in suspects:
                    handle = engine.start(task)
                    # Cancelled below if the wait is interrupted.
                    running[handle] = task
                    yield _kept_here(task, engine.outcome(engine.any_of([handle])))
                    del running[handle]
            finally:
                engine.cancel(list(running))
        except InputError:
            raise
        except Exception as error:
            # Engines raise what they like, over several lines.
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise InputError(
                "backend",
                f"{backend!r} failed ({reason})",
                "see to the cluster and run it again; what was finished is kept",
            ) from None


def _package(backend: str) -> Any:
    """Return the package of an engine."""
    try:
        return import_module({"dask": "distributed", "ray": "ray"}[backend])
    except ImportError:
        raise InputError(
            "backend",
            f"is {backend!r}, which is not installed",
            f"run {remedy(backend)}, or take backend 'local'",
        ) from None


def _kept_here(task: Task, found: Outcome | str) -> Outcome:
    """Keep an outcome that the machine it comes from could not keep in the same folder."""
    if isinstance(found, str):
        done = kept(task)
        if done is not None:
            return done
        found = killed(task.trial, found)
    if task.folder is not None:
        store = TrialStore(task.folder)
        # In a folder that both machines see, it is there already.
        if store.get(task.trial) != found:
            store.put(found)
    return found


class _Dask:
    """Tasks as futures of a ``distributed.Client``."""

    def __init__(self, distributed: Any, jobs: int | None, opened: ExitStack) -> None:
        self._distributed = distributed
        self._without = 0  # looks in a row that found no worker
        with suppress(ValueError):
            self._client = distributed.get_client()
            return
        elsewhere = os.environ.get("DASK_SCHEDULER_ADDRESS")
        if elsewhere:
            self._client = opened.enter_context(distributed.Client())
            return
        # Dask takes a worker that is slow to start again for one that nobody wants, and closes it.
        patience = {"distributed.deploy.lost-worker-timeout": "1 hour"}
        opened.enter_context(import_module("dask").config.set(patience))
        # Threads of one process would share its number of threads.
        local = {"n_workers": jobs, "threads_per_worker": 1, "dashboard_address": None}
        self._client = opened.enter_context(distributed.Client(**local))

    def start(self, task: Task) -> Any:
        # A pure call would be named by its arguments, and Dask would give an earlier outcome again.
        return self._client.submit(perform_once, task, pure=False)

    def any_of(self, handles: Sequence[Any]) -> Any:
        while True:
            with suppress(TimeoutError):
                finished = self._distributed.wait(
                    handles, timeout=_LOOK_SECONDS, return_when="FIRST_COMPLETED"
                )
                break
            self._see_to_workers()
        done = finished.done
        # `done` is a set: the order of the tasks decides between several.
        return next(handle for handle in handles if handle in done)

    def _see_to_workers(self) -> None:
        """Say, or end the sweep, where there is nobody who could compute it."""
        self._without = 0 if self._client.nthreads() else self._without + 1
        if self._without < _LOOKS:
            return
        # Those of a scheduler elsewhere may come at any time; a cluster of this process has lost
        # its own for good.
        if self._client.cluster is not None:
            raise RuntimeError("all its workers are gone and were not started again")
        if self._without == _LOOKS:
            warnings.warn(
                "epsrank: the cluster has no workers; start some, the sweep waits", stacklevel=2
            )

    def outcome(self, handle: Any) -> Outcome | str:
        try:
            found: Outcome = handle.result()
        # Dask has tried it itself, on as many workers as it allows a task to kill.
        except self._distributed.KilledWorker:
            return "with several workers of Dask"
        return found

    def cancel(self, handles: Sequence[Any]) -> None:
        self._client.cancel(handles)


@contextmanager
def _named_token(address: str | None) -> Iterator[None]:
    """Say what an address without its token wants: Ray takes the token by itself for auto alone."""
    try:
        yield
    except ConnectionError as error:
        if address in {None, "auto"} or os.environ.get("RAY_AUTH_MODE"):
            raise
        raise InputError(
            "backend",
            f"'ray' found no cluster at RAY_ADDRESS={address} ({' '.join(str(error).split())})",
            "set RAY_ADDRESS=auto on a machine of the cluster; elsewhere copy its "
            "~/.ray/auth_token here and set RAY_AUTH_MODE=token",
        ) from None


class _Ray:
    """Tasks as references of Ray."""

    def __init__(self, ray: Any, jobs: int | None, opened: ExitStack) -> None:
        self._ray = ray
        if not ray.is_initialized():
            elsewhere = os.environ.get("RAY_ADDRESS")
            with _named_token(elsewhere):
                ray.init(**({} if elsewhere else {"num_cpus": jobs, "include_dashboard": False}))
            # Whoever had started Ray before keeps it.
            opened.callback(ray.shutdown)
        # Tried once: what kills its process would kill others as well.
        self._perform = ray.remote(num_cpus=1, max_retries=0)(perform_once)

    def start(self, task: Task) -> Any:
        return self._perform.remote(task)

    def any_of(self, handles: Sequence[Any]) -> Any:
        return self._ray.wait(handles, num_returns=1)[0][0]

    def outcome(self, handle: Any) -> Outcome | str:
        deaths = self._ray.exceptions
        try:
            found: Outcome = self._ray.get(handle)
        except (deaths.WorkerCrashedError, deaths.OutOfMemoryError, deaths.NodeDiedError) as error:
            return type(error).__name__
        except deaths.RayTaskError as error:
            raise error.cause from None  # what was raised there, without what Ray adds to it
        return found

    def cancel(self, handles: Sequence[Any]) -> None:
        for handle in handles:
            # Without force Ray raises KeyboardInterrupt in the worker, which a trial may catch.
            self._ray.cancel(handle, force=True)
