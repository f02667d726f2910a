"""A whole verification: every verdict as recorded, the same ledger whatever the processes."""

from __future__ import annotations

import json
import os

import pytest

from epsrank.proofs.checkers import Checker
from epsrank.proofs.ledger.claims import Claim
from epsrank.proofs.runner import verify


def _ledger(folder):
    data = json.loads((folder / "ledger.json").read_text(encoding="utf-8"), parse_constant=_refuse)
    data.pop("environment")
    return json.dumps(data)


def _refuse(word):
    raise ValueError(f"{word} is not JSON")


def test_the_whole_ledger_in_one_process_and_in_two(tmp_path):
    first = verify(effort="quick", seed=7, jobs=1, out=tmp_path / "one")
    second = verify(effort="quick", seed=7, jobs=2, out=tmp_path / "two")
    assert first.exit_code == 0, first.summary()
    assert second.exit_code == 0, second.summary()
    assert _ledger(tmp_path / "one") == _ledger(tmp_path / "two")


@pytest.mark.parametrize("seed", [1, 2])
def test_other_seeds_reach_the_same_verdicts(seed):
    report = verify(effort="quick", seed=seed, jobs=1)
    assert report.exit_code == 0, report.summary()


def _die(context):
    os._exit(9)


def test_a_worker_that_dies_is_recorded(tmp_path):
    checkers = [
        Checker("killed", ("d",), "exact", _die),
        Checker("beside it", ("d",), "exact", _die),
    ]
    report = verify(
        ledger=[Claim("d", "A title", "A statement", "x", "here", ("exact",), "open")],
        checkers=checkers,
        jobs=2,
        out=tmp_path,
    )
    (result,) = report.results
    assert {item.state for item in result.evidence} == {"error"}
    assert len(result.evidence) == 2
    assert report.exit_code == 1
    assert not report.interrupted
