"""Arrays from files: .npy, .npz, .safetensors, .csv and .parquet, never by unpickling."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from epsrank.tables import Notice, choose
from epsrank.theory.errors import InputError

SUFFIXES = (".npy", ".npz", ".csv", ".safetensors", ".parquet")


def load_array(
    path: str | Path, *, key: str | None = None, name: str = "", notice: Notice | None = None
) -> Any:
    """Return the array in a file, its numbers and dtype as stored.

    `key` names the array of a .npz or .safetensors file, or the column of a .parquet file, where
    there are several.
    """
    file = Path(path)
    label = f"{name} {file}".strip()
    _refuse_unreadable(file, label)
    suffix = file.suffix.lower()
    if key is not None and suffix in {".npy", ".csv"}:
        raise InputError("--key", f"was given, but {file} holds one array", "leave --key out")
    try:
        if suffix == ".npy":
            return _load_npy(file, label)
        if suffix == ".npz":
            return _load_npz(file, label, key)
        if suffix == ".safetensors":
            return _load_safetensors(file, label, key)
        from epsrank.tables import load_csv, load_parquet

        if suffix == ".csv":
            return load_csv(file, label, notice)
        return load_parquet(file, label, key)
    except PermissionError:
        raise InputError(label, "cannot be read", "give yourself permission to read it") from None
    except MemoryError:
        raise InputError(
            label, "does not fit into memory, or its header is damaged", "store fewer samples"
        ) from None


def _refuse_unreadable(file: Path, label: str) -> None:
    """Raise an error unless the path is a regular file with a known suffix."""
    try:
        if not file.exists():
            raise InputError(label, "does not exist", "check the path")
        if file.is_dir():
            raise InputError(label, "is a directory", "pass one file of features")
        if not file.is_file():
            raise InputError(label, "is not a regular file", "save the array to a file first")
        size = file.stat().st_size
    except OSError as error:  # a path through a file, a name that is too long, …
        raise InputError(label, f"cannot be opened ({error.strerror})", "check the path") from None
    if file.suffix.lower() not in SUFFIXES:
        raise InputError(
            label,
            f"has the suffix {file.suffix or '(none)'!r}",
            f"save it as one of {', '.join(SUFFIXES)}",
        )
    if size == 0:
        raise InputError(label, "is an empty file", "write it again")


def _load_npy(file: Path, label: str) -> Any:
    """Read a .npy file."""
    with file.open("rb") as stream:
        if stream.read(6) != b"\x93NUMPY":
            raise InputError(
                label,
                "is not a .npy file (it may be a pickle, which is never loaded)",
                "write it with numpy.save",
            )
        stream.seek(0)
        return _read_npy(stream, label)


def _read_npy(stream: Any, label: str) -> Any:
    """Read one array in the .npy format from an open stream."""
    try:
        return np.lib.format.read_array(stream, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, OverflowError) as error:
        if "allow_pickle" in str(error):
            raise InputError(
                label,
                "holds pickled Python objects, which are never loaded",
                "save it as an array of numbers: numpy.save(file, array.astype(float))",
            ) from None
        raise InputError(label, f"is damaged or cut short ({error})", "write it again") from None


def _load_npz(file: Path, label: str, key: str | None) -> Any:
    """Read one array of a .npz archive."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = {
                entry.removesuffix(".npy"): entry
                for entry in archive.namelist()
                if entry.endswith(".npy")
            }
            chosen = choose(members, key, label)
            with archive.open(members[chosen]) as stream:
                return _read_npy(stream, f"{label}[{chosen}]")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise InputError(
            label, f"is not a whole .npz archive ({error})", "write it again with numpy.savez"
        ) from None


def _load_safetensors(file: Path, label: str, key: str | None) -> Any:
    """Read one tensor of a .safetensors file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as tensors:
            chosen = choose(tensors.keys(), key, label)
            stored = tensors.get_slice(chosen).get_dtype()
            # NumPy has neither bfloat16 nor float8; PyTorch is imported for these alone.
            if stored != "BF16" and not stored.startswith("F8"):
                return tensors.get_tensor(chosen)
        with safe_open(file, framework="pt") as tensors:
            return tensors.get_tensor(chosen)
    except InputError:
        raise
    except (SafetensorError, TypeError, ValueError) as error:
        raise InputError(
            label, f"is not a readable .safetensors file ({error})", "write it again"
        ) from None
