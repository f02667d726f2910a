"""A checksum inside a file: the SHA-256 of all its bytes, with its own digits taken as zeros.

Every format with a place for a text of ours carries it: metadata of safetensors and parquet, an
entry of JSON. So it is written with the file and not after it, goes where the file goes, and one
search finds it whatever the format is. A file without it is from before there were seals.
"""

from __future__ import annotations

import hashlib
import mmap
import re
from pathlib import Path

from epsrank.theory.errors import InputError

#: Name of the entry that holds the seal.
KEY = "checksum"

_MARK = b"epsrank-sha256:"
_ZEROS = b"0" * 64
_DIGITS = re.compile(re.escape(_MARK) + rb"([0-9a-f]{64})")

#: What a writer puts in, for `sealed` or `seal_file` to fill.
UNSEALED = (_MARK + _ZEROS).decode()

# A file is hashed in pieces, so that a map of it is never copied as a whole.
_PIECE = 1 << 24


def sealed(data: bytes) -> bytes:
    """Return the content of a file with its seal filled in."""
    place = data.index(_MARK + _ZEROS) + len(_MARK)
    return data[:place] + _digest(data, place) + data[place + len(_ZEROS) :]


def seal_file(path: Path) -> None:
    """Fill in the seal of a file that nobody else has open yet."""
    with path.open("r+b") as handle:
        with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
            place = data.find(_MARK + _ZEROS) + len(_MARK)
            digest = _digest(data, place)
        handle.seek(place)
        handle.write(digest)


def broken(data: bytes | mmap.mmap) -> bool:
    """Tell whether a file has a seal and is not what was sealed."""
    if data.find(_MARK) < 0:
        return False
    # Any seal that fits will do: the values of a file may hold the text of another one's.
    return all(_digest(data, found.start(1)) != found[1] for found in _DIGITS.finditer(data))


def check_seal(data: bytes, path: Path) -> None:
    """Refuse the content of a file that is not what was sealed."""
    if broken(data):
        raise not_as_written(path)


def check_file(path: Path) -> None:
    """Refuse a file that is not what was sealed."""
    with path.open("rb") as handle:
        if path.stat().st_size == 0:  # nothing to map
            return
        with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if broken(data):
                raise not_as_written(path)


def not_as_written(path: Path) -> InputError:
    """Say that a file of ours was changed or damaged after it was written."""
    return InputError(
        str(path),
        "is not what was written (its checksum is another)",
        f"restore it from a copy or make it again; if you changed it yourself, drop its {KEY!r}",
    )


def line_check(text: str, head: bytes) -> str:
    """Return 16 digits for a line of a file that grows: of its text, under the file's head."""
    return hashlib.sha256(head + text.encode()).hexdigest()[:16]


def _digest(data: bytes | mmap.mmap, place: int) -> bytes:
    """Return the SHA-256 of data whose 64 bytes from `place` count as zeros."""
    found = hashlib.sha256()
    for begin, end in ((0, place), (place + len(_ZEROS), len(data))):
        for piece in range(begin, end, _PIECE):
            found.update(data[piece : min(piece + _PIECE, end)])
        if end == place:
            found.update(_ZEROS)
    return found.hexdigest().encode()
