"""The trial of kind ``train``: one training run, and its history as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.loop import train
from epsrank.numerics.training.run import Run
from epsrank.theory.errors import InputError
from epsrank.theory.strict_json import nulled

_COLUMNS = (
    "step",
    "loss",
    "training_loss",
    "test_loss",
    "test_accuracy",
    "coefficient_norm",
    "reachable",
    "envelope",
    "reading",
    "chain",
)


def config_of(settings: Mapping[str, Any]) -> RunConfig:
    """Return the settings of a run."""
    known = [field.name for field in fields(RunConfig)]
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise InputError("settings", f"have unknown entries {', '.join(unknown)}", "drop them")
    values = dict(settings)
    # JSON has lists alone; RunConfig is frozen, and compared.
    if isinstance(values.get("eps"), list):
        values["eps"] = tuple(values["eps"])
    return RunConfig(**values)


def train_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train a network, and return its history: loss, floors and every layer's ε-ranks."""
    return history_of(train(config_of(settings)))


def history_of(run: Run) -> dict[str, Any]:
    """Return the history of a run as plain values."""
    config = run.config
    records = [record.to_json() for record in run.records]
    result: dict[str, Any] = {
        "status": run.status,
        "cause": run.cause,
        "task": run.task.name,
        "n_layers": run.n_layers,
        "n_features": config.width,
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
