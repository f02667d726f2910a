"""Files replaced as a whole, so that a kill leaves them readable; unreadable ones are reported."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epsrank.numerics.manifest import PART_PREFIX, PART_SUFFIX, Manifest, read_checked
from epsrank.theory.errors import InputError
from epsrank.theory.extras import optional_packages

if TYPE_CHECKING:
    import pyarrow as pa


def write_atomically(
    path: Path,
    write: Callable[[Path], None],
    *,
    durable: bool = True,
    manifest: Manifest | None = None,
) -> None:
    """Write a file beside its place, and move it there once it is whole and on disk.

    It need not be `durable` in a folder that goes away with the process: then nobody waits for the
    disk. The `manifest` is that of the folder, and keeps the checksum.
    """
    # Two processes may write the same file at a time; each has its own part.
    part = path.with_name(f"{PART_PREFIX}{path.name}.{secrets.token_hex(4)}{PART_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(part)
        if durable:
            # Before the move: after a power cut the new name could hold no data otherwise.
            # Opened for writing, since Windows flushes no file that is only read.
            with part.open("rb+") as handle:
                os.fsync(handle.fileno())
        if manifest is not None:
            # Before the move, too: a kill in between then leaves a file that is known.
            manifest.announce(path, part)
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise InputError(
            "out",
            f"cannot be written ({path}: {error.strerror or error})",
            "make room there, or choose another folder",
        ) from None
    # Ctrl-C, or an error of `write`, is to leave no part behind either.
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str, *, manifest: Manifest | None = None) -> None:
    """Write a text file atomically."""
    write_atomically(path, lambda part: _write_text(part, text), manifest=manifest)


def _write_text(part: Path, text: str) -> None:
    part.write_text(text, encoding="utf-8")


def write_json(path: Path, values: Any, *, manifest: Manifest | None = None) -> None:
    """Write plain values as JSON, atomically."""
    write_text(path, json.dumps(values, indent=1) + "\n", manifest=manifest)


def write_bytes(
    path: Path, data: bytes, *, durable: bool = True, manifest: Manifest | None = None
) -> None:
    """Write a binary file atomically."""
    write_atomically(
        path, lambda part: _write_bytes(part, data), durable=durable, manifest=manifest
    )


def _write_bytes(part: Path, data: bytes) -> None:
    part.write_bytes(data)


def write_table(path: Path, table: pa.Table, *, manifest: Manifest | None = None) -> None:
    """Write a table as parquet, atomically."""
    with optional_packages():
        import pyarrow.parquet as pq

    write_atomically(
        path, lambda part: pq.write_table(table, part, compression="zstd"), manifest=manifest
    )


def read_bytes(path: Path, within: Path | None = None) -> bytes:
    """Read a file; that of a folder of ours only if its checksum is the one written."""
    if within is None:
        return path.read_bytes()
    return read_checked(within, path.relative_to(within).as_posix())


def _read(path: Path, within: Path | None) -> bytes:
    """Read a file; an error of the system is one line."""
    try:
        return read_bytes(path, within)
    except OSError as error:
        raise InputError(*damaged(path, error)) from None


def read_table(path: Path, within: Path | None = None) -> pa.Table:
    """Read a parquet table."""
    with optional_packages():
        import pyarrow as pa
        import pyarrow.parquet as pq

    data = _read(path, within)
    try:
        # From bytes: a memory map would keep the file open under a later replacement.
        # In one thread: a pool still starting up aborts a process that ends right after Ctrl-C.
        return pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise InputError(*damaged(path, error)) from None


def read_json(path: Path, within: Path | None = None) -> Any:
    """Read JSON."""
    data = _read(path, within)
    try:
        return json.loads(data.decode("utf-8"))
    except ValueError as error:
        raise InputError(*damaged(path, error)) from None


def damaged(path: Path, error: Exception) -> tuple[str, str, str]:
    """Return argument, problem and remedy of an `InputError` for a file that cannot be read."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return "out", f"holds {path.name}, which cannot be read ({reason})", "train again elsewhere"


def remove_parts(folder: Path) -> None:
    """Remove half-written files that a kill has left behind."""
    for part in folder.rglob(f"{PART_PREFIX}*{PART_SUFFIX}"):
        with contextlib.suppress(OSError):
            part.unlink()
