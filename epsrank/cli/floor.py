"""``epsrank floor``: the least loss that features in a file allow, and how to read a plateau."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import click

from epsrank.cli.console import number, print_json, print_table, say
from epsrank.cli.convex import LIPSCHITZ, convex_command, loss_of
from epsrank.cli.cost import consent_option
from epsrank.cli.front import Command, is_number
from epsrank.cli.options import (
    DEFAULT_EPS,
    measure_options,
    read_array,
    read_coefficients,
    read_target,
)
from epsrank.cli.sources import checkpoint_options, read_source
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.numerics.checkpoint.layer import CheckpointLayer
    from epsrank.theory.floor.result import LossFloor


@click.command(cls=Command, names={"features": "features of FILE"})
@click.argument("file", required=False)
@click.option("--target", metavar="F", help="File with u* at the samples, N or N×k; a run has one.")
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
    "--loss",
    type=click.Choice(["mse", *LIPSCHITZ]),
    help="Loss of the outputs.  [default: that of the run, or mse]",
)
@click.option(
    "--bias",
    type=click.Choice(["feature", "fixed"]),
    help="Output bias: one more feature 1, or subtracted from u*.",
)
@click.option("--bias-value", metavar="V", help="The bias: a number, or a file with k numbers.")
@click.option("--exact", is_flag=True, help="Decide the ε-rank by exact integer arithmetic.")
@checkpoint_options
@consent_option
@measure_options
def floor(
    file: str | None,
    target: str | None,
    eps: float,
    norm: float | None,
    coefficients: str | None,
    loss: str | None,
    bias: Literal["feature", "fixed"] | None,
    bias_value: str | None,
    exact: bool,
    weights: str | None,
    measure: str,
    key: str | None,
    as_json: bool,
    yes: bool,
    **checkpoint: str | None,
) -> None:
    """Bound the loss of every output layer on the features in FILE.

    Give the norm of the output layer with --norm, or the layer itself with --coefficients. All
    losses are squared norms ‖u − u*‖² in the stated measure. An array in an archive is named as
    in `--target data.npz::u`.

    FILE may be the folder of a run, RUN or RUN@record, which has its target and output layer; with
    --model the network is made by code that you name, as in `epsrank rank`, and its own output
    layer is taken unless --norm or --coefficients is given.

    With another --loss, such as bce or huber, the floor is that of the mean of this loss; the
    target of cross_entropy holds labels 0 … k − 1, or a distribution per sample.
    """
    from epsrank.cli.estimates import shape_of, weigh_features
    from epsrank.theory.data.inputs import as_eps, as_features, as_norm
    from epsrank.theory.errors import InputError
    from epsrank.theory.floor.loss_floor import loss_floor

    if norm is not None and coefficients is not None:
        raise click.UsageError("give either --norm B or --coefficients F")
    if target is None and checkpoint["model"] is not None:
        raise click.UsageError("name the target: --target F")
    source = read_source(file, key=key, weights=weights, measure=measure, **checkpoint)
    own = norm is None and coefficients is None
    if own and source.coefficients is None:
        raise click.UsageError(
            "give either --norm B or --coefficients F; the floor depends on the size of the "
            "output layer (--norm inf for no bound)"
        )
    kind = loss_of(loss, source.loss)
    if kind != "mse" and (exact or source.constant is not None):
        what = "--exact counts" if exact else f"{source.label} holds"
        raise InputError("--loss", f"is {kind}, but {what} squares", "take --loss mse")
    features = as_features(source.features, name=source.label)
    weigh_features("FILE", shape_of(features), decompositions=4, exact=exact, yes=yes)
    if target is None and source.target is None:
        raise click.UsageError("name the target: --target F")
    own_bias = (bias, _bias_value(bias_value))
    # Coefficients in a file are another output layer: the run's bias is not theirs.
    if bias is None and bias_value is None and coefficients is None:
        own_bias = _bias_of(source, own)
    goal = source.target if target is None else read_target(target, features.n_samples)
    assert goal is not None
    arguments: dict[str, Any] = {
        "eps": as_eps(eps, name="--eps"),
        "norm": None if norm is None else as_norm(norm, name="--norm"),
        "coefficients": source.coefficients
        if own
        else read_coefficients(coefficients, features.n_features),
        "measure": source.measure,
        "bias": own_bias[0],
        "bias_value": own_bias[1],
    }
    if kind != "mse":
        convex_command(source.label, features, goal, loss=kind, as_json=as_json, **arguments)
        return
    result = loss_floor(features, goal, constant=source.constant, exact=exact, **arguments)
    if as_json:
        print_json(result.to_json())
    else:
        _print_floor(source.label, result)


def _bias_of(source: CheckpointLayer, own: bool) -> tuple[Literal["feature", "fixed"] | None, Any]:
    """Return the bias of a checkpoint's output layer, and its value where that is needed.

    `own`: Whether its coefficients are taken; a norm includes the bias that is a feature. Returns
    name and value.
    """
    needed = own or source.bias == "fixed"
    return source.bias, source.bias_value if source.bias is not None and needed else None


def _bias_value(given: str | None) -> Any:
    """Return the bias: a number, or the numbers in a file."""
    if given is None:
        return None
    return float(given) if is_number(given) else read_array(given, "--bias-value")


def _print_floor(file: str, result: LossFloor) -> None:
    """Print the chain of F3 for people, from the loss down to the floor, and the rank budget."""
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
            f"{file}: {plural(result.n_samples, 'sample')} × "
            f"{plural(result.n_features, 'feature')}, {result.dtype}, "
            f"{result.measure} measure, ε-rank {rank.ends}"
        ),
        note=f"reading: {result.verdict}",
    )
    say()
    print_table(
        ["for a loss of", "the ε-rank must be at least"],
        [
            [number(entry.loss), "out of reach" if entry.rank is None else str(entry.rank)]
            for entry in result.rank_budget
        ],
    )
