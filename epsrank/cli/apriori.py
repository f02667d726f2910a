"""``epsrank apriori``: floors known before training, for networks on the line and for W^s balls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from epsrank.cli.console import number, print_json, print_table
from epsrank.cli.cost import consent_option
from epsrank.cli.front import Command
from epsrank.cli.options import DEFAULT_EPS, read_array, read_weights
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.theory.apriori import AprioriFloor, SegmentedDistances
    from epsrank.theory.numbers.arrays import Array


@click.command(cls=Command, names={"n": "--width", "count": "--neurons"})
@click.argument("target")
@click.option("--neurons", type=int, default=32, show_default=True, help="Largest p.")
@click.option("--width", type=int, metavar="N", help="Neurons n of the network.  [default: 2·P]")
@click.option(
    "--eps", type=float, default=DEFAULT_EPS, metavar="E", help="Threshold ε > 0.  [default: 1e-6]"
)
@click.option("--norm", type=float, default=10.0, show_default=True, help="Bound B on ‖β‖.")
@click.option("--stability", type=float, default=1.0, show_default=True, help="C_S.")
@click.option("--target-values", metavar="F", help="File with u* where TARGET is a file with x.")
@click.option("--n-train", type=int, metavar="N", help="Points of a named target.")
@click.option("--smoothness", type=float, default=1.0, show_default=True, help="s of sobolev.")
@click.option("--dimension", type=int, default=1, show_default=True, help="d of sobolev.")
@click.option("--period", type=float, default=1.0, show_default=True, help="L of sobolev.")
@click.option("--radius", type=float, default=1.0, show_default=True, help="R of sobolev.")
@click.option("--weights", metavar="F", help="File with one weight w ≥ 0 per sample.")
@click.option(
    "--measure", type=click.Choice(["mean", "raw", "volume"]), default="mean", show_default=True
)
@consent_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else.")
def apriori(
    target: str,
    neurons: int,
    width: int | None,
    eps: float,
    norm: float,
    stability: float,
    target_values: str | None,
    n_train: int | None,
    smoothness: float,
    dimension: int,
    period: float,
    radius: float,
    weights: str | None,
    measure: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Say what no network can reach, from the target and the ε-rank alone.

    TARGET is a function on an interval (`cosines`, `absolute`, …), a run folder of one hidden ReLU
    layer on an interval, a file with points x (then --target-values gives u*), or `sobolev`: the
    periodic Sobolev ball of order s. For a run the floor is held against its loss.
    """
    if target == "sobolev":
        _sobolev(neurons, eps, norm, smoothness, dimension, period, radius, as_json)
    elif Path(target).is_dir():
        _run(target, as_json)
    else:
        found = _distances(target, target_values, n_train, neurons, weights, measure, yes)
        n = max(1, 2 * neurons) if width is None else width
        _curve(target, found, n, eps, norm, stability, as_json)


def _sobolev(
    neurons: int,
    eps: float,
    norm: float,
    smoothness: float,
    dimension: int,
    period: float,
    radius: float,
    as_json: bool,
) -> None:
    """Print widths and floors of a Sobolev ball."""
    from epsrank.cli.estimates import weigh_widths
    from epsrank.theory.apriori import sobolev_widths, width_floor

    weigh_widths(neurons)
    widths = sobolev_widths(smoothness, neurons, dimension=dimension, period=period, radius=radius)
    floors = width_floor(widths, eps=eps, norm=norm)
    if as_json:
        print_json({"eps": eps, "norm": norm, "widths": widths, "floors": floors})
        return
    print_table(
        ["p", "width d_p", "floor"],
        [[str(p), number(float(widths[p])), number(float(floors[p]))] for p in _shown(neurons)],
        title=f"‖u‖² + ‖u‖²_s ≤ {radius:g}², s = {smoothness:g}, d = {dimension}, "
        f"period {period:g}",
        note=f"floor (d_p − √ε·B)_+ of the worst u* at ε-rank p, ε = {eps:g}, B = {norm:g}",
    )


