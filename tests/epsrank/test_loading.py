"""Files in, arrays out, bit for bit; everything else is one InputError that names the file."""

from __future__ import annotations

import json
import pickle
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch

from epsrank.loading import load_array
from epsrank.numerics.boundary import available_memory, parsing
from epsrank.theory.data.inputs import as_features
from epsrank.theory.errors import InputError

PHI = np.random.default_rng(0).normal(size=(7, 3))


def write(path: Path, values: np.ndarray[Any, Any]) -> Path:
    if path.suffix == ".npy":
        np.save(path, values)
    elif path.suffix == ".npz":
        np.savez(path, values)
    elif path.suffix == ".safetensors":
        save_file({"features": values}, path)
    elif path.suffix == ".csv":
        np.savetxt(path, values, delimiter=",", fmt="%s")
    else:
        columns = {f"f{index}": values[:, index] for index in range(values.shape[1])}
        pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".safetensors", ".parquet"])
def test_every_format_gives_back_the_same_bits(suffix: str, tmp_path: Path) -> None:
    loaded = load_array(write(tmp_path / f"phi{suffix}", PHI))
    assert loaded.dtype == np.float64
    np.testing.assert_array_equal(loaded, PHI)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", ".parquet"])
def test_the_stored_dtype_is_kept(suffix: str, tmp_path: Path) -> None:
    assert load_array(write(tmp_path / f"a{suffix}", PHI.astype(np.float32))).dtype == np.float32
    integers = np.array([[2**53 + 1, 1], [3, 2]], dtype=np.int64)
    loaded = load_array(write(tmp_path / f"b{suffix}", integers))
    assert loaded.dtype == np.int64
    np.testing.assert_array_equal(loaded, integers)


def test_bfloat16_tensors_are_read_exactly(tmp_path: Path) -> None:
    tensor = torch.tensor([[1.5, 2.0], [0.25, -3.0]], dtype=torch.bfloat16)
    save_torch({"phi": tensor}, tmp_path / "a.safetensors")
    features = as_features(load_array(tmp_path / "a.safetensors"))
    assert features.dtype == "bfloat16"
    np.testing.assert_array_equal(features.values, tensor.double().numpy())


def test_several_arrays_need_a_key_and_the_error_lists_them(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", phi=PHI, u=PHI[:, 0])
    save_file({"phi": PHI, "u": PHI[:, 0].copy()}, tmp_path / "a.safetensors")
    for name in ("a.npz", "a.safetensors"):
        with pytest.raises(InputError, match=r"holds 2 arrays: phi, u; choose one with --key"):
            load_array(tmp_path / name)
        with pytest.raises(InputError, match=r"'psi' is not in .*choose one of phi, u"):
            load_array(tmp_path / name, key="psi")
        np.testing.assert_array_equal(load_array(tmp_path / name, key="u"), PHI[:, 0])


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    marker = tmp_path / "marker"

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (marker,))

    bomb = np.array([[Bomb()]], dtype=object)
    np.save(tmp_path / "object.npy", bomb, allow_pickle=True)
    np.savez(tmp_path / "object.npz", bomb)
    (tmp_path / "bare.npy").write_bytes(pickle.dumps(Bomb()))
    for name in ("object.npy", "object.npz", "bare.npy"):
        with pytest.raises(InputError, match=rf"{name}.*pickle.*never loaded\)?; "):
            load_array(tmp_path / name)
    assert not marker.exists()


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", ".parquet"])
@pytest.mark.parametrize("keep", [0.02, 0.3, 0.9])
def test_a_truncated_file_is_named(suffix: str, keep: float, tmp_path: Path) -> None:
    file = write(tmp_path / f"a{suffix}", PHI)
    whole = file.read_bytes()
    file.write_bytes(whole[: max(1, int(keep * len(whole)))])
    with pytest.raises(InputError, match=f"a{suffix}"):
        load_array(file)


