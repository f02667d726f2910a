"""``epsrank floor --loss``: what any output layer of a norm can reach for a Lipschitz loss (L2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from epsrank.cli.console import number, print_json, print_table
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.theory.data.inputs import Features
    from epsrank.theory.data.measure import Measure
    from epsrank.theory.floor.convex.floor import ConvexFloor
    from epsrank.theory.floor.convex.lipschitz import LipschitzFloor
    from epsrank.theory.numbers.arrays import Matrix

#: Losses beside the squared error: the Lipschitz ones that theory knows by name.
LIPSCHITZ = ("cross_entropy", "bce", "huber", "smooth_l1", "absolute", "l1")
# Below that of the floor by ε, so that the chain is seen to be one.
_TOLERANCE = 1e-4

_IN_RUNS = {"cross-entropy": "cross_entropy"}


def loss_of(asked: str | None, minimised: str | None) -> str:
    """Return the loss whose floor is wanted."""
    if asked is not None:
        return asked.replace("-", "_")
    return _IN_RUNS.get(minimised or "mse", "mse")


def convex_command(
    label: str,
    features: Features,
    target: Matrix,
    *,
    loss: str,
    eps: float,
    norm: float | None,
    coefficients: Any,
    measure: Measure,
    bias: Literal["feature", "fixed"] | None,
    bias_value: Any,
    as_json: bool,
) -> None:
    """Print the floor of a Lipschitz loss and the reading of its plateau."""
    from epsrank.theory.errors import InputError
    from epsrank.theory.floor.convex.floor import convex_floor
    from epsrank.theory.floor.convex.lipschitz import lipschitz_floor

    if measure.name != "mean":
        raise InputError(
            "--measure", f"is {measure.name!r} with --loss {loss}", "the floor of L2 needs 'mean'"
        )
    goal: Any = target
    # One column holds labels, several hold a distribution per sample.
    if loss == "cross_entropy" and target.shape[1] == 1:
        goal = target[:, 0].astype("int64")
        if (goal != target[:, 0]).any():
            raise InputError("--target", "has labels that are no whole numbers", "pass 0 … k − 1")
    arguments: dict[str, Any] = {
        "loss": loss,
        "norm": norm,
        "coefficients": coefficients,
        "weights": measure.weights,
        "bias": bias,
        "bias_value": bias_value,
    }
    reach = convex_floor(features, goal, tolerance=_TOLERANCE, **arguments)
    floor = lipschitz_floor(features, goal, eps=eps, **arguments)
    if as_json:
        print_json(_as_json(reach, floor))
    else:
        _print(label, reach, floor)


def _as_json(reach: ConvexFloor, floor: LipschitzFloor) -> dict[str, Any]:
    """Return the keys of the squared error's JSON, where they have a meaning, and L2's own."""
    own = reach.to_json()
    return {
        "measure": own.pop("measure"),
        "eps": floor.eps,
        "rank": {"lower": floor.rank.lower, "upper": floor.rank.upper},
        "coefficient_norm": own.pop("norm"),
        "loss": own.pop("loss"),
        "reachable": own.pop("reachable"),
        "attained": own.pop("attained"),
        "envelope": None,
        "floor": floor.floor,
        "rank_budget": [],
        "reading": own.pop("reading"),
        **own,
        "lipschitz": floor.lipschitz,
        "tail": floor.tail,
    }


def _print(label: str, reach: ConvexFloor, floor: LipschitzFloor) -> None:
    """Print the chain for people."""
    rank = floor.rank
    name = reach.loss_name.replace("_", "-")
    print_table(
        [f"mean {name}", "value", "meaning"],
        [
            ["loss", number(reach.loss), "of the output layer given"],
            ["attained", number(reach.attained), f"by one with ‖W‖_F ≤ B = {reach.norm:.6g}"],
            ["reachable", number(reach.reachable), "certified: no such output layer has less"],
            [
                "floor",
                number(floor.floor),
                f"certified, from the {plural(floor.directions, 'direction')} "
                f"above ε = {floor.eps:g}",
            ],
        ],
        title=(
            f"{label}: {plural(reach.n_samples, 'sample')} × "
            f"{plural(reach.n_features, 'feature')}, {reach.dtype}, "
            f"{reach.measure} measure, ε-rank {rank.ends}"
        ),
        note=f"reading: {reach.verdict}",
    )
