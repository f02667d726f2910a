"""Figures for papers: one or two columns wide, in their fonts, without titles, in greys."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib import colors, font_manager
from matplotlib.collections import Collection
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import real_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Inches that one and two columns are wide, as in most journals of two columns.
WIDTHS = {1: 3.3, 2: 6.9}

# Height over width: no figure is flatter, in one column or two, or taller than that.
_FLATTEST, _TALLEST = {1: 0.62, 2: 0.46}, 1.5
# Inches of a letter in units of the font size, on the average and with room to spare; the same of a
# line of a legend, and of the piece of line before its words.
_LETTER, _LINE, _HANDLE = 0.56 / 72, 1.45 / 72, 8.5
# Share of a figure that an axis takes, labels of ticks and the other axis off.
_ALONG_X, _ALONG_Y = 0.8, 0.62

# The colours of `style`, each as a grey of its own; dashes and markers differ besides.
_GREYS = {
    "#0072b2": "#000000",
    "#d55e00": "#6e6e6e",
    "#009e73": "#3c3c3c",
    "#7b3f77": "#929292",
    "#e69f00": "#565656",
    "#56b4e9": "#b0b0b0",
}


@dataclass(frozen=True)
class Paper:
    """What a figure is drawn for."""

    #: Inches; a height of None follows from the figure.
    width: float = WIDTHS[1]
    height: float | None = None
    #: Points.
    size: float = 8.0
    #: Name of an installed font; None for Matplotlib's own.
    font: str | None = None
    greyscale: bool = False

    def size_of(self, width: float, height: float) -> tuple[float, float]:
        """Return the size of a figure that is drawn on the screen in another one."""
        if self.height is not None:
            return self.width, self.height
        flattest = _FLATTEST[1 if self.width < WIDTHS[2] else 2]
        return self.width, self.width * min(max(height / width, flattest), _TALLEST)

    def settings(self) -> dict[str, Any]:
        """Return Matplotlib's settings."""
        size = self.size
        sizes = ("font.size", "axes.labelsize", "axes.titlesize", "legend.fontsize")
        ticks = ("xtick.labelsize", "ytick.labelsize")
        # Letters that a font lacks, such as ε or √, are taken from the next one.
        family = {} if self.font is None else {"font.family": [self.font, "DejaVu Sans"]}
        return {
            **dict.fromkeys(sizes, size),
            **dict.fromkeys(ticks, size - 1),
            "axes.linewidth": 0.6,
            "xtick.major.width": 0.6,
            "ytick.major.width": 0.6,
            "legend.labelspacing": 0.3,
            **family,
        }


def as_paper(
    columns: int,
    *,
    font: str | None = None,
    size: float = 8.0,
    greyscale: bool = False,
    height: float | None = None,
) -> Paper:
    """Check what a figure is to be drawn for."""
    if columns not in tuple(WIDTHS):
        raise InputError("columns", f"is {columns!r}", "choose 1 or 2")
    size = within(size, "size", "points", 4, 24)
    height = None if height is None else within(height, "height", "inches", 1, 20)
    if not isinstance(greyscale, bool):
        raise InputError("greyscale", f"is {greyscale!r}", "pass True or False")
    if font is not None:
        if not isinstance(font, str):
            raise InputError("font", f"is {font!r}", "pass a name, such as 'serif'")
        try:
            font_manager.findfont(font, fallback_to_default=False)
        except ValueError:
            raise InputError(
                "font", f"is {font!r}, which Matplotlib does not find",
                "install it, or choose 'serif', 'sans-serif' or 'monospace'",
            ) from None  # fmt: skip
    return Paper(WIDTHS[columns], height, size, font, greyscale)


def within(value: Any, name: str, unit: str, least: float, most: float) -> float:
    """Check a number of some unit."""
    remedy = f"pass {unit}, from {least} to {most}"
    number = real_number(value, name, remedy)
    if not least <= number <= most:
        raise InputError(name, f"is {value!r}", remedy)
    return number


