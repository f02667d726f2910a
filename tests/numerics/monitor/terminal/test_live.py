"""The terminal view: what it shows, and that it degrades to plain lines."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import nn

from epsrank.numerics.monitor import RankMonitor
from epsrank.numerics.monitor.numbers.quantities import Quantities
from epsrank.numerics.monitor.records.history import History
from epsrank.numerics.monitor.records.record import LayerRank, LayerReading, LayerRecord
from epsrank.numerics.monitor.terminal.live import LiveTerminal, last_layer, lines, render
from epsrank.numerics.monitor.terminal.view import LayerView, View, sparkline, view_of_history
from epsrank.theory.errors import InputError


def record(step: int, layer: str, lower: int | None, upper: int = 0, **more: Any) -> LayerRecord:
    own = Quantities(2.0, 3.0, 1.5, 1.4, 1.9, 1.9, 1.7, None, math.inf, 0.25, 0.0, 1e-15)
    ranks = () if lower is None else (LayerRank(1e-6, lower, max(lower, upper), "gram", "far"),)
    given: dict[str, Any] = {"reading": None, "failure": None, **more}
    return LayerRecord(
        step=step, layer=layer, loss=1 / step, n_samples=9, n_features=40, dtype="float32",
        measure="mean", relative=False, ranks=ranks, quantities=own if ranks else None,
        seconds=1.0, cost=0.1, **given,
    )  # fmt: skip


READING = LayerReading(
    "feature-limited", 0.1, 0.09, 0.0901, 3.0, 1.1, 1.2, "feature", "mse", 9, "said so"
)


def history() -> History:
    found = History({"eps": [1e-6]})
    for step in range(1, 9):
        found.append([record(step, "a", step), record(step, "b[red]", 2 * step, 2 * step + 3)])
    return found


def drawn(view: View, *, width: int = 100, **options: Any) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(render(view, **options))
    return stream.getvalue()


def test_a_view_shows_intervals_series_and_reading() -> None:
    seen = history()
    seen.append([record(9, "a", None, failure="features have 3 NaN entries"),
                 record(9, "b[red]", 5, reading=READING)])  # fmt: skip
    view = view_of_history(seen, title="mine")
    assert view.layers[0].ranks == ("–",)
    assert view.layers[1].ranks == ("5",)
    assert view.layers[0].series == tuple(range(1, 9))
    assert view.loss[-1] == 1 / 9
    text = drawn(view)
    for part in ("mine: step 9", "b[red]", "feature-limited", "3 NaN entries", "ε = 1e-06", "25%"):
        assert part in text
    plain = "\n".join(lines(view))
    assert "a: features have 3 NaN entries" in plain
    assert "b[red]: ε-rank 5 at 1e-06 of 40" in plain
    assert "[16, 19]" in drawn(view_of_history(history(), title=""))


def test_an_empty_history_is_a_view_too() -> None:
    view = view_of_history(History(), title="mine")
    assert lines(view) == ["mine: no measurement yet"]
    assert "no measurement yet" in drawn(view)


def test_many_layers_do_not_flood_the_screen() -> None:
    found = History()
    found.append([record(1, f"layer {index}", index) for index in range(50)])
    view = view_of_history(found, title="")
    assert "20 more layers are not shown" in drawn(view)
    assert "layer 49" in drawn(view)
    assert "layer 3:" not in "\n".join(lines(view))


LONG = [f"encoder.layers.{at}.feed_forward.activation" for at in (0, 11)]
WIDE = View("run", "step 9 of 20", ("1e-06", "0.0001", "0.01"), ("stable rank", "dormant"),
            tuple(LayerView(name, 768, ("[640, 768]", "97", "9"), tuple(range(60)), ("1.25", "3%"))
                  for name in LONG), tuple(0.5**at for at in range(60)))  # fmt: skip


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_table_fits_every_terminal(width: int) -> None:
    rows = drawn(WIDE, width=width).splitlines()
    assert max(map(len, rows)) <= width
    # A layer is one line, whose name says which one it is.
    for number in ("0.", "11."):
        (row,) = (row for row in rows if "768]" in row and number in row.split("[")[0])
        assert row.rstrip()[-1] in "▇█"
    lost = [text for text in ("0.01", "stable rank", "dormant") if text not in rows[2]]
    assert not lost or f"too narrow for {', '.join(lost)[:4]}"[:14] in "".join(rows)


def test_ranks_of_layers_are_drawn_on_one_scale() -> None:
    layers = (LayerView("a", 8, ("1",), (1.0, 1.0)), LayerView("b", 8, ("8",), (4.0, 8.0)))
    first, second = lines(View("", "", ("1e-06",), layers=layers))[1:]
    assert first.endswith("▂▂")
    assert second.endswith("▅█")


def test_a_line_of_bars() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([1, 10, 100], 8, log=True) == sparkline([0, 1, 2], 8)
    assert sparkline([1.0, math.nan, 2.0, math.inf], 8) == "▁ █ "
    assert sparkline([5, 5, 5], 8) == "▁▁▁"
    assert sparkline([], 8) == sparkline([math.nan], 8) == sparkline([1.0], 0) == ""
    assert len(sparkline(range(1000), 24)) == 24
    assert sparkline(range(1000), 24)[-1] == "█"  # the latest is always shown
    assert sparkline([-1.0, 1.0], 4, log=True) == "▁█"
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8, ascii_only=True).isascii()


def test_without_a_terminal_there_are_plain_lines_now_and_then() -> None:
    stream = io.StringIO()
    times = iter([0.0, 10.0, 31.0, 40.0, 41.0])
    with LiveTerminal("mine", stream=stream, clock=lambda: next(times)) as live:
        for step in range(1, 5):
            live.write([record(step, "a", step)], {})
    blocks = [line for line in stream.getvalue().splitlines() if line.startswith("mine:")]
    assert [line.split(",")[0] for line in blocks] == [
        "mine: step 1",
        "mine: step 3",
        "mine: step 4",
    ]
    assert "\x1b" not in stream.getvalue()


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_table_is_drawn_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    live = LiveTerminal("mine", stream=stream)
    for step in (1, 2):
        live.write([record(step, "a", step)], {})
    live.close()
    live.close()
    assert "step 2" in stream.getvalue()
    assert "\x1b[" in stream.getvalue()


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch, term: str) -> None:
    monkeypatch.setenv("TERM", term)
    stream = Terminal()
    with LiveTerminal("mine", stream=stream) as live:
        live.write([record(1, "a", 1)], {})
    assert "a: ε-rank 1" in stream.getvalue()
    assert "\x1b[" not in stream.getvalue()


def test_a_stream_of_ascii_gets_ascii_bars() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace")
    with LiveTerminal("mine", stream=stream) as live:
        for step in range(1, 9):
            live.write([record(step, "a", step)], {})
    stream.flush()
    assert b".-~=+" in stream.buffer.getvalue()  # type: ignore[attr-defined]


def test_a_monitor_shows_itself() -> None:
    stream = io.StringIO()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    x = torch.randn(30, 3)
    live = LiveTerminal("mine", stream=stream)
    with RankMonitor(model, probe=x, targets=x.sum(1), loss="mse", every=1, sinks=[live]) as seen:
        for _ in range(3):
            seen.step(1.0)
    assert "mine: step 3" in stream.getvalue()
    assert "reading: " in stream.getvalue()
    assert last_layer(seen.history.metadata) == seen.plan.last.name  # type: ignore[union-attr]


def test_bad_use_is_told_in_one_line() -> None:
    with pytest.raises(InputError, match="interval"):
        LiveTerminal(interval=math.nan)
    with pytest.raises(InputError, match="no records"):
        LiveTerminal(stream=io.StringIO()).log(1, {})
    for metadata in ({}, {"layers": "a"}, {"layers": [{"name": "a", "role": "hidden"}]}):
        assert last_layer(metadata) is None
