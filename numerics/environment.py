"""What numbers were computed on: versions, processor and device, but no names of machines."""

from __future__ import annotations

import contextlib
import platform
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

#: Its version is what the code says.
OWN = "epsrank"
# Packages that compute: a trial names these, a verification those that prove as well.
_COMPUTING = (OWN, "numpy", "scipy", "torch", "scikit-learn", "python-flint")
_PROVING = (
    OWN,
    "numpy",
    "scipy",
    "sympy",
    "python-flint",
    "torch",
    "hypothesis",
    "scikit-learn",
)


def package_version(package: str) -> str | None:
    """Version of an installed package, None where it is not installed."""
    if package == OWN:
        # Of an editable install the metadata are as old as the install, and the code is not.
        return str(import_module(OWN).__version__)
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _system() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "architecture": platform.machine(),
    }


@cache
def trial_environment() -> dict[str, str | None]:
    """Return what may change the last bits of a trial's numbers, one text each."""
    versions = {name: package_version(name) for name in _COMPUTING}
    return {**_system(), "processor": processor(), **versions}


def describe_environment(device: str) -> dict[str, Any]:
    """Return what a verification ran on: versions, BLAS libraries and the device."""
    return {
        **_system(),
        "packages": {name: package_version(name) for name in _PROVING},
        "blas": _blas(),
        "device": _device(device),
    }


def processor() -> str | None:
    """Return the model of the processor where Linux says it."""
    # platform.processor() gives the architecture on Linux, or nothing.
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return None


def _blas() -> list[str]:
    """Return the arithmetic libraries in use, such as "openblas 0.3.29 (Haswell)"."""
    import threadpoolctl  # here: what only asks for a version does not load it

    found = {
        " ".join(
            str(part)
            for part in (entry["internal_api"], entry.get("version"), entry.get("architecture"))
            if part
        )
        for entry in threadpoolctl.threadpool_info()
        if entry["user_api"] == "blas"
    }
    return sorted(found)


def _device(device: str) -> str:
    if device == "cpu":
        return "cpu"
    import torch  # here: what asks for versions alone does not load it

    if not torch.cuda.is_available():
        return "cpu"
    return f"cuda ({torch.cuda.get_device_name()})"
