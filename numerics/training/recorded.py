"""Runs that were recorded from a loop of the user's: their settings, and the samples measured."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from epsrank.numerics.manifest import Manifest
from epsrank.numerics.tasks import Task
from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.tensors import read_tensors, write_tensors
from epsrank.theory.errors import InputError

#: The file of the samples that a recorded run is measured on.
PROBE = "probe.safetensors"

# Settings that mean something there; of the others the loop alone knows.
_KEPT = (
    "steps", "dtype", "device", "eps", "measure_every", "loss", "bias", "depth", "width",
    "keep_features",
)  # fmt: skip
_PARTS = ("x", "y", "x_test", "y_test")


@dataclass(frozen=True)
class RecordedConfig(RunConfig):
    """What is known of a run whose loop is the user's."""

    task: str = "recorded"
    network: str = "recorded"
    keep_features: float | None = 0.5
    #: What the user calls it.
    name: str = "a loop of one's own"
    #: Settings of the user's, as plain values.
    own: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_choices(("loss", "bias"))
        self._whole_numbers()
        self._normalise()
        if not isinstance(self.name, str) or not self.name or "\n" in self.name:
            raise InputError("name", f"is {self.name!r}", "pass a line of text")
        try:
            object.__setattr__(self, "own", tomllib.loads(_toml(dict(self.own))))
        except (TypeError, ValueError) as error:
            raise InputError(
                "settings", f"are not plain values ({error})", "pass numbers and texts by name"
            ) from None

    @property
    def recorded(self) -> bool:
        """Whether the loop is the user's: here it is."""
        return True

    @property
    def title(self) -> str:
        """One line that names the run."""
        return self.name

    @property
    def caption(self) -> str:
        """The same."""
        return self.name

    @property
    def described(self) -> str:
        """The network in a few words."""
        return f"a network of {self.depth} hidden layers"

    def to_json(self) -> dict[str, Any]:
        """Return what is known as plain values."""
        known = super().to_json()
        values = {name: known[name] for name in _KEPT}
        return {"recorded": True, "name": self.name, **values, "own": dict(self.own)}

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> RecordedConfig:
        """Read what `to_json` wrote, from TOML."""
        known = {name: value for name, value in values.items() if name != "recorded"}
        unknown = [name for name in known if name not in (*_KEPT, "name", "own")]
        if unknown:
            raise InputError("config", f"has unknown entries {', '.join(unknown)}", "drop them")
        return cls(**known)


def _toml(values: dict[str, Any]) -> str:
    import tomli_w

    return tomli_w.dumps(values)


def save_samples(folder: Path, task: Task, manifest: Manifest | None) -> None:
    """Keep the samples of a recorded run."""
    tensors = {name: getattr(task, name) for name in _PARTS}
    if task.weights is not None:
        tensors["weights"] = task.weights
    tensors["classes"] = torch.tensor([task.kind == "classification", task.measure == "raw"])
    write_tensors(folder / PROBE, tensors, manifest=manifest)


def recorded_task(folder: Path, within: Path | None, name: str) -> Task:
    """Return the samples of a recorded run as its task."""
    tensors: dict[str, Tensor] = read_tensors(folder / PROBE, within)
    try:
        classes, raw = tensors["classes"].tolist()
        x, y, x_test, y_test = (tensors[part] for part in _PARTS)
        return Task(
            name=name,
            kind="classification" if classes else "regression",
            x=x,
            y=y,
            x_test=x_test,
            y_test=y_test,
            description="samples of a loop of one's own",
            weights=tensors.get("weights"),
            measure="raw" if raw else "mean",
        )
    except (KeyError, ValueError) as error:
        raise InputError(
            str(folder / PROBE), f"holds other samples ({error})", "record the run again"
        ) from None
