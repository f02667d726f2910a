"""Whether the texts of a figure fit: inside it, and none on another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text


def misfits(figure: Figure, dpi: float = 50.0) -> list[str]:
    """Return what is wrong with the texts of a figure; letters scale with it, so few dots do."""
    figure.set_dpi(dpi)
    canvas: Any = FigureCanvasAgg
    renderer = canvas(figure).get_renderer()
    # Lays everything out, and draws no pixel.
    figure.draw_without_rendering()
    edge, slack = figure.bbox, 0.02 * dpi
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts_of(figure)]
    found = []
    for index, (text, box) in enumerate(boxes):
        if min(box.x0, box.y0) < -slack or box.x1 > edge.x1 + slack or box.y1 > edge.y1 + slack:
            found.append(f"“{text}” is cut by the edge")
        found += [
            f"“{text}” lies on “{other}”"
            for other, place in boxes[:index]
            if min(box.x1, place.x1) - max(box.x0, place.x0) > slack
            and min(box.y1, place.y1) - max(box.y0, place.y0) > slack
        ]
    return found


def texts_of(figure: Figure) -> Iterator[Text]:
    """Yield every text that is drawn: titles, labels, ticks inside the view, legends, notes."""
    # The title of all panels is among them.
    yield from filter(_shown, figure.texts)
    for legend in figure.legends:
        yield from filter(_shown, legend.get_texts())
    for axes in figure.axes:
        if not axes.get_visible():
            continue
        others: list[Text] = [axes.title, axes._left_title, axes._right_title, *axes.texts]
        if axes.axison:
            others += [axes.xaxis.label, axes.yaxis.label]
            others += [*_ticks(axes.xaxis, axes.get_xlim()), *_ticks(axes.yaxis, axes.get_ylim())]
        if (legend := axes.get_legend()) is not None:
            others += legend.get_texts()
        yield from filter(_shown, others)


def _shown(text: Text) -> bool:
    return bool(text.get_text().strip() and text.get_visible())


def _ticks(axis: Any, limits: tuple[float, float]) -> Iterator[Text]:
    """Yield the labels of ticks in the view; Matplotlib keeps others, and draws them not."""
    low, high = sorted(limits)
    for minor in (False, True):
        places = axis.get_ticklocs(minor=minor)
        labels = axis.get_ticklabels(minor=minor)
        yield from (own for own, at in zip(labels, places, strict=False) if low <= at <= high)
