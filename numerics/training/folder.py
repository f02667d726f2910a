"""Where a run keeps its files: a given folder, or a temporary one that goes with the run."""

from __future__ import annotations

import tomllib
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor

from epsrank.numerics.atomic import remove_parts
from epsrank.numerics.boundary import parsing
from epsrank.numerics.files import read_bytes, write_text
from epsrank.numerics.manifest import MANIFEST, Manifest
from epsrank.numerics.processes.locks import only_writer
from epsrank.numerics.processes.scratch import new_scratch, remove_scratch
from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.recorded import RecordedConfig
from epsrank.numerics.training.tensors import read_tensors, write_tensors
from epsrank.theory.errors import InputError

CONFIG, HISTORY, SPECTRA, WEIGHTS = (
    "config.toml",
    "history.parquet",
    "spectra.parquet",
    "weights.safetensors",
)
STATE = Path("state") / "state.json"
#: The state before it: what a run goes on from where the last one is damaged.
PREVIOUS = Path("state") / "previous.json"


class RunFolder:
    """Paths of one run.

    ::

        epsrank.json                         kind, format, checksums of the files below
        config.toml                          the settings
        history.parquet, spectra.parquet     one row per measurement (and layer)
        weights.safetensors                  the weights last saved
        checkpoints/step_XXXXXXXX.safetensors    the weights of each measurement
        features/step_XXXXXXXX.safetensors   last layers, where the settings keep some
        state/state.json, state/*.safetensors    what a resumed run goes on from
        state/previous.json                  the same, of the save before
    """

    def __init__(self, out: Path | None) -> None:
        self.out = out
        if out is None:
            self.path = new_scratch("run")
            # Goes when the last run that refers to it does, or at the end of the process.
            weakref.finalize(self, remove_scratch, self.path)
        else:
            self.path = out
        #: Checksums; None for a folder that goes away with the run.
        self.manifest = None if out is None else Manifest(out, "run")

    @property
    def kept(self) -> bool:
        """Whether the folder outlives the run."""
        return self.out is not None

    def checkpoint(self, step: int) -> Path:
        """Return the path of the weights after `step` updates."""
        return self.path / "checkpoints" / f"step_{step:08d}.safetensors"

    def save_checkpoint(self, step: int, weights: dict[str, Tensor]) -> None:
        """Keep the weights of a measurement."""
        write_tensors(self.checkpoint(step), weights, durable=self.kept, manifest=self.manifest)

    def features(self, step: int) -> Path:
        """Return the path of the last layer after `step` updates."""
        return self.path / "features" / f"step_{step:08d}.safetensors"

    def load_checkpoint(self, step: int) -> dict[str, Tensor]:
        """Return the weights of a measurement."""
        return read_tensors(self.checkpoint(step), self.out)


@contextmanager
def claimed(out: str | Path | None) -> Iterator[None]:
    """Make the folder of a run, and be the one process that writes there."""
    if out is None:
        yield
        return
    path = Path(out).expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(*_unusable(path, error)) from None
    with only_writer(path):
        yield


def _unusable(path: Path, error: OSError) -> tuple[str, str, str]:
    return "out", f"is {path}, which cannot be used ({error.strerror})", "choose another folder"


def open_folder(out: str | Path | None, config: RunConfig, *, resume: bool) -> RunFolder:
    """Make or enter the folder of a run, and write its settings."""
    if out is None:
        if resume:
            raise InputError("resume", "is given without out", "pass the folder of the run")
        return RunFolder(None)
    path = Path(out).expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True)
        # A run that was killed before its first file has nothing but its manifest.
        entries = sorted(entry.name for entry in path.iterdir() if entry.name != MANIFEST)
    except OSError as error:
        raise InputError(*_unusable(path, error)) from None
    if entries and not resume:
        raise InputError(
            "out",
            f"is {path}, which is not empty ({entries[0]} …)",
            "pass resume=True to continue that run, or choose another folder",
        )
    remove_parts(path)
    Manifest(path, "run")  # refuses the folder of something else
    if (path / CONFIG).is_file():
        _same_settings(read_config(path), config)
    elif any((path / entry).exists() for entry in entries):
        raise InputError(
            "out", f"is {path}, which holds files but no run", "choose an empty folder"
        )
    else:
        write_text(path / CONFIG, config.to_toml(), manifest=Manifest(path, "run"))
    return RunFolder(path)


def read_config(folder: Path) -> RunConfig:
    """Return the settings in the folder of a run."""
    data = read_bytes(folder / CONFIG, folder)
    with parsing(str(folder / CONFIG), "restore it from a copy"):
        text = data.decode("utf-8")
        values = tomllib.loads(text)
    return RecordedConfig.from_values(values) if "recorded" in values else RunConfig.from_toml(text)


def _same_settings(kept: RunConfig, given: RunConfig) -> None:
    """Refuse to continue a run under other settings."""
    before, now = kept.to_json(), given.to_json()
    changed = [
        f"{name} {before[name]!r} → {now[name]!r}" for name in now if before[name] != now[name]
    ]
    if changed:
        raise InputError(
            "config",
            f"differs from the run to be resumed: {', '.join(changed)}",
            "resume with the settings in its config.toml, or choose another folder",
        )
