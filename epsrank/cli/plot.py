"""``epsrank plot``: figures of training runs, and of the theory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from epsrank.cli.console import notice, say
from epsrank.cli.cost import consent_option
from epsrank.cli.estimates import weigh_figures, weigh_run
from epsrank.cli.figures import kinds_of, own_theory
from epsrank.cli.front import Command, is_name, is_pair
from epsrank.cli.paper import paper_of, paper_options, without_paper
from epsrank.cli.plot_sweep import draw_sweeps, is_sweep, pairs_of
from epsrank.theory.words import plural

_KINDS = ("staircase", "spectra", "floor", "layers", "tightness", "reading")
_THEORY = (
    "floor-rank",
    "floor-classes",
    "constants",
    "kernel-spectra",
    "kernel-width",
    "kernel-depth",
    "kernel-slope",
    "noise",
    "sampling",
)
_OWN = (
    "chain", "ratios", "norms", "eps", "spectrum", "floors", "selection", "budget", "kernel",
)  # fmt: skip


@click.command(
    cls=Command,
    lists={"--facet": is_name, "--y": is_name, "--where": is_pair},
    names={"facets": "--facet"},
)
@click.argument("runs", nargs=-1, required=True, metavar="RUN…")
@click.option(
    "--out", metavar="DIR", help="Folder of the figures.  [default: the run's own; or theory]"
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["svg", "png", "pdf"]),
    default="svg",
    show_default=True,
)
@click.option("--kind", metavar="NAME", default="all", show_default=True, help="Which figure.")
@click.option(
    "--eps", type=float, metavar="E", help="A threshold of the run.  [default: its first]"
)
@click.option("--x", metavar="NAME", help="Setting along x.  [sweeps; default: chosen]")
@click.option("--colour", metavar="NAME", help="Setting in colours.  [sweeps; default: chosen]")
@click.option("--facet", multiple=True, metavar="NAME…", help="One or two settings of panels.")
@click.option("--y", multiple=True, metavar="NAME…", help="Quantities.  [default: loss rank]")
@click.option("--where", multiple=True, metavar="NAME=VALUE…", help="Draw these runs only.")
@click.option("--for", "own", metavar="RUN", help="After `theory`: its curves for this run.")
@paper_options
@consent_option
def plot(
    runs: tuple[str, ...],
    out: str | None,
    file_format: str,
    kind: str,
    eps: float | None,
    own: str | None,
    yes: bool,
    **wishes: Any,
) -> None:
    """Draw the figures of each RUN, a folder of `epsrank train`, of each SWEEP, or of the theory.

    `epsrank plot theory` draws what the theory says: floor against ε-rank (floor-rank,
    floor-classes), constants, kernel spectra and predicted ranks (kernel-spectra, kernel-width,
    kernel-depth, kernel-slope), noise and sampling. RUNs after the word are trained networks for
    floor-rank, of one hidden ReLU layer; without any, small ones are trained.

    `epsrank plot theory --for RUN` draws the curves of the theory for that run: its bounds over
    training (chain, ratios), over the norm (norms), over ε (eps), over the rank (floors, budget),
    its spectrum, what neuron selection leaves out (selection) and the ε-rank that its kernels
    predict (kernel), into files theory-….

    Kinds of a run are
    staircase, spectra, floor, layers, tightness and reading, the curve V(B) with the network's
    place on it. Kinds of a sweep, of an import (`epsrank import`) or of histories of others are
    curves (medians over the seeds, with bands), ends, map (over two numeric settings) and scatter
    (rank against error); which setting is x, colour and panel is chosen by what varies. Prints
    the files written, one per line.
    """
    # A run may lie in a folder of that name.
    theory = runs[0] == "theory" and not (Path("theory") / "config.toml").is_file()
    if own is not None and not (theory and len(runs) == 1):
        raise click.UsageError("--for belongs to the theory: epsrank plot theory --for RUN")
    if theory and eps is not None:
        raise click.UsageError("--eps belongs to runs: figures of the theory show several ε")
    with paper_of(wishes):
        if own is not None:
            _draw_own(own, Path(out or own), file_format, kinds_of(kind, _OWN), yes)
        elif theory:
            _draw_theory(runs[1:], Path(out or "theory"), file_format, kinds_of(kind, _THEORY))
        else:
            _draw_given(runs, out, file_format, kind, eps, without_paper(wishes), yes)


def _draw_given(
    runs: tuple[str, ...],
    out: str | None,
    file_format: str,
    kind: str,
    eps: float | None,
    wishes: dict[str, Any],
    yes: bool,
) -> None:
    """Draw runs, or sweeps, and print their files."""
    many = [is_sweep(run) for run in runs]
    asked = [f"--{name}" for name, value in wishes.items() if value]
    if any(many):
        if not all(many) or eps is not None:
            raise click.UsageError("draw runs and sweeps in two commands; --eps belongs to runs")
        wishes["facets"] = wishes.pop("facet")
        wishes["where"] = pairs_of(wishes["where"], "--where")
        draw_sweeps(runs, _places(runs, out), file_format, kind, wishes, yes=yes)
        return
    if asked:
        raise click.UsageError(f"{asked[0]} belongs to sweeps")
    names = kinds_of(kind, _KINDS)
    from epsrank.numerics.papers.axes import plot_run, save_plot
    from epsrank.numerics.plots.run_figures import NEED_FLOOR, has_floor, has_reading
    from epsrank.numerics.training import load_run

    # All of them first, so that a wrong name draws nothing.
    loaded = [load_run(folder) for folder in runs]
    figures = len(names) * len(loaded)
    points = sum(len(names) * len(run.records) for run in loaded)
    weigh_figures(plural(len(loaded), "run"), figures=figures, points=points, yes=yes)
    for run, place in zip(loaded, _places(runs, out), strict=True):
        for name in names:
            if kind == "all" and name in NEED_FLOOR and not has_floor(run):
                notice(f"{run.out}: no {name} figure, the squared-error floor was not measured")
                continue
            if kind == "all" and name == "reading" and not has_reading(run):
                notice(f"{run.out}: no reading figure, {run.records[-1].reason}")
                continue
            axes = plot_run(run, name, eps=eps)
            folder, prefix = place
            file = folder / f"{prefix}{name}.{file_format}"
            say(str(save_plot(axes, file)))


def _draw_own(own: str, folder: Path, file_format: str, names: tuple[str, ...], yes: bool) -> None:
    """Draw curves of the theory for a run and print their files."""
    from epsrank.numerics.papers.axes import save_plot
    from epsrank.numerics.tightness import tightness
    from epsrank.numerics.training import load_run

    run = load_run(own)
    found = None
    if names != ("kernel",):
        weigh_run(run, 12, yes=yes)  # as many moments as `tightness` takes by default
        found = tightness(run)
    for name, axes in own_theory(
        names, lambda name: run if name == "kernel" else found, prefix=f"{own}: "
    ):
        file = folder / f"theory-{name}.{file_format}"
        say(str(save_plot(axes, file)))


def _draw_theory(
    runs: tuple[str, ...], folder: Path, file_format: str, names: tuple[str, ...]
) -> None:
    """Draw figures of the theory and print their files."""
    from epsrank.numerics.papers.axes import plot_theory, save_plot
    from epsrank.numerics.training import load_run

    trained = [load_run(run) for run in runs]
    for name in names:
        axes = plot_theory(name, runs=trained)
        say(str(save_plot(axes, folder / f"{name}.{file_format}")))


def _places(runs: tuple[str, ...], out: str | None) -> list[tuple[Path, str]]:
    """Return for every run the folder of its figures and the beginning of their names."""
    if out is None:
        # Beside a file, and inside a folder.
        return [(path if (path := Path(run)).is_dir() else path.parent, "") for run in runs]
    names = [Path(run).resolve().name for run in runs]
    seen: dict[str, int] = {}
    places = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        label = name if seen[name] == 1 else f"{name}-{seen[name]}"
        places.append((Path(out), f"{label}-"))
    return places
