"""``epsrank conjecture``: try to refute the subset conjecture, and keep the extremal matrices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from epsrank.cli.console import notice, print_json, print_table
from epsrank.cli.cost import consent_option
from epsrank.cli.front import Command, Interrupted
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.numerics.pruning.subset_search import SubsetSearch


@click.command(cls=Command)
@click.option("--largest", type=int, metavar="N", help="Largest n ≤ 12.  [default: 6; full: 12]")
@click.option("--n", "n", type=int, metavar="N", help="One n only, with --p.")
@click.option("--p", "p", type=int, metavar="P", help="One p only, with --n.")
@click.option("--restarts", type=int, metavar="K", help="Random starts.  [default: 16; full: 64]")
@click.option("--steps", type=int, metavar="N", help="Descent steps.  [default: 150; full: 300]")
@click.option("--full", is_flag=True, help="The full search: n ≤ 12, minutes to an hour.")
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--out", metavar="FILE", help="An .npz file for the extremal matrices.")
@consent_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else.")
def conjecture(
    largest: int | None,
    n: int | None,
    p: int | None,
    restarts: int | None,
    steps: int | None,
    full: bool,
    device: str,
    seed: int,
    out: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Minimise max_S σ_min(Q_S)·√n over n×p orthonormal matrices: below 1 it refutes N4.

    Exit code 1 if a certified counterexample is found. p ≤ n/2 is searched; n − p is the same case.
    Where it is interrupted, the same command with the same --out goes on with the cases left.
    """
    if (n is None) != (p is None):
        raise click.UsageError("give --n and --p together, or neither")
    from epsrank.cli.estimates import weigh_subsets
    from epsrank.cli.unfinished import Unfinished
    from epsrank.numerics.pruning.subset_search import (
        LARGEST,
        SubsetSearch,
        all_cases,
        save_extremal,
        search_subsets,
    )
    from epsrank.numerics.training.build import resolve_device
    from epsrank.theory.errors import InputError

    top = (LARGEST if full else 6) if largest is None else largest
    if not 2 <= top <= LARGEST:
        raise InputError("--largest", f"is {top}", f"choose 2 to {LARGEST}")
    if out is not None and Path(out).suffix != ".npz":
        raise InputError("--out", f"is {out}", "end it in .npz")
    cases = all_cases(top) if n is None or p is None else [(n, p)]
    effort: dict[str, Any] = {
        "restarts": (64 if full else 16) if restarts is None else restarts,
        "steps": (300 if full else 150) if steps is None else steps,
        "polished": 12 if full else 4,
        "seed": seed,
        "device": resolve_device(device),
    }
    weigh_subsets(cases, effort["restarts"], effort["steps"], yes=yes)
    options = effort | {"device": str(effort["device"]), "cases": [[*case] for case in cases]}
    before = Unfinished(None if out is None else Path(out).with_suffix(".unfinished.json"), options)
    found: list[SubsetSearch] = []
    try:
        for size, count in cases:
            name = f"n{size}_p{count}"
            if name in before.parts:
                found.append(SubsetSearch.from_kept(before.parts[name]))
                continue
            found.append(search_subsets(size, count, **effort))
            notice(str(found[-1]))
            # After every case: a long search that is interrupted has lost nothing.
            if out is not None:
                save_extremal(found, Path(out))
            before.keep(name, found[-1].kept())
    except KeyboardInterrupt:
        kept = f", kept in {out}" if out is not None and found else ""
        again = "; the same command goes on from there" if kept else ""
        raise Interrupted(
            f"interrupted after {len(found)} of {plural(len(cases), 'case')}{kept}{again}"
        ) from None
    if out is not None:
        save_extremal(found, Path(out))
    before.finish()
    if as_json:
        print_json({"cases": [entry.to_json() for entry in found]})
    else:
        _print(found, out)
    if any(entry.found.refutes for entry in found):
        click.get_current_context().exit(1)


def _print(found: list[SubsetSearch], out: str | None) -> None:
    """Print one line per case."""
    print_table(
        ["n", "p", "smallest max_S σ_min·√n", "certified ≤", "verdict"],
        [
            [
                str(entry.found.matrix.shape[0]),
                str(entry.found.matrix.shape[1]),
                f"{entry.found.value:.12f}",
                f"{entry.found.certified:.12f}",
                "REFUTED" if entry.found.refutes else "stands",
            ]
            for entry in found
        ],
        note="a search proves nothing: values of 1 and more leave the conjecture open"
        + ("" if out is None else f"; matrices in {out}"),
    )
