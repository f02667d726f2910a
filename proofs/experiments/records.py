"""Outcomes on record: the numbers of an experiment's trials, kept with the package."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from epsrank.numerics.boundary import reason_of
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.rules import Stamp, all_rules, shared_rules, stamp
from epsrank.numerics.files import read_sealed, read_table, write_table
from epsrank.numerics.sweeps.trial import Outcome, Trial
from epsrank.theory.errors import InputError
from epsrank.theory.strict_json import canonical
from epsrank.theory.words import plural

RECORDED = Path(__file__).with_name("recorded")

_SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("version", pa.int64()),
        ("settings", pa.string()),
        ("status", pa.string()),
        ("cause", pa.string()),
        ("seconds", pa.float64()),
        ("result", pa.string()),
    ]
)


@dataclass(frozen=True)
class Record:
    """Outcomes of one experiment as they were on a day; no verdict is in it."""

    #: The experiment.
    id: str
    #: What was asked.
    request: Request
    #: Date of the run, ISO 8601.
    day: str
    #: What it ran on.
    environment: dict[str, Any]
    #: In the order of the plan.
    outcomes: tuple[Outcome, ...]
    #: Hashes of the rules and of the instrument that it was made for; None in records from before
    #: there were any.
    stamp: Stamp | None = None
    #: p-values of its findings by claim, for Holm's correction over all records; they follow from
    #: the outcomes by the rules and the instrument of the stamp.
    pvalues: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def undecided(self, experiment: Experiment) -> str | None:
        """Say in one line why no verdict may rest on this record; None where one may."""
        return self.disqualified or self.stale(experiment)

    @property
    def disqualified(self) -> str | None:
        """Say so from what was asked and the hashes alone, outcomes and plan unseen."""
        sizes = shared_rules("verdicts")["sizes"]
        again = f"run `epsrank reproduce {self.id} --size {sizes[0]} --record`"
        if self.request.size not in sizes:
            return (
                f"the record of {self.day} is of the size {self.request.size}, which shows that "
                f"all runs and decides nothing; {again}"
            )
        if (why := seeds_undecided(self.id, self.request)) is not None:
            return f"the record of {self.day} is of {why}; {again}"
        return self._under_others()

    def _under_others(self) -> str | None:
        """Say under which other rules or instruments it was made."""
        if (changed := self._changed(stamp(self.id))) is None:
            return None
        return (
            f"the record of {self.day} was made under other {changed}, and decides nothing "
            f"until it is made again; run {self._command}"
        )

    def stale(self, experiment: Experiment) -> str | None:
        """Say in one line why these outcomes are not those of today; None where they are."""
        if (why := self._under_others()) is not None:
            return why
        planned = [trial.key for trial in experiment.plan(self.request)]
        held = [outcome.trial.key for outcome in self.outcomes]
        if planned == held:
            return None
        missing = len(set(planned) - set(held))
        return (
            f"the record of {self.day} is of another plan ({missing} "
            f"of {plural(len(planned), 'trial')} are "
            f"missing); run {self._command}"
        )

    @property
    def _command(self) -> str:
        return f"`epsrank reproduce {self.id} --size {self.request.size} --record`"

    def _changed(self, today: Stamp) -> str | None:
        """Name what the record was made under and is no longer the same."""
        if self.stamp is None or self.stamp.rules != today.rules:
            return "rules"
        return None if self.stamp.instrument == today.instrument else "instruments"


def seeds_undecided(name: str, request: Request) -> str | None:
    """Say which seeds a request has where they may decide nothing; None for today's block."""
    rules = shared_rules("seeds")
    block = all_rules().get(name, {}).get("block")
    start, first = Request(size="standard").first_of(block), request.first_of(block)
    # Rules were tried on the exploratory seeds, and those of earlier blocks have been seen.
    if start <= first <= start + rules["block_length"] - (request.seeds or 1):
        return None
    if first < rules["confirmatory_from"]:
        return "exploratory seeds, on which rules are tried"
    return f"seeds from {first}, and today's block begins at {start}"


