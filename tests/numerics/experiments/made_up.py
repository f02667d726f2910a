"""Outcomes that were never run: histories with planted ranks and losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from epsrank.numerics.sweeps.trial import Outcome, Trial


def failed(trial: Trial, cause: str = "InputError: planted") -> Outcome:
    return Outcome(trial, "failed", cause=cause)


def history(
    trial: Trial,
    ranks: Any,
    losses: Sequence[float],
    *,
    steps: Sequence[int] | None = None,
    status: str = "complete",
    eps: Sequence[float] | None = None,
    blur: int = 0,
) -> Outcome:
    """Return a training whose layers have the given ranks (measurements × layers) at every ε.

    `blur` widens the interval of every rank at both ends.
    """
    table = np.asarray(ranks, dtype=int)
    times = list(range(len(losses))) if steps is None else list(steps)
    thresholds = list(eps or trial.settings.get("eps", [1e-6]))
    empty = [None] * len(times)
    return Outcome(
        trial,
        "done",
        {
            "status": status,
            "cause": "all steps done" if status == "complete" else "the loss is inf",
            "task": trial.settings["task"],
            "n_layers": table.shape[1],
            "n_features": trial.settings.get("width", 50),
            "step": times,
            "loss": list(losses),
            "training_loss": list(losses),
            "test_loss": list(losses),
            "test_accuracy": empty,
            "coefficient_norm": [1.0] * len(times),
            "reachable": [loss / 2 for loss in losses],
            "envelope": [loss / 3 for loss in losses],
            "reading": empty,
            "chain": empty,
            "floors": [[loss / 4] * len(thresholds) for loss in losses],
            "rank_lower": {str(e): np.maximum(table - blur, 0).tolist() for e in thresholds},
            "rank_upper": {str(e): (table + blur).tolist() for e in thresholds},
        },
    )
