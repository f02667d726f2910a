"""The figures of a sweep by name: which there are, and which make sense for its settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from epsrank.numerics.plots.sweep_curves import draw_curves, has_series
from epsrank.numerics.plots.sweep_ends import (
    draw_ends,
    draw_map,
    draw_scatter,
    has_figure,
    map_axes,
)
from epsrank.numerics.plots.sweep_layout import check_settings, is_numeric, layout_of
from epsrank.numerics.results.collection import SweepResults
from epsrank.theory.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_USUAL = ("loss", "rank")


@dataclass(frozen=True)
class Wishes:
    """What is asked of the figures of a sweep; all else is chosen by what varies."""

    #: Settings by what they are to be.
    x: str | None = None
    colour: str | None = None
    facets: tuple[str, ...] = ()
    #: Quantities: histories of `curves`, figures at the end of `ends` and `map`.
    y: tuple[str, ...] = ()
    #: Settings of the runs that are drawn.
    where: Mapping[str, Any] = field(default_factory=dict)


def sweep_figures(
    results: SweepResults, kinds: Sequence[str], wishes: Wishes, *, strict: bool
) -> Iterator[tuple[str, Figure | str]]:
    """Yield the figures of a sweep under their names; instead of one without sense, why.

    `strict` raises where a figure that was asked for cannot be drawn.
    """
    if not results.runs:
        raise InputError(results.source, "has no run yet", "wait for the first")
    if wishes.where:
        results = results.where(wishes.where)
    # A name that is wrong is wrong in all kinds, and none of them is left out for it.
    check_settings(results, wishes.x, wishes.colour, wishes.facets)
    for name in wishes.y:
        if not has_figure(results, name) and not has_series(results, name):
            known = ", ".join(dict.fromkeys([*_USUAL, *results.figures]))
            raise InputError("y", f"is {name!r}, which no run has", f"choose of: {known}")
    none = True
    for kind in kinds:
        try:
            for name, figure in _figures(results, kind, wishes):
                none = False
                yield name, figure
        except InputError as error:
            if strict:
                raise
            yield kind, f"{error.argument} {error.problem}"
    if none:
        raise InputError(results.source, "has nothing to draw", "ask for another --kind or --y")


def _figures(
    results: SweepResults, kind: str, wishes: Wishes
) -> Iterator[tuple[str, Figure | str]]:
    """Yield the figures of one kind."""
    usual = [name for name in _USUAL if has_figure(results, name)]
    if kind == "curves":
        known = [name for name in _USUAL if has_series(results, name)]
        if not known and not wishes.y:
            raise InputError("curves", "have no histories to show", "name the folder of a sweep")
        layout = layout_of(results, colour=wishes.colour or wishes.x, facets=wishes.facets)
        for name in wishes.y or known:
            yield f"curves-{name}", draw_curves(results, name, layout)
    elif kind == "ends":
        layout = layout_of(
            results, x=wishes.x, colour=wishes.colour, facets=wishes.facets, needs_x=True
        )
        for name in wishes.y or usual:
            yield f"ends-{name}", draw_ends(results, name, layout)
    elif kind == "map":
        found = map_axes(results)
        if wishes.x is not None and wishes.colour is not None:
            found = wishes.x, wishes.colour
        if found is None or not all(is_numeric(results, name) for name in found):
            raise InputError("map", "has no two numeric settings on a grid", "draw another kind")
        for name in wishes.y or usual:
            yield f"map-{name}", draw_map(results, name, *found)
    else:
        layout = layout_of(results, colour=wishes.colour or wishes.x)
        yield "scatter", draw_scatter(results, layout, wishes.y[0] if wishes.y else None)
