"""Arrays in the .npy format, of a file or a member of a .npz, once their size is known to fit."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from epsrank.numerics.boundary import parsing, refuse_beyond_memory
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural

_MAGIC = b"\x93NUMPY"
_PICKLED = (
    "holds pickled Python objects, which are never loaded",
    "save it as an array of numbers: numpy.save(file, array.astype(float))",
)


def read_npy(file: Path, label: str) -> NDArray[Any]:
    """Read a .npy file."""
    with file.open("rb") as stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            raise InputError(
                label,
                "is not a .npy file (it may be a pickle, which is never loaded)",
                "write it with numpy.save",
            )
        stream.seek(0)
        return _read_stream(stream, file.stat().st_size, label)


def npz_members(archive: zipfile.ZipFile) -> dict[str, str]:
    """Return the names of the arrays in an open archive, and their members."""
    names = archive.namelist()
    return {name.removesuffix(".npy"): name for name in names if name.endswith(".npy")}


def read_npz(file: Path, label: str, choose: Callable[[dict[str, str]], str]) -> NDArray[Any]:
    """Read the array of an archive that `choose` picks from the names of its members."""
    with (
        parsing(label, "write it again with numpy.savez", "is not a whole .npz archive"),
        zipfile.ZipFile(file) as archive,
    ):
        members = npz_members(archive)
        chosen = choose(members)
        size = archive.getinfo(members[chosen]).file_size
        # Compressed zeros take a thousandth of what they are.
        refuse_beyond_memory(size, f"{label}[{chosen}]")
        with archive.open(members[chosen]) as stream:
            return _read_stream(stream, size, f"{label}[{chosen}]")


def _read_stream(stream: IO[bytes], size: int, label: str) -> NDArray[Any]:
    """Read one array from a stream that holds `size` bytes."""
    with parsing(label, "write it again", "is damaged or cut short"):
        begin = stream.tell()
        shape, dtype = _declared(stream)
        if dtype.hasobject:
            raise InputError(label, *_PICKLED)
        declared = math.prod(shape) * dtype.itemsize
        # NumPy makes room for what the header declares before it reads a byte of it.
        if min(shape, default=0) < 0 or declared > size - (stream.tell() - begin):
            raise InputError(
                label,
                "is damaged or cut short (its header declares "
                f"{plural(declared, 'byte')} of numbers)",
                "write it again",
            )
        refuse_beyond_memory(declared, label)
        stream.seek(begin)
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
        return array


def _declared(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and dtype in a header."""
    version = np.lib.format.read_magic(stream)
    # Version 3 is version 2 with names of fields beyond Latin-1; NumPy has no reader for it alone.
    read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
        version, np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read(stream)
    return shape, dtype
