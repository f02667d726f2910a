"""The settings of a training as a trial has them: plain values, and hashes of what they name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from epsrank.numerics.named import SOURCES, is_name
from epsrank.numerics.tasks.load import DATA
from epsrank.numerics.training.build import build_task
from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.sources import check_named, sources_of
from epsrank.theory.errors import InputError
from epsrank.theory.strict_json import canonical

# Settings that a task is made from, the seed aside.
_OF_A_TASK = (
    "task",
    "data",
    "domain",
    "target_columns",
    "input_columns",
    "n_train",
    "boundary_weight",
    "dtype",
)


def config_of(settings: Mapping[str, Any]) -> RunConfig:
    """Return the settings of a run, if what they name is what their hashes say."""
    known = [field.name for field in fields(RunConfig)]
    values = dict(settings)
    sources = values.pop(SOURCES, None)
    unknown = [name for name in values if name not in known]
    if unknown:
        raise InputError("settings", f"have unknown entries {', '.join(unknown)}", "drop them")
    # JSON has lists alone; RunConfig is frozen, and compared.
    if isinstance(values.get("eps"), list):
        values["eps"] = tuple(values["eps"])
    config = RunConfig(**values)
    now = sources_of(config) if sources is not None else None
    if now is not None and now != sources:
        changed = [name for name in now if now[name] != sources.get(name)]
        name = changed[0] if changed else SOURCES
        raise InputError(
            name,
            f"{values.get(name)} has another source here than when the trial was made",
            "make the same files known to all processes, and run it again",
        )
    return config


def check_own_work(config: RunConfig, tasks: set[str]) -> None:
    """Check what the settings of a run name, and make the user's task once, before anything runs.

    `tasks` holds the settings of those that were made, and is added to.
    """
    check_named(config)
    if not (is_name(config.task) or config.task == DATA):
        return
    settings = config.to_json()
    key = canonical({name: settings[name] for name in _OF_A_TASK})
    if key not in tasks:
        build_task(config)
        tasks.add(key)


def with_sources(settings: dict[str, Any]) -> dict[str, Any]:
    """Add the hashes of what settings name; stored ones have them already."""
    if SOURCES in settings:
        return settings
    config = config_of(settings)
    check_named(config)
    return {**settings, SOURCES: sources_of(config)}
