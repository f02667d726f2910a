"""What a trial costs, estimated from its settings before it is run."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from epsrank.numerics.sweeps.settings import config_of
from epsrank.numerics.sweeps.trial import Trial
from epsrank.numerics.training.cost import Cost, loss_seconds, training_cost, weights_of
from epsrank.theory.errors import InputError


def trial_cost(trial: Trial) -> Cost:
    """Estimate a training, or landscapes around trainings; of other kinds nothing is known."""
    # Settings that are refused are refused when the trial is run.
    with contextlib.suppress(InputError, TypeError, KeyError):
        if trial.kind in ("train", "pretraining"):
            return training_cost(config_of(trial.settings))
        if trial.kind == "landscape":
            return _landscape_cost(trial.settings)
    return Cost()


# Of a landscape: checkpoints, sets of lines around each, points of a line, and planes.
_CHECKPOINTS, _SETS, _POINTS, _PLANES = 3, 2, 21, 3


def _landscape_cost(settings: Mapping[str, Any]) -> Cost:
    """Estimate trainings that differ in their initialisation, and losses on lines and planes."""
    config = config_of(dict(settings["train"]))
    one, arms = training_cost(config), len(settings["arms"])
    lines, side = max(0, settings["lines"]), max(0, settings["grid"])
    losses = _CHECKPOINTS * _SETS * _POINTS * lines + _PLANES * side**2
    return replace(
        one,
        seconds=arms * (one.seconds + losses * loss_seconds(config)),
        # All directions are drawn first; numbers of a plane are kept as Python's.
        memory=one.memory + 8.0 * _SETS * lines * weights_of(config) + 100.0 * side**2,
    )
