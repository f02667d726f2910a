"""Figures as Matplotlib axes, for papers: ``from epsrank.plots import paper_style, plot_theory``.

Needs what ``epsrank[lab,plots]`` brings; names are imported when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from epsrank.numerics.papers.axes import (
        OWN_KINDS,
        paper_style,
        plot_own_theory,
        plot_run,
        plot_theory,
        save_plot,
    )

__all__ = [
    "OWN_KINDS",
    "paper_style",
    "plot_own_theory",
    "plot_run",
    "plot_theory",
    "save_plot",
]


def __getattr__(name: str) -> Any:
    """Import a function when it is first used (PEP 562), or say what it needs."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from epsrank.theory.extras import optional_packages

    with optional_packages():
        from epsrank.numerics.papers import axes

    return getattr(axes, name)


def __dir__() -> list[str]:
    """Return the functions."""
    return sorted(__all__)
