"""Files replaced as a whole, so that a kill leaves them readable; what cannot be read is told."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epsrank.theory.errors import InputError
from epsrank.theory.extras import optional_packages

if TYPE_CHECKING:
    import pyarrow as pa

_PREFIX, _SUFFIX = ".epsrank-", ".part"


def write_atomically(path: Path, write: Callable[[Path], None], *, durable: bool = True) -> None:
    """Write a file beside its place, and move it there once it is whole and on disk.

    `durable`: Whether to wait until it is on disk; in a folder that goes away with the process
    there is nothing to wait for.
    """
    # Two processes may write the same file at a time; each has its own part.
    part = path.with_name(f"{_PREFIX}{path.name}.{secrets.token_hex(4)}{_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(part)
        if durable:
            with part.open("rb+") as handle:
                os.fsync(handle.fileno())
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise InputError(
            "out",
            f"cannot be written ({path}: {error.strerror or error})",
            "make room there, or choose another folder",
        ) from None
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    write_atomically(path, lambda part: _write_text(part, text))


def _write_text(part: Path, text: str) -> None:
    part.write_text(text, encoding="utf-8")


def write_json(path: Path, values: Any) -> None:
    """Write plain values as JSON, atomically."""
    write_text(path, json.dumps(values, indent=1) + "\n")


def write_bytes(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a binary file atomically."""
    write_atomically(path, lambda part: _write_bytes(part, data), durable=durable)


def _write_bytes(part: Path, data: bytes) -> None:
    part.write_bytes(data)


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table as parquet, atomically."""
    with optional_packages():
        import pyarrow.parquet as pq

    write_atomically(path, lambda part: pq.write_table(table, part, compression="zstd"))


def read_table(path: Path) -> pa.Table:
    """Read a parquet table."""
    with optional_packages():
        import pyarrow as pa
        import pyarrow.parquet as pq

    try:
        # From bytes: a memory map would keep the file open under a later replacement.
        # In one thread: a pool still starting up aborts a process that ends right after Ctrl-C.
        return pq.ParquetFile(pa.BufferReader(path.read_bytes())).read(use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise InputError(*damaged(path, error)) from None


def read_json(path: Path) -> Any:
    """Read JSON."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(*damaged(path, error)) from None


def damaged(path: Path, error: Exception) -> tuple[str, str, str]:
    """Say what is wrong with a file of a run that cannot be read.

    Returns the parts of an `InputError`.
    """
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return "out", f"holds {path.name}, which cannot be read ({reason})", "train again elsewhere"


def remove_parts(folder: Path) -> None:
    """Remove half-written files that a kill has left behind."""
    for part in folder.rglob(f"{_PREFIX}*{_SUFFIX}"):
        with contextlib.suppress(OSError):
            part.unlink()
