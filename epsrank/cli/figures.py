"""What commands that draw figures share: those that ``--kind`` names, curves of the theory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from epsrank.cli.console import notice

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def kinds_of(kind: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Return the figures that ``--kind`` names."""
    if kind == "all":
        return known
    if kind not in known:
        choices = ", ".join((*known, "all"))
        raise click.BadParameter(f"{kind!r} is not one of {choices}", param_hint="'--kind'")
    return (kind,)


def own_theory(
    names: Sequence[str], own: Callable[[str], Any], *, prefix: str = ""
) -> Iterator[tuple[str, Axes]]:
    """Yield the curves of the theory for a network; of several, say which cannot be drawn."""
    from epsrank.numerics.papers.axes import plot_own_theory
    from epsrank.theory.errors import InputError

    for name in names:
        try:
            axes = plot_own_theory(own(name), name)
        except InputError as error:
            if len(names) == 1:
                raise
            notice(f"{prefix}no {name} figure, {error}")
            continue
        yield name, axes
