"""``epsrank plot SWEEP``: histories, ends, maps, and rank against error, by what varies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from epsrank.cli.console import notice, say
from epsrank.cli.estimates import weigh_figures
from epsrank.cli.figures import kinds_of
from epsrank.theory.words import plural

SWEEP_KINDS = ("curves", "ends", "map", "scatter")


def is_sweep(path: str) -> bool:
    """Tell whether a path holds many runs: a sweep, an import, or histories of others."""
    from epsrank.numerics.manifest import folder_kind

    place = Path(path)
    if not place.is_dir():
        return place.is_file()
    kind = folder_kind(place)
    return kind == "sweep" or (kind is None and _holds_histories(place))


def _holds_histories(folder: Path) -> bool:
    from epsrank.numerics.results.foreign import histories_in

    return next(histories_in([folder]), None) is not None


def draw_sweeps(
    paths: Sequence[str],
    places: Sequence[tuple[Path, str]],
    file_format: str,
    kind: str,
    options: dict[str, Any],
    *,
    yes: bool,
) -> None:
    """Draw the figures of sweeps, and print their files."""
    from epsrank.numerics.plots.save import save_figure
    from epsrank.numerics.plots.sweep_figures import Wishes, sweep_figures
    from epsrank.numerics.results import load_results

    kinds = kinds_of(kind, SWEEP_KINDS)
    wishes = Wishes(**options)
    loaded = [load_results(path) for path in paths]  # all first: a wrong name draws nothing
    runs = [run for results in loaded for run in results.runs]
    points = sum(len(values) for run in runs for values in run.series.values())
    figures = len(kinds) * len(loaded)
    weigh_figures(plural(len(runs), "run"), figures=figures, points=points, yes=yes)
    for results, (folder, prefix) in zip(loaded, places, strict=True):
        for name, figure in sweep_figures(results, kinds, wishes, strict=kind != "all"):
            if isinstance(figure, str):
                notice(f"{results.source}: no {name} figure, {figure}")
            else:
                say(str(save_figure(figure, folder / f"{prefix}{name}.{file_format}")))


def pairs_of(given: Sequence[str], option: str) -> dict[str, str]:
    """Read ``NAME=VALUE`` words."""
    pairs: dict[str, str] = {}
    for word in given:
        name, mark, value = word.partition("=")
        if not (name and mark and value):
            raise click.BadParameter(f"{word!r} is not NAME=VALUE", param_hint=f"'{option}'")
        pairs[name] = value
    return pairs
