"""Sweeps on Dask and on Ray, each with a cluster of two workers on this machine."""

from __future__ import annotations

import importlib
import os
import warnings
from pathlib import Path
from typing import Any

import pytest

from epsrank.numerics.sweeps import TRIAL_KINDS, Trial, TrialStore, run_trials, was_killed

HERE = Path(__file__).parents[1] / "numerics" / "sweeps"


@pytest.fixture
def kinds(monkeypatch):
    """Kinds of trials that the workers can import."""
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("PYTHONPATH", f"{HERE}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    import sweep_kinds

    for kind, place in sweep_kinds.KINDS.items():
        monkeypatch.setitem(TRIAL_KINDS, kind, place)
    return sweep_kinds


@pytest.fixture(params=["dask", "ray"])
def cluster(request: pytest.FixtureRequest, kinds: Any):
    """The name of an engine whose cluster runs."""
    # What the engines warn of is theirs.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if request.param == "dask":
            distributed = pytest.importorskip("distributed", reason="needs epsrank[dask]")
            options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
            # On a machine with much to do a killed worker takes longer than the usual 15 seconds
            # to start again, and Dask closes it then.
            patience = {"distributed.deploy.lost-worker-timeout": "10 minutes"}
            with (
                importlib.import_module("dask").config.set(patience),
                distributed.Client(**options),
            ):
                yield "dask"
        else:
            ray = pytest.importorskip("ray", reason="needs epsrank[ray]")
            ray.init(num_cpus=2, include_dashboard=False, logging_level="error")
            yield "ray"
            ray.shutdown()


def test_a_sweep_on_a_cluster(cluster, kinds, tmp_path):
    log, store = str(tmp_path / "log"), TrialStore(tmp_path / "store")
    trials = [Trial("square", {"x": x, "log": log}) for x in (0, 1, 2, 3, 2)]
    trials[1] = Trial("square", {"x": 1, "log": log, "end": "raise"})
    killer = Trial("square", {"x": 9, "log": log, "end": "kill"})
    outcomes = run_trials([*trials, killer], store, jobs=2, backend=cluster)
    assert [outcome.result.get("y") for outcome in outcomes] == [0, None, 4, 9, 4, None]
    assert outcomes[1].cause == "RuntimeError: two lines"
    assert was_killed(outcomes[5])
    # A trial that an engine repeats may be kept with the seconds of another attempt.
    kept = [store.get(outcome.trial) for outcome in outcomes]
    assert [(entry.status, entry.result, entry.cause) for entry in kept] == [
        (entry.status, entry.result, entry.cause) for entry in outcomes
    ]
    calls = [x for x in kinds.calls(log) if x != 9]
    assert set(calls) == {0, 1, 2, 3}
    again = run_trials(trials, store, jobs=2, backend=cluster)
    assert [entry.result for entry in again] == [entry.result for entry in outcomes[:5]]
    assert [x for x in kinds.calls(log) if x != 9] == calls


def test_the_same_bits_as_on_one_machine(cluster, kinds):
    trial = Trial("vector", {"seed": 0})
    (here,) = run_trials([trial], None, jobs=1)
    (there,) = run_trials([trial], None, backend=cluster)
    assert there.result == here.result
    assert there.result["threads"] == 1


def test_a_store_that_workers_cannot_write_is_told_in_one_line(cluster, kinds, tmp_path):
    from epsrank.theory.errors import InputError

    store = TrialStore(tmp_path / "store")
    store.folder.mkdir()
    trial = Trial("square", {"x": 1})
    (store.folder / trial.key[:2]).write_text("in the way")
    with pytest.raises(InputError, match=r"^store cannot be written") as told:
        run_trials([trial], store, jobs=2, backend=cluster)
    assert "\n" not in str(told.value)
