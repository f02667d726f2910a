"""``epsrank plot``: figures of training runs."""

from __future__ import annotations

from pathlib import Path

import click

from epsrank.cli.console import notice
from epsrank.cli.front import Command

_KINDS = ["staircase", "spectra", "floor", "layers", "tightness", "all"]


@click.command(cls=Command)
@click.argument("runs", nargs=-1, required=True, metavar="RUN…")
@click.option("--out", metavar="DIR", help="Folder of the figures.  [default: the run's own]")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["svg", "png", "pdf"]),
    default="svg",
    show_default=True,
)
@click.option("--kind", type=click.Choice(_KINDS), default="all", show_default=True)
@click.option(
    "--eps", type=float, metavar="E", help="A threshold of the run.  [default: its first]"
)
def plot(
    runs: tuple[str, ...], out: str | None, file_format: str, kind: str, eps: float | None
) -> None:
    """Draw the figures of each RUN, a folder that `epsrank train` wrote.

    Prints the files written, one per line.

    Parameters
    ----------
    runs : tuple of str
        Folders of runs.
    out : str or None
        Folder of the figures.
    file_format : str
        ``svg``, ``png`` or ``pdf``.
    kind : str
        Which figure.
    eps : float or None
        Threshold.
    """
    from numerics.plots.run_figures import KINDS, NEED_FLOOR, figure_of_run, has_floor
    from numerics.plots.save import save_figure
    from numerics.training import load_run

    loaded = [load_run(folder) for folder in runs]
    for run, place in zip(loaded, _places(runs, out), strict=True):
        for name in KINDS if kind == "all" else [kind]:
            if kind == "all" and name in NEED_FLOOR and not has_floor(run):
                notice(f"{run.out}: no {name} figure, the squared-error floor was not measured")
                continue
            figure = figure_of_run(run, name, eps=eps)
            folder, prefix = place
            file = folder / f"{prefix}{name}.{file_format}"
            click.echo(str(save_figure(figure, file)))


def _places(runs: tuple[str, ...], out: str | None) -> list[tuple[Path, str]]:
    """Return for every run the folder of its figures and the beginning of their names.

    Parameters
    ----------
    runs : tuple of str
        Folders of runs.
    out : str or None
        Common folder of the figures.

    Returns
    -------
    list of tuple of (Path, str)
        ``RUN`` each, or ``DIR`` with names that differ.
    """
    if out is None:
        return [(Path(run), "") for run in runs]
    names = [Path(run).resolve().name for run in runs]
    seen: dict[str, int] = {}
    places = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        label = name if seen[name] == 1 else f"{name}-{seen[name]}"
        places.append((Path(out), f"{label}-"))
    return places
