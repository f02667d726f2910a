"""Figures to files: whole or not at all, and the same bytes every time."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import matplotlib as mpl

from epsrank.numerics.plots.paper import within
from epsrank.numerics.plots.style import adapt
from epsrank.theory.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FigureFormat = Literal["svg", "png", "pdf"]

# No dates and no version: the same figure is the same file.
_METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": "epsrank"},
    "png": {"Software": "epsrank"},
    "pdf": {"CreationDate": None, "Producer": "epsrank", "Creator": "epsrank"},
}


#: Of what is no vector graphic; journals ask for that.
DOTS_PER_INCH = 300


def figure_format(path: str | Path, name: str) -> str:
    """Return the format that the name of a file asks for; errors name the argument."""
    kind = Path(path).suffix.lower().lstrip(".")
    if kind not in get_args(FigureFormat):
        raise InputError(name, f"is {path}", "end it in .svg, .png or .pdf")
    return kind


def save_figure(figure: Figure, path: str | Path, *, dpi: int = DOTS_PER_INCH) -> Path:
    """Write a figure as .svg, .png or .pdf, atomically and reproducibly."""
    if not isinstance(path, (str, os.PathLike)):
        raise InputError("path", f"is {path!r}", "name a file that ends in .svg, .png or .pdf")
    file = Path(path)
    kind = figure_format(file, "path")
    # Above, a page of 7 inches has 10⁸ dots and more.
    within(dpi, "dpi", "dots per inch", 10, 2400)
    adapt(figure)
    # A fresh name beside the target: a reader never sees half a figure, nor do two writers meet.
    draft = file.with_name(f".{file.stem}-{secrets.token_hex(4)}.{kind}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Without a salt the ids of an SVG are random; glyphs as paths need no fonts later.
        with mpl.rc_context({"svg.hashsalt": "epsrank", "svg.fonttype": "path"}):
            figure.savefig(draft, format=kind, dpi=dpi, metadata=_METADATA[kind])
        os.replace(draft, file)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise InputError(
            str(file), f"cannot be written ({error.strerror})", "choose another folder with --out"
        ) from None
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    return file
