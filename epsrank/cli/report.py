"""``epsrank report``: the page of a folder, made from the data in it."""

from __future__ import annotations

from pathlib import Path

import click

from epsrank.cli.console import say
from epsrank.cli.front import Command


@click.command(cls=Command)
@click.argument("folder", metavar="DIR")
def report(folder: str) -> None:
    """Write the page of DIR from the data in it; nothing is run.

    DIR is the folder of `epsrank verify`, whose index.html is written again from ledger.json and
    its figures, or that of a training run, which gets report.html: a slider over the steps with
    loss, V(B), floor, the ε-rank of every layer and its spectrum. Each is one file that asks for
    nothing from outside. Prints the file.
    """
    from epsrank.numerics.manifest import folder_kind, of_kind
    from epsrank.theory.errors import InputError
    from epsrank.theory.extras import optional_packages

    place = Path(folder)
    kind = folder_kind(place) if place.is_dir() else None
    with optional_packages():
        if kind == "verification":
            from epsrank.proofs.report import rebuild_report

            say(str(rebuild_report(place)))
        elif kind == "run":
            from epsrank.proofs.report.training import write_training

            say(str(write_training(place)))
        else:
            what = "is no folder of epsrank" if kind is None else f"is {of_kind(kind)}"
            remedy = "name the folder of epsrank verify, or of a training run"
            raise InputError(folder, what, remedy)