def test_a_header_that_promises_too_much_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.npy"
    with file.open("wb") as stream:
        header = {"descr": "<f8", "fortran_order": False, "shape": (10**14, 10)}
        np.lib.format.write_array_header_1_0(stream, header)
    with pytest.raises(InputError, match=r"a\.npy"):
        load_array(file)


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty.npy").touch()
    (tmp_path / "a.txt").write_text("1")
    (tmp_path / "folder.npy").mkdir()
    cases = {
        "missing.npy": "does not exist",
        "empty.npy": "is an empty file",
        "a.txt": r"suffix '\.txt'; save it as one of \.npy",
        "folder.npy": "is a directory",
        "a.txt/b.npy": "does not exist|cannot be opened",
        "x" * 300 + ".npy": "cannot be opened",
    }
    for name, problem in cases.items():
        with pytest.raises(InputError, match=problem):
            load_array(tmp_path / name)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", ".parquet", ".csv"])
def test_content_of_another_kind_is_refused(suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"a{suffix}"
    file.write_bytes(b"\x00\xff certainly not an array, \xfe of no kind at all" * 3)
    with pytest.raises(InputError, match=f"a{suffix}"):
        load_array(file)


def csv(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "a.csv"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    "text",
    [
        "1,2\n3,4\n",
        "a,b\n1,2\n3,4\n",
        '"a","b"\n"1","2"\n"3","4"\n',
        "a;b\n1;2\n3;4",
        "1\t2\n3\t4\n",
        "1 2\n3 4\n",
        "# written by numpy\n1,2\n\n3,4\n",
        "\ufeffa,b\r\n1,2\r\n3,4\r\n",
    ],
)
def test_csv_with_and_without_header(text: str, tmp_path: Path) -> None:
    said: list[str] = []
    values = load_array(csv(tmp_path, text), notice=said.append)
    np.testing.assert_array_equal(values, [[1, 2], [3, 4]])
    assert bool(said) == ("a" in text.splitlines()[0] and "#" not in text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a,b\n", "a header and no numbers"),
        ("# nothing\n\n", "holds no numbers"),
        ("1,x\n2,3\n", "'x' among the numbers"),
        ("0,1\n3,4\n", "a header or a sample"),
        (",0,1\n0,3,4\n", "column without a name"),
        ("1,2\n3\n", "not a table of numbers"),
        ("1,2\n3,\n", "not a table of numbers"),
        ("1,5;2,5\n3,5;4,5\n", "among the numbers|not a table|header"),
        ("9007199254740993,0.5\n1,2\n", "mixes integers beyond"),
        ("99999999999999999999,1\n1,2\n", "mixes integers beyond"),
        ("1" + 400 * "0" + ",1\n1,2\n", "in row 1, which float64 takes for inf"),
        (5000 * "7" + ",1\n1,2\n", "in row 1, which float64 takes for inf"),
        (200_000 * "a" + ",b\n1,2\n", "is not a table of numbers .*field larger"),
        ('a,b\n"r1",1,2\n"r2",3,4\n', r"one name fewer than columns .* row\.names = FALSE"),
        ("a,b\n1,1,2\n2,3,4\n", "one name fewer than columns"),
        ("a b\n1 1 2\n2 3 4\n", "one name fewer than columns"),
        ("Unnamed: 0,a\n0,3\n1,5\n", "index column Unnamed: 0; write it with index=False"),
        ("Unnamed: 0.1,Unnamed: 0,a\n7,0,3\n9,1,5\n", r"index column Unnamed: 0\.1"),
        ("row.names,a\n1,3\n2,5\n", r"index column row\.names"),
    ],
)
def test_csv_is_refused_rather_than_guessed(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=problem):
        load_array(csv(tmp_path, text))


def test_csv_integers_are_exact(tmp_path: Path) -> None:
    values = load_array(csv(tmp_path, f"{2**53 + 1},1\n2,3\n"))
    assert values.dtype == np.int64
    assert int(values[0, 0]) == 2**53 + 1
    assert load_array(csv(tmp_path, "1e300,1\n2,3\n")).dtype == np.float64


