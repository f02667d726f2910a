"""Writing files: each whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from theory.errors import InputError


def write_atomically(path: Path, text: str) -> None:
    """Write a text file so that a reader never sees half of it.

    Parameters
    ----------
    path : Path
        Where.
    text : str
        What.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise InputError(
            "out", f"{path} cannot be written ({error.strerror})", "choose another folder"
        ) from None
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
