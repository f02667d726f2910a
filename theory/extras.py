"""Packages beyond the bare installation: each with its extra, named in one line where it lacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from epsrank.theory.errors import InputError

#: By import name: the name to install, and the extra of epsrank that brings it.
PACKAGES = {
    "pyarrow": ("pyarrow", "lab"),
    "sklearn": ("scikit-learn", "lab"),
    "tomli_w": ("tomli-w", "lab"),
    "pandas": ("pandas", "frames"),
    "matplotlib": ("matplotlib", "plots"),
    "jinja2": ("jinja2", "report"),
    "latex2mathml": ("latex2mathml", "report"),
    "torchmetrics": ("torchmetrics", "metrics"),
    "lightning": ("lightning", "lightning"),
    "mlflow": ("mlflow", "mlflow"),
    "tensorboard": ("tensorboard", "tensorboard"),
    "transformers": ("transformers", "huggingface"),
    "wandb": ("wandb", "wandb"),
}


def remedy(extra: str) -> str:
    """Say what brings the packages of an extra."""
    return f"pip install 'epsrank[{extra}]'"


def named(error: ImportError, package: str = "") -> InputError | None:
    """Return the line for a failed import: of that package, or of the one that the error names.

    None where it is none of `PACKAGES`: that is a fault of the code, not of the installation.
    """
    package = package or (error.name or "").partition(".")[0]
    if package not in PACKAGES:
        return None
    name, extra = PACKAGES[package]
    reason = str(error).splitlines()[0] if str(error) else "missing"
    return InputError(name, f"cannot be imported ({reason})", remedy(extra))


@contextmanager
def optional_packages() -> Iterator[None]:
    """Name package and extra in one line where an import in this block lacks one."""
    try:
        yield
    except ImportError as error:
        line = named(error)
        if line is None:
            raise
        raise line from None


def optional_package(module: str, package: str = "") -> Any:
    """Import a module that works only with a package of an extra, its own if no other is named."""
    try:
        return import_module(module)
    except ImportError as error:
        raise named(error, package or module) or error from None
