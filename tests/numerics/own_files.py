"""Every kind of file that is ours: how it is made, and all that is read back from it.

`read` returns values that are equal exactly where nothing changed. What was changed may be refused
(an `InputError`), replaced by what was saved before it (the same values in the end), or lost at the
end of a file that grows (fewer records, the others equal); never read as another number.
"""

from __future__ import annotations

import random
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from epsrank import InputError, RunConfig, load_pruned, load_run, prune, train
from epsrank.loading import load_array
from epsrank.numerics.checkpoint.weights import load_weights
from epsrank.numerics.monitor.sinks.files import CsvSink, JsonLinesSink
from epsrank.numerics.monitor.sinks.follow import read_history
from epsrank.numerics.monitor.sinks.parquet import ParquetSink
from epsrank.numerics.sweeps import Outcome, Trial, TrialStore
from epsrank.proofs.experiments.records import RECORDED, read_record
from tests.numerics.monitor.records.test_history import METADATA, filled, rows

CONFIG = RunConfig(
    task="cosines",
    width=5,
    depth=1,
    steps=4,
    n_train=12,
    measure_every=2,
    device="cpu",
    eps=(1e-6,),
)


@dataclass(frozen=True)
class Kind:
    """A kind of file."""

    #: Fills an empty folder.
    make: Callable[[Path], Any]
    #: Returns all values that are read from it.
    read: Callable[[Path], Any]
    #: Whether the values are a list that may be cut short.
    grows: bool = False


def _stopped(folder: Path) -> None:
    train(CONFIG, folder / "run", stop_after=2)
    train(CONFIG, folder / "run", stop_after=3, resume=True)


def _finished(folder: Path) -> None:
    train(CONFIG, folder / "run")


def _pruned(folder: Path) -> None:
    prune(train(CONFIG), 3).save(folder / "small")


def _resumed(folder: Path) -> Any:
    run = train(CONFIG, folder / "run", resume=True)
    return run.step, run.status, _values(run)


def _loaded(folder: Path) -> Any:
    run = load_run(folder / "run")
    weights = run.network()
    load_weights(weights, folder / "run" / "weights.safetensors")
    single = load_array(folder / "run" / "weights.safetensors", key="head.weight")
    spectra = load_array(folder / "run" / "spectra.parquet", key="eigenvalues")
    return _values(run), _bits(weights), single.tobytes(), spectra.tobytes()


def _values(run: Any) -> Any:
    layers = [_bits(run.network(index)) for index in range(len(run.records))]
    # (Where the state before the last is used, and said, the run stands at its step.)
    return run.to_json()["records"], layers


def _bits(model: Any) -> Any:
    return {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}


def _small(folder: Path) -> Any:
    return _bits(load_pruned(folder / "small"))


def _sink(kind: Any, name: str, *, close: bool) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        sink = kind(folder / name)
        for step in (1, 2, 5):
            sink.write(rows(step), METADATA)
        if close:
            sink.close()
        else:
            sink._journal.close()

    return make


def _history(name: str) -> Callable[[Path], Any]:
    def read(folder: Path) -> Any:
        history = read_history(folder / name)
        # Without a head there is nothing yet, and no metadata either.
        return [repr(history.metadata), *map(repr, history)] if len(history) else []

    return read


def _written(suffix: str) -> Callable[[Path], Any]:
    def make(folder: Path) -> None:
        getattr(filled(), f"to_{suffix}")(folder / f"h.{suffix}")

    return make


_TRIAL = Trial("train", {"width": 5, "seed": 0})


def _store(folder: Path) -> None:
    TrialStore(folder).put(Outcome(_TRIAL, "done", {"loss": [1.0, 0.1]}, None, 0.1))


def _outcome(folder: Path) -> Any:
    store = TrialStore(folder)
    found = [*store.outcomes()]
    # A damaged one counts as absent, and is named.
    if not found and store.damaged:
        raise InputError("store", next(iter(store.damaged.values())), "run it again")
    return found, store.get(_TRIAL)


def _record(folder: Path) -> None:
    shutil.copy(RECORDED / "A6.parquet", folder / "A6.parquet")
    from epsrank.proofs.experiments.records import write_record

    write_record(read_record("A6", folder), folder)


KINDS = {
    "stopped run": Kind(_stopped, _resumed),
    "finished run": Kind(_finished, _loaded),
    "pruned network": Kind(_pruned, _small),
    "csv sink": Kind(_sink(CsvSink, "h.csv", close=True), _history("h.csv"), grows=True),
    "jsonl sink": Kind(
        _sink(JsonLinesSink, "h.jsonl", close=True), _history("h.jsonl"), grows=True
    ),
    "parquet sink": Kind(_sink(ParquetSink, "h.parquet", close=True), _history("h.parquet")),
    "journal": Kind(
        _sink(ParquetSink, "h.parquet", close=False), _history("h.parquet"), grows=True
    ),
    "history.csv": Kind(_written("csv"), _history("h.csv"), grows=True),
    "history.json": Kind(_written("json"), _history("h.json")),
    "history.parquet": Kind(_written("parquet"), _history("h.parquet")),
    "sweep store": Kind(_store, _outcome),
    "record": Kind(_record, lambda folder: read_record("A6", folder)),
}


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Flip a bit, replace a byte, cut the end off, or take out, double or zero a stretch."""
    kind = rng.choice(["bit", "bit", "bit", "byte", "byte", "cut", "gone", "double", "zeros"])
    place = rng.randrange(len(data))
    if kind == "bit":
        return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]
    if kind == "byte":
        return data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :]
    end = min(len(data), place + rng.choice([1, 2, 8, 64]))
    middle = {
        "cut": data[:0],
        "gone": b"",
        "double": data[place:end] * 2,
        "zeros": bytes(end - place),
    }
    return data[:place] + middle[kind] + (b"" if kind == "cut" else data[end:])


def try_mutation(kind: Kind, made: Path, expected: Any, place: Path, rng: random.Random) -> str:
    """Change one file of a copy, and say what became of it; fail where a number differs."""
    shutil.copytree(made, place)
    files = sorted(path for path in place.rglob("*") if path.is_file())
    file = rng.choice(files)
    before = file.read_bytes()
    after = mutated(before, rng)
    if after == before:
        return "unchanged"
    file.write_bytes(after)
    name = file.relative_to(place)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            found = kind.read(place)
        except InputError as error:
            refused = str(error)
        else:
            refused = None
    if refused is not None:
        assert "\n" not in refused, refused
        return "refused"
    if found == expected:
        return "replaced, and said" if said else "equal"
    assert kind.grows, (name, found, expected)
    # Whole lines are missing, and what is left is what was written.
    rest = iter(expected)
    assert all(line in rest for line in found), (name, found, expected)
    return "fewer records"
