"""Trials in workers: each once, failures with their cause, deaths without harm to others."""

from __future__ import annotations

import signal
import threading
from types import ModuleType

import pyarrow as pa
import pytest

from epsrank.numerics.sweeps import Outcome, Trial, TrialStore, run_trials, was_killed
from epsrank.theory.errors import InputError


@pytest.fixture
def log(tmp_path):
    return str(tmp_path / "log")


@pytest.fixture
def store(tmp_path):
    return TrialStore(tmp_path / "store")


def squares(log, *xs, **settings):
    return [Trial("square", {"x": x, "log": log, **settings}) for x in xs]


def results(outcomes):
    return [outcome.result.get("y") for outcome in outcomes]


def steady(table: pa.Table) -> pa.Table:
    """Return a table without what differs from run to run."""
    return table.drop_columns(["seconds"])


@pytest.mark.parametrize("jobs", [1, 2])
def test_outcomes_in_order_each_computed_once(kinds, store, log, jobs):
    trials = squares(log, 3, 1, 2, 1, 3)
    outcomes = run_trials(trials, store, jobs=jobs)
    assert [outcome.trial for outcome in outcomes] == trials
    assert results(outcomes) == [9, 1, 4, 1, 9]
    assert sorted(kinds.calls(log)) == [1, 2, 3]
    # What was computed is what the store gives back, in types as well.
    assert outcomes[0].result == {"y": 9, "pair": [1, 2], "nested": {"z": 0.5}}
    assert outcomes == [store.get(trial) for trial in trials]
    again = run_trials(trials, store, jobs=jobs)
    assert again == outcomes
    assert sorted(kinds.calls(log)) == [1, 2, 3]
    run_trials(squares(log, 1, 2, 3, 4), store, jobs=1)
    assert sorted(kinds.calls(log)) == [1, 2, 3, 4]


