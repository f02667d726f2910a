"""Options of figures for papers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_NAMES = ("columns", "font", "size", "greyscale")


def paper_options(command: F) -> F:
    """Add ``--columns``, ``--font``, ``--size`` and ``--greyscale``."""
    for option in (
        click.option("--greyscale", is_flag=True, help="For a paper: greys in place of colours."),
        click.option("--size", type=float, metavar="P", help="… points of labels.  [default: 8]"),
        click.option("--font", metavar="NAME", help="… an installed font, or serif."),
        click.option(
            "--columns", type=int, metavar="1|2", help="For a paper: 3.3 or 6.9 inches, no titles."
        ),
    ):
        command = option(command)
    return command


def without_paper(given: dict[str, Any]) -> dict[str, Any]:
    """Return the other options."""
    return {name: value for name, value in given.items() if name not in _NAMES}


def paper_of(given: dict[str, Any]) -> AbstractContextManager[None]:
    """Return the style that options ask for; none of them, and figures are for the screen."""
    if all(given[name] is None or given[name] is False for name in _NAMES):
        return nullcontext()
    from epsrank.numerics.plots.paper import as_paper
    from epsrank.numerics.plots.style import for_paper

    paper = as_paper(
        1 if given["columns"] is None else given["columns"],
        font=given["font"],
        size=8.0 if given["size"] is None else given["size"],
        greyscale=given["greyscale"],
    )
    return for_paper(paper)
