"""Arrays from files: .npy, .npz, .safetensors, .csv and .parquet, never by unpickling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from epsrank.numerics.boundary import parsing, refuse_beyond_memory
from epsrank.numerics.npy import read_npy, read_npz
from epsrank.numerics.seal import check_file
from epsrank.tables import Notice, choose
from epsrank.theory.errors import InputError

SUFFIXES = (".npy", ".npz", ".csv", ".safetensors", ".parquet")

# Formats of tensors: those that only PyTorch knows, and all that are read. Two numbers in a byte
# (F4, F6) and exponents alone (F8_E8M0) are parts of a number, whose scales lie elsewhere.
_OF_TORCH = frozenset({"BF16", "F8_E4M3", "F8_E5M2"})
_STORED = _OF_TORCH | {"BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64"}
_STORED |= {"F16", "F32", "F64", "C64"}


def load_array(
    path: str | Path, *, key: str | None = None, name: str = "", notice: Notice | None = None
) -> Any:
    """Return the array in a file, its numbers and dtype as stored.

    `key` names the array of a .npz or .safetensors file, or the column of a .parquet file, where
    there are several.
    """
    file = Path(path)
    label = f"{name} {file}" if name else str(file)
    _refuse_unreadable(file, label)
    suffix = file.suffix.lower()
    if key is not None and suffix in {".npy", ".csv"}:
        raise InputError("--key", f"was given, but {file} holds one array", "leave --key out")
    with parsing(label, "write it again"):
        return _load(file, suffix, label, key, notice)


def _load(file: Path, suffix: str, label: str, key: str | None, notice: Notice | None) -> Any:
    """Read a file by its suffix."""
    if suffix == ".npy":
        return read_npy(file, label)
    if suffix == ".npz":
        return read_npz(file, label, lambda members: choose(members, key, label))
    if suffix == ".safetensors":
        return _load_safetensors(file, label, key)
    from epsrank.tables import load_csv, load_parquet

    if suffix == ".csv":
        return load_csv(file, label, notice)
    return load_parquet(file, label, key, notice)


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


def _load_safetensors(file: Path, label: str, key: str | None) -> Any:
    """Read one tensor of a .safetensors file."""
    from safetensors import safe_open

    # Its header cannot promise more than the file has.
    refuse_beyond_memory(file.stat().st_size, label)
    check_file(file)
    with parsing(label, "write it again", "is not a readable .safetensors file"):
        with safe_open(file, framework="np") as tensors:
            chosen = choose(tensors.keys(), key, label)
            stored = tensors.get_slice(chosen).get_dtype()
            if stored not in _STORED:
                raise InputError(
                    label,
                    f"holds {chosen!r} as {stored}, which is no format of one number",
                    f"write it as one of {', '.join(sorted(_STORED))}",
                )
            # NumPy has neither bfloat16 nor float8; PyTorch is imported for these alone.
            if stored not in _OF_TORCH:
                return tensors.get_tensor(chosen)
        with safe_open(file, framework="pt") as tensors:
            return tensors.get_tensor(chosen)
