"""A toy experiment: a coin per seed, judged by its mean; its trials cost nothing."""

from __future__ import annotations

import sys
from functools import partial
from types import ModuleType

import pytest

from epsrank.numerics.experiments.analysis import Analysis, Effect, Finding, Picture, Table
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.registry import EXPERIMENTS
from epsrank.numerics.sweeps.trial import TRIAL_KINDS, Trial
from epsrank.theory.statistics import median_interval


def toy_trial(settings):
    if settings.get("fail"):
        raise RuntimeError("the coin fell off the table")
    return {"value": settings["shift"] + 0.1 * (settings["seed"] % 3), "seconds": 0.5}


def _plan(shift, fail, request: Request):
    return [
        Trial("toy", {"seed": s, "shift": shift} | ({"fail": True} if fail else {}))
        for s in request.seed_range(6)
    ]


def _analyse(claim, outcomes):
    values = [o.result["value"] for o in outcomes if o.status == "done"]
    if not values:
        return Analysis((Finding(claim, "undecided", "nothing was measured"),))
    interval = median_interval(values)
    judged = "supported" if interval.low > 0 else "refuted" if interval.high < 0 else "undecided"

    def draw():
        from matplotlib.figure import Figure

        figure = Figure()
        figure.subplots().plot(values)
        return figure

    rows = [{"seed": o.settings["seed"], "value": o.result.get("value")} for o in outcomes]
    return Analysis(
        (Finding(claim, judged, f"median {interval}", (Effect("coin", interval),)),),
        (Table("coins", "One row per seed", rows),),
        (Picture("coins", "The coins", draw),),
    )


def make(name="Z1", shift=1.0, claim="depth-order", fail=False):
    # Partials of functions of this file, which other processes can import.
    plan, analyse = partial(_plan, shift, fail), partial(_analyse, claim)
    return Experiment(
        name, "A coin per seed", "ours", (claim,), plan, analyse, question="Is the coin fair?"
    )


@pytest.fixture
def toys(monkeypatch):
    """Register toy experiments: ``toys(Z1=1.0, Z2=-1.0)`` by their shift."""
    module = ModuleType("toy_experiments")
    module.toy_trial = toy_trial
    monkeypatch.setitem(sys.modules, "toy_experiments", module)
    monkeypatch.setitem(TRIAL_KINDS, "toy", "toy_experiments:toy_trial")

    def register(**shifts):
        for name, shift in shifts.items():
            setattr(module, name, make(name, shift))
            monkeypatch.setitem(EXPERIMENTS, name, f"toy_experiments:{name}")
        return module

    return register
