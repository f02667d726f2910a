"""Ledgers of users: little has to be filled in, and what is wrong is one line."""

from __future__ import annotations

import pytest

from epsrank.proofs.ledger.claims import select_claims
from epsrank.proofs.ledger.of_users import WANTED, read_ledger
from epsrank.theory.errors import InputError

LEAST = '[[claim]]\nid = "mine"\nstatement = """x is\n y"""\nsource = "me"\n'


def test_id_statement_and_source_suffice(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(LEAST)
    (claim,) = read_ledger(file)
    assert (claim.id, claim.title) == ("mine", "x is y")
    assert (claim.statement, claim.source) == ("x is y", "me")
    assert (claim.wanted, claim.recorded, claim.latex) == (WANTED, "open", "")
    file.write_text(LEAST + 'title = "T"\nwanted = ["exact"]\nverdict = "refuted"\nparts = ["a"]\n')
    (claim,) = read_ledger(str(file))
    assert (claim.title, claim.wanted, claim.recorded) == ("T", ("exact",), "refuted")
    assert claim.parts == ("a",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "cannot be read (No such file or directory)"),
        ("[[claim]\n", "cannot be read ("),
        ("\udcff", "cannot be read ("),
        ("", "has no claim"),
        ("claim = 3", "has no claim"),
        ("claim = [3]", "claim 1 is 3"),
        ('[[claims]]\nid = "x"', "has ['claims']"),
        (LEAST.replace("source", "from"), "claim 1 lacks source"),
        (LEAST + "colour = 3", "unknown keys ['colour']"),
        (LEAST + "title = 3", "has title = 3"),
        (LEAST.replace('"mine"', '" "'), "has id = ' '"),
        (LEAST + 'wanted = "exact"', "has wanted = 'exact'"),
        (LEAST + 'wanted = ["proof"]', "wants evidence ['proof']"),
        (LEAST + "wanted = []", "wants no evidence"),
        (LEAST + 'wanted = ["formal"]', "wants formal evidence"),
        (LEAST + 'theorems = ["A.b"]', "has theorems"),
        (LEAST + 'verdict = "true"', "records 'true'"),
        (LEAST + "needs_power = 1", "has needs_power = 1"),
        (LEAST + LEAST, "repeats ['mine']"),
    ],
)
def test_what_is_wrong_is_one_line(text, problem, tmp_path):
    file = tmp_path / "mine.toml"
    if text is not None:
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError) as caught:
        read_ledger(file)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_retired_ids_of_ours_are_not_theirs(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(LEAST)
    with pytest.raises(InputError, match="is not in the ledger"):
        select_claims(["staircase-coupling"], read_ledger(file))
