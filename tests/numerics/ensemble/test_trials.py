"""Trials carried out many at once: the same results, under a name that says how."""

from __future__ import annotations

import pytest

from epsrank.numerics.ensemble import trials as batched
from epsrank.numerics.ensemble.trials import (
    plan_batches,
    run_train_trials_batched,
    stored_runs,
    train_many_trial,
)
from epsrank.numerics.sweeps.execute import run_trials
from epsrank.numerics.sweeps.store import TrialStore
from epsrank.numerics.sweeps.trial import Trial
from epsrank.theory.errors import InputError

BASE = {"width": 6, "depth": 1, "steps": 4, "n_train": 20, "measure_every": 2, "device": "cpu"}


def trial(**changes):
    return Trial("train", BASE | changes)


TRIALS = [
    trial(seed=0),
    trial(seed=1, learning_rate=0.01),
    trial(optimizer="lbfgs"),
    trial(width="x"),
    trial(seed=0),
    trial(seed=2),
]


def close(a, b):
    """The same JSON up to the rounding of its numbers."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(close(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(close, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= 1e-9 * max(abs(a), abs(b)) + 1e-15
    return a == b


def test_results_are_those_of_single_trials(tmp_path):
    store = TrialStore(tmp_path)
    together = run_train_trials_batched(TRIALS, store, jobs=1)
    apart = run_trials(TRIALS, None, jobs=1)
    for mine, theirs in zip(together, apart, strict=True):
        assert mine.trial == theirs.trial
        assert (mine.status, mine.cause) == (theirs.status, theirs.cause)
        assert close(dict(mine.result), dict(theirs.result))
    assert [outcome.status for outcome in together].count("failed") == 1
    # Nothing is computed again, and nothing passes for a run that was trained alone.
    again = run_train_trials_batched(TRIALS, store, jobs=1)
    assert again == together
    assert store.get(TRIALS[0]) is None
    assert store.get(TRIALS[2]) is not None


def test_what_is_stored_is_found_run_by_run(tmp_path, monkeypatch):
    store = TrialStore(tmp_path)
    assert stored_runs(TRIALS, store) == [None] * len(TRIALS)
    first = run_train_trials_batched(TRIALS[:2], store, jobs=1)
    # Another list is another program: nothing of it is there yet.
    assert stored_runs(TRIALS[:2], store) == first
    assert stored_runs(TRIALS, store) == [None] * len(TRIALS)
    done = run_train_trials_batched(TRIALS, store, jobs=1)
    assert stored_runs(TRIALS, store) == done


def test_a_failed_program_leaves_what_its_runs_left(tmp_path, monkeypatch):
    def no(configs):
        raise MemoryError("too many")

    store, pair = TrialStore(tmp_path), [trial(seed=0), trial(seed=1)]
    monkeypatch.setattr(batched, "train_many", no)
    done = run_train_trials_batched(pair, store, jobs=1)
    assert [outcome.status for outcome in done] == ["done", "done"]
    assert stored_runs(pair, store) == done
    store.path(pair[1]).unlink()
    assert stored_runs(pair, store) == [done[0], None]


def test_the_plan_is_a_function_of_the_list():
    plan = plan_batches(TRIALS, at_most=2)
    assert [len(batch.members) for batch in plan] == [2, 1, 1, 1]
    assert plan == plan_batches(TRIALS, at_most=2)
    assert plan[0].trial.settings["runs"] == [dict(TRIALS[0].settings), dict(TRIALS[1].settings)]
    assert plan[0].trial.key != plan_batches(TRIALS[::-1], at_most=2)[0].trial.key
    assert sorted(t.key for batch in plan for t in batch.members) == sorted({t.key for t in TRIALS})


def test_other_versions_have_other_names():
    old = plan_batches([trial(seed=0), trial(seed=1)])[0].trial
    settings = BASE | {"seed": 0}
    new = plan_batches([Trial("train", settings, version=2), trial(seed=1)])[0].trial
    assert old.key != new.key


def test_one_bad_run_costs_no_other_its_outcome(monkeypatch):
    right = batched.train_many

    def fragile(configs):
        if any(config.seed == 1 for config in configs):
            raise MemoryError("too many")
        return right(configs)

    monkeypatch.setattr(batched, "train_many", fragile)
    outcomes = run_train_trials_batched([trial(seed=0), trial(seed=1)], None, jobs=1)
    assert [outcome.status for outcome in outcomes] == ["done", "done"]


def test_swapped_results_are_caught(monkeypatch):
    right = batched.train_many
    monkeypatch.setattr(batched, "train_many", lambda configs: right(configs)[::-1])
    list_ = [trial(seed=0), trial(seed=1)]
    together = run_train_trials_batched(list_, None, jobs=1)
    apart = run_trials(list_, None, jobs=1)
    assert not any(
        close(dict(a.result), dict(b.result)) for a, b in zip(together, apart, strict=True)
    )


@pytest.mark.parametrize("settings", [{}, {"runs": 3}, {"runs": [], "more": 1}, {"runs": []}])
def test_settings_that_are_no_list_of_runs_are_refused(settings):
    with pytest.raises(InputError):
        train_many_trial(settings)