def _distances(
    target: str,
    values: str | None,
    n_train: int | None,
    neurons: int,
    weights: str | None,
    measure: str,
    yes: bool,
) -> SegmentedDistances:
    """Return bounds of E_p for a named target or for points in a file."""
    from epsrank.cli.estimates import weigh_segments
    from epsrank.theory.apriori import relu_distances

    if values is not None:
        points = read_array(target, "TARGET")
        goal = read_array(values, "--target-values")
        law = read_weights(weights, len(points))
        weigh_segments(len(points), neurons, named=False, yes=yes)
        return relu_distances(points, goal, neurons, weights=law, measure=measure)
    from epsrank.numerics.tasks import TASKS, load_task
    from epsrank.theory.errors import InputError

    if target not in TASKS:
        raise click.UsageError(
            f"TARGET {target!r} is no function on an interval, no run folder and no file with "
            "--target-values"
        )
    if weights is not None:
        raise click.UsageError("--weights belongs to a file of points")
    # Before the points are made, too.
    weigh_segments(n_train or 0, neurons, named=True, yes=yes)
    task = load_task(target, n_train=n_train)
    if task.n_inputs != 1:
        raise InputError(
            "TARGET", f"{target} has {plural(task.n_inputs, 'input')}", "choose one on a line"
        )
    return relu_distances(
        task.x.numpy(),
        task.y.numpy(),
        neurons,
        weights=None if task.weights is None else task.weights.numpy(),
        measure=task.measure,
    )


def _curve(
    target: str,
    found: SegmentedDistances,
    n: int,
    eps: float,
    norm: float,
    stability: float,
    as_json: bool,
) -> None:
    """Print E_p and the floor against the ε-rank."""
    from epsrank.theory.apriori import class_floor, draft_class_floor

    count = max(1, min(len(found.lower), n + 1))
    lower = found.lower[:count]
    settings: dict[str, Any] = {"n": n, "eps": eps, "norm": norm, "stability": stability}
    ours, draft = class_floor(lower, **settings), draft_class_floor(lower, **settings)
    if as_json:
        print_json({**settings, "floors": ours, "draft_floors": draft, **found.to_json()})
        return
    above = found.network_upper
    print_table(
        ["ε-rank p", "E_p ≥", "E_p ≤", "floor", "draft's floor"],
        [
            [
                str(p),
                number(float(lower[p])),
                number(float(above[p])),
                number(float(ours[p])),
                number(float(draft[p])),
            ]
            for p in _shown(count - 1)
        ],
        title=f"{target}: one hidden ReLU layer on {plural(found.n_points, 'point')}, "
        f"{found.measure} measure",
        note=f"floor of √loss: (E_p − √((1 + p(n−p))·ε)·B)_+ / C_S, n = {n}, ε = {eps:g}, "
        f"B = {norm:g}, C_S = {stability:g}",
    )


def _run(folder: str, as_json: bool) -> None:
    """Print the a-priori floor of a trained network beside its loss."""
    from epsrank.numerics.checkpoint.apriori import floor_of_run
    from epsrank.numerics.training import load_run

    floor, root_loss = floor_of_run(load_run(folder))
    if as_json:
        print_json({**floor.to_json(), "root_loss": root_loss})
        return
    _print_run(folder, floor, root_loss, floor.distances.lower)


def _print_run(folder: str, floor: AprioriFloor, root_loss: float, lower: Array) -> None:
    """Print one line per p, and the comparison with the loss."""
    print_table(
        ["p", "E_p ≥", "√((1+p(n−p))λ_{p+1})·‖W‖", "floor"],
        [
            [
                str(p),
                number(float(lower[p])) if p < len(lower) else "–",
                number(float(floor.reaches[p])),
                number(float(floor.floors[p])),
            ]
            for p in _shown(floor.n_features)
        ],
        title=f"{folder}: {floor.n_features} ReLU neurons, ‖W‖ = {floor.norm:.4g}, "
        f"{floor.measure} measure",
        note=f"√loss = {root_loss:.4g} ≥ {floor.best:.4g}, the floor at p = {floor.at}",
    )


def _shown(last: int) -> list[int]:
    """Return some p from 0 to the last: all of a few, else denser at the start."""
    if last <= 16:
        return list(range(last + 1))
    # Rounded up: at most some twenty lines.
    step = -(-last // 16)
    return sorted({*range(0, last + 1, step), 1, last})
