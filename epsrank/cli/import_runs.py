"""``epsrank import``: histories of other programs as a folder that plot and compare read."""

from __future__ import annotations

from pathlib import Path

import click

from epsrank.cli.console import print_json, say
from epsrank.cli.front import Command, is_name, is_pair
from epsrank.cli.plot_sweep import pairs_of
from epsrank.theory.words import plural


@click.command(
    "import",
    cls=Command,
    lists={"--setting": is_name, "--column": is_pair, "--target": is_name},
)
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--out", metavar="DIR", required=True, help="Folder of the import.")
@click.option("--names", metavar="PATTERN", help="Ends of the paths, as w{width}/seed{seed}.csv.")
@click.option("--seed", metavar="COLUMN", help="Column of the seed, in files of several runs.")
@click.option("--setting", "settings", multiple=True, metavar="COLUMN…", help="Of settings.")
@click.option(
    "--column", "columns", multiple=True, metavar="NAME=COLUMN…",
    help="Columns by what they are: step, loss, test_loss, test_accuracy, rank, …",
)  # fmt: skip
@click.option(
    "--target", "targets", multiple=True, type=float, metavar="LOSS…",
    help="When was each run there?",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def import_(
    files: tuple[str, ...],
    out: str,
    names: str | None,
    seed: str | None,
    settings: tuple[str, ...],
    columns: tuple[str, ...],
    targets: tuple[float, ...],
    as_json: bool,
) -> None:
    """Import histories of other programs, so that `epsrank plot` and `compare` take them as runs.

    FILEs are CSV and parquet with a row per step, event files of TensorBoard, histories of a
    RankMonitor, or folders of these. What stands in braces in --names is the seed or a setting; a
    file that holds several runs has columns for them. Usual names of columns (`global_step`,
    `val_loss`, `train/loss`) are understood. Nothing is unpickled.
    """
    from epsrank.numerics.results import import_runs
    from epsrank.numerics.results.foreign import save_import

    found = import_runs(
        files,
        names=names,
        seed=seed,
        settings=settings,
        columns=pairs_of(columns, "--column"),
        targets=targets,
    )
    save_import(found, Path(out))
    if as_json:
        print_json({"out": out, "runs": len(found.runs), "settings": len(found.cells),
                    "varied": list(found.varied), "figures": list(found.figures)})  # fmt: skip
        return
    say(str(found).replace(found.source, out, 1))
    varied = ", ".join(found.varied) or "nothing"
    seeds = len({run.seed for run in found.runs})
    say(f"{plural(seeds, 'seed')}, what varies: {varied}")
    say(f"figures: {', '.join(found.figures)}")
