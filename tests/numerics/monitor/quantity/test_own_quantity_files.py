"""Own quantities in tables, files, trackers, figures and on the terminal; and files without any."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from epsrank.numerics.monitor import Estimate, QuantityRecord, RankMonitor, RankWarning
from epsrank.numerics.monitor.records.history import History
from epsrank.numerics.monitor.records.record import LayerRank, LayerRecord
from epsrank.numerics.monitor.sinks.files import CsvSink, JsonLinesSink
from epsrank.numerics.monitor.sinks.follow import HistoryFile, read_history
from epsrank.numerics.monitor.sinks.parquet import ParquetSink
from epsrank.numerics.monitor.sinks.protocol import flat
from epsrank.numerics.monitor.sinks.trackers import WandbSink
from epsrank.numerics.monitor.terminal.live import LiveTerminal, lines
from epsrank.numerics.monitor.terminal.view import view_of_history
from epsrank.theory.errors import InputError

METADATA: dict[str, Any] = {"eps": [1e-6], "measure": "mean"}
NAMED = METADATA | {"own_quantities": ["sharpness", "value_low", "hessian.top-1"]}
KINDS = {"csv": CsvSink, "jsonl": JsonLinesSink, "parquet": ParquetSink}
OWN = (".csv", ".json", ".parquet")


def own(step: int) -> tuple[QuantityRecord, ...]:
    return (
        QuantityRecord(step, "sharpness", 1 / 3, 0.3, 0.4, "confidence", 0.95, None, 0.1 + step),
        QuantityRecord(step, "value_low", None, cause='said "so", yes\nreally', seconds=0.0),
        QuantityRecord(step, "hessian.top-1", math.inf, 2.0, None, "certified", seconds=1e-9),
    )


def rows(step: int, quantities: tuple[QuantityRecord, ...] = ()) -> list[LayerRecord]:
    return [
        LayerRecord(
            step=step, layer=layer, loss=0.5, n_samples=10, n_features=4, dtype="float32",
            measure="mean", relative=False, ranks=(LayerRank(1e-6, 3, 3, "gram", "far"),),
            quantities=None, reading=None, seconds=1.0, cost=0.1, own_quantities=quantities,
        )
        for layer in ("a", "b")
    ]  # fmt: skip


def filled() -> History:
    history = History(NAMED)
    for step in (1, 2):
        history.append(rows(step, own(step)))
    return history


def one_line(records: list[LayerRecord]) -> list[LayerRecord]:
    """Line breaks become spaces in a CSV that grows."""
    return [
        replace(
            record,
            own_quantities=tuple(
                replace(q, cause=q.cause and " ".join(q.cause.splitlines()))
                for q in record.own_quantities
            ),
        )
        for record in records
    ]


@pytest.mark.parametrize("suffix", OWN)
@pytest.mark.parametrize("metadata", [NAMED, {}])
def test_files_come_back_as_they_went(tmp_path: Path, suffix: str, metadata: dict[str, Any]):
    history = History(metadata)
    history.append(rows(1, own(1)))
    history.append(rows(2))  # measured without any, as by another monitor
    history.append(rows(3, own(3)[:2]))
    file = tmp_path / f"history{suffix}"
    getattr(history, f"to_{suffix[1:]}")(file)
    back = History.read(file)
    assert back.metadata == history.metadata
    assert list(back) == list(history)
    assert back.quantities == [*own(1), *own(3)[:2]]


@pytest.mark.parametrize("kind", KINDS)
def test_sinks_write_them_and_go_on(tmp_path: Path, kind: str):
    file = tmp_path / f"run.{kind}"
    follower = HistoryFile(file)
    for step, append in ((1, False), (2, True)):
        sink = KINDS[kind](file, append=append)
        sink.write(rows(step, own(step)), NAMED)
        follower.refresh()
        expected = list(filled())[: 2 * step]
        wanted = one_line(expected) if kind == "csv" else expected
        assert list(follower.history) == wanted
        sink.close()
        assert list(read_history(file)) == wanted
    # Nothing measured this time: the columns stay, and are empty.
    if kind == "parquet":
        return
    sink = KINDS[kind](file, append=True)
    sink.write(rows(3), METADATA)
    sink.close()
    assert list(read_history(file))[-2:] == rows(3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_without_them_is_no_place_for_them(tmp_path: Path, kind: str):
    file = tmp_path / f"run.{kind}"
    sink = KINDS[kind](file)
    sink.write(rows(1), METADATA)
    sink.close()
    sink = KINDS[kind](file, append=True)
    if kind == "jsonl":  # whose lines name their own columns
        sink.write(rows(2, own(2)), NAMED)
        sink.close()
        assert read_history(file).quantities == list(own(2))
        return
    line = "path has columns of other quantities; choose another file"
    if kind == "csv":
        with pytest.raises(InputError, match=line):
            sink.write(rows(2, own(2)), NAMED)
        sink.close()
        return
    sink.write(rows(2, own(2)), NAMED)  # into the journal
    with pytest.raises(InputError, match=line):
        sink.close()


@pytest.mark.parametrize("suffix", OWN)
def test_a_table_without_one_of_their_columns_is_refused(tmp_path: Path, suffix: str):
    file = tmp_path / f"history{suffix}"
    getattr(filled(), f"to_{suffix[1:]}")(file)
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        pq.write_table(pq.read_table(file).drop_columns(["quantity_high_sharpness"]), file)
    elif suffix == ".csv":
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace('"quantity_high_sharpness"', '"other"'), encoding="utf-8")
    else:
        return  # what an object of JSON lacks is None
    with pytest.raises(InputError, match="lacks the columns quantity_high_sharpness"):
        History.read(file)


def test_without_any_there_is_no_trace_of_them(tmp_path: Path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))
    sinks = [kind(tmp_path / f"run.{name}") for name, kind in KINDS.items()]
    with RankMonitor(model, probe=torch.randn(20, 3), every=1, sinks=sinks) as monitor:
        monitor.step(1.0)
    history = monitor.history
    for suffix in OWN:
        getattr(history, f"to_{suffix[1:]}")(tmp_path / f"history{suffix}")
    plain = json.dumps(history.to_json())
    assert not any("quantity" in name for name in history.table().column_names)
    assert b"own_quantities" not in (history.table().schema.metadata or {})[b"epsrank"]
    for text in [plain, *(f.read_text() for f in tmp_path.glob("*[nlv]") if f.suffix[1] != "p")]:
        assert "own_quantities" not in text
        assert "quantity_" not in text
    assert not any(name.startswith("quantity/") for name in flat(list(history)))
    assert view_of_history(history, title="").quantities is None
    assert len(monitor.plot().axes) == 2
    assert history.quantities == []


OLD = """\
# {"eps": [1e-06], "measure": "mean"}
"step","layer","loss","seconds","cost","n_samples","n_features","dtype","measure","relative",\
"probe_part","rank_lower_1e-06","rank_upper_1e-06","route_1e-06","route_reason_1e-06","largest",\
"trace","stable_rank","participation_ratio","effective_rank","rankme","entropy_rank","condition",\
"condition_lower","dormant","dead","spectrum_error","sketched","effective_rank_lower",\
"effective_rank_upper","rankme_lower","rankme_upper","entropy_rank_lower","entropy_rank_upper",\
"reading","sample_loss","reachable","attained","head_norm","ratio_lower","ratio_upper","bias",\
"loss_kind","reading_samples","reading_reason","failure"
1,"a",0.5,1.0,0.1,10,4,"float32","mean",false,,3,3,"gram","far",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,
1,"b",0.5,1.0,0.1,10,4,"float32","mean",false,,3,3,"gram","far",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,
"""


def _cells(lines: list[str]) -> list[dict[str, str]]:
    names = lines[0].split(",")
    return [dict(zip(names, line.split(","), strict=True)) for line in lines]


def test_a_file_of_before_is_read_and_written_to_the_letter(tmp_path: Path):
    history = History(METADATA)
    history.append(rows(1))
    written = history.to_csv(tmp_path / "new.csv").read_bytes()
    # Columns have come since, none has gone, and each cell is written as it was.
    head, *lines = written.decode().splitlines()
    assert head == OLD.splitlines()[0]
    for line, old in zip(_cells(lines), _cells(OLD.splitlines()[1:]), strict=True):
        assert {name: line[name] for name in old} == old
    (tmp_path / "old.csv").write_bytes(OLD.encode())
    assert list(History.read(tmp_path / "old.csv")) == rows(1)
    names = next(line for line in OLD.splitlines() if line.startswith('"')).replace('"', "")
    old = dict.fromkeys(names.split(","))
    for record, layer in ((dict(old), "a"), (dict(old), "b")):
        record |= {"step": 1, "layer": layer, "loss": 0.5, "seconds": 1.0, "cost": 0.1}
        record |= {"n_samples": 10, "n_features": 4, "dtype": "float32", "measure": "mean"}
        record |= {"relative": False, "rank_lower_1e-06": 3, "rank_upper_1e-06": 3}
        record |= {"route_1e-06": "gram", "route_reason_1e-06": "far"}
        old = record if layer == "a" else old
        (tmp_path / f"{layer}.json").write_text(
            json.dumps({"metadata": METADATA, "records": [record]}), encoding="utf-8"
        )
        [back] = History.read(tmp_path / f"{layer}.json")
        assert back == next(row for row in rows(1) if row.layer == layer)


def test_memory_is_bounded_and_measurements_are_told_apart():
    history = History(NAMED, max_records=6)
    for step in range(1, 20):
        history.append(rows(step, own(step)))
    assert [q.step for q in history.of_quantity("sharpness")] == history.steps
    assert len(history) <= 6
    twice = History(NAMED)
    twice.append(rows(1, own(1)))
    twice.append(rows(1, own(2)))
    assert twice.quantities == [*own(1), *own(2)]
    plain = History(NAMED).quantities
    assert plain == []


def test_plain_data():
    [first, _, second, _] = filled().to_json()["records"]
    assert first["own_quantities"][0]["value"] == 1 / 3
    assert second["own_quantities"][1]["cause"] == own(2)[1].cause
    assert "own_quantities" not in rows(1)[0].to_json()
    assert str(own(1)[0]) == "step 1, sharpness: 0.3333 [0.3, 0.4] (0.95 confidence)"
    assert str(own(1)[2]) == "step 1, hessian.top-1: inf [2, ∞] (certified)"
    assert str(QuantityRecord(3, "f", cause="so")) == "step 3, f: – (so)"


def test_names_in_trackers():
    values = flat(rows(1, own(1)))
    assert {name: value for name, value in values.items() if name.startswith("quantity/")} == {
        "quantity/sharpness": 1 / 3,
        "quantity/sharpness/low": 0.3,
        "quantity/sharpness/high": 0.4,
        "quantity/value_low/cause": 'said "so", yes\nreally',
        "quantity/hessian.top-1": math.inf,
        "quantity/hessian.top-1/low": 2.0,
    }

    class Run:
        def __init__(self):
            self.defined, self.rows = {}, []

        def define_metric(self, name, step_metric=None):
            self.defined[name] = step_metric

        def log(self, row, commit):
            self.rows.append(row)

    run = Run()
    WandbSink(run).log(1, values)
    assert run.defined["quantity/*"] == "epsrank/step"
    assert run.rows[0]["quantity/sharpness"] == 1 / 3
    assert "quantity/hessian.top-1" not in run.rows[0]  # no point is drawn for ∞


def test_the_terminal_shows_the_latest_in_one_line():
    history = filled()
    line = "quantities: sharpness 0.3333 [0.3, 0.4], value_low –, hessian.top-1 inf [2, ∞]"
    shown = lines(view_of_history(history, title="run"))
    assert line in shown
    assert shown[-1].startswith('warning: quantity value_low: said "so", yes')
    stream = io.StringIO()
    sink = LiveTerminal(stream=stream)
    sink.write(rows(1, own(1)), NAMED)
    sink.close()
    assert line in stream.getvalue().splitlines()


def trained(quantities: Any) -> RankMonitor:
    torch.manual_seed(0)
    x = torch.randn(40, 3)
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    with RankMonitor(model, probe=x, every=2, quantities=quantities) as monitor:
        for _ in range(10):
            optimiser.zero_grad()
            loss = (model(x) - x.sum(dim=1, keepdim=True)).square().mean()
            loss.backward()
            optimiser.step()
            monitor.step(loss)
    return monitor


def test_the_plot_has_a_panel_below(tmp_path: Path):
    def norm(model, loss, data):
        value = float(model[0].weight.detach().norm())
        return Estimate(value, value / 2, 2 * value)

    def minus(model, loss, data):
        return -1.0

    figure = trained(["ranks", {"norm": norm}]).plot(tmp_path / "run.svg")
    above, below, third = figure.axes
    assert above.get_xlabel() == below.get_xlabel() == ""
    assert third.get_xlabel() == "training step"
    [line] = third.get_lines()
    assert line.get_label() == "norm"
    assert np.isfinite(line.get_ydata()).all()
    assert len(line.get_ydata()) == 5
    assert third.get_yscale() == "log"
    assert len(third.collections) == 1  # the band
    with pytest.warns(RankWarning, match="quantity never: ZeroDivisionError"):
        monitor = trained({"norm": norm, "sign": minus, "never": lambda m, loss, d: 1 / 0})
    figure = monitor.plot()
    figure.canvas.draw()
    third = figure.axes[2]
    # Under the figure the quantities, and over their panel the layers.
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["norm", "sign", "never"]
    assert [text.get_text() for text in figure.axes[1].get_legend().get_texts()] == ["1"]
    assert third.get_yscale() == "linear"


def test_a_plot_of_many_shows_some():
    many = {f"q{index}": lambda m, loss, d: 1.0 for index in range(20)}
    assert len(trained(many).plot().axes[2].get_lines()) == 6
