"""A build hook: an archive without the rooms would install, and then fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_ROOMS = ("theory", "numerics", "proofs")


class RoomsHook(BuildHookInterface):
    """Refuse to build where a room of the package is no folder.

    In a checkout they are symbolic links to the folders at top level. A copy made without links
    holds small text files there, and a wheel of it lacks most of the package without an error.
    """

    PLUGIN_NAME = "rooms"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Check the rooms before anything is built."""
        package = Path(self.root) / "epsrank"
        missing = [r for r in _ROOMS if not (package / r / "__init__.py").is_file()]
        if missing:
            # One plain line: a builder prints what SystemExit carries, without a traceback.
            raise SystemExit(
                f"epsrank/{missing[0]} is not a folder: this copy was made without symbolic links; "
                "clone it with git (on Windows: git clone -c core.symlinks=true)"
            )
