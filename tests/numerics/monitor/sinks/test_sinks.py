"""File sinks: whole up to the last line after a kill, continued exactly, followed as they grow."""

from __future__ import annotations

import json
import math
import os
import signal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from epsrank.numerics.monitor.numbers.quantities import Quantities
from epsrank.numerics.monitor.records.history import History
from epsrank.numerics.monitor.records.record import LayerRank, LayerReading, LayerRecord
from epsrank.numerics.monitor.sinks import parquet as parquet_sink
from epsrank.numerics.monitor.sinks.files import CsvSink, JsonLinesSink
from epsrank.numerics.monitor.sinks.follow import HistoryFile, read_history
from epsrank.numerics.monitor.sinks.parquet import ParquetSink, journal_of
from epsrank.numerics.monitor.sinks.protocol import Sink, as_sinks, deliver, finite_numbers, flat
from epsrank.theory.errors import InputError
from tests.processes import Child

EPS = (1e-6, 0.1)
METADATA: dict[str, Any] = {"eps": list(EPS), "measure": "mean"}
KINDS = {"csv": CsvSink, "jsonl": JsonLinesSink, "parquet": ParquetSink}


def rows(step: int, *, loss: float | None = 0.5, failure: str | None = None) -> list[LayerRecord]:
    own = Quantities(2.0, 3.0, 1.5, 1.4, 1.9, 1.9, 1.7, None, math.inf, 0.25, 0.0, 1e-15 / 3)
    reading = LayerReading(
        name="feature-limited", loss=0.1, reachable=0.09, attained=0.0901, norm=3.0,
        ratio_lower=1.1, ratio_upper=math.inf, bias="feature", kind="mse", n_samples=9,
        reason='said "so", yes',
    )  # fmt: skip
    ranks = tuple(LayerRank(eps, 3, 3 + index, "gram", "far") for index, eps in enumerate(EPS))
    common = {"step": step, "loss": loss, "measure": "mean", "relative": False, "dtype": "float32"}
    return [
        LayerRecord(
            layer=name, n_samples=10, n_features=4, ranks=() if failure and last else ranks,
            quantities=None if last else own, reading=reading if last and not failure else None,
            seconds=0.1 + step, cost=1 / 3, failure=failure if last else None, **common,
        )
        for name, last in (("body.0", False), ("body.2 (input)", True))
    ]  # fmt: skip


MEASUREMENTS = [
    rows(1),
    rows(2, loss=None),
    rows(3, loss=math.nan, failure="features have 3 NaN entries, at (0, 1)"),
    rows(4, loss=-math.inf),
]


def same(history: History, measurements: list[list[LayerRecord]]) -> bool:
    # repr writes floats to the last bit and NaN as a word.
    expected = [repr(record) for measurement in measurements for record in measurement]
    return [repr(record) for record in history] == expected


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def write(sink: Any, measurements: list[list[LayerRecord]]) -> None:
    for measurement in measurements:
        deliver(sink, measurement, METADATA)


