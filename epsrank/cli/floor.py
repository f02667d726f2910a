"""``epsrank floor``: the least loss that features in a file allow, and how to read a plateau."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import click

from epsrank.cli.console import interval, number, print_json, print_table
from epsrank.cli.front import Command, is_number
from epsrank.cli.options import (
    DEFAULT_EPS,
    measure_options,
    read_array,
    read_coefficients,
    read_features,
    read_target,
    read_weights,
)

if TYPE_CHECKING:
    from theory.floor.result import LossFloor


@click.command(cls=Command)
@click.argument("file")
@click.option("--target", required=True, metavar="F", help="File with u* at the samples, N or N×k.")
@click.option(
    "--eps", type=float, default=DEFAULT_EPS, metavar="E", help="Threshold ε > 0.  [default: 1e-6]"
)
@click.option(
    "--norm", type=float, metavar="B", help="Bound on the coefficient norm ‖β‖ (or ‖W‖_F)."
)
@click.option(
    "--coefficients", metavar="F", help="File with β (n) or W (n×k): gives loss and norm."
)
@click.option(
    "--bias",
    type=click.Choice(["feature", "fixed"]),
    help="Output bias: one more feature 1, or subtracted from u*.",
)
@click.option("--bias-value", metavar="V", help="The bias: a number, or a file with k numbers.")
@click.option("--exact", is_flag=True, help="Decide the ε-rank by exact integer arithmetic.")
@measure_options
def floor(
    file: str,
    target: str,
    eps: float,
    norm: float | None,
    coefficients: str | None,
    bias: Literal["feature", "fixed"] | None,
    bias_value: str | None,
    exact: bool,
    weights: str | None,
    measure: str,
    key: str | None,
    as_json: bool,
) -> None:
    """Bound the loss of every output layer on the features in FILE.

    Give the norm of the output layer with --norm, or the layer itself with --coefficients. All
    losses are squared norms ‖u − u*‖² in the stated measure. An array in an archive is named as
    in `--target data.npz::u`.

    Parameters
    ----------
    file, target : str
        Features and target.
    eps : float
        Threshold.
    norm : float or None
        Bound on the coefficients.
    coefficients : str or None
        File of coefficients.
    bias, bias_value : str or None
        How the output bias enters, and its value.
    exact : bool
        Exact arithmetic for the rank.
    weights : str or None
        File of weights.
    measure : str
        Name of the measure.
    key : str or None
        Array of the file.
    as_json : bool
        Print JSON.

    Raises
    ------
    UsageError
        Unless exactly one of --norm and --coefficients is given.
    """
    if (norm is None) == (coefficients is None):
        raise click.UsageError(
            "give either --norm B or --coefficients F; the floor depends on the size of the "
            "output layer (--norm inf for no bound)"
        )
    from theory.floor.loss_floor import loss_floor
    from theory.inputs import as_eps, as_norm

    features = read_features(file, key)
    result = loss_floor(
        features,
        read_target(target, features.n_samples),
        eps=as_eps(eps, name="--eps"),
        norm=None if norm is None else as_norm(norm, name="--norm"),
        coefficients=read_coefficients(coefficients, features.n_features),
        weights=read_weights(weights, features.n_samples),
        measure=measure,
        bias=bias,
        bias_value=_bias_value(bias_value),
        exact=exact,
    )
    if as_json:
        print_json(result.to_json())
    else:
        _print_floor(file, result)


def _bias_value(given: str | None) -> Any:
    """Return the bias: a number, or the numbers in a file.

    Parameters
    ----------
    given : str or None
        What followed ``--bias-value``.

    Returns
    -------
    float, array or None
        The bias.
    """
    if given is None:
        return None
    return float(given) if is_number(given) else read_array(given, "--bias-value")


def _print_floor(file: str, result: LossFloor) -> None:
    """Print the chain of F3 for people, from the loss down to the floor, and the rank budget.

    Parameters
    ----------
    file : str
        Where the features came from.
    result : LossFloor
        The floor.
    """
    rank, norm = result.rank, result.coefficient_norm
    print_table(
        ["squared error", "value", "meaning"],
        [
            ["loss", number(result.loss), "of the output layer given"],
            ["V(B)", number(result.reachable), f"least with ‖W‖_F ≤ B = {norm:.6g}"],
            ["V(∞)", number(result.reachable_unbounded), "least with any output layer"],
            ["envelope", number(result.envelope), "max over p of (d_p − √λ_{p+1}·B)²"],
            ["floor", number(result.floor), f"(d_p − √ε·B)² at the ε-rank, ε = {result.eps:g}"],
        ],
        title=(
            f"{file}: {result.n_samples} samples × {result.n_features} features, {result.dtype}, "
            f"{result.measure} measure, ε-rank {interval(rank.lower, rank.upper)}"
        ),
        note=f"reading: {result.verdict}",
    )
    click.echo()
    print_table(
        ["for a loss of", "the ε-rank must be at least"],
        [
            [number(entry.loss), "out of reach" if entry.rank is None else str(entry.rank)]
            for entry in result.rank_budget
        ],
    )
