"""What an interrupted command has finished, kept beside its results for the same command."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from epsrank.numerics.environment import package_version, processor
from epsrank.numerics.files import read_json, write_json
from epsrank.theory.errors import InputError


class Unfinished:
    """Parts by name, of one command with one set of options on one machine.

    The file is there while the command runs and after it was stopped; once all is finished it goes,
    and the command begins anew. Without a path nothing is kept.
    """

    def __init__(self, path: Path | None, options: Mapping[str, Any]) -> None:
        self._path = path
        self.parts: dict[str, Any] = {}
        if path is None:
            return
        self._of = {
            "options": dict(options),
            "epsrank": package_version("epsrank"),
            "processor": processor(),
        }
        # Damaged, or of other options: nothing of it is of use here.
        with contextlib.suppress(InputError, KeyError, TypeError):
            found = read_json(path) if path.is_file() else {}
            if found["of"] == self._of:
                self.parts = dict(found["parts"])

    def keep(self, name: str, part: Mapping[str, Any]) -> None:
        """Keep one part more."""
        if self._path is None:
            return
        self.parts[name] = dict(part)
        write_json(self._path, {"of": self._of, "parts": self.parts})

    def finish(self) -> None:
        """Remove the file: all is in the results."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
