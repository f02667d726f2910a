"""A record counts while the sources are the same, and for what they state."""

from __future__ import annotations

import datetime
import json

import pytest

from epsrank.proofs.formal.records import make_record, read_record, recorded_problem, write_record
from epsrank.theory.errors import InputError

from .conftest import WANTED, change

DAY = datetime.date(2026, 11, 22)


_made: list[str] = []


@pytest.fixture
def recorded(accepted, examine):
    """The small development with its record, which is the same wherever it lies."""
    path = accepted / "record.json"
    if not _made:
        write_record(make_record(examine(accepted), accepted, DAY), accepted)
        _made.append(path.read_text(encoding="utf-8"))
    path.write_text(_made[0], encoding="utf-8")
    return accepted


def _edit(folder, edit):
    path = folder / "record.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    edit(data)
    path.write_text(json.dumps(data), encoding="utf-8")


def test_a_record_of_the_same_sources_counts(recorded, coq):
    record = read_record(recorded)
    assert record.problem is None
    assert str(record) == f"recorded 2026-11-22, Coq {coq.version} with MathComp {coq.mathcomp}"
    assert all(recorded_problem(record, name, recorded) is None for name in WANTED)
    assert "is not in the record" in recorded_problem(record, "Small.top.other", recorded)


def test_a_record_has_no_path_of_this_machine(recorded):
    text = (recorded / "record.json").read_text(encoding="utf-8")
    assert str(recorded) not in text
    assert "/home" not in text
    assert "/tmp" not in text


def test_there_may_be_none(small):
    assert read_record(small) is None


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("theories/base.v", "Twice nothing", "Two times nothing"),
        ("theories/top.v", "Qed.", "Admitted."),
        ("_CoqProject", "-R theories", "# Another line.\n-R theories"),
        ("statements.txt", "nat", "Nat"),
    ],
)
def test_a_stale_record_counts_for_nothing_and_says_so(recorded, file, old, new):
    change(recorded, file, old, new)
    problem = read_record(recorded).problem
    assert "is of other sources" in problem
    assert file in problem


def test_a_new_or_missing_source_makes_it_stale(recorded):
    stray = recorded / "theories" / "stray.v"
    stray.write_text("Definition x := 0.\n")
    assert "theories/stray.v" in read_record(recorded).problem
    stray.unlink()
    (recorded / "statements.txt").unlink()
    assert "statements.txt" in read_record(recorded).problem


def test_a_theorem_written_in_by_hand_is_caught(recorded):
    forged = {"file": "theories/top.v", "line": 1, "words": "", "assumptions":
              "Closed under the global context"}  # fmt: skip
    _edit(recorded, lambda data: data["theorems"].update({"Small.top.fermat": forged}))
    record = read_record(recorded)
    assert "names Small.top.fermat, which the sources do not have" in record.problem
    assert recorded_problem(record, "Small.top.same", recorded) == record.problem


def test_a_theorem_that_nobody_reviewed_does_not_count(recorded):
    forged = {"assumptions": "Closed under the global context"}
    _edit(recorded, lambda data: data["theorems"].update({"Small.base.twice0": forged}))
    record = read_record(recorded)
    assert record.problem is None
    assert "not among the reviewed" in recorded_problem(record, "Small.base.twice0", recorded)


def test_sources_hashed_anew_by_hand_still_have_to_pass(recorded):
    change(recorded, "theories/base.v", "Proof. reflexivity. Qed.", "Admitted.")
    from epsrank.proofs.formal.sources import fingerprints, read_development

    hashes = fingerprints(read_development(recorded), ["statements.txt"])
    _edit(recorded, lambda data: data.update(sources=hashes))
    assert "the sources do not pass" in read_record(recorded).problem


@pytest.mark.parametrize(
    "edit",
    [
        lambda data: data.update(format=2),
        lambda data: data.pop("coq"),
        lambda data: data.update(date="yesterday"),
        lambda data: data.update(theorems=["Small.top.same"]),
        lambda data: data.update(sources=None),
        lambda data: data.update(coq=8.16),
    ],
)
def test_a_damaged_record_counts_for_nothing(recorded, edit):
    _edit(recorded, edit)
    assert read_record(recorded).problem == "the record is damaged"


def test_text_that_is_no_json_counts_for_nothing(recorded):
    (recorded / "record.json").write_text("{")
    assert read_record(recorded).problem == "the record is damaged"


def test_a_theorem_with_assumptions_is_not_recorded(recorded, examine):
    def assume(data):
        data["theorems"]["Small.top.same"]["assumptions"] = "classic : …"

    _edit(recorded, assume)
    assert read_record(recorded).problem == "the record has a theorem with assumptions"
    change(recorded, "theories/base.v", "Proof. reflexivity. Qed.", "Admitted.")
    with pytest.raises(InputError, match="audit that failed"):
        make_record(examine(recorded), recorded, DAY)
