"""Options that several commands share, and the input behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from epsrank.theory.data.inputs import Features
    from epsrank.theory.numbers.arrays import Matrix, Vector

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_EPS = 1e-6


def measure_options(command: F) -> F:
    """Add ``--weights``, ``--measure``, ``--key`` and ``--json``."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else."),
        click.option(
            "--key", metavar="NAME", help="Array of a .npz, .safetensors or .parquet FILE."
        ),
        click.option(
            "--measure",
            type=click.Choice(["mean", "raw", "volume"]),
            default="mean",
            show_default=True,
            help="Normalisation of the weights: mass 1, as given, or a quadrature rule.",
        ),
        click.option(
            "--weights",
            metavar="F",
            help="File with one weight w ≥ 0 per sample; with --model the weights of the network.",
        ),
    ):
        command = option(command)
    return command


def read_features(path: str, key: str | None) -> Features:
    """Return the features in a file, checked; errors name the file."""
    from epsrank.cli.console import notice
    from epsrank.loading import load_array
    from epsrank.theory.data.inputs import as_features

    return as_features(load_array(path, key=key, notice=notice), name=path)


def read_weights(path: str | None, n_samples: int) -> Vector | None:
    """Return the weights in a file, checked; errors name the file."""
    if path is None:
        return None
    from epsrank.theory.data.inputs import as_weights

    return as_weights(read_array(path, "--weights"), n_samples, name=f"--weights {path}")


def read_target(path: str, n_samples: int) -> Matrix:
    """Return the target values in a file, checked; errors name the file."""
    from epsrank.theory.data.inputs import as_target

    return as_target(read_array(path, "--target"), n_samples, name=f"--target {path}")


def read_coefficients(path: str | None, n_features: int) -> Matrix | None:
    """Return the output coefficients in a file, checked; errors name the file."""
    if path is None:
        return None
    from epsrank.theory.data.inputs import as_coefficients

    return as_coefficients(
        read_array(path, "--coefficients"), n_features, name=f"--coefficients {path}"
    )


def read_array(path: str, name: str) -> Any:
    """Load a side file, of which .npz and .safetensors must hold one array only."""
    from epsrank.cli.console import notice
    from epsrank.loading import load_array

    # A single colon is part of paths on Windows.
    file, _, key = path.partition("::")
    return load_array(file, key=key or None, name=name, notice=notice)


def one_size(size: str | None, quick: bool, full: bool) -> str | None:
    """Return the size that ``--size`` or its short forms ask for; None where none does."""
    asked = {"--quick": "quick" if quick else None, "--full": "full" if full else None}
    asked[f"--size {size}"] = size
    given = {option: value for option, value in asked.items() if value is not None}
    if len(set(given.values())) > 1:
        raise click.UsageError(f"choose one of {' and '.join(given)}")
    return next(iter(given.values()), None)