def test_csv_keeps_nan_for_the_caller_to_refuse(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 non-finite entry"):
        as_features(load_array(csv(tmp_path, "1,nan\n2,3\n")))


def test_parquet_refuses_what_is_not_a_feature(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    tables = {
        "missing entries in column 'a'": {"a": [1.0, None]},
        "column 'b' of type string": {"a": [1.0, 2.0], "b": ["x", "y"]},
        "index column __index_level_0__": {"a": [1.0, 2.0], "__index_level_0__": [0, 1]},
        "lists of different length": {"a": [[1.0], [2.0, 3.0]]},
        "mixes integers beyond": {"a": [2**53 + 1, 1], "b": [0.5, 1.0]},
        "holds no numbers": {"a": pa.array([], pa.float64())},
    }
    for problem, columns in tables.items():
        pq.write_table(pa.table(columns), file)
        with pytest.raises(InputError, match=problem):
            load_array(file)


def test_an_index_that_pandas_noted_in_a_parquet_file_is_refused(tmp_path: Path) -> None:
    note: dict[str, Any] = {"index_columns": ["sample"], "columns": []}
    table = pa.table({"a": [1.0, 2.0], "sample": [17, 30]})
    file = tmp_path / "a.parquet"
    pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(note)}), file)
    with pytest.raises(InputError, match="holds the index column sample"):
        load_array(file)
    assert load_array(file, key="a").tolist() == [[1.0], [2.0]]
    # Its usual index has no column.
    note["index_columns"] = [{"kind": "range", "start": 0, "stop": 2, "step": 1}]
    pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(note)}), file)
    assert load_array(file).shape == (2, 2)


def test_a_feature_called_index_is_a_feature_unless_it_counts(tmp_path: Path) -> None:
    assert load_array(csv(tmp_path, "index,a\n3,1\n1,2\n")).shape == (2, 2)
    with pytest.raises(InputError, match="holds the index column index"):
        load_array(csv(tmp_path, "index,a\n0,1\n1,2\n"))


def test_declared_sizes_are_compared_with_memory_before_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small files that are 2 MiB once read, where 3 MiB are free."""
    rows = 2**18
    zeros = np.zeros(rows)
    pq.write_table(pa.table({"a": zeros}), tmp_path / "bomb.parquet")
    np.savez_compressed(tmp_path / "bomb.npz", zeros)
    monkeypatch.setattr("epsrank.numerics.boundary._NEVER_TOO_MUCH", 0)
    monkeypatch.setattr("epsrank.numerics.boundary.available_memory", lambda: 3 << 20)
    for name in ("bomb.parquet", "bomb.npz"):
        file = tmp_path / name
        assert file.stat().st_size < 1 << 15
        with pytest.raises(InputError, match=rf"{name}.*declares 2 MiB.* 3 MiB of memory"):
            load_array(file)


def test_available_memory_is_known_or_not() -> None:
    free = available_memory()
    assert free is None or 1 << 20 < free < 1 << 50


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (4, 2), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (4, 2, }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-4, -2), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (400000000000, 2), }",
        "{'descr': '|V0', 'fortran_order': False, 'shape': (4000000000000000, 2), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (4, 2), }",
        "'" * 3,
        "(" * 48,
    ],
)
def test_headers_of_npy(header: str, tmp_path: Path) -> None:
    text = header.encode().ljust(117) + b"\n"
    file = tmp_path / "a.npy"
    file.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(64))
    if header.endswith("(4, 2), }") and "f8" in header:
        assert load_array(file).shape == (4, 2)
        return
    with pytest.raises(InputError, match=r"a\.npy (is damaged|holds pickled|has)"):
        as_features(load_array(file), name="a.npy")


def test_formats_of_half_a_number_are_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    header = b'{"a":{"dtype":"F4","shape":[4,2],"data_offsets":[0,4]}}'
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(InputError, match=r"a\.safetensors (holds 'a' as F4|is not a readable)"):
        load_array(file)


def test_mistakes_of_ours_go_through_the_boundary() -> None:
    said = r"a\.npy cannot be read \(bad\); write it again"
    with pytest.raises(InputError, match=said), parsing("a.npy", "write it again"):
        raise zlib.error("bad")
    with pytest.raises(KeyboardInterrupt), parsing("a.npy", "write it again"):
        raise KeyboardInterrupt
    # A name that is not defined, in a module of ours.
    code = compile("undefined_name", "loading.py", "eval")
    with pytest.raises(NameError), parsing("a.npy", "write it again"):
        eval(code, {"__name__": "epsrank.loading"})


def test_parquet_column_of_lists(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    for kind in (pa.list_(pa.float64()), pa.list_(pa.float64(), 3)):
        table = pa.table({"phi": pa.array(PHI.tolist(), kind), "label": list("abcdefg")})
        pq.write_table(table, file)
        np.testing.assert_array_equal(load_array(file, key="phi"), PHI)


def test_key_makes_no_sense_for_one_array(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="leave --key out"):
        load_array(write(tmp_path / "a.npy", PHI), key="phi")
