"""The store: what is put comes back, and what is damaged counts as absent."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from epsrank.numerics.processes.locks import FolderLock
from epsrank.numerics.sweeps import Outcome, Trial, TrialStore
from epsrank.numerics.sweeps.rows import SCHEMA, outcome_of
from epsrank.theory.errors import InputError

CORPUS = Path(__file__).parents[2] / "slow" / "fuzz" / "corpus"


def outcome(seed=0, **result):
    trial = Trial("train", {"width": 5, "seed": seed})
    return Outcome(trial, "done", {"loss": [1.0, 0.1], **result}, None, 0.1 + seed)


FAILED = Outcome(Trial("train", {"seed": 9}), "failed", {}, "x is wrong; drop it", 2.5)


@pytest.fixture
def store(tmp_path):
    return TrialStore(tmp_path / "store")


def test_round_trip(store):
    for given in (
        outcome(),
        outcome(1, text="ε", none=None, nested={"a": [1, {"b": True}]}),
        FAILED,
    ):
        store.put(given)
        assert store.get(given.trial) == given
        assert TrialStore(str(store.folder)).get(given.trial) == given
    assert len(store) == 3
    assert not store.damaged


def test_where_files_are_and_what_is_in_them(store):
    store.put(outcome())
    key = outcome().trial.key
    (path,) = [path for path in store.folder.rglob("*") if path.is_file()]
    assert path == store.folder / key[:2] / f"{key}.parquet"
    (row,) = pq.read_table(path).to_pylist()
    assert set(row) == set(SCHEMA.names)
    assert row["key"] == key
    assert row["settings"] == '{"seed": 0, "width": 5}'
    assert '"torch"' in row["environment"]
    assert '"python"' in row["environment"]
    assert row["finished"].endswith("+00:00")


def test_a_later_outcome_replaces_an_earlier_one(store):
    store.put(Outcome(outcome().trial, "failed", {}, "too large", 1.0))
    store.put(outcome())
    assert store.get(outcome().trial) == outcome()
    assert len(store) == 1


def test_an_empty_store(store):
    assert store.get(outcome().trial) is None
    assert len(store) == 0
    assert list(store.outcomes()) == []
    assert store.table().num_rows == 0
    assert not store.folder.exists()


def test_outcomes_come_in_the_order_of_their_keys(store):
    for seed in range(12):
        store.put(outcome(seed))
    keys = [entry.trial.key for entry in store.outcomes()]
    assert keys == sorted(keys)
    assert len(keys) == len(store) == 12


def test_the_table_has_a_column_per_setting_and_scalar(store):
    store.put(outcome(0, status="complete", best=0.5, none=None, deep={"n": 3}))
    store.put(outcome(1, status="diverged", best=1))
    store.put(FAILED)
    table = store.table()
    assert table.column_names == [
        *("key", "kind", "version", "status", "cause", "seconds"),
        *("settings.seed", "settings.width"),
        *("result.best", "result.deep.n", "result.none", "result.status"),
    ]
    rows = sorted(table.to_pylist(), key=lambda row: row["settings.seed"])
    assert [row["settings.width"] for row in rows] == [5, 5, None]
    assert [row["result.best"] for row in rows] == [0.5, 1.0, None]
    assert [row["result.status"] for row in rows] == ["complete", "diverged", None]
    assert [row["status"] for row in rows] == ["done", "done", "failed"]
    assert rows[2]["cause"] == "x is wrong; drop it"


@pytest.mark.parametrize(
    ("values", "kind", "back"),
    [
        ([1, 2], pa.int64(), [1, 2]),
        ([1, 2.5], pa.float64(), [1.0, 2.5]),
        ([True, False], pa.bool_(), [True, False]),
        ([True, 1], pa.string(), ["true", "1"]),
        ([1, "auto"], pa.string(), ["1", '"auto"']),
        (["a", None], pa.string(), ["a", None]),
        ([[1e-6], [1e-4, 1]], pa.string(), ["[1e-06]", "[0.0001, 1]"]),
        ([2**70, 1], pa.string(), [str(2**70), "1"]),
        ([2**60, 0.5], pa.string(), [str(2**60), "0.5"]),
    ],
)
def test_columns_keep_their_type_or_are_json(store, values, kind, back):
    for index, value in enumerate(values):
        store.put(Outcome(Trial("train", {"value": value, "index": index}), "done"))
    table = store.table().sort_by("settings.index")
    assert table.schema.field("settings.value").type == kind
    assert table.column("settings.value").to_pylist() == back


def _truncated(path):
    path.write_bytes(path.read_bytes()[:-20])


def _empty(path):
    path.write_bytes(b"")


def _other_table(path):
    pq.write_table(pa.table({"a": [1]}), path)


def _two_rows(path):
    table = pq.read_table(path)
    pq.write_table(pa.concat_tables([table, table]), path)


def _changed(name, value):
    def change(path):
        table = pq.read_table(path)
        index = table.schema.names.index(name)
        pq.write_table(
            table.set_column(index, name, pa.array([value], table.schema.types[index])), path
        )

    return change


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (_truncated, "not what was written"),
        (_empty, "cannot be read"),
        (_other_table, "other columns"),
        (_two_rows, "2 rows"),
        (_changed("result", '{"loss": [1.0, 0.2]}'), "other values"),
        (_changed("seconds", 3.0), "other values"),
        (_changed("settings", '{"seed": 1, "width": 5}'), "other values"),
        (_changed("result", None), "empty entries"),
    ],
)
def test_a_damaged_file_counts_as_absent_and_is_reported(store, damage, problem):
    store.put(outcome())
    store.put(outcome(1))
    path = store.path(outcome().trial)
    damage(path)
    assert store.get(outcome().trial) is None
    assert list(store.damaged) == [path]
    assert problem in store.damaged[path]
    assert list(store.outcomes()) == [outcome(1)]
    store.put(outcome())
    assert store.get(outcome().trial) == outcome()
    assert not store.damaged


def test_a_file_under_the_name_of_another_trial_counts_as_absent(store):
    store.put(outcome())
    other = store.path(outcome(1).trial)
    other.parent.mkdir(exist_ok=True)
    os.replace(store.path(outcome().trial), other)
    assert store.get(outcome(1).trial) is None
    assert "another trial" in store.damaged[other]


def test_a_key_that_is_not_the_hash_of_the_settings_is_damage(store):
    store.put(outcome())
    table = pq.read_table(store.path(outcome().trial))
    row = table.to_pylist()[0] | {"key": "0" * 64}
    # With the digest of a forger who forgot the key.
    from epsrank.numerics.sweeps import rows

    row["digest"] = rows._digest(row)
    with pytest.raises(ValueError, match="not the hash"):
        outcome_of(pa.Table.from_pylist([row], schema=SCHEMA))


def test_a_kind_that_is_gone_is_not_a_crash(store, kinds, monkeypatch):
    trial = Trial("square", {"x": 1})
    store.put(Outcome(trial, "done", {"y": 1}))
    monkeypatch.delitem(kinds.sys.modules["epsrank.numerics.sweeps.trial"].TRIAL_KINDS, "square")
    assert list(store.outcomes()) == []
    assert "is 'square'" in store.damaged[store.path(trial)]


def test_damage_of_any_bytes_is_never_a_crash_nor_another_outcome(store):
    store.put(outcome())
    path = store.path(outcome().trial)
    whole, chance = path.read_bytes(), random.Random(0)
    for _ in range(300):
        data = bytearray(whole)
        for place in chance.sample(range(len(data)), 3):
            data[place] = chance.randrange(256)
        path.write_bytes(bytes(data))
        # A byte that no value depends on may change; anything else is noticed.
        assert store.get(outcome().trial) in (None, outcome())
    assert store.damaged


def test_foreign_files_in_the_folder_are_left_alone(store):
    store.put(outcome())
    (store.folder / "README.parquet").write_text("mine")
    (store.folder / "ab").mkdir(exist_ok=True)
    (store.folder / "ab" / "notes.parquet").write_text("mine")
    assert len(store) == 1
    assert list(store.outcomes()) == [outcome()]
    assert not store.damaged


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"^store .* is a file; name a folder$"):
        TrialStore(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_refused_in_one_line(tmp_path):
    folder = tmp_path / "store"
    folder.mkdir(mode=0o500)
    store = TrialStore(folder)
    for attempt in (lambda: opened(store), lambda: store.put(outcome())):
        with pytest.raises(
            InputError, match=r"^store cannot be written .*Permission denied"
        ) as told:
            attempt()
        assert "\n" not in str(told.value)
    assert store.get(outcome().trial) is None


def test_a_footer_on_which_pyarrow_can_abort(store):
    """Whoever asks its entry for the size of a column ends the process (found by fuzzing)."""
    (damaged,) = (CORPUS / "store").glob("pinned-*")
    path = store.folder / "ab" / f"ab{62 * '0'}.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(damaged.read_bytes())
    assert not list(store.outcomes())
    assert list(store.damaged) == [path]


def test_a_full_disk_is_told_and_leaves_what_was(store, monkeypatch):
    store.put(outcome())

    def full(writer, table):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(InputError, match=r"^store cannot be written .*No space left"):
        store.put(Outcome(outcome().trial, "done", {"loss": [2.0]}))
    assert store.get(outcome().trial) == outcome()
    assert not list(store.folder.rglob("*.part"))


def opened(store):
    with store.in_use():
        pass


def test_what_dead_writers_left_goes_and_what_living_ones_write_stays(store):
    store.put(outcome())
    folder = store.path(outcome().trial).parent
    old, new = folder / ".epsrank-a.part", folder / ".epsrank-b.part"
    for part in (old, new):
        part.write_text("half")
    os.utime(old, (0, 0))
    writer = FolderLock(store.folder)  # as one that is in the middle of `put`
    assert writer.take(shared=True)
    with store.in_use():
        assert not old.exists()
        assert new.exists()
    writer.release()
    with store.in_use():
        assert not new.exists()
    assert len(store) == 1


def test_many_writers_of_one_trial(store):
    def write():
        for seed in range(20):
            TrialStore(store.folder).put(outcome(seed % 3))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store) == 3
    assert {entry.settings["seed"] for entry in store.outcomes()} == {0, 1, 2}
    assert not list(store.folder.rglob("*.part"))


def test_a_folder_that_cannot_be_made_is_refused_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    store = TrialStore(tmp_path / "file" / "store")
    assert store.get(outcome().trial) is None
    assert len(store) == 0
    for attempt in (lambda: opened(store), lambda: store.put(outcome())):
        with pytest.raises(InputError, match=r"^store cannot be written .*Not a directory"):
            attempt()


def test_a_folder_that_may_not_be_read_is_refused_in_one_line(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=r"^store cannot be read .*Permission denied\); see to"):
        TrialStore(tmp_path)
