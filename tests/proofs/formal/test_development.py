"""The development that is shipped: complete, without axioms, reviewed, and named by the ledger."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from epsrank.proofs.formal import DEVELOPMENT, read_development
from epsrank.proofs.formal.records import read_record
from epsrank.proofs.formal.scan import audit_sources
from epsrank.proofs.formal.statements import read_statements
from epsrank.proofs.ledger.claims import ledger_theorems, load_ledger

ROOT = Path(__file__).parents[3]


def test_sources_are_listed_and_clean():
    assert [str(fault) for fault in audit_sources(DEVELOPMENT)] == []


def test_every_theorem_of_the_ledger_is_reviewed():
    reviewed = read_statements(DEVELOPMENT)
    theorems = {name for name, item in reviewed.items() if item.kind == "Theorem"}
    assert theorems == set(ledger_theorems(load_ledger()))


def test_files_are_short_and_explain_themselves():
    development = read_development()
    for file in development.files:
        text = development.text(file)
        assert len(text.splitlines()) <= 350, file
        assert text.startswith("(** * "), file


def test_code_that_the_ledger_names_exists():
    for claim in load_ledger():
        for name in claim.code:
            file, _, function = name.partition(":")
            tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
            kinds = (ast.FunctionDef, ast.ClassDef)
            names = {node.name for node in tree.body if isinstance(node, kinds)}
            assert function in names, name


def test_nothing_compiled_is_tracked():
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    done = subprocess.run(
        ["git", "ls-files", "proofs/coq"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = {Path(line).name for line in done.stdout.split() if "/exported/" not in line}
    assert {"_CoqProject", "Makefile", "statements.txt"} <= names
    assert {Path(name).suffix for name in names} <= {".v", ".txt", ".json", ""}


def test_the_record_is_of_these_sources():
    record = read_record(DEVELOPMENT)
    assert record is not None, "write one with `epsrank prove --record`"
    assert record.problem is None, record.problem
    assert set(ledger_theorems(load_ledger())) <= set(record.theorems)


def test_the_documentation_lists_what_the_ledger_names():
    page = (ROOT / "docs" / "formal-proofs.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(" `"): line for line in page.splitlines() if "| `" in line}
    for claim in load_ledger():
        named = [name for _, name in (*claim.theorems, *claim.refuting_theorems)]
        row = rows.get(claim.id, "")
        listed = {f"EpsRank.{name}" for name in re.findall(r"`(\w+\.\w+)`", row)}
        assert listed == set(named), claim.id