def recorded_ids(folder: Path = RECORDED) -> list[str]:
    """Return the experiments on record."""
    names = [path.stem for path in folder.glob("*.parquet")]
    # A2 before A10, and E without a number.
    return sorted(names, key=lambda name: (name[0], int(name[1:] or 0)))


def write_record(record: Record, folder: Path = RECORDED) -> Path:
    """Write a record."""
    rows = [
        {
            "kind": outcome.trial.kind,
            "version": outcome.trial.version,
            "settings": canonical(outcome.settings),
            "status": outcome.status,
            "cause": outcome.cause,
            "seconds": outcome.seconds,
            # In its own order: ranks are listed by ε, the first of which is the one judged.
            "result": canonical(outcome.result, sort=False),
        }
        for outcome in record.outcomes
    ]
    about = {
        "request": asdict(record.request),
        "day": record.day,
        "environment": record.environment,
        "stamp": None if record.stamp is None else asdict(record.stamp),
        "pvalues": {name: list(values) for name, values in record.pvalues.items()},
    }
    schema = _SCHEMA.with_metadata({"epsrank": canonical(about)})
    table = pa.Table.from_pylist(rows, schema=schema)
    path = folder / f"{record.id}.parquet"
    # Written once and carried by every installation: size counts for more than time.
    write_table(path, table, level=19)
    return path


def read_record(name: str, folder: Path = RECORDED) -> Record:
    """Read a record."""
    path = _path(name, folder)
    table = read_table(path)
    with _damage_named(name):
        outcomes = tuple(_outcome(row) for row in table.to_pylist())
        return replace(_head(name, table.schema.metadata), outcomes=outcomes)


def read_head(name: str, folder: Path = RECORDED) -> Record:
    """Read a record without its outcomes: what was asked, when, and under which rules."""
    data = read_sealed(_path(name, folder))
    with _damage_named(name):
        return _head(name, pq.read_schema(pa.BufferReader(data)).metadata)


def _path(name: str, folder: Path) -> Path:
    path = folder / f"{name}.parquet"
    if not path.is_file():
        raise InputError(
            "experiment", f"{name} has no record", f"epsrank reproduce {name} --record"
        )
    return path


def _head(name: str, metadata: Mapping[bytes, bytes]) -> Record:
    about = json.loads(metadata[b"epsrank"])
    asked = about["request"]
    request = Request(**asked | {"datasets": tuple(asked["datasets"])})
    held = about.get("stamp")
    made_under = None if held is None else Stamp(**held)
    pvalues = {str(key): list(map(float, p)) for key, p in about.get("pvalues", {}).items()}
    return Record(name, request, about["day"], about["environment"], (), made_under, pvalues)


@contextmanager
def _damage_named(name: str) -> Iterator[None]:
    """Turn what a damaged file raises into one line."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            "experiment", f"{name} has a damaged record ({reason_of(error)})", "record it again"
        ) from None


def _outcome(row: dict[str, Any]) -> Outcome:
    trial = Trial(row["kind"], json.loads(row["settings"]), row["version"])
    return Outcome(trial, row["status"], json.loads(row["result"]), row["cause"], row["seconds"])


def same_numbers(first: Sequence[Outcome], second: Sequence[Outcome]) -> bool:
    """Tell whether two lists of outcomes have the same results, to the last bit."""
    return [(o.trial.key, o.status, canonical(_lasting(o.result))) for o in first] == [
        (o.trial.key, o.status, canonical(_lasting(o.result))) for o in second
    ]


def _lasting(result: Any) -> Any:
    """Return a result without what no second run can repeat: entries named as times or memory."""
    if isinstance(result, dict):
        return {
            key: _lasting(value)
            for key, value in result.items()
            if not key.startswith(("seconds", "bytes"))
        }
    return [_lasting(value) for value in result] if isinstance(result, list) else result
