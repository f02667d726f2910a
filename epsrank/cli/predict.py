"""``epsrank predict``: the ε-rank before training, from the layer's kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from epsrank.cli.console import notice, print_json, print_table
from epsrank.cli.cost import Asked, consent_option, furthest, weigh
from epsrank.cli.front import Command, is_number
from epsrank.cli.options import DEFAULT_EPS, read_array
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.numerics.first_layer.initial_rank import MeasuredRank
    from epsrank.theory.kernels.input_measure import InputMeasure
    from epsrank.theory.kernels.placed import Placement
    from epsrank.theory.kernels.prediction import InitialRank


@click.command(cls=Command, lists={"--eps": is_number, "--width": is_number})
@click.option(
    "--activation", default="tanh", show_default=True, metavar="NAME", help="σ, as for train."
)
@click.option(
    "--width", type=int, multiple=True, metavar="N …", help="Neurons per layer.  [default: 50]"
)
@click.option("--depth", type=int, default=1, show_default=True, metavar="N", help="Hidden layers.")
@click.option(
    "--init",
    default="default",
    show_default=True,
    metavar="NAME",
    help="default, xavier, he, uniform, normal, or structured (first layer).",
)
@click.option("--init-scale", type=float, metavar="S", help="Scale of the initialisation.")
@click.option(
    "--weight-variance", type=float, metavar="V", help="Normal weights of variance V/fan-in."
)
@click.option(
    "--bias-variance", type=float, metavar="V", help="Normal biases of variance V.  [default: 0]"
)
@click.option("--slope", metavar="G", help="Slope of a structured layer: a number, auto or auto:R.")
@click.option(
    "--domain",
    type=float,
    nargs=2,
    metavar="A B",
    help="Inputs uniform on [A, B].  [default: -1 1]",
)
@click.option("--inputs", type=int, default=1, show_default=True, metavar="D", help="… in R^D.")
@click.option("--data", metavar="F", help="Inputs from a file, one row per sample.")
@click.option("--points", type=int, metavar="N", help="Quadrature points of the domain.")
@click.option(
    "--measure",
    type=click.Choice(["mean", "volume", "raw"]),
    default="mean",
    show_default=True,
    help="Mass 1, or |Ω| of the domain; raw for data: 1 each.",
)
@click.option(
    "--eps",
    type=float,
    multiple=True,
    metavar="E …",
    help=f"Thresholds ε > 0.  [default: {DEFAULT_EPS:g}]",
)
@click.option("--confidence", type=float, default=0.95, show_default=True, metavar="P")
@click.option("--draws", type=int, default=20, show_default=True, help="Networks of the estimate.")
@click.option("--measure-seeds", type=int, metavar="K", help="Measure K networks beside it.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="N")
@consent_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else.")
def predict(
    activation: str,
    width: tuple[int, ...],
    eps: tuple[float, ...],
    measure_seeds: int | None,
    yes: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Predict the ε-rank of the hidden layers of a network before training.

    `limit` is the count #{k : nμ_k > ε} of the layer's kernel, which many neurons reach; `estimate`
    draws layers of n neurons; `band` holds with the given probability, by a derived bound.
    `measured` are certified ranks of networks of the suite.
    """
    from epsrank.theory.data.inputs import as_eps

    thresholds = [as_eps(value, name="--eps") for value in eps or (DEFAULT_EPS,)]
    _weigh(width or (50,), given, measure_seeds, yes)
    setup = _Setup(activation, _inputs(given), given, thresholds, measure_seeds)
    rows = [pair for n in width or (50,) for pair in setup.at(n)]
    if as_json:
        print_json(_document(setup, rows))
    else:
        _print(setup, rows)


# Operations per second, ours: layers are drawn and decomposed one by one.
_FLOPS = 3e8


def _weigh(widths: tuple[int, ...], given: dict[str, Any], seeds: int | None, yes: bool) -> None:
    """Refuse what would never end: every draw of a layer is a decomposition of N×n numbers."""
    width, depth = max(1, *widths), max(1, given["depth"])
    points, networks = given["points"] or 200, max(1, given["draws"]) + max(0, seeds or 0)
    inputs = max(1, given["inputs"])
    layer = points * width * (2 * width + 10 * min(points, width))
    seconds = depth * (networks * layer + 50 * points**2) / _FLOPS
    memory = 8.0 * (points * points + width * (points + (width if depth > 1 else 1)))
    # The sides of the box, as a list, and the points in it.
    memory += inputs * (100.0 + 8.0 * points)
    asked = furthest(
        Asked("--width", width, 50, power=2.0),
        Asked("--depth", depth, 2),
        Asked("--points", points, 200, power=2.0),
        Asked("--draws", given["draws"], 20),
        Asked("--measure-seeds", seeds or 0, 20),
        Asked("--inputs", inputs, 50),
    )
    weigh(asked.option, asked.value, seconds=seconds, memory=memory, yes=yes)


