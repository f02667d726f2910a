"""Histories: bounded memory, tables, and files that come back as they went."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from epsrank.numerics.monitor.numbers.quantities import Quantities
from epsrank.numerics.monitor.records.history import History
from epsrank.numerics.monitor.records.record import LayerRank, LayerReading, LayerRecord
from epsrank.numerics.monitor.sinks.files import CsvSink
from epsrank.numerics.monitor.sinks.follow import read_history
from epsrank.numerics.monitor.sinks.parquet import ParquetSink
from epsrank.theory.errors import InputError

EPS = (1e-6, 0.1)
METADATA = {"eps": list(EPS), "measure": "mean", "versions": {"epsrank": "0.1.0"}}


def rows(step: int, *, loss: float | None = 0.5, failure: str | None = None) -> list[LayerRecord]:
    own = Quantities(2.0, 3.0, 1.5, 1.4, 1.9, 1.9, 1.7, None, math.inf, 0.25, 0.0, 1e-15 / 3)
    reading = LayerReading(
        "feature-limited",
        0.1,
        0.09,
        0.0901,
        3.0,
        1.1,
        math.inf,
        "feature",
        "mse",
        9,
        'said "so", yes',
    )
    ranks = tuple(LayerRank(eps, 3, 3 + index, "gram", "far") for index, eps in enumerate(EPS))
    common = {"step": step, "loss": loss, "measure": "mean", "relative": False}
    first = LayerRecord(
        layer="body.0", dtype="float32", n_samples=10, n_features=4,
        ranks=ranks, quantities=own, reading=None, seconds=0.1 + step, cost=1 / 3, **common,
    )  # fmt: skip
    last = LayerRecord(
        layer="body.2", dtype="float32", n_samples=10, n_features=4, ranks=() if failure else ranks,
        quantities=None, reading=None if failure else reading, seconds=0.1 + step, cost=1 / 3,
        failure=failure, **common,
    )  # fmt: skip
    return [first, last]


def filled() -> History:
    history = History(METADATA)
    history.append(rows(1))
    history.append(rows(2, loss=None))
    history.append(rows(3, loss=math.nan, failure="features have 3 NaN entries, at (0, 1)"))
    history.append(rows(4, loss=math.inf))
    return history


def same(left: History, right: History) -> bool:
    # repr writes floats to the last bit and NaN as a word.
    return left.metadata == right.metadata and list(map(repr, left)) == list(map(repr, right))


def parted(step: int) -> list[LayerRecord]:
    return [replace(record, probe_part=1 / 3) for record in rows(step)]


@pytest.mark.parametrize("suffix", ["parquet", "csv", "json"])
def test_parts_of_a_probe_come_back(tmp_path: Path, suffix: str):
    history = filled()
    history.append(parted(5))
    file = tmp_path / f"history.{suffix}"
    getattr(history, f"to_{suffix}")(file)
    back = History.read(file)
    assert same(back, history)
    assert [record.probe_part for record in back][-3:] == [None, 1 / 3, 1 / 3]


#: Columns that have come one after another.
CAME = ("probe_part", "srank", "alpha_req")


def before_parts(folder: Path, suffix: str) -> Path:
    """Write a history as it was before records knew of parts, srank and α-ReQ."""
    file = folder / f"old.{suffix}"
    getattr(filled(), f"to_{suffix}")(file)
    if suffix == "parquet":
        pq.write_table(pq.read_table(file).drop_columns([*CAME]), file)
    elif suffix == "csv":
        head, names, *lines = file.read_text().splitlines()
        places = [names.split(",").index(f'"{name}"') for name in CAME]
        # Nor of checks, the last column.
        cut = [",".join(part for i, part in enumerate(line.split(",")[:-1]) if i not in places)
               for line in (names, *lines)]  # fmt: skip
        file.write_text("\n".join([head, *cut]) + "\n")
    else:
        held = json.loads(file.read_text())
        del held["checksum"]
        for row in held["records"]:
            for name in CAME:
                row.pop(name, None)
        file.write_text(json.dumps(held))
    # In quotes: the name of the package ends in one of them.
    assert not any(f'"{name}"'.encode() in file.read_bytes() for name in CAME)
    return file


@pytest.mark.parametrize("suffix", ["parquet", "csv", "json"])
def test_older_files_are_read(tmp_path: Path, suffix: str):
    assert same(History.read(before_parts(tmp_path, suffix)), filled())


@pytest.mark.parametrize(("suffix", "sink"), [("parquet", ParquetSink), ("csv", CsvSink)])
def test_older_files_go_on_as_they_are(tmp_path: Path, suffix: str, sink):
    file = before_parts(tmp_path, suffix)
    going_on = sink(file, append=True)
    going_on.write(parted(5), METADATA)
    going_on.close()
    assert list(map(repr, History.read(file))) == list(map(repr, [*filled(), *rows(5)]))


@pytest.mark.parametrize("suffix", ["parquet", "csv", "json"])
def test_files_come_back_as_they_went(tmp_path: Path, suffix: str):
    history = filled()
    file = tmp_path / "new folder" / f"history.{suffix}"
    getattr(history, f"to_{suffix}")(file)
    assert same(History.read(file), history)
    assert not [path for path in file.parent.iterdir() if path != file]


@pytest.mark.parametrize("suffix", ["parquet", "csv", "json"])
def test_an_empty_history_is_a_file_too(tmp_path: Path, suffix: str):
    file = tmp_path / f"history.{suffix}"
    getattr(History(METADATA), f"to_{suffix}")(file)
    assert len(History.read(file)) == 0
    assert History.read(file).metadata == METADATA


def test_the_round_trip_check_can_fail(tmp_path: Path):
    history = filled()
    other = filled()
    other.append(rows(5))
    assert not same(history, other)


def test_json_is_strict(tmp_path: Path):
    text = filled().to_json(tmp_path / "h.json").read_text()
    json.loads(text, parse_constant=lambda word: pytest.fail(word))


def test_plain_data_without_a_path():
    plain = filled().to_json()
    assert plain["metadata"] == METADATA
    assert plain["records"][0]["ranks"][0]["upper"] == 3


def test_the_table_has_one_row_per_step_and_layer(tmp_path: Path):
    table = filled().table()
    assert table.num_rows == 8
    assert table.column("rank_upper_0.1").to_pylist()[:2] == [4, 4]
    assert table.column("failure").to_pylist()[5].startswith("features have 3 NaN")
    filled().to_parquet(tmp_path / "h.parquet")
    assert json.loads(pq.read_schema(tmp_path / "h.parquet").metadata[b"epsrank"]) == METADATA


def test_memory_is_bounded_and_spread_over_the_training():
    history = History(METADATA, max_records=20)
    for step in range(1, 1001):
        history.append(rows(step))
        assert len(history) <= 20
    assert len(history) + history.dropped == 2000
    steps = history.steps
    assert (steps[0], steps[-1]) == (1, 1000)
    gaps = [b - a for a, b in itertools.pairwise(steps)]
    assert max(gaps) <= 1000 / 4


def test_lookup():
    history = filled()
    assert history.layers == ["body.0", "body.2"]
    assert [record.step for record in history.of_layer("body.2")] == [1, 2, 3, 4]
    assert history[-1].step == 4
    assert [record.layer for record in history[:2]] == ["body.0", "body.2"]
    assert int(history[0].rank()) == 3
    assert history[0].rank(0.1).upper == 4
    with pytest.raises(ValueError, match=r"lie in \[3, 4\]"):
        int(history[0].rank(0.1))
    with pytest.raises(KeyError, match="NaN"):
        history[5].rank()
    with pytest.raises(InputError, match=r"body\.0, body\.2"):
        history.of_layer("head")
    assert "not measured" in str(history[5])
    assert "[3, 4] at ε = 0.1" in history._repr_html_()


def test_broken_files_are_refused_in_one_line(tmp_path: Path):
    for name, text in {
        "a.json": "{", "b.json": "{}", "c.csv": "x,y\n1,2\n", "d.csv": "# {}\nx\n1\n",
        "e.parquet": "no", "f.txt": "", "g.csv": "# {\nx\n",
        "h.json": '{"metadata": {}, "records": ["ab"]}', "i.csv": "# {}\nx\n",
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match="path"):
            History.read(tmp_path / name)
    with pytest.raises(InputError, match="cannot be read"):
        History.read(tmp_path / "missing.json")


@pytest.mark.parametrize(
    "line",
    [
        '{"rank_lower_1Qe-06": 1}',
        '{"step": 1e999}',
        "[" * 10_000,
        "{}",
        '{"step": ' + "9" * 5000 + "}",
    ],
)
def test_lines_of_another_kind_are_refused_with_the_name_of_their_file(tmp_path: Path, line: str):
    file = tmp_path / "h.jsonl"
    file.write_text(f'{{"metadata": {{}}}}\n{line}\n')
    with pytest.raises(InputError, match=r"path is .*h\.jsonl"):
        read_history(file)


def test_an_unwritable_place_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        filled().to_csv(tmp_path / "file" / "h.csv")


@pytest.mark.parametrize("limit", [0, 1, 1.5, True, "many"])
def test_refuses_limits(limit):
    with pytest.raises(InputError, match="max_records"):
        History(METADATA, max_records=limit)