def test_without_a_store_nothing_is_kept(kinds, log, tmp_path):
    for _ in range(2):
        assert results(run_trials(squares(log, 2, 2), None, jobs=1)) == [4, 4]
    assert kinds.calls(log) == [2, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_no_trials():
    assert run_trials([], None) == []


@pytest.mark.parametrize(
    ("end", "cause"),
    [
        ("raise", "RuntimeError: two lines"),
        ("refuse", "x is unlucky; take another"),
        ("exit", "SystemExit: by itself"),
        ("nan", "ValueError: the result['y'] is not finite; None stands for it"),
        ("object", "ValueError: Object of type object is not JSON serializable"),
        ("list", "returned list instead of a mapping"),
    ],
)
def test_a_failure_is_recorded_with_its_cause_and_the_rest_goes_on(kinds, store, log, end, cause):
    trials = [*squares(log, 1), *squares(log, 2, end=end), *squares(log, 3)]
    first, failed, last = run_trials(trials, store, jobs=1)
    assert results([first, last]) == [1, 9]
    assert (failed.status, failed.cause, dict(failed.result)) == ("failed", cause, {})
    assert not was_killed(failed)
    assert store.get(failed.trial) == failed
    run_trials(trials, store, jobs=1)
    assert kinds.calls(log) == [1, 2, 3]
    run_trials(trials, store, jobs=1, retry_failed=True)
    assert kinds.calls(log) == [1, 2, 3, 2]


def test_a_kind_whose_function_is_gone_fails(kinds, monkeypatch):
    from epsrank.numerics.sweeps import TRIAL_KINDS

    monkeypatch.setitem(TRIAL_KINDS, "square", "sweep_kinds:cube")
    (outcome,) = run_trials([Trial("square", {"x": 1})], None, jobs=1)
    assert outcome.cause.startswith("AttributeError")


def test_a_worker_that_kills_itself_is_found_and_the_rest_goes_on(kinds, store, log):
    innocent = squares(log, *range(6), seconds=0.01)
    culprit = squares(log, 7, end="kill")
    outcomes = run_trials([*innocent[:3], *culprit, *innocent[3:]], store, jobs=2)
    assert [entry.status for entry in outcomes] == ["done"] * 3 + ["failed"] + ["done"] * 3
    assert outcomes[3].cause.startswith("the process that computed it died (SIGKILL(-9))")
    assert was_killed(outcomes[3])
    assert [store.get(entry.trial) for entry in outcomes] == outcomes
    # Only it and what was under way beside it are computed again.
    assert kinds.calls(log).count(7) == 2
    assert len(kinds.calls(log)) <= 6 + 2 + 2


def test_a_worker_that_dies_in_company_only_is_not_at_fault(kinds, store, log):
    trials = squares(log, 5, end="kill unless alone") + squares(log, 1)
    outcomes = run_trials(trials, store, jobs=2)
    assert results(outcomes) == [25, 1]


def test_a_killed_trial_is_tried_again_by_itself(kinds, store, log):
    (trial,) = squares(log, 4)
    store.put(Outcome(trial, "failed", {}, "the process that computed it died (SIGKILL(-9))"))
    assert results(run_trials([trial], store, jobs=1)) == [16]


def test_one_thread_in_workers_and_here_and_the_same_bits(kinds):
    trial = Trial("vector", {"seed": 0})
    (here,) = run_trials([trial], None, jobs=1)
    (there,) = run_trials([trial], None, jobs=2)
    assert here.result["threads"] == there.result["threads"] == 1
    assert here.result == there.result


def test_the_same_trials_give_the_same_table(tmp_path):
    settings = {"task": "cosines", "width": 4, "depth": 1, "steps": 3, "n_train": 20}
    trials = [Trial("train", {**settings, "seed": seed}) for seed in range(2)]
    tables = []
    for name in "ab":
        store = TrialStore(tmp_path / name)
        run_trials(trials, store, jobs=1)
        tables.append(steady(store.table()))
    assert tables[0] == tables[1]
    assert tables[0].column("status").to_pylist() == ["done", "done"]


def test_progress(kinds, store, log):
    run_trials(squares(log, 1), store, jobs=1)
    seen = []
    trials = squares(log, 1, 2, 2) + squares(log, 3, end="raise")
    run_trials(trials, store, jobs=1, progress=lambda *state: seen.append(state))
    assert seen == [(1, 3, ""), (2, 3, ""), (3, 3, "failed: RuntimeError: two lines")]


def test_an_interrupt_keeps_what_is_finished(kinds, store, log):
    trials = squares(log, 1, 2) + squares(log, 3, end="interrupt") + squares(log, 4)
    with pytest.raises(KeyboardInterrupt):
        run_trials(trials, store, jobs=1)
    assert sorted(entry.settings["x"] for entry in store.outcomes()) == [1, 2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_stop_the_workers_and_keep_what_is_finished(kinds, store, log, number):
    before = signal.getsignal(signal.SIGTERM)

    def interrupt(done, total, text):
        if done == 2:
            signal.raise_signal(number)

    with pytest.raises(KeyboardInterrupt):
        run_trials(
            squares(log, 1, 2, 3) + squares(log, 4, seconds=60), store, jobs=2, progress=interrupt
        )
    assert {1, 2} & {entry.settings["x"] for entry in store.outcomes()}
    assert 4 not in {entry.settings["x"] for entry in store.outcomes()}
    assert signal.getsignal(signal.SIGTERM) is before
    assert not [thread for thread in threading.enumerate() if "Executor" in thread.name]


def test_a_store_that_cannot_be_written_stops_before_anything_is_computed(kinds, tmp_path, log):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"^store cannot be written"):
        run_trials(squares(log, 1), TrialStore(tmp_path / "file" / "store"), jobs=1)
    assert kinds.calls(log) == []


def test_a_store_that_fills_up_stops_the_sweep_and_is_no_failure_of_a_trial(
    kinds, store, log, monkeypatch
):
    def full(self, outcome):
        raise InputError("store", "cannot be written (No space left on device)", "make room")

    monkeypatch.setattr(TrialStore, "put", full)
    with pytest.raises(InputError, match=r"^store cannot be written"):
        run_trials(squares(log, 1, 2), store, jobs=1)
    assert kinds.calls(log) == [1]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"jobs": 0}, "jobs is 0"),
        ({"jobs": True}, "jobs is True"),
        ({"jobs": 1.5}, "jobs is 1.5"),
        ({"backend": "slurm"}, "backend is 'slurm'; choose one of local, ray, dask"),
    ],
)
def test_options_that_cannot_be_used(options, problem):
    with pytest.raises(InputError, match=problem):
        run_trials([], None, **options)


@pytest.mark.parametrize(("backend", "package"), [("dask", "distributed"), ("ray", "ray")])
def test_an_engine_that_is_not_installed(kinds, monkeypatch, backend, package):
    monkeypatch.setitem(kinds.sys.modules, package, None)
    with pytest.raises(InputError, match=rf"not installed; run pip install 'epsrank\[{backend}\]'"):
        run_trials([Trial("square", {"x": 1})], None, backend=backend)


@pytest.mark.parametrize(
    ("address", "mode", "said"),
    [
        ("10.0.0.1:6379", "", r"no cluster at RAY_ADDRESS=10.0.0.1:6379 .*; .*auth_token"),
        ("10.0.0.1:6379", "token", r"'ray' failed \(ConnectionError: refused"),
        ("auto", "", r"'ray' failed \(ConnectionError: refused"),
    ],
)
def test_an_address_of_ray_without_its_token(kinds, monkeypatch, address, mode, said):
    ray = ModuleType("ray")
    ray.is_initialized = lambda: False

    def init(**options):
        raise ConnectionError("refused\nover two lines")

    ray.init = init
    monkeypatch.setitem(kinds.sys.modules, "ray", ray)
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    with pytest.raises(InputError, match=said) as caught:
        run_trials([Trial("square", {"x": 1})], None, backend="ray")
    assert "\n" not in str(caught.value)
