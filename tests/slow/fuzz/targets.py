"""Every reader, as a function of the bytes of one file; an `InputError` is its only error."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.numpy import save as save_arrays

from epsrank import InputError, RunConfig, load_pruned, load_run, prune, train
from epsrank.loading import load_array
from epsrank.numerics.checkpoint.weights import load_weights
from epsrank.numerics.manifest import MANIFEST, Manifest, folder_kind
from epsrank.numerics.monitor.sinks.files import CsvSink, JsonLinesSink
from epsrank.numerics.monitor.sinks.follow import read_history
from epsrank.numerics.monitor.sinks.parquet import ParquetSink
from epsrank.numerics.sweeps import Outcome, Trial, TrialStore
from epsrank.numerics.sweeps.spec import Sweep
from epsrank.numerics.tasks.cifar import cifar10
from epsrank.numerics.tasks.images import mnist
from epsrank.numerics.training.state import read_progress
from epsrank.proofs.experiments.records import RECORDED, read_record
from epsrank.theory.data.inputs import as_features
from tests.numerics.monitor.records.test_history import METADATA, filled, rows

CORPUS = Path(__file__).with_name("corpus")


@dataclass(frozen=True)
class Target:
    """A reader."""

    #: Name of the file below the folder, which says its kind.
    name: str
    #: Reads it, in its folder.
    read: Callable[[Path], Any]
    #: Makes small valid files: by name, their bytes.
    seeds: Callable[[], dict[str, bytes]]
    #: Makes the files that have to stand beside it.
    beside: Callable[[Path], None] = lambda folder: None


def run(target: Target, folder: Path, data: bytes) -> None:
    """Read bytes as a file of a kind: it may be refused in one line, and nothing else."""
    file = folder / target.name
    file.write_bytes(data)
    try:
        target.read(file)
    except InputError as error:
        text = str(error)
        if len(text.splitlines()) > 1 or len(text) > 5000:
            raise AssertionError(f"more than one line: {text[:300]!r}") from error


@contextlib.contextmanager
def place(target: Target) -> Any:
    """Make a folder for a target, in memory where the system has such a place."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="epsrank-fuzz-", dir=memory))
    try:
        target.beside(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_PHI = np.arange(6.0).reshape(3, 2)


def _array(file: Path) -> None:
    array = load_array(file)
    if math.prod(array.shape) < 10_000:
        as_features(array, name=file.name)


def _saved(write: Callable[[Path], Any], name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / name)
        return (Path(folder) / name).read_bytes()


def _npy() -> dict[str, bytes]:
    kinds = ("<f8", ">f4", "<i4", "|b1", "<c8", "<f2")
    found = {
        kind.strip("<>|"): _saved(lambda f, k=kind: np.save(f, _PHI.astype(k)), "a.npy")
        for kind in kinds
    }
    found["fortran"] = _saved(lambda f: np.save(f, np.asfortranarray(_PHI)), "a.npy")
    found["fields"] = _saved(lambda f: np.save(f, np.zeros(2, [("a", "f8")])), "a.npy")
    return found


def _npz() -> dict[str, bytes]:
    return {
        "stored": _saved(lambda f: np.savez(f, a=_PHI), "a.npz"),
        "packed": _saved(lambda f: np.savez_compressed(f, a=_PHI), "a.npz"),
        "two": _saved(lambda f: np.savez(f, a=_PHI, b=_PHI), "a.npz"),
    }


def _csv() -> dict[str, bytes]:
    texts = ("1,2\n3,4\n", 'a,"b"\n1,2\n3,4\n', "1;2\n", "# c\n1\t2\n", "1e5 nan\n", "a,b\n0,1,2\n",
             "9007199254740993,1\n2,3\n", "0x1,1_0\n")  # fmt: skip
    return {str(index): text.encode() for index, text in enumerate(texts)}


def _safetensors() -> dict[str, bytes]:
    half = b'{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}'
    brain = b'{"a":{"dtype":"BF16","shape":[1,2],"data_offsets":[0,4]}}'
    return {
        "one": save_arrays({"a": _PHI}, metadata={"x": "y"}),
        "two": save_arrays({"a": _PHI, "b": _PHI.astype("f2")}),
        "f4": len(half).to_bytes(8, "little") + half + b"\0",
        "bf16": len(brain).to_bytes(8, "little") + brain + b"\0\0\0\0",
    }


def _parquet() -> dict[str, bytes]:
    note = json.dumps({"index_columns": ["b"]})
    tables = {
        "plain": pa.table({"a": [1.0, 2.0], "b": [3, 4]}),
        "lists": pa.table({"a": pa.array([[1.0], [2.0]], pa.list_(pa.float64(), 1))}),
        "pandas": pa.table({"a": [1.0], "b": [3]}).replace_schema_metadata({"pandas": note}),
        "missing": pa.table({"a": pa.array([None, 1.5], pa.float32()), "t": ["x", "y"]}),
    }
    return {
        f"{name}-{packed}": _saved(
            lambda f, t=table, p=packed: pq.write_table(t, f, compression=p), "a.parquet"
        )
        for name, table in tables.items()
        for packed in ("none", "zstd", "snappy")
    } | {
        "v2": _saved(
            lambda f: pq.write_table(tables["plain"], f, data_page_version="2.0", version="1.0"),
            "a.parquet",
        )
    }


def _net() -> torch.nn.Module:
    return torch.nn.Linear(2, 1)


def _weights(file: Path) -> None:
    load_weights(_net(), file)


def _pt() -> dict[str, bytes]:
    state = _net().state_dict()
    return {
        "zip": _saved(lambda f: torch.save(state, f), "a.pt"),
        "nested": _saved(lambda f: torch.save({"state_dict": state, "epoch": 3}, f), "a.pt"),
        "old": _saved(lambda f: torch.save(state, f, _use_new_zipfile_serialization=False), "a.pt"),
    }


def _images(shape: tuple[int, ...]) -> dict[str, bytes]:
    arrays = {
        "x_train": np.zeros((3, *shape), np.uint8), "y_train": np.array([0, 1, 2]),
        "x_test": np.zeros((1, *shape), np.uint8), "y_test": np.array([5]),
    }  # fmt: skip
    packed = {"packed": _saved(lambda f: np.savez_compressed(f, **arrays), "a.npz")}
    stored = _saved(lambda f: np.savez(f, **arrays), "a.npz")
    return packed | ({"stored": stored} if len(stored) < 5000 else {})


def _batch(folder: Path) -> None:
    (folder / "test_batch.bin").write_bytes(bytes(3073))


def _sink(kind: Any, name: str) -> Callable[[], dict[str, bytes]]:
    def make(file: Path) -> None:
        sink = kind(file)
        sink.write(rows(1), METADATA)
        sink.close()

    def seeds() -> dict[str, bytes]:
        whole = _saved(make, name)
        return {"checked": whole, "old": _unchecked(whole, name)}

    return seeds


def _unchecked(data: bytes, name: str) -> bytes:
    """Return a file of lines as it was before there were checksums: parsers are reached."""
    lines = data.decode().splitlines()
    if name.endswith(".csv"):
        kept = [line if line.startswith("#") else line.rpartition(",")[0] for line in lines]
    else:
        kept = []
        for line in lines:
            values = json.loads(line)
            values.pop("check", None)
            kept.append(json.dumps(values))
    return ("\n".join(kept) + "\n").encode()


def _history(suffix: str) -> Callable[[], dict[str, bytes]]:
    def seeds() -> dict[str, bytes]:
        history = filled()
        if suffix == "json":
            text = json.loads(_saved(history.to_json, "h.json"))
            text.pop("checksum")
            return {"old": json.dumps(text).encode()}
        return {"old": _saved(lambda f: pq.write_table(history.table(), f), "h.parquet")}

    return seeds


def _journal_seeds() -> dict[str, bytes]:
    def make(file: Path) -> None:
        sink = ParquetSink(file.with_suffix(""))
        sink.write(rows(1), METADATA)
        sink._journal.close()

    data = _saved(make, "h.parquet.journal")
    return {"checked": data, "old": _unchecked(data, "h.jsonl")}


def _journal(file: Path) -> None:
    history = file.with_suffix("")
    read_history(history)
    sink = ParquetSink(history, append=True)
    sink.close()
    history.unlink(missing_ok=True)


_SPEC = """kind = "train"
seeds = [0, 1]
exclude = [{width = 5, learning_rate = 0.1}]
[fixed]
task = "cosines"
[grid]
width = [5, 6]
[random]
samples = 2
seed = 1
learning_rate = {log_uniform = [1e-4, 1e-1]}
"""

CONFIG = RunConfig(
    task="cosines", width=3, depth=1, steps=2, n_train=8, measure_every=1, device="cpu", eps=(1e-6,)
)


def _spec(file: Path) -> None:
    sweep = Sweep.from_toml(file)
    if len(sweep.points) * len(sweep.seeds) < 1000:
        sweep.trials()


def _config(file: Path) -> None:
    RunConfig.from_toml(file).to_json()


def _run(folder: Path) -> None:
    """Make the folder of a run as of format 1: without checksums of any kind."""
    train(CONFIG, folder)
    (folder / MANIFEST).unlink()


def _of_run(name: str, *, folder: Callable[[Path], None] = _run) -> Callable[[], dict[str, bytes]]:
    def seeds() -> dict[str, bytes]:
        with tempfile.TemporaryDirectory() as place:
            folder(Path(place))
            file = Path(place) / name
            if file.suffix == ".parquet":
                pq.write_table(pq.read_table(file), file)
            elif file.suffix == ".json":
                values = json.loads(file.read_text())
                values.pop("checksum", None)
                file.write_text(json.dumps(values))
            return {"old": file.read_bytes()}

    return seeds


def _state(file: Path) -> None:
    read_progress(file.parent.parent)


def _resume(file: Path) -> None:
    run = load_run(file.parent)
    run.to_json()
    run.table()


def _pruned(folder: Path) -> None:
    prune(train(CONFIG), 2).save(folder)
    (folder / MANIFEST).unlink()


def _manifest(file: Path) -> None:
    folder_kind(file.parent)
    Manifest(file.parent, "run")


def _manifest_seeds() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as place:
        train(CONFIG, place)
        data = (Path(place) / MANIFEST).read_bytes()
    return {"whole": data, "later": b'{"format": 9}', "other": b'{"kind": "run", "format": 2}'}


_TRIAL = Trial("train", {"width": 3, "seed": 0})


def _stored() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as place:
        store = TrialStore(place)
        store.put(Outcome(_TRIAL, "done", {"loss": [1.0]}, None, 0.1))
        file = store.path(_TRIAL)
        pq.write_table(pq.read_table(file), file)
        return {"old": file.read_bytes()}


def _store(file: Path) -> None:
    store = TrialStore(file.parent.parent)
    list(store.outcomes())
    store.table()


def _recorded() -> dict[str, bytes]:
    table = pq.read_table(RECORDED / "A6.parquet").slice(0, 1)
    return {"one": _saved(lambda f: pq.write_table(table, f), "A6.parquet")}


TARGETS = {
    "npy": Target("a.npy", _array, _npy),
    "npz": Target("a.npz", _array, _npz),
    "csv": Target("a.csv", _array, _csv),
    "safetensors": Target("a.safetensors", _array, _safetensors),
    "parquet": Target("a.parquet", _array, _parquet),
    "pt": Target("a.pt", _weights, _pt),
    "weights": Target("w.safetensors", _weights, _safetensors),
    "mnist": Target("m.npz", mnist, lambda: _images((2, 2))),
    "cifar": Target("c.npz", cifar10, lambda: _images((32, 32, 3))),
    "cifar-batch": Target(
        "data_batch_1.bin",
        lambda file: cifar10(file.parent),
        lambda: {"one": bytes(3073)},
        _batch,
    ),
    "history-csv": Target("h.csv", read_history, _sink(CsvSink, "h.csv")),
    "history-jsonl": Target("h.jsonl", read_history, _sink(JsonLinesSink, "h.jsonl")),
    "history-json": Target("h.json", read_history, _history("json")),
    "history-parquet": Target("h.parquet", read_history, _history("parquet")),
    "journal": Target("h.parquet.journal", _journal, _journal_seeds),
    "spec": Target("s.toml", _spec, lambda: {"all": _SPEC.encode()}),
    "config": Target("c.toml", _config, lambda: {"all": CONFIG.to_toml().encode()}),
    "state": Target("state/state.json", _state, _of_run("state/state.json"), _run),
    "run-history": Target("history.parquet", _resume, _of_run("history.parquet"), _run),
    "run-spectra": Target("spectra.parquet", _resume, _of_run("spectra.parquet"), _run),
    "pruned": Target(
        "pruned.json",
        lambda file: load_pruned(file.parent),
        _of_run("pruned.json", folder=_pruned),
        _pruned,
    ),
    "manifest": Target(MANIFEST, _manifest, _manifest_seeds),
    "store": Target(
        f"{_TRIAL.key[:2]}/{_TRIAL.key}.parquet",
        _store,
        _stored,
        lambda folder: (folder / _TRIAL.key[:2]).mkdir(),
    ),
    "record": Target("A6.parquet", lambda file: read_record("A6", file.parent), _recorded),
}
