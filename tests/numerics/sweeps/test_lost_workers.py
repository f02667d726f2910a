"""A Dask cluster without workers: said where some may come, the end where none will."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from epsrank.numerics.sweeps import cluster


class Distributed:
    """What is asked of Dask, with a future that is done at the sixth look."""

    def __init__(self, own, workers):
        self.looks = 0
        self._client = SimpleNamespace(cluster=own, nthreads=lambda: workers)

    def get_client(self):
        return self._client

    def wait(self, handles, timeout, return_when):
        self.looks += 1
        if self.looks < 7:
            raise TimeoutError
        return SimpleNamespace(done=set(handles))


def test_workers_of_a_scheduler_elsewhere_are_waited_for():
    distributed = Distributed(None, {})
    with ExitStack() as opened, pytest.warns(UserWarning, match="has no workers; start some"):
        assert cluster._Dask(distributed, None, opened).any_of(["a"]) == "a"


def test_a_slow_run_is_no_lost_worker():
    distributed = Distributed(object(), {"worker": 1})
    with ExitStack() as opened, warnings.catch_warnings():
        assert cluster._Dask(distributed, None, opened).any_of(["a"]) == "a"


def test_a_cluster_of_this_process_that_lost_all_workers_ends_the_sweep():
    with ExitStack() as opened, pytest.raises(RuntimeError, match="all its workers are gone"):
        cluster._Dask(Distributed(object(), {}), None, opened).any_of(["a"])
