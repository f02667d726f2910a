"""Sweeps over the user's own work: keys that follow the source, workers that compute with it."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from epsrank.numerics.results.of_sweep import results_of
from epsrank.numerics.sweeps import Sweep, Trial, TrialStore, run_trials
from epsrank.numerics.sweeps.worker import Task, perform
from epsrank.theory.errors import InputError

CODE = """
import numpy as np
from torch import nn
from own_helper_of_a_user import K

def chirp(x):
    return np.cos(K * x**2)
chirp.domain = (-1, 1)

def net(n_inputs, n_outputs, width):
    return nn.Sequential(nn.Linear(n_inputs, width), nn.SiLU(), nn.Linear(width, n_outputs))
"""
SPEC = """
seeds = 1
[fixed]
task = "own_sweep_of_a_user:chirp"
network = "own_sweep_of_a_user:net"
steps = 2
n_train = 12
device = "cpu"
[grid]
width = [3, 4]
"""
NAMES = ("own_sweep_of_a_user", "own_helper_of_a_user")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own_sweep_of_a_user.py").write_text(CODE)
    (tmp_path / "own_helper_of_a_user.py").write_text("K = 20\n")
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def test_keys_follow_the_source_and_nothing_else(here):
    first = Sweep.parse(SPEC).trials()
    assert [trial.settings["width"] for trial in first] == [3, 4]
    assert set(first[0].settings["sources"]) == {"task", "network"}
    helper = here / "own_helper_of_a_user.py"
    helper.write_text("K = 21\n")
    changed = Sweep.parse(SPEC).trials()
    assert not {trial.key for trial in first} & {trial.key for trial in changed}
    helper.write_text("K = 20\n")
    assert Sweep.parse(SPEC).trials() == first
    # The same files in another folder are the same trials.
    (here / "copy").mkdir()
    for name in NAMES:
        (here / "copy" / f"{name}.py").write_bytes((here / f"{name}.py").read_bytes())
    os.chdir(here / "copy")
    assert Sweep.parse(SPEC).trials() == first
    # What the suite has under its own names has the keys that it always had.
    assert "sources" not in Trial("train", {"task": "cosines", "activation": "softplus"}).settings


def test_files_are_known_by_their_content(here):
    np.save("x.npy", np.arange(12.0))
    np.save("y.npy", np.arange(12.0))
    settings = {"task": "data", "data": ["x.npy", "y.npy"], "width": 3, "depth": 1, "steps": 1}
    first = Trial("train", settings)
    os.rename("x.npy", "z.npy")
    os.rename("z.npy", "x.npy")
    assert Trial("train", settings).key == first.key
    np.save("y.npy", np.arange(12.0) ** 2)
    assert Trial("train", settings).key != first.key
    with pytest.raises(InputError, match=r"^data is .*none\.npy, which cannot be read"):
        Trial("train", {**settings, "data": ["none.npy", "y.npy"]})


def test_a_changed_source_is_computed_anew_and_an_old_one_never_for_it(here):
    store = TrialStore(here / "store")
    first = run_trials(Sweep.parse(SPEC).trials(), store, jobs=1)
    assert [outcome.status for outcome in first] == ["done", "done"]
    assert [outcome.result["n_features"] for outcome in first] == [3, 4]
    assert run_trials(Sweep.parse(SPEC).trials(), store, jobs=1) == first
    (here / "own_helper_of_a_user.py").write_text("K = 2\n")
    second = run_trials(Sweep.parse(SPEC).trials(), store, jobs=1)
    assert second[0].result["loss"] != first[0].result["loss"]
    assert len(store) == 4
    # Before and after are the same settings, and can be compared.
    before, after = (results_of(outcomes, "x") for outcomes in (first, second))
    assert [run.settings for run in before.runs] == [run.settings for run in after.runs]
    assert before.varied == ("width",)
    # A trial of the old source is not computed with the new one.
    [late] = run_trials([first[0].trial], None, jobs=1)
    assert late.status == "failed"
    assert "has another source here than when the trial was made" in str(late.cause)


def test_a_worker_elsewhere_looks_into_the_folder_of_the_call(here, monkeypatch):
    np.save("x.npy", np.arange(12.0))
    np.save("y.npy", np.arange(12.0))
    settings = {"task": "data", "data": ["x.npy", "y.npy"], "width": 3, "depth": 1, "steps": 1}
    tasks = [Task.of(trial, None) for trial in (*Sweep.parse(SPEC).trials()[:1],
                                                Trial("train", settings))]  # fmt: skip
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    for name in NAMES:
        monkeypatch.delitem(sys.modules, name)
    assert [perform(task).cause for task in tasks] == [None, None]
    lost = perform(replace(tasks[0], here=here / "nowhere"))
    assert lost.status == "done"  # imported by the trial before: the same source
    for name in NAMES:
        monkeypatch.delitem(sys.modules, name)
    assert "cannot be imported" in str(perform(replace(tasks[0], here=None)).cause)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("a_user:chirp", "a_user:none", r"line 4: task own_sweep_of_a_user has no none"),
        ("a_user:net", "a_user:none", r"line 5: network own_sweep_of_a_user has no none"),
        ("width = ", "depth = ", r"line 10: depth is 3, but .*:net has no parameter depth"),
        ("n_train = 12", 'activation = "softplu"', r"line 7: activation is 'softplu'"),
        ("n_train = 12", "domain = [1, 0]", r"line 7: domain is degenerate"),
        ("K * x**2", "K * x**2 / x[:-1]", r"line 4: task own_sweep_of_a_user:chirp failed on x"),
    ],
)
def test_mistakes_are_said_with_their_line_before_anything_runs(here, old, new, said):
    if old in CODE:
        (here / "own_sweep_of_a_user.py").write_text(CODE.replace(old, new))
    with pytest.raises(InputError, match=said) as caught:
        Sweep.parse(SPEC.replace(old, new))
    assert "\n" not in str(caught.value)
