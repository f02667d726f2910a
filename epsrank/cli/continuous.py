"""``epsrank continuous``: ε-rank and floor of a run's network in L²(Ω), without a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from epsrank.cli.console import print_json, print_table
from epsrank.cli.front import Command, is_number
from epsrank.cli.options import DEFAULT_EPS
from epsrank.cli.population import parse_domain
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.numerics.training import Run
    from epsrank.theory.continuous import ContinuousFloor, ContinuousRank
    from epsrank.theory.dense import DenseNetwork
    from epsrank.theory.numbers.interval import Interval
    from epsrank.theory.rank.interval import RankInterval


@click.command(cls=Command, lists={"--eps": is_number})
@click.argument("run")
@click.option(
    "--eps",
    type=float,
    multiple=True,
    metavar="E …",
    help=f"Thresholds ε > 0, one or several.  [default: {DEFAULT_EPS:g}]",
)
@click.option("--domain", metavar="A:B", help="The interval Ω.  [default: that of the run's task]")
@click.option(
    "--measure",
    type=click.Choice(["volume", "mean"]),
    default="volume",
    show_default=True,
    help="dx, or dx/|Ω|.",
)
@click.option("--layer", type=int, metavar="K", help="Hidden layer.  [default: the last]")
@click.option("--no-floor", is_flag=True, help="Leave the floor out.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else.")
def continuous(
    run: str,
    eps: tuple[float, ...],
    domain: str | None,
    measure: str,
    layer: int | None,
    no_floor: bool,
    as_json: bool,
) -> None:
    """Certify the ε-rank of the network of RUN over an interval, and its floor in L²(Ω).

    RUN is the folder of a run of an mlp with one input and an analytic activation (tanh, erf,
    sine, cosine, sigmoid, gaussian). Integrals are Gauss–Legendre sums with a remainder that is
    bounded by ball arithmetic, so the numbers are theorems about the network, not about a grid.
    """
    from epsrank.numerics.checkpoint.dense import network_of_run
    from epsrank.numerics.training import load_run
    from epsrank.theory.continuous import continuous_ranks
    from epsrank.theory.continuous.grid import grid_ranks
    from epsrank.theory.data.inputs import as_eps

    thresholds = [as_eps(value, name="--eps") for value in eps or (DEFAULT_EPS,)]
    loaded = load_run(run)
    network = network_of_run(loaded)
    ends = _interval(loaded, domain)
    looked_at = network if layer is None else network.layer(layer)
    ranks = continuous_ranks(looked_at, thresholds, ends, measure=measure)
    floor = None
    # The floor is of the output layer, which sees the last hidden one alone.
    if not no_floor and layer in (None, network.depth):
        floor = _floor(loaded, network, thresholds[0], ends, measure)
    sampled = grid_ranks(looked_at, thresholds, ends, measure)
    if as_json:
        print_json(
            {
                "n_features": ranks[0].n_features,
                "measure": measure,
                "domain": list(ends),
                "activation": network.activation,
                "spectrum": [value.to_json() for value in ranks[0].spectrum],
                "ranks": [
                    {**rank.to_json(), "grid": [grid.lower, grid.upper]}
                    for rank, grid in zip(ranks, sampled, strict=True)
                ],
                "floor": None if floor is None else floor.to_json(),
            }
        )
    else:
        _print_ranks(run, ranks, sampled)
        if floor is not None:
            _print_floor(floor)


def _interval(run: Run, domain: str | None) -> tuple[float, float]:
    """Return Ω."""
    from epsrank.theory.errors import InputError

    sides = run.task.domain if domain is None else parse_domain(domain)
    if sides is None or len(sides) != 1:
        raise InputError(
            "--domain",
            f"has {plural(len(sides or ()), 'side')}",
            "pass a run with one input, or A:B",
        )
    return sides[0]


def _floor(
    run: Run, network: DenseNetwork, eps: float, ends: tuple[float, float], measure: str
) -> ContinuousFloor | None:
    """Return the floor against the target of the run's task, None where it has no formula."""
    from epsrank.theory.continuous import ANALYTIC_TARGETS, continuous_floor

    if run.config.task not in ANALYTIC_TARGETS or run.config.loss != "mse":
        return None
    bias: Any = run.config.bias
    return continuous_floor(network, run.config.task, eps, ends, measure=measure, bias=bias)


def _print_ranks(name: str, ranks: list[ContinuousRank], grids: list[RankInterval]) -> None:
    """Print ranks for people."""
    from epsrank.theory.continuous.grid import GRID

    first = ranks[0]
    low, high = first.domain
    how = first.quadrature
    space = f"L²({low:g}, {high:g})" if first.measure == "volume" else "the mean over Ω"
    print_table(
        ["ε", "ε-rank", f"on {plural(GRID, 'point')}", "why"],
        [
            [f"{rank.eps:g}", rank.ends, grid.ends, rank.reason]
            for rank, grid in zip(ranks, grids, strict=True)
        ],
        title=(
            f"{name}: {first.n_features} {first.activation} features in {space}, |Ω| = "
            f"{high - low:g}, certified"
        ),
        note=(
            f"{how.nodes} Gauss–Legendre nodes, {plural(how.pieces, 'piece of Ω')}, "
            "remainder of any "
            f"integral ≤ {how.remainder:.1e}, balls of {plural(how.bits, 'bit')}"
        ),
    )


def _print_floor(floor: ContinuousFloor) -> None:
    """Print the chain for people."""
    rows: list[tuple[str, Interval, str]] = [
        ("loss", floor.loss, "‖u − u*‖²"),
        ("V(B)", floor.reachable, "least with this norm"),
        ("envelope", floor.envelope, "max over p of (d_p − √λ_{p+1}·B)²"),
        ("floor", floor.floor, f"(d_r − √ε·B)² at the ε-rank, ε = {floor.rank.eps:g}"),
    ]
    state = "every inequality proved" if floor.holds else f"not decided: {floor.reason}"
    print_table(
        ["squared error", "value", "meaning"],
        [[name, f"{float(value):.10g}", text] for name, value, text in rows],
        title=f"\nagainst {floor.target}, output bias as {floor.bias}: {state}",
    )
