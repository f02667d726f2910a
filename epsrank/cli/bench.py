"""``epsrank bench``: speed as ratios against the alternatives, measured in one run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from epsrank.cli.console import notice, print_json, print_table, say
from epsrank.cli.cost import consent_option
from epsrank.cli.front import Command, Interrupted
from epsrank.theory.strict_json import document, nulled

if TYPE_CHECKING:
    from epsrank.benchmarks.result import BenchmarkResult, KeptResult

    Result = BenchmarkResult | KeptResult


@click.command(cls=Command)
@click.argument("names", nargs=-1, metavar="[NAME …]")
@click.option(
    "--rounds", type=click.IntRange(min=1), metavar="R", help="Rounds of every comparison."
)
@click.option("--quick", is_flag=True, help="Tiny cases, to see that all works: no figures.")
@click.option("--full", is_flag=True, help="Add the cases that take long.")
@click.option(
    "--threads", type=click.IntRange(1, 1024), metavar="T", help="Threads of BLAS, PyTorch."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="N")
@consent_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else.")
@click.option("--out", metavar="DIR", help="Also write DIR/bench.json and DIR/bench.md.")
def bench(
    names: tuple[str, ...],
    rounds: int | None,
    quick: bool,
    full: bool,
    threads: int | None,
    seed: int,
    yes: bool,
    as_json: bool,
    out: str | None,
) -> None:
    """Run benchmarks by NAME, all of them by default; `epsrank bench list` names them.

    Every comparison is made in one run with the alternatives in turn, and ratios are taken between
    neighbours in time, because machines are shared and noisy. Where it is interrupted, the same
    command with the same --out goes on with the benchmarks that are left.
    """
    from epsrank.benchmarks import BENCHMARKS, run_benchmarks
    from epsrank.benchmarks.result import BenchmarkResult, KeptResult
    from epsrank.benchmarks.settings import BenchmarkSettings
    from epsrank.cli.estimates import weigh_benchmarks
    from epsrank.cli.unfinished import Unfinished

    if "list" in names:
        if len(names) > 1:
            raise click.UsageError("list takes no other NAME")
        if as_json:
            print_json([{"name": name, "about": about} for name, about in BENCHMARKS.items()])
        else:
            print_table(["name", "measures"], [[*pair] for pair in BENCHMARKS.items()])
        return
    if quick and full:
        raise click.UsageError("give either --quick or --full")
    settings = BenchmarkSettings(
        rounds=rounds,
        effort="quick" if quick else "full" if full else "default",
        threads=threads,
        seed=seed,
        say=notice,
    )
    # Of names that are none the benchmarks say so.
    asked = [name for name in names or BENCHMARKS if name in BENCHMARKS]
    weigh_benchmarks(asked, rounds, settings.effort, yes=yes)
    folder = None if out is None else _folder(out)
    place = None if folder is None else folder / "unfinished.json"
    before = Unfinished(place, settings.to_json() | {"names": [*names]})
    kept = {name: KeptResult(part) for name, part in before.parts.items()}
    done: list[Result] = []
    try:
        for result in run_benchmarks(names, settings, kept):
            done.append(result)
            if folder is not None:
                _write(folder, done)
            if isinstance(result, BenchmarkResult):
                before.keep(result.name, result.kept())
            if not as_json:
                _print(result)
    except KeyboardInterrupt:
        if folder is None or not done:
            raise
        there = ", ".join(result.name for result in done)
        raise Interrupted(
            f"interrupted; {folder} holds {there}, and the same command goes on from there"
        ) from None
    before.finish()
    if as_json:
        # One document, and so at the end alone.
        print_json(_document(done))


def _folder(out: str) -> Path:
    """Make the folder now, so that an unwritable one does not cost a run."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder, [])
    return folder


def _write(folder: Path, results: list[Result]) -> None:
    """Write what there is so far."""
    (folder / "bench.json").write_text(document(nulled(_document(results))), encoding="utf-8")
    page = "\n".join(result.markdown() for result in results)
    (folder / "bench.md").write_text(page, encoding="utf-8")


def _document(results: list[Result]) -> dict[str, object]:
    """Return the JSON document."""
    return {"benchmarks": [result.to_json() for result in results]}


def _print(result: Result) -> None:
    """Print the tables for people."""
    say(f"{result}\n")
    for table in result.tables:
        print_table(table.headings, table.cells, title=table.title, note=table.notes)
        say()
