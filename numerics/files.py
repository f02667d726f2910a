"""Files replaced as a whole, so that a kill leaves them readable; unreadable ones are reported."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epsrank.numerics.atomic import replace_whole
from epsrank.numerics.boundary import parsing
from epsrank.numerics.manifest import Manifest, read_checked
from epsrank.numerics.parquet import read_columns
from epsrank.numerics.seal import KEY, UNSEALED, check_seal, seal_file, sealed
from epsrank.theory.errors import InputError
from epsrank.theory.extras import optional_packages

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


def user_cache() -> Path:
    """Return the folder for what can be made again, whether or not it exists."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification has relative paths ignored.
    home = Path(base) if os.path.isabs(base) else Path("~/.cache").expanduser()
    return home / "epsrank"


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

    def announce(part: Path) -> None:
        if manifest is not None:
            manifest.announce(path, part)

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(path, write, durable=durable, announce=announce)
    except OSError as error:
        raise InputError(
            "out",
            f"cannot be written ({path}: {error.strerror or error})",
            "make room there, or choose another folder",
        ) from None


def write_text(path: Path, text: str, *, manifest: Manifest | None = None) -> None:
    """Write a text file atomically."""
    write_atomically(path, lambda part: _write_text(part, text), manifest=manifest)


def _write_text(part: Path, text: str) -> None:
    # Names of files may be bytes that are no UTF-8, in Python half a pair; JSON reads the escape.
    part.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, values: dict[str, Any], *, manifest: Manifest | None = None) -> None:
    """Write plain values as JSON with a seal, atomically."""
    text = json.dumps({**values, KEY: UNSEALED}, indent=1) + "\n"
    write_bytes(path, sealed(text.encode()), manifest=manifest)


def write_bytes(
    path: Path, data: bytes, *, durable: bool = True, manifest: Manifest | None = None
) -> None:
    """Write a binary file atomically."""
    write_atomically(
        path, lambda part: _write_bytes(part, data), durable=durable, manifest=manifest
    )


def _write_bytes(part: Path, data: bytes) -> None:
    part.write_bytes(data)


def write_table(
    path: Path, table: pa.Table, *, manifest: Manifest | None = None, level: int | None = None
) -> None:
    """Write a table as parquet with a seal, atomically; `level` is that of the compression."""
    with optional_packages():
        import pyarrow.parquet as pq

    def write(part: Path) -> None:
        with pq.ParquetWriter(
            part, table.schema, compression="zstd", compression_level=level
        ) as writer:
            writer.write_table(table)
            leave_room_for_seal(writer)
        seal_file(part)

    write_atomically(path, write, manifest=manifest)


def leave_room_for_seal(writer: pq.ParquetWriter) -> None:
    """Put the entry of the seal into the footer of a parquet file."""
    # Not into the schema, from where Arrow would copy it into files that others make of this one.
    writer.add_key_value_metadata({KEY: UNSEALED})


def read_bytes(path: Path, within: Path | None = None) -> bytes:
    """Read a file; that of a folder of ours only if its checksum is the one written."""
    try:
        if within is None:
            return path.read_bytes()
        return read_checked(within, path.relative_to(within).as_posix())
    except OSError as error:
        raise InputError(
            str(path), f"cannot be read ({error.strerror or error})", "check its permissions"
        ) from None


def read_sealed(path: Path, within: Path | None = None) -> bytes:
    """Read a file whose format carries a seal, if it is what was written."""
    data = read_bytes(path, within)
    check_seal(data, path)
    return data


def read_table(path: Path, within: Path | None = None) -> pa.Table:
    """Read a parquet table."""
    with optional_packages():
        import pyarrow as pa
        import pyarrow.parquet as pq

    data = read_sealed(path, within)
    with parsing(str(path), "make it again"):
        # From bytes: a memory map would keep the file open under a later replacement.
        return read_columns(pq.ParquetFile(pa.BufferReader(data)), str(path))


def read_json(path: Path, within: Path | None = None) -> Any:
    """Read JSON."""
    data = read_sealed(path, within)
    with parsing(str(path), "make it again"):
        values = json.loads(data.decode("utf-8"))
    if isinstance(values, dict):
        values.pop(KEY, None)
    return values
