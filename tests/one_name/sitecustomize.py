"""Refuse the rooms at top level: `import theory` beside `epsrank.theory` makes every class twice.

An editable install and a working directory at the root both let `import theory` through, and two
copies of a class are not equal. tests/conftest.py puts this folder on PYTHONPATH, so that Python
runs this file at the start of every process that the tests start.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

ROOMS = ("theory", "numerics", "proofs")


class OneName:
    """Finder that comes first and knows the names that must not be imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Refuse a room at top level, and leave all else to the finders behind this one."""
        if name.partition(".")[0] in ROOMS:
            raise ImportError(f"import epsrank.{name}, not {name}: the package has one name")
        return None


if not any(isinstance(finder, OneName) for finder in sys.meta_path):
    sys.meta_path.insert(0, OneName())
