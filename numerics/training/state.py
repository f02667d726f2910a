"""What a resumed run goes on from: weights, optimiser, step, and why it stopped."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from epsrank.numerics.files import read_json, write_json
from epsrank.numerics.networks import FeatureNetwork
from epsrank.numerics.training.folder import STATE, RunFolder
from epsrank.numerics.training.tensors import flatten, read_tensors, unflatten, write_tensors
from epsrank.theory.errors import InputError

Status = Literal["complete", "stopped", "diverged"]


@dataclass(frozen=True)
class Progress:
    """How far a run has come."""

    #: Number of updates made.
    step: int
    #: ``stopped`` runs can be resumed.
    status: Status
    #: Why it is so, in one line.
    cause: str


def save_state(
    folder: RunFolder,
    model: FeatureNetwork,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    environment: dict[str, Any],
) -> None:
    """Save everything that the next update depends on.

    The tensors go to a file of their own name first; replacing the small JSON file that names them
    is the one moment at which the new state becomes the state.
    """
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    tree = flatten(optimizer.state_dict(), tensors, "optimizer")
    place = folder.path / STATE
    name = f"step_{progress.step:08d}.safetensors"
    write_tensors(place.parent / name, tensors, manifest=folder.manifest)
    write_json(
        place,
        {
            "step": progress.step,
            "status": progress.status,
            "cause": progress.cause,
            "environment": environment,
            "tensors": name,
            "optimizer": tree,
            # Epoch e of the data order is drawn from (seed, e): the step says all there is to say.
            "data_order": "a function of seed and step",
        },
        manifest=folder.manifest,
    )
    # Only now: until the JSON named the new file, an old one was the state.
    for old in place.parent.glob("step_*.safetensors"):
        if old.name != name:
            with contextlib.suppress(OSError):
                old.unlink()


def read_progress(path: Path) -> Progress | None:
    """Return how far the run of a folder has come; None before its first state was saved."""
    if not (path / STATE).is_file():
        return None
    return _progress(read_json(path / STATE, path))


def _progress(values: Any) -> Progress:
    """Read the progress out of the JSON of a state."""
    try:
        return Progress(int(values["step"]), values["status"], str(values["cause"]))
    except (KeyError, TypeError, ValueError):
        raise InputError(
            "out", f"holds {STATE}, which is not a state", "train again elsewhere"
        ) from None


def restore_state(
    folder: RunFolder,
    model: FeatureNetwork,
    optimizer: torch.optim.Optimizer,
    environment: dict[str, Any],
) -> Progress | None:
    """Put network and optimiser back to where the run was saved, and return how far it had come.

    None where nothing was saved.
    """
    place = folder.path / STATE
    if not place.is_file():
        return None
    values = read_json(place, folder.out)
    progress = _progress(values)
    for name, now in environment.items():
        before = values.get("environment", {}).get(name)
        if before != now:
            raise InputError(
                name,
                f"was {before} when the run was interrupted and is {now} now",
                "resume with the same data and device: other ones give other numbers",
            )
    try:
        tensors = read_tensors(place.parent / values["tensors"], folder.out)
        weights = {
            name.removeprefix("model."): tensor
            for name, tensor in tensors.items()
            if name.startswith("model.")
        }
        model.load_state_dict(weights)
        optimizer.load_state_dict(unflatten(values["optimizer"], tensors))
    # It is a ValueError, too, and says more than the line below.
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            "out", f"holds a damaged state ({reason})", "train again elsewhere"
        ) from None
    return progress
