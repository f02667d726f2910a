"""Trials on a cluster that exists: the engines of Dask and Ray, through joblib."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

import joblib

from numerics.sweeps.store import TrialStore
from numerics.sweeps.trial import Outcome
from numerics.sweeps.worker import Task, perform
from theory.errors import InputError

BACKENDS = ("local", "ray", "dask")


def prepare_engine(backend: str, jobs: int) -> None:
    """Connect with the cluster that the engine is told about, or start one on this machine.

    Parameters
    ----------
    backend : {"ray", "dask"}
        The engine. Dask finds its cluster by a ``distributed.Client`` of this process or the
        variable ``DASK_SCHEDULER_ADDRESS``, Ray by ``ray.init`` or ``RAY_ADDRESS``.
    jobs : int
        Trials at a time, where a cluster is started.

    Raises
    ------
    InputError
        If the engine is not installed, or its cluster does not answer.
    """
    package = {"dask": "distributed", "ray": "ray.util.joblib"}[backend]
    try:
        engine = import_module(package)
    except ImportError:
        raise InputError(
            "backend",
            f"is {backend!r}, which is not installed",
            f"run pip install 'epsrank[{backend}]', or take backend 'local'",
        ) from None
    try:
        if backend == "ray":
            engine.register_ray()
        else:
            _dask_client(engine, jobs)
    except (OSError, ValueError, RuntimeError) as error:  # TimeoutError is an OSError
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            "backend", f"{backend!r} finds no cluster ({reason})", "check its address"
        ) from None


def _dask_client(distributed: Any, jobs: int) -> None:
    """Make a client the current one, with one trial at a time per worker where it starts them."""
    try:
        distributed.get_client()
    except ValueError:
        if os.environ.get("DASK_SCHEDULER_ADDRESS"):
            distributed.Client()
        else:
            distributed.Client(n_workers=jobs, threads_per_worker=1, dashboard_address=None)


def run_on_cluster(tasks: Iterable[Task], jobs: int, backend: str) -> Iterator[Outcome]:
    """Compute trials on a cluster.

    The store's folder is best one that all machines see: then a trial is kept as soon as it is
    done. Where they do not, it is kept when its outcome arrives here.

    Parameters
    ----------
    tasks : iterable of Task
        The trials.
    jobs : int
        Trials at a time.
    backend : {"ray", "dask"}
        The engine, prepared.

    Yields
    ------
    Outcome
        One per task, as they arrive.
    """
    tasks = list(tasks)
    with joblib.parallel_config(backend=backend):
        parallel = joblib.Parallel(n_jobs=jobs, batch_size=1, return_as="list")
        outcomes = parallel(joblib.delayed(perform)(task) for task in tasks)
    for task, outcome in zip(tasks, outcomes, strict=True):
        if task.folder is not None:
            store = TrialStore(task.folder)
            if store.get(task.trial) is None:
                store.put(outcome)
        yield outcome
