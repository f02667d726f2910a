"""The trial of kind ``train``: one training run, and its history as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from epsrank.numerics.named import is_name
from epsrank.numerics.sweeps.settings import config_of
from epsrank.numerics.training.loop import train
from epsrank.numerics.training.record import NUMBERS
from epsrank.numerics.training.run import Run
from epsrank.theory.strict_json import nulled

_COLUMNS = ("step", *NUMBERS, "reading", "chain")


def train_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train a network, and return its history: loss, floors and every layer's ε-ranks."""
    return history_of(train(config_of(settings)))


def _width(run: Run) -> int:
    """Return the neurons of the last hidden layer."""
    own = is_name(run.config.network) and run.records
    return run.records[-1].layers[-1].n_features if own else run.config.width


def history_of(run: Run) -> dict[str, Any]:
    """Return the history of a run as plain values."""
    config = run.config
    records = [record.to_json() for record in run.records]
    result: dict[str, Any] = {
        "status": run.status,
        "cause": run.cause,
        "task": run.task.name,
        "n_layers": run.n_layers,
        "n_features": _width(run),
    }
    result |= {name: [nulled(record[name]) for record in records] for name in _COLUMNS}
    result["floors"] = [[nulled(floor) for floor in record["floors"]] for record in records]
    for end in ("lower", "upper"):
        result[f"rank_{end}"] = {
            str(eps): [
                [layer["ranks"][index][end] for layer in record["layers"]] for record in records
            ]
            for index, eps in enumerate(config.eps)
        }
    # Here, while the checkpoints are there: the folder of a trial goes with it.
    if config.keep_features is not None:
        result["drops"] = [drop.to_json() for drop in run.drops()]
    return result