@dataclass(frozen=True)
class _Setup:
    """What is common to all widths."""

    activation: str
    inputs: InputMeasure
    given: dict[str, Any]
    eps: list[float]
    seeds: int | None

    def at(self, n: int) -> list[tuple[InitialRank, MeasuredRank | None]]:
        """Predict, and measure where asked to, at one width."""
        from epsrank.numerics.networks.activations import theory_activation
        from epsrank.theory.kernels.prediction import initial_ranks

        init, place, gamma = self._initialisation(n)
        common: dict[str, Any] = {
            "width": n,
            "depth": self.given["depth"],
            "eps": self.eps,
            "init": init,
            "init_scale": self.given["init_scale"],
        }
        predicted = initial_ranks(
            self.inputs,
            theory_activation(self.activation),
            first=None if place is None else place.neurons(self.inputs, gamma),
            confidence=self.given["confidence"],
            draws=self.given["draws"],
            seed=self.given["seed"],
            **common,
        )
        if self.seeds is None:
            return [(item, None) for item in predicted]
        from epsrank.numerics.first_layer.initial_rank import measured_ranks

        found = measured_ranks(
            self.inputs,
            self.activation,
            place=place,
            gamma=gamma,
            seeds=self.seeds,
            seed=self.given["seed"],
            **common,
        )
        return list(zip(predicted, found, strict=True))

    def _initialisation(self, n: int) -> tuple[Any, Placement | None, float | None]:
        """Return the law of the layers, and where a structured first layer goes."""
        from epsrank.theory.errors import InputError
        from epsrank.theory.kernels.initialisation import LayerInit

        weight, bias = self.given["weight_variance"], self.given["bias_variance"]
        name, slope = self.given["init"], self.given["slope"]
        if name == "structured":
            return ("default", *self._structured(n))
        if slope is not None:
            raise InputError("--slope", f"is {slope!r}", "take --init structured with it")
        if weight is None and bias is None:
            return name, None, None
        # Variances are a law by themselves, and a bias variance alone leaves the weights open.
        if weight is None or name != "default":
            raise InputError(
                "--weight-variance",
                "is missing, or --init is given too",
                "give the variances alone",
            )
        return LayerInit("normal", weight, bias or 0.0), None, None

    def _structured(self, n: int) -> tuple[Placement, float | None]:
        """Place a structured first layer and choose its slope."""
        from epsrank.numerics.first_layer.slope import as_slope, resolve_slope
        from epsrank.numerics.networks.activations import theory_activation
        from epsrank.theory.kernels.placed import placement

        box = _domain(self.given)
        where: dict[str, Any] = {"domain": box, "data": None}
        if self.given["data"] is not None:
            where = {"domain": None, "data": self.inputs.points}
        place = placement(theory_activation(self.activation), n, **where)
        slope = as_slope(self.given["slope"], name="--slope")
        if not isinstance(slope, str):
            return place, slope
        choice = resolve_slope(slope, self.activation, n, eps=self.eps[0], **where)
        notice(str(choice))
        return place, choice.slope


def _domain(given: dict[str, Any]) -> list[tuple[float, float]]:
    """Return the box of the options."""
    from epsrank.theory.data.inputs import as_whole

    as_whole(given["inputs"], "--inputs")
    return [tuple(given["domain"] or (-1.0, 1.0))] * given["inputs"]


def _inputs(given: dict[str, Any]) -> InputMeasure:
    """Return the measure of the inputs."""
    from epsrank.theory.kernels.input_measure import box_measure, data_measure

    if given["data"] is None:
        return box_measure(_domain(given), measure=given["measure"], n_points=given["points"])
    rows = read_array(given["data"], "--data")
    return data_measure(rows, measure=given["measure"], text=given["data"])


def _print(setup: _Setup, rows: list[tuple[InitialRank, MeasuredRank | None]]) -> None:
    """Print predictions for people."""
    columns = ["n", "layer", "ε", "limit", "estimate", "band"]
    columns += [] if setup.seeds is None else ["measured"]
    cells = []
    for item, found in rows:
        band = "–" if item.band is None else f"[{item.band.lower}, {item.band.upper}]"
        row = [
            str(item.width),
            str(item.layer),
            f"{item.eps:g}",
            item.limit.ends,
            f"{item.estimate.mean:.1f} ± {item.estimate.deviation:.1f}",
            band,
        ]
        cells.append(row if found is None else [*row, f"{found.mean:.1f}"])
    first = rows[0][0]
    notes = [first.law, "limit: #{k : nμ_k > ε}; estimate: mean ± deviation of drawn networks;"]
    probability = f"{setup.given['confidence']:g}"
    notes.append(f"band: with probability ≥ {probability} for n independent neurons")
    # A spectrum on N points has N eigenvalues at most: near half of them it shows.
    crowded = max(item.limit.upper for item, _ in rows) > len(setup.inputs.points) // 2
    if crowded:
        notes.append(f"{plural(len(setup.inputs.points), 'point')} bound the ranks: raise --points")
    print_table(columns, cells, title=f"{setup.activation}, {setup.inputs}", note="\n".join(notes))


def _document(setup: _Setup, rows: list[tuple[InitialRank, MeasuredRank | None]]) -> dict[str, Any]:
    """Return the JSON document."""
    return {
        "activation": setup.activation,
        "inputs": setup.inputs.to_json(),
        "measure": setup.inputs.measure.name,
        "init": setup.given["init"],
        "confidence": setup.given["confidence"],
        "predictions": [
            {
                **item.to_json(),
                # The eigenvalues that matter: those counted, and a few below.
                "kernel_eigenvalues": item.spectrum.values[: item.limit.upper + 5],
                "measured": None if found is None else found.to_json(),
            }
            for item, found in rows
        ],
    }
