"""A12: routes count the same features alike, and a wrong count is noted."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from epsrank.numerics.experiments.a12_cost import analyse, exponents, plan, rows_of
from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.trials.rank_cost import (
    ROUTES,
    cost_trial,
    layer_features,
    print_peak,
)
from epsrank.numerics.sweeps.execute import run_trials
from epsrank.numerics.sweeps.trial import Outcome, Trial
from tests.processes import Child


def outcomes(size="full", seconds=lambda n, samples: 1e-9 * n**2 * samples, count=7):
    return [
        Outcome(
            trial,
            "done",
            {
                "rank_lower": count if trial.settings["route"] == "singular values" else 7,
                "rank_upper": count if trial.settings["route"] == "singular values" else 7,
                "parameters": 10,
                "seconds_count": seconds(trial.settings["width"], trial.settings["samples"]),
                "seconds_step": 1e-3,
                "bytes_peak": 10**6,
            },
        )
        for trial in plan(Request(size=size))
    ]


def test_planted_exponents_are_found():
    found = exponents(rows_of(outcomes()))
    assert [entry["route"] for entry in found] == list(ROUTES)
    for entry in found:
        assert entry["exponent of the width"] == pytest.approx(2)
        assert entry["exponent of the samples"] == pytest.approx(1)


def measure_peak(settings):
    """The child whose memory is measured, with its settings on stdin."""
    sys.stdin = io.StringIO(settings)
    print_peak()


def forked(command, *, input, **more):
    """Run it in a process that has PyTorch; tests of workers start it anew."""
    assert "print_peak" in command[-1]
    code, printed = Child(measure_peak, input).ended()
    return SimpleNamespace(returncode=code, stdout=printed)


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_counts_the_same(route, monkeypatch):
    monkeypatch.setattr(subprocess, "run", forked)
    settings = {
        "route": route,
        "width": 24,
        "depth": 3,
        "inputs": 2,
        "samples": 300,
        "eps": 1e-6,
        "repeats": 1,
        "seed": 0,
    }
    result = cost_trial(settings)
    exact = np.linalg.svd(layer_features(24, 300, 2, 0), compute_uv=False) ** 2 / 300
    assert result["rank_lower"] == result["rank_upper"] == int((exact > 1e-6).sum())
    assert result["parameters"] == 2 * 24 + 24 + 2 * (24 * 24 + 24) + 24 + 1
    assert result["seconds_count"] > 0
    assert (sys.platform != "linux") == (result["bytes_peak"] is None)
    assert result["bytes_peak"] is None or result["bytes_peak"] >= 0


def assert_memory_is_measured_in_workers(count):
    trial = plan(Request())[0]
    small = {**trial.settings, "width": 8, "samples": 50, "repeats": 1}
    # More than one job: not in this process. One trial has one worker.
    trials = [Trial("cost", small | {"seed": seed}) for seed in range(count)]
    found = run_trials(trials, None, jobs=2)
    assert len(found) == count
    assert all(o.status == "done" for o in found)
    assert all((o.result["bytes_peak"] is None) == (sys.platform != "linux") for o in found)


def test_memory_is_measured_in_workers_too():
    assert_memory_is_measured_in_workers(1)


def test_a_wrong_count_is_noted():
    assert not analyse(outcomes()).notes
    notes = analyse(outcomes(count=8)).notes
    assert notes
    assert "count 8 where the certified rank is in [7, 7]" in notes[0]


def test_failures_and_figure(tmp_path):
    done = outcomes("quick")
    some = [replace(done[0], status="failed", result={}), *done[1:]]
    found = analyse(some)
    assert found.notes[0].startswith("1 of")
    found.pictures[0].draw().savefig(tmp_path / "cost.png")
    nothing = analyse([replace(o, status="failed", result={}) for o in done])
    assert not nothing.pictures
    assert nothing.tables[1].rows == []


def test_full_size_reaches_millions_of_parameters():
    widths = {trial.settings["width"] for trial in plan(Request(size="full"))}
    assert 2 * max(widths) ** 2 > 10**6
