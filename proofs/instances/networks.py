"""The networks that a verification trains: once per run, shared by every checker."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from epsrank.theory.data.measure import Measure
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Matrix

# Training brings torch, which a verification without networks does not wait for.
if TYPE_CHECKING:
    from epsrank.numerics.training import Run, RunConfig

#: Widths up to which chains are certified in ball arithmetic.
CERTIFIED_WIDTH = 50

_IMAGE_TASKS = {"digits", "mnist"}

# Steps and widths per effort; chosen so that quick stays near a minute of one core.
_SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "quick": {
        "cosines 2×25": {"task": "cosines", "width": 25, "steps": 800},
        "digits 2×30": {"task": "digits", "width": 30, "steps": 200},
        "mnist 2×30": {"task": "mnist", "width": 30, "steps": 100, "n_train": 2000},
    },
    "default": {
        "cosines 2×25": {"task": "cosines", "width": 25, "steps": 4000},
        "cosines 2×50": {"task": "cosines", "width": 50, "steps": 6000},
        "cosines 2×30 structured": {
            "task": "cosines",
            "width": 30,
            "steps": 3000,
            "init": "structured",
        },
        "cosines-l2 2×30": {"task": "cosines-l2", "width": 30, "steps": 2000},
        "digits 2×40": {"task": "digits", "width": 40, "steps": 800},
        "digits 2×128": {"task": "digits", "width": 128, "steps": 400},
        "mnist 2×40": {"task": "mnist", "width": 40, "steps": 400, "n_train": 10_000},
        "mnist 2×128": {"task": "mnist", "width": 128, "steps": 200, "n_train": 10_000},
    },
    "full": {
        "cosines 2×25": {"task": "cosines", "width": 25, "steps": 15_000},
        "cosines 2×50": {"task": "cosines", "width": 50, "steps": 15_000},
        "cosines 4×25": {"task": "cosines", "width": 25, "depth": 4, "steps": 15_000},
        "cosines 4×50": {"task": "cosines", "width": 50, "depth": 4, "steps": 15_000},
        "cosines 2×50 relu": {
            "task": "cosines",
            "width": 50,
            "steps": 10_000,
            "activation": "relu",
        },
        "cosines 2×30 structured": {
            "task": "cosines",
            "width": 30,
            "steps": 10_000,
            "init": "structured",
        },
        "cosines-l2 2×30": {"task": "cosines-l2", "width": 30, "steps": 10_000},
        "cosines 2×30 float32": {
            "task": "cosines",
            "width": 30,
            "steps": 10_000,
            "dtype": "float32",
        },
        "digits 2×50": {"task": "digits", "width": 50, "steps": 5000},
        "digits 2×128": {"task": "digits", "width": 128, "steps": 3000},
        "mnist 2×50": {"task": "mnist", "width": 50, "steps": 3000, "n_train": 60_000},
        "mnist 3×128": {
            "task": "mnist",
            "width": 128,
            "depth": 3,
            "steps": 2000,
            "n_train": 60_000,
        },
    },
}


@dataclass(frozen=True)
class TrainedNetwork:
    """A network of this verification, or why there is none."""

    #: Task and architecture.
    name: str
    #: Neurons of the last hidden layer.
    width: int
    #: Its run folder.
    folder: Path | None = None
    #: Why it was not trained.
    skipped: str | None = None
    #: What went wrong in training.
    error: str | None = None

    @property
    def images(self) -> bool:
        """Whether its task is one of images."""
        return self.name.split()[0] in _IMAGE_TASKS

    def run(self) -> Run:
        """Return the training run."""
        if self.error is not None:
            raise RuntimeError(self.error)
        assert self.folder is not None
        from epsrank.numerics.training import load_run

        return load_run(self.folder)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Last layer of a network at one training step, the output bias taken as a feature."""

    #: Training step.
    step: int
    #: φ, and the constant 1.
    features: Matrix
    #: u*.
    target: Matrix
    #: W, and the bias b as its last row.
    coefficients: Matrix
    #: Measure of the samples.
    measure: Measure


def planned(effort: str) -> dict[str, int]:
    """Return the names and widths of the networks of an effort."""
    return {name: int(settings["width"]) for name, settings in _SETTINGS[effort].items()}


def find_mnist(data: str | Path | None) -> str | None:
    """Return where MNIST is, if the user has it; nothing is downloaded."""
    place = data if data is not None else os.environ.get("EPSRANK_DATA")
    if not place:
        return None
    path = Path(place).expanduser()
    path = path / "mnist.npz" if path.is_dir() else path
    # A path that was asked for is returned though it is wrong: the caller then says so.
    return str(path) if path.is_file() or data is not None else None


def network_config(name: str, effort: str, seed: int, device: str, data: str | None) -> RunConfig:
    """Return the settings of one of the networks of an effort."""
    from epsrank.numerics.training import RunConfig

    settings = dict(_SETTINGS[effort][name])
    image = settings["task"] in _IMAGE_TASKS
    return RunConfig(
        **{
            "depth": 2,
            "seed": seed,
            "device": device,
            "batch_size": 128 if image else None,
            "probe": 600 if image else None,
            "measure_every": max(1, settings["steps"] // 40),
            "data": data if settings["task"] == "mnist" else None,
            **settings,
        }
    )


def train_network(
    name: str, effort: str, seed: int, device: str, data: str | None, folder: Path
) -> TrainedNetwork:
    """Train one of the networks of an effort."""
    from epsrank.numerics.training import train

    config = network_config(name, effort, seed, device, data)
    if config.task == "mnist" and data is None:
        reason = "MNIST was not found: pass its .npz as data, or name it in EPSRANK_DATA"
        return TrainedNetwork(name, config.width, skipped=reason)
    place = folder / name.replace(" ", "-").replace("×", "x")
    try:
        # One that was cut short goes on to the same numbers.
        run = train(config, place, resume=True)
    except InputError:  # a kill of the machine, say, has damaged it
        shutil.rmtree(place, ignore_errors=True)
        run = train(config, place)
    if run.status != "complete":
        return TrainedNetwork(name, config.width, error=f"training ended {run.status}: {run.cause}")
    return TrainedNetwork(name, config.width, folder=place)


def checkpoints(run: Run, count: int) -> Iterator[Checkpoint]:
    """Yield evenly spaced measurements of a run, first and last included."""
    total = len(run.records)
    chosen = sorted({round(k) for k in np.linspace(0, total - 1, min(count, total))})
    for index in chosen:
        layer = run.last_layer(index)
        features, target, coefficients = layer.without_bias("feature")
        yield Checkpoint(
            step=run.records[index].step,
            features=features.values,
            target=target,
            coefficients=coefficients,
            measure=layer.measure,
        )
