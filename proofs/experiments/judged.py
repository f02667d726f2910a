"""What records say, kept in a folder of the user: a large one takes half a minute to analyse."""

from __future__ import annotations

import json
from contextlib import suppress

from epsrank.numerics.atomic import checksum
from epsrank.numerics.experiments.experiment import Experiment
from epsrank.numerics.files import user_cache, write_text
from epsrank.proofs.experiments.records import RECORDED, Record
from epsrank.proofs.kept import sources
from epsrank.theory.errors import InputError
from epsrank.theory.strict_json import canonical


def judged(record: Record, entry: Experiment) -> list[str]:
    """Return the findings of a record in words; from an earlier call where nothing has changed.

    Findings follow from the file of the record by the sources: the entry is named by both.
    """
    basis = [sources(), checksum((RECORDED / f"{record.id}.parquet").read_bytes())]
    # One file for each, so that nothing grows.
    place = user_cache() / "findings" / f"{record.id}.json"
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        held = json.loads(place.read_bytes())
        if held["basis"] == basis and held["checksum"] == _sum(basis, held["findings"]):
            return [str(finding) for finding in held["findings"]]
    found = [f"{item.claim}: {item.judgement}" for item in entry.analyse(record.outcomes).findings]
    held = {"basis": basis, "findings": found, "checksum": _sum(basis, found)}
    # Without a folder it takes as long the next time.
    with suppress(InputError, OSError):
        write_text(place, json.dumps(held, ensure_ascii=False))
    return found


def _sum(basis: list[str], findings: list[str]) -> str:
    return checksum(canonical([basis, findings]).encode())
