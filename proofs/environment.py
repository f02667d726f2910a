"""What a verification ran on: versions, arithmetic library and device, but no names of machines."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import threadpoolctl
import torch

_PACKAGES = (
    "epsrank",
    "numpy",
    "scipy",
    "sympy",
    "python-flint",
    "torch",
    "hypothesis",
    "scikit-learn",
    "joblib",
)


def describe_environment(device: str) -> dict[str, Any]:
    """Return versions, BLAS libraries and the device."""
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "architecture": platform.machine(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "blas": _blas(),
        "device": _device(device),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _blas() -> list[str]:
    """Return the arithmetic libraries in use, such as "openblas 0.3.29 (Haswell)"."""
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
    if device == "cpu" or not torch.cuda.is_available():
        return "cpu"
    return f"cuda ({torch.cuda.get_device_name()})"
