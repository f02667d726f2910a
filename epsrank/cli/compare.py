"""``epsrank compare``: two folders against each other, told apart by what their manifests say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from epsrank.cli.console import notice, number, print_json, print_table, say
from epsrank.cli.front import Command, is_name, is_pair
from epsrank.cli.plot_sweep import pairs_of
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.numerics.results import Comparison, SweepResults
    from epsrank.numerics.results.compare import Effect


@dataclass(frozen=True)
class Asked:
    """What is to be compared, and how."""

    #: A and B, and which of their runs.
    paths: tuple[str, str]
    where: tuple[Mapping[str, str], Mapping[str, str]]
    figures: tuple[str, ...]
    coverage: float
    as_json: bool


@click.command(
    cls=Command,
    lists={
        "--figure": is_name,
        "--a": is_pair,
        "--b": is_pair,
    },
    names={"figures": "--figure"},
)
@click.argument("a")
@click.argument("b")
@click.option(
    "--figure", "figures", multiple=True, metavar="NAME…",
    help="Figures to compare.  [default: loss test_loss test_accuracy rank_lower]",
)  # fmt: skip
@click.option(
    "--a", "where_a", multiple=True, metavar="NAME=VALUE…", help="Take these runs of A only."
)
@click.option(
    "--b", "where_b", multiple=True, metavar="NAME=VALUE…", help="Take these runs of B only."
)
@click.option("--coverage", type=float, default=0.95, show_default=True, help="Of the intervals.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def compare(
    a: str,
    b: str,
    figures: tuple[str, ...],
    where_a: tuple[str, ...],
    where_b: tuple[str, ...],
    coverage: float,
    as_json: bool,
) -> None:
    """Compare A with B: sweeps, imports (`epsrank import`), runs, or histories of others.

    Of two folders of `epsrank verify` it says what changed, verdicts first.

    Runs are paired by their settings and their seed. Of losses the effect is B/A, of all else
    B − A: the median over the seeds, with the interval that order statistics give. A setting that
    is one value in all of A and another in all of B is what is compared, and is named; so is what
    has no partner. With --a and --b, parts of one sweep are compared.
    """
    kinds = [_kind(path) for path in (a, b)]
    for path, kind in zip((a, b), kinds, strict=True):
        if kind not in COMPARERS:
            from epsrank.theory.errors import InputError

            raise InputError(
                path, f"is the folder of a {kind}", "compare sweeps, runs or verifications"
            )
    if "verification" in kinds and len(set(kinds)) > 1:
        from epsrank.theory.errors import InputError

        other = b if kinds[0] == "verification" else a
        raise InputError(other, "is no verification", "compare two folders of epsrank verify")
    where = (pairs_of(where_a, "--a"), pairs_of(where_b, "--b"))
    COMPARERS[kinds[0]](Asked((a, b), where, figures, coverage, as_json))


def _kind(path: str) -> str:
    """Return what a path holds; what has no manifest holds the results of others."""
    from epsrank.numerics.manifest import folder_kind

    place = Path(path)
    return (folder_kind(place) if place.is_dir() else None) or "results"


def _compare_results(asked: Asked) -> None:
    """Compare what `load_results` reads, in pairs of runs."""
    from epsrank.numerics.results import compare_results, load_results

    loaded = [load_results(path) for path in asked.paths]
    a, b = map(_chosen, loaded, asked.where, ("--a", "--b"))
    found = compare_results(a, b, figures=asked.figures, coverage=asked.coverage)
    if asked.as_json:
        print_json(found.to_json())
        return
    for line in found.pairing.unpaired:
        notice(f"not paired: {line}")
    differences = found.pairing.differences
    names = list(dict.fromkeys(name for cell, _ in found.pairing.cells for name in cell))
    columns = [*names, "figure", "pairs", "A", "B", "effect", "interval", "B better"]
    rows = [_row(effect, names) for effect in found.effects]
    told = ", ".join(f"{name} {one} → {other}" for name, (one, other) in differences.items())
    note = "B/A of losses, B − A of all else: medians over the seeds"
    title = f"A = {asked.paths[0]}, B = {asked.paths[1]}: {plural(found.pairing.count, 'pair')}"
    title += f"; {told}" if told else ""
    print_table(columns, rows, title=title, note=f"{note}{_silent(found)}")


def _chosen(loaded: SweepResults, where: Mapping[str, str], option: str) -> SweepResults:
    """Return the runs that an option leaves; errors name it."""
    from epsrank.theory.errors import InputError

    try:
        return loaded.where(where) if where else loaded
    except InputError as error:
        raise InputError(option, error.problem, error.remedy) from None


def _row(effect: Effect, names: Sequence[str]) -> list[str]:
    """Return a line of the table."""
    settings = {} if effect.settings is None else effect.settings
    mark = "B/A" if effect.scale == "ratio" else "B − A"
    own = effect.effect
    interval = f"[{number(own.low)}, {number(own.high)}] {100 * own.coverage:.1f} %"
    return [
        *("all" if effect.settings is None else str(settings[name]) for name in names),
        effect.figure,
        str(effect.pairs),
        number(effect.median_a),
        number(effect.median_b),
        f"{mark} {number(own.value)}",
        interval if own.count > 1 else "one pair",
        "equal" if effect.better is None else f"{effect.better.count} of {effect.better.total}",
    ]


def _silent(found: Comparison) -> str:
    """Say how many pairs have nothing to say of a figure."""
    silent = {effect.figure: effect.silent for effect in found.effects
              if effect.settings is None and effect.silent}  # fmt: skip
    told = ", ".join(f"{count} of {figure}" for figure, count in silent.items())
    return f"; pairs without a figure, or infinite in both: {told}" if told else ""


def _compare_verifications(asked: Asked) -> None:
    """Compare two verifications by their ledgers."""
    from epsrank.theory.extras import optional_packages

    with optional_packages():
        from epsrank.proofs.report.changes import compare_verifications
    if asked.figures or any(asked.where):
        raise click.UsageError("--figure, --a and --b belong to runs, and these are verifications")
    found = compare_verifications(*asked.paths)
    if asked.as_json:
        print_json(found)
        return
    title = f"A = {asked.paths[0]}, B = {asked.paths[1]}: {found['same']} of {found['common']} "
    title += "verdicts of both are the same"
    if found["changes"]:
        rows = [[item["what"], item["title"], item["a"], item["b"]] for item in found["changes"]]
        print_table(["changed", "claim", "A", "B"], rows, title=title)
    else:
        say(f"{title}, and so is all they were derived from")
    for side in ("only in A", "only in B"):
        if found[side]:
            more = len(found[side]) - 4
            names = "; ".join(found[side][:4]) + (f"; and {more} more" if more > 0 else "")
            notice(f"{side}, {plural(len(found[side]), 'claim')}: {names}")
    for name, (one, other) in found["environment"].items():
        notice(f"{name}: {one} in A, {other} in B")


#: What compares A with B, by the kind of A: a new kind of folder is an entry here.
COMPARERS: dict[str, Callable[[Asked], None]] = {
    "sweep": _compare_results,
    "run": _compare_results,
    "results": _compare_results,
    "verification": _compare_verifications,
}
