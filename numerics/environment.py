"""What a trial ran on: versions, processor and device, but no names of machines."""

from __future__ import annotations

import contextlib
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("epsrank", "numpy", "scipy", "torch", "scikit-learn", "python-flint", "joblib")


@cache
def describe_environment() -> dict[str, str | None]:
    """Return what may change the last bits of a number.

    Returns ``python``, ``system``, ``architecture``, ``processor`` (None where the system does not
    tell), and the version of each package that computes (None where it is not installed).
    """
    found: dict[str, str | None] = {
        "python": platform.python_version(),
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": processor(),
    }
    return found | {name: _version(name) for name in _PACKAGES}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def processor() -> str | None:
    """Return the model of the processor where Linux tells it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return None