def wrapped(axes: Axes, paper: Paper, *, x: str, y: str) -> tuple[str, str]:
    """Return labels in lines that are no longer than their axis."""
    width, height = _inches(axes)
    letter = _LETTER * paper.size
    return _lines(x, int(_ALONG_X * width / letter)), _lines(y, int(_ALONG_Y * height / letter))


def across(axes: Axes, size: float, text: str) -> str:
    """Return a text of so many points in lines that are no longer than its panel is wide."""
    return _lines(text, int(_ALONG_X * _inches(axes)[0] / (_LETTER * size)))


def _inches(axes: Axes) -> tuple[float, float]:
    """Return the width and the height that a panel has in its figure."""
    figure = axes.get_figure(root=True)
    place = axes.get_subplotspec()
    rows, columns = (1, 1) if place is None else place.get_gridspec().get_geometry()
    assert figure is not None
    width, height = figure.get_size_inches()
    return width / columns, height / rows


def _lines(text: str, most: int) -> str:
    """Break lines that are longer, before a bracket where that is enough."""
    most = max(most, 8)
    # "ε = 1e-6" stays on one line.
    text = text.replace(" = ", "\u00a0=\u00a0")
    if max(map(len, text.split("\n"))) > most:
        text = text.replace(" (", "\n(")
    return "\n".join(
        line
        for given in text.split("\n")
        for line in textwrap.wrap(given, most, break_long_words=False) or [""]
    )


def fitted(figure: Figure, paper: Paper, labels: list[str], columns: int) -> tuple[list[str], int]:
    """Return labels that fit and their columns, and make room for them beside the panels."""
    letters = int(figure.get_figwidth() / (_LETTER * paper.size))
    labels = [textwrap.fill(label, max(letters - int(_HANDLE), 8)) for label in labels]
    longest = max(len(line) for label in labels for line in label.split("\n"))
    columns = max(1, min(columns, int(letters / (longest + _HANDLE)), len(labels)))
    if paper.height is None:
        lines = -(-sum(label.count("\n") + 1 for label in labels) // columns)
        figure.set_figheight(figure.get_figheight() + lines * _LINE * paper.size)
    return labels, columns


def finished(figure: Figure, paper: Paper, only: Axes | None = None) -> None:
    """Bring what was drawn into the fonts and, where asked, the greys of a paper."""
    root: Any = figure if only is None else only
    if only is None and figure.get_suptitle():
        figure.suptitle("").set_in_layout(False)
    for text in root.findobj(Text):
        if text.get_fontsize() > paper.size:
            text.set_fontsize(paper.size)
    if paper.greyscale:
        for artist in root.findobj(lambda found: not isinstance(found, Legend)):
            _to_grey(artist)


def grey(colour: Any) -> Any:
    """Return the grey of a colour: its own where it is one of ours, else that of its luminance."""
    if colour is None or (isinstance(colour, str) and colour in ("none", "auto")):
        return colour
    red, green, blue, alpha = colors.to_rgba(colour)
    known = _GREYS.get(colors.to_hex((red, green, blue)))
    if known is not None:
        return colors.to_rgba(known, alpha)
    light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return (light, light, light, alpha)


def _to_grey(artist: Any) -> None:
    if isinstance(artist, Line2D):
        artist.set_color(grey(artist.get_color()))
        artist.set_markerfacecolor(grey(artist.get_markerfacecolor()))
        artist.set_markeredgecolor(grey(artist.get_markeredgecolor()))
    elif isinstance(artist, Collection):
        artist.set_facecolor([grey(row) for row in artist.get_facecolor()])
        artist.set_edgecolor([grey(row) for row in artist.get_edgecolor()])
    elif isinstance(artist, Patch):
        face, edge = artist.get_facecolor(), artist.get_edgecolor()
        artist.set_facecolor(grey(face))
        artist.set_edgecolor(grey(edge))
    elif isinstance(artist, Text):
        artist.set_color(grey(artist.get_color()))
