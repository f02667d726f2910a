"""``epsrank rank``: the ε-rank of features in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from epsrank.cli.console import print_json, print_table, say
from epsrank.cli.cost import consent_option
from epsrank.cli.front import Command, is_number
from epsrank.cli.options import DEFAULT_EPS, measure_options
from epsrank.cli.sources import checkpoint_options, read_source
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.theory.rank.bounds import Decided
    from epsrank.theory.rank.interval import RankInterval


@click.command(cls=Command, lists={"--eps": is_number}, names={"features": "features of FILE"})
@click.argument("file", required=False)
@click.option(
    "--eps",
    type=float,
    multiple=True,
    metavar="E …",
    help=f"Thresholds ε > 0, one or several.  [default: {DEFAULT_EPS:g}]",
)
@click.option("--relative", is_flag=True, help="Count λ_k > ε·λ_1 instead of λ_k > ε.")
@click.option("--exact", is_flag=True, help="Decide by exact integer arithmetic.")
@click.option(
    "--at-least",
    type=int,
    metavar="K",
    help="Exit with 0 if every rank is certified to be K or more, with 1 if one is certified to be "
    "less, and with 3 if that stays open.",
)
@checkpoint_options
@consent_option
@measure_options
def rank(
    file: str | None,
    eps: tuple[float, ...],
    relative: bool,
    exact: bool,
    at_least: int | None,
    weights: str | None,
    measure: str,
    key: str | None,
    as_json: bool,
    yes: bool,
    **checkpoint: str | None,
) -> None:
    """Count the eigenvalues of the Gram matrix of FILE above ε.

    FILE holds features, one row per sample and one column per neuron, as .npy, .npz, .csv,
    .safetensors or .parquet; or it is the folder of a run, RUN or RUN@record, of which the last
    hidden layer is measured. With --model the network is made by code that you name, with
    --weights its weights (.safetensors, or .pt of tensors only), with --data its inputs. The rank
    is an interval: its ends agree where the arithmetic resolves ε, and where they do not the
    reason is said.
    """
    from epsrank.cli.estimates import shape_of, weigh_features
    from epsrank.theory.data.inputs import as_eps, as_whole
    from epsrank.theory.rank import epsilon_ranks

    thresholds = [as_eps(value, name="--eps") for value in eps or (DEFAULT_EPS,)]
    if at_least is not None:
        as_whole(at_least, "--at-least")
    source = read_source(file, key=key, weights=weights, measure=measure, **checkpoint)
    weigh_features(
        "FILE", shape_of(source.features), counts=len(set(thresholds)), exact=exact, yes=yes
    )
    ranks = epsilon_ranks(
        source.features,
        thresholds,
        measure=source.measure,
        exact=exact,
        relative=relative,
    )
    verdict = None if at_least is None else _verdict(ranks, at_least)
    if as_json:
        asked = {} if verdict is None else {"at_least": {"rank": at_least, "verdict": verdict}}
        print_json(rank_document(ranks) | asked)
    else:
        _print_ranks(source.label, ranks)
        if verdict is not None:
            say(f"at least {at_least}: {_SAID[verdict]}")
    if verdict is not None:
        click.get_current_context().exit(_EXIT_CODES[verdict])


# 2 is bad use or input.
_EXIT_CODES: dict[Decided, int] = {"met": 0, "missed": 1, "undecided": 3}

_SAID: dict[Decided, str] = {
    "met": "certified",
    "missed": "no, the rank is certified to be lower",
    "undecided": "undecided, the interval holds both; ask with --exact, or for another ε",
}


def _verdict(ranks: list[RankInterval], at_least: int) -> Decided:
    """Return what all thresholds together say: the worst of them."""
    from epsrank.theory.rank.bounds import decided

    found = {decided(at_least, entry.lower, entry.upper) for entry in ranks}
    return next(word for word in ("missed", "undecided", "met") if word in found)


def rank_document(ranks: list[RankInterval]) -> dict[str, Any]:
    """Return the JSON document of ``epsrank rank --json``."""
    first = ranks[0]
    return {
        "n_samples": first.n_samples,
        "n_features": first.n_features,
        "measure": first.measure,
        "dtype": first.dtype,
        "noise_floor": first.noise_floor,
        "spectrum": first.spectrum,
        "ranks": [entry.to_json() for entry in ranks],
    }


def _print_ranks(file: str, ranks: list[RankInterval]) -> None:
    """Print ranks for people."""
    first = ranks[0]
    mark = "·λ₁" if first.relative else ""
    print_table(
        ["ε", "ε-rank", "lower", "upper", "route", "why"],
        [
            [
                f"{entry.eps:g}{mark}",
                entry.ends,
                str(entry.lower),
                str(entry.upper),
                entry.route,
                entry.reason,
            ]
            for entry in ranks
        ],
        title=(
            f"{file}: {plural(first.n_samples, 'sample')} × "
            f"{plural(first.n_features, 'feature')}, {first.dtype}, "
            f"{first.measure} measure"
        ),
        note="\n".join([*_storage_notes(ranks), _spectrum_note(first)]),
    )


def _spectrum_note(rank: RankInterval) -> str:
    """Return a line on the ends of the spectrum and the float64 noise floor."""
    largest, least = float(rank.spectrum[0]), float(rank.spectrum[-1])
    return (
        f"λ_1 = {largest:.6g}, λ_{rank.n_features} = {least:.3g} (± {rank.spectrum_error:.1g}); "
        f"float64 noise floor {rank.noise_floor:.2g}"
    )


def _storage_notes(ranks: list[RankInterval]) -> list[str]:
    """Say where rounding to the stored dtype hides the rank that the features had before."""
    return [
        f"at ε = {entry.eps:g} features that round to these {entry.dtype} numbers have ε-ranks in "
        f"[{entry.storage[0]}, {entry.storage[1]}]"
        for entry in ranks
        if (entry.storage[0], entry.storage[1]) != (entry.lower, entry.upper)
    ]