def test_every_measurement_is_readable_at_once_and_at_the_end(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "new folder" / f"history.{kind}"
    sink = KINDS[kind](file)
    assert isinstance(sink, Sink)
    for count in range(1, 5):
        write(sink, MEASUREMENTS[count - 1 : count])
        assert same(read_history(file), MEASUREMENTS[:count])
    sink.close()
    sink.close()
    history = read_history(file)
    assert same(history, MEASUREMENTS)
    assert history.metadata == METADATA
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    if kind != "jsonl":
        assert same(History.read(file), MEASUREMENTS)


def test_the_comparison_can_fail() -> None:
    history = History(METADATA)
    history.append(rows(1))
    assert same(history, [rows(1)])
    assert not same(history, [rows(2)])


def test_a_file_is_continued(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"history.{kind}"
    for count in range(4):
        sink = KINDS[kind](file, append=True)
        write(sink, MEASUREMENTS[count : count + 1])
        sink.close()
    assert same(read_history(file), MEASUREMENTS)


def test_a_sink_that_gets_nothing_touches_nothing(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"history.{kind}"
    idle, sink = KINDS[kind](file), KINDS[kind](file)  # as in two processes, one of which measures
    write(sink, MEASUREMENTS[:2])
    idle.close()
    write(sink, MEASUREMENTS[2:])
    late = KINDS[kind](file, append=True)
    sink.close()
    late.close()
    assert same(read_history(file), MEASUREMENTS)
    other = tmp_path / "other" / f"history.{kind}"
    KINDS[kind](other).close()
    assert list(other.parent.iterdir()) == []


def test_a_file_that_holds_something_is_not_overwritten(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"history.{kind}"
    file.write_text("mine\n")
    with pytest.raises(InputError, match="append=True"):
        KINDS[kind](file)
    with pytest.raises(InputError) as caught:
        KINDS[kind](file, append=True)
    assert "\n" not in str(caught.value)
    assert file.read_text() == "mine\n"


def test_a_line_cut_short_is_left_out_and_overwritten(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"history.{kind}"
    sink = KINDS[kind](file)
    write(sink, MEASUREMENTS)
    grown = journal_of(file) if kind == "parquet" else file
    whole = grown.read_bytes()
    last = len(whole) - len(whole.rstrip(b"\n").rpartition(b"\n")[2]) - 1
    for cut in (last + 1, last + 7, len(whole) - 1):
        grown.write_bytes(whole[:cut])
        assert [repr(r) for r in read_history(file)] == [
            repr(r) for r in [record for m in MEASUREMENTS for record in m][:-1]
        ]
    again = KINDS[kind](file, append=True)
    write(again, [rows(9)])
    again.close()
    assert read_history(file)[-1] == rows(9)[-1]
    assert len(read_history(file)) == 9


def write_and_be_killed(kind: str, file: Path) -> None:
    sink = KINDS[kind](file)
    for step in range(300):
        sink.write(rows(step), METADATA)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_a_killed_process_leaves_all_it_wrote(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"history.{kind}"
    code, printed = Child(write_and_be_killed, kind, file).ended()
    assert code == -signal.SIGKILL, printed
    assert same(read_history(file), [rows(step) for step in range(300)])


def test_a_kill_between_folding_and_emptying_the_journal_doubles_nothing(tmp_path: Path) -> None:
    file = tmp_path / "history.parquet"
    sink = ParquetSink(file)
    write(sink, MEASUREMENTS)
    journal = journal_of(file).read_bytes()
    sink.close()
    journal_of(file).write_bytes(journal)  # as if killed before it was emptied
    assert same(read_history(file), MEASUREMENTS)
    sink = ParquetSink(file, append=True)
    write(sink, [rows(5)])
    assert same(read_history(file), [*MEASUREMENTS, rows(5)])
    sink.close()
    assert same(History.read(file), [*MEASUREMENTS, rows(5)])


def test_a_parquet_file_is_rewritten_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_sink, "_FIRST_FOLD", 8)
    monkeypatch.setattr(parquet_sink, "_LAST_FOLD", 32)
    monkeypatch.setattr(parquet_sink, "_COPIED", 16)
    folds = []
    plain = parquet_sink._combine
    monkeypatch.setattr(
        parquet_sink, "_combine", lambda *args: (folds.append(args[1].num_rows), plain(*args))[1]
    )
    file = tmp_path / "history.parquet"
    sink = ParquetSink(file)
    write(sink, [rows(step) for step in range(100)])
    sink.close()
    assert folds == [8, 8, 16, 32, 32, 32, 32, 32, 8]
    assert same(read_history(file), [rows(step) for step in range(100)])
    assert pq.ParquetFile(file).metadata.num_rows == 200


def test_a_growing_file_is_followed(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"history.{kind}"
    follower = HistoryFile(file)
    assert not follower.exists
    assert not follower.refresh()
    sink = KINDS[kind](file)
    for count in range(1, 5):
        write(sink, MEASUREMENTS[count - 1 : count])
        assert follower.refresh()
        assert same(follower.history, MEASUREMENTS[:count])
        assert not follower.refresh()
    sink.close()
    follower.refresh()
    assert same(follower.history, MEASUREMENTS)
    assert follower.history.metadata == METADATA


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_file_that_grows_by_single_bytes_is_followed(tmp_path: Path, suffix: str) -> None:
    source, file = tmp_path / f"source.{suffix}", tmp_path / f"history.{suffix}"
    sink = KINDS[suffix](source)
    write(sink, MEASUREMENTS)
    sink.close()
    data = source.read_bytes()
    follower = HistoryFile(file)
    with file.open("ab") as stream:
        for start in range(0, len(data), 97):
            stream.write(data[start : start + 97])
            stream.flush()
            follower.refresh()
            assert len(follower.history) <= data[: start + 97].count(b"\n")
    assert same(follower.history, MEASUREMENTS)


def test_a_file_begun_anew_is_read_anew(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"history.{kind}"
    follower = HistoryFile(file)
    for measurements in (MEASUREMENTS, [rows(7)]):
        sink = KINDS[kind](file)
        write(sink, measurements)
        sink.close()
        follower.refresh()
        assert same(follower.history, measurements)
        file.unlink()
    assert follower.refresh()
    assert len(follower.history) == 0


def test_what_is_no_history_is_refused_in_one_line(tmp_path: Path) -> None:
    for suffix, text in (("csv", "a,b\n1,2\n"), ("jsonl", "[]\n"), ("jsonl", "{}\n")):
        file = tmp_path / f"other.{suffix}"
        file.write_text(text)
        with pytest.raises(InputError, match="not a history") as caught:
            read_history(file)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="end it in"):
        HistoryFile(tmp_path / "other.txt")
    with pytest.raises(InputError, match="does not exist"):
        read_history(tmp_path / "none.csv")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs a device file")
def test_a_full_disk_is_told_in_one_line() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    with pytest.raises(InputError) as caught:
        CsvSink("/dev/full").write(rows(1), METADATA)
    assert "cannot be written" in str(caught.value)


def test_an_unwritable_place_is_told_at_once(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        KINDS[kind](tmp_path / "file" / f"history.{kind}")


def test_lines_of_text_in_a_reason_do_not_break_a_csv(tmp_path: Path) -> None:
    file = tmp_path / "history.csv"
    sink = CsvSink(file)
    write(sink, [rows(1, failure="first line\nsecond, with a comma")])
    assert read_history(file)[1].failure == "first line second, with a comma"


def test_names_of_scalars() -> None:
    values = flat(rows(1))
    assert values["epsrank/body.0/eps=1e-06/lower"] == 3
    assert values["epsrank/body.0/eps=0.1/upper"] == 4
    assert values["epsrank/body.2 (input)/reading"] == "feature-limited"
    assert values["epsrank/body.2 (input)/reading/reachable"] == 0.09
    assert values["epsrank/loss"] == 0.5
    assert "epsrank/body.0/condition" not in values
    numbers = finite_numbers(values)
    assert all(math.isfinite(value) for value in numbers.values())
    assert "epsrank/body.0/condition_lower" not in numbers
    json.dumps(numbers, allow_nan=False)
    failed = flat(rows(1, failure="said why", loss=None))
    assert failed["epsrank/body.2 (input)/failure"] == "said why"
    assert "epsrank/loss" not in failed


def test_one_sink_or_several(tmp_path: Path) -> None:
    sink = CsvSink(tmp_path / "history.csv")
    assert as_sinks(sink) == as_sinks([sink]) == as_sinks(iter([sink])) == [sink]
    assert as_sinks(()) == []
    for wrong in (3, [print], "csv", [CsvSink], CsvSink):
        with pytest.raises(InputError, match="log and close"):
            as_sinks(wrong)


def test_a_sink_of_scalars_gets_step_and_names() -> None:
    class Own:
        def __init__(self) -> None:
            self.seen: list[Any] = []

        def log(self, step: int, values: Any) -> None:
            self.seen.append((step, values))

        def close(self) -> None:
            self.seen.append("closed")

    own = Own()
    deliver(own, rows(6), METADATA)
    deliver(own, [], METADATA)
    assert own.seen == [(6, flat(rows(6)))]
