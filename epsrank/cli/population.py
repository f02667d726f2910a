"""``epsrank population``: the ε-rank of a population, from independent samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from epsrank.cli.console import number, print_json, print_table
from epsrank.cli.cost import consent_option
from epsrank.cli.front import Command, is_number
from epsrank.cli.options import DEFAULT_EPS, read_features
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.theory.data.inputs import Features
    from epsrank.theory.dense import DenseNetwork
    from epsrank.theory.sampling import PopulationRank


@click.command(cls=Command, lists={"--eps": is_number}, names={"features": "features of FILE"})
@click.argument("file", required=False)
@click.option(
    "--eps",
    type=float,
    multiple=True,
    metavar="E …",
    help=f"Thresholds ε > 0, one or several.  [default: {DEFAULT_EPS:g}]",
)
@click.option(
    "--confidence",
    type=float,
    default=0.95,
    show_default=True,
    help="Probability of each interval.",
)
@click.option("--network", metavar="RUN", help="Folder of the run whose features these are.")
@click.option(
    "--domain",
    metavar="A:B[,A:B…]",
    help="Box that holds every x; one pair serves all inputs.  [default: that of the run's task]",
)
@click.option(
    "--draw", type=int, metavar="N", help="Draw N points of the domain instead of reading FILE."
)
@click.option("--leverage", type=float, metavar="K", help="A known κ for the ridge ε/4.")
@click.option(
    "--resamples",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    help="Bootstrap resamples.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of draws and bootstrap.",
)
@click.option("--key", metavar="NAME", help="Array of a .npz, .safetensors or .parquet FILE.")
@consent_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else.")
def population(
    file: str | None,
    eps: tuple[float, ...],
    confidence: float,
    network: str | None,
    domain: str | None,
    draw: int | None,
    leverage: float | None,
    resamples: int,
    seed: int,
    key: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Bound the ε-rank of the population that the rows of FILE were drawn from.

    The rows are taken to be independent draws that the network was not trained on. With
    --network and a domain the interval is guaranteed at the stated confidence; without them its
    upper end is an estimate, and said to be one.
    """
    from epsrank.theory.data.inputs import as_eps
    from epsrank.theory.sampling import population_rank

    if (file is None) == (draw is None):
        raise click.UsageError("pass FILE, or --draw N with --network; not both")
    if draw is not None and network is None:
        raise click.UsageError("--draw needs --network; say whose features to draw")
    if domain is not None and network is None:
        raise click.UsageError("--domain needs --network; leverage is certified for a network")
    thresholds = [as_eps(value, name="--eps") for value in eps or (DEFAULT_EPS,)]
    known, box = (None, None) if network is None else read_network(network, domain)
    features = read_features(file, key) if file else _drawn(known, box, draw, seed)
    from epsrank.cli.estimates import shape_of, weigh_resamples

    weigh_resamples(resamples, shape_of(features), len(thresholds), yes=yes)
    ranks = [
        population_rank(
            features,
            value,
            confidence=confidence,
            network=known,
            domain=box,
            leverage=leverage,
            resamples=resamples,
            seed=seed,
        )
        for value in thresholds
    ]
    if as_json:
        print_json(
            {
                "n_samples": ranks[0].n_samples,
                "n_features": ranks[0].n_features,
                "dtype": ranks[0].dtype,
                "confidence": ranks[0].confidence,
                "ranks": [entry.to_json() for entry in ranks],
            }
        )
    else:
        _print_ranks(file or f"{plural(draw or 0, 'point')} of {network}", ranks)


def read_network(folder: str, domain: str | None) -> tuple[DenseNetwork, Any]:
    """Return the network of a run and its box: as given, or that of the run's task."""
    from epsrank.numerics.checkpoint.dense import network_of_run
    from epsrank.numerics.training import load_run
    from epsrank.theory.errors import InputError

    run = load_run(folder)
    known = network_of_run(run)
    if domain is not None:
        return known, parse_domain(domain)
    if run.task.domain is None:
        raise InputError("--domain", f"is not known for {run.task.name}", "give it: A:B[,A:B…]")
    return known, run.task.domain


def parse_domain(text: str) -> list[tuple[float, float]]:
    """Read ``"a:b,c:d"``."""
    from epsrank.theory.errors import InputError

    pairs = []
    for side in text.split(","):
        try:
            low, high = side.split(":")
            pairs.append((float(low), float(high)))
        except ValueError:
            raise InputError("--domain", f"is {text!r}", "write it as A:B, such as -1:1") from None
    return pairs


def _drawn(network: Any, domain: Any, count: int | None, seed: int) -> Features:
    """Return the features at uniform points of the box."""
    import numpy as np

    from epsrank.cli.cost import weigh
    from epsrank.theory.data.inputs import as_box, as_features
    from epsrank.theory.errors import InputError

    if count is None or count < 4:
        raise InputError("--draw", f"is {count}", "draw 4 points or more")
    box = as_box(domain, n_inputs=network.n_inputs, name="--domain")
    # A point has coordinates, and one feature at the least.
    weigh("--draw", count, memory=8.0 * count * (len(box) + 1), yes=False)
    random = np.random.default_rng(seed)
    points = random.uniform(box[:, 0], box[:, 1], (count, len(box)))
    return as_features(network.features(points))


def _print_ranks(name: str, ranks: list[PopulationRank]) -> None:
    """Print intervals for people."""
    from epsrank.theory.rank.bounds import rank_text

    first = ranks[0]
    rows = []
    for entry in ranks:
        boot = entry.bootstrap
        separating = entry.separating_samples
        rows.append(
            [
                f"{entry.eps:g}",
                entry.ends,
                entry.status,
                f"≥ {entry.certain_lower}",
                rank_text(entry.sample_lower, entry.sample_upper),
                number(entry.leverage),
                "–" if separating is None else f"{separating:.2g}",
                "–" if boot is None else boot.ends,
                entry.plain.ends,
            ]
        )
    print_table(
        [
            "ε",
            "population",
            "status",
            "certain",
            "sample",
            "leverage κ",
            "N to separate",
            "bootstrap*",
            "plain Bernstein",
        ],
        rows,
        title=(
            f"{name}: {plural(first.n_samples, 'sample')} × "
            f"{plural(first.n_features, 'feature')}, {first.dtype}, "
            f"probability {first.confidence:g} for each ε"
        ),
        note="* guaranteed by nothing",
    )
