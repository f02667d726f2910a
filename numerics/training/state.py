"""What a resumed run goes on from: weights, optimiser, step, and why it stopped."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from epsrank.numerics.boundary import reason_of
from epsrank.numerics.files import read_json, read_sealed, write_bytes, write_json
from epsrank.numerics.networks import FeatureNetwork
from epsrank.numerics.training.folder import PREVIOUS, STATE, RunFolder
from epsrank.numerics.training.tensors import flatten, read_tensors, unflatten, write_tensors
from epsrank.theory.errors import InputError

Status = Literal["complete", "stopped", "diverged"]

#: How the entries of the environment begin that say what a setting of the user's was made of.
SOURCE = "source of "

# A warning names the line that called `train` or `load_run`.
_OUTSIDE = 5


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
    is the one moment at which the new state becomes the state. The state before it is kept: what
    happens to one file then costs the work since that save, and not the run.
    """
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    tree = flatten(optimizer.state_dict(), tensors, "optimizer")
    place = folder.path / STATE
    name = f"step_{progress.step:08d}.safetensors"
    write_tensors(place.parent / name, tensors, manifest=folder.manifest)
    kept = {name, _keep_as_previous(folder, name)}
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
        if old.name not in kept:
            with contextlib.suppress(OSError):
                old.unlink()


def _keep_as_previous(folder: RunFolder, tensors: str) -> str | None:
    """Keep the state that is about to be replaced by one with `tensors`; return those it has."""
    place, previous = folder.path / STATE, folder.path / PREVIOUS
    # A damaged one would take the place of the one before it, which may be whole.
    with contextlib.suppress(InputError, KeyError, TypeError):
        # The last step is saved once more when the run is complete.
        if place.is_file() and read_json(place, folder.out)["tensors"] != tensors:
            data = read_sealed(place, folder.out)
            # Nobody waits for the disk: it is read where a later file is damaged, and has a seal.
            write_bytes(previous, data, durable=False, manifest=folder.manifest)
    with contextlib.suppress(InputError, KeyError, TypeError):
        if previous.is_file():
            return str(read_json(previous, folder.out)["tensors"])
    return None


@dataclass(frozen=True)
class _State:
    """A state as it was saved."""

    progress: Progress
    #: The JSON of it.
    values: dict[str, Any]
    tensors: dict[str, Tensor]

    @property
    def environment(self) -> dict[str, Any]:
        """What it was computed with."""
        found: dict[str, Any] = self.values.get("environment", {})
        return found


def _last_whole(path: Path, kept: Path | None, *, tensors: bool) -> _State | None:
    """Return the last state of a folder that is whole; None where none was saved."""
    damage: list[InputError] = []
    for place in (STATE, PREVIOUS):
        if not (path / place).is_file():
            continue
        try:
            state = _read(path / place, kept, tensors)
        except InputError as error:
            damage.append(error)
            continue
        if damage:
            warnings.warn(
                f"epsrank: {damage[0].argument} {damage[0].problem}: the state before it is used, "
                f"of step {state.progress.step}",
                stacklevel=_OUTSIDE,
            )
        return state
    if not damage:
        return None
    raise InputError(
        damage[0].argument, damage[0].problem, "restore it from a copy, or train again elsewhere"
    )


def _read(place: Path, kept: Path | None, tensors: bool) -> _State:
    """Read a state, with its tensors or without."""
    values = read_json(place, kept)
    try:
        progress = Progress(int(values["step"]), values["status"], str(values["cause"]))
        state = _State(progress, values, {})
        name = place.parent / values["tensors"]
        if progress.status not in get_args(Status) or not isinstance(state.environment, dict):
            raise ValueError
    # (Of an infinite step, the OverflowError.)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        raise InputError(str(place), "is not a state", "train again elsewhere") from None
    return replace(state, tensors=read_tensors(name, kept)) if tensors else state


def read_progress(path: Path) -> Progress | None:
    """Return how far the run of a folder has come; None before its first state was saved."""
    # Not its tensors: this is asked again and again while a run is watched.
    state = _last_whole(path, path, tensors=False)
    return None if state is None else state.progress


def read_environment(folder: RunFolder) -> dict[str, Any]:
    """Return what the run of a folder was made with; empty where no state was saved."""
    state = _last_whole(folder.path, folder.out, tensors=False)
    return {} if state is None else state.environment


def restore_state(
    folder: RunFolder,
    model: FeatureNetwork,
    optimizer: torch.optim.Optimizer,
    environment: dict[str, Any],
) -> Progress | None:
    """Put network and optimiser back to where the run was saved, and return how far it had come.

    None where nothing was saved.
    """
    state = _last_whole(folder.path, folder.out, tensors=True)
    if state is None:
        return None
    for name, now in environment.items():
        before = state.environment.get(name)
        if before != now and name.startswith(SOURCE):
            raise InputError(
                name.removeprefix(SOURCE),
                f"has another source than when the run began ({str(before)[:12]}…, and now "
                f"{str(now)[:12]}…)",
                "put it back as it was, or begin a new run in another folder",
            )
        if before != now:
            raise InputError(
                name,
                f"was {before} when the run was interrupted and is {now} now",
                "resume with the same data and device: other ones give other numbers",
            )
    try:
        weights = {
            name.removeprefix("model."): tensor
            for name, tensor in state.tensors.items()
            if name.startswith("model.")
        }
        model.load_state_dict(weights)
        optimizer.load_state_dict(unflatten(state.values["optimizer"], state.tensors))
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            "out", f"holds a damaged state ({reason_of(error)})", "train again elsewhere"
        ) from None
    return state.progress
