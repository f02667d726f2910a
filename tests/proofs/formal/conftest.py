"""A small development to plant faults in, and a cache of compiled ones for the session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from epsrank.proofs.formal import Coq, compile_development, explain_missing, find_coq
from epsrank.proofs.formal.audit import Audit, accept_statements, audit

PROJECT = "-R theories Small\n\ntheories/base.v\ntheories/top.v\n"

BASE = """(** * Numbers, "(*" and comments (* that nest *) *)

(** Twice a number. *)
Definition twice (n : nat) : nat := n + n.

(** The same, with an argument that is not shown. *)
Definition shifted {k : nat} (n : nat) : nat := n + (k - k).

(** Twice nothing is nothing. *)
Lemma twice0 : twice 0 = 0.
Proof. reflexivity. Qed.
"""

TOP = """From Small Require Import base.

Section Facts.
Variable n : nat.

(** Zero doubled: the sentence above
    it takes two lines. *)
Theorem twice_zero : twice 0 = 0.
Proof. exact twice0. Qed.

(** Whatever is shifted comes back. *)
Theorem shifted_same : shifted (k := 1) 2 = 2.
Proof. reflexivity. Qed.

(** A number is itself. *)
Theorem same : n = n.
Proof. reflexivity. Qed.
End Facts.
"""

WANTED = ["Small.top.twice_zero", "Small.top.shifted_same", "Small.top.same"]

Examine = Callable[..., Audit]


@pytest.fixture
def coq() -> Coq:
    found = find_coq()
    if found is None:
        pytest.skip(explain_missing())
    return found


@pytest.fixture(scope="session")
def _session_cache(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def _cache(monkeypatch, _session_cache):
    monkeypatch.setenv("XDG_CACHE_HOME", _session_cache)


@pytest.fixture
def small(tmp_path) -> Path:
    """Sources without a fault, nothing accepted yet."""
    folder = tmp_path / "small"
    (folder / "theories").mkdir(parents=True)
    (folder / "_CoqProject").write_text(PROJECT)
    (folder / "theories" / "base.v").write_text(BASE)
    (folder / "theories" / "top.v").write_text(TOP)
    return folder


_reviewed: dict[str, str] = {}


@pytest.fixture
def accepted(small, coq) -> Path:
    """The same, its statements reviewed."""
    if not _reviewed:
        path = accept_statements(compile_development(coq, folder=small), WANTED, small)
        _reviewed[path.name] = path.read_text(encoding="utf-8")
    for name, text in _reviewed.items():
        (small / name).write_text(text, encoding="utf-8")
    return small


@pytest.fixture
def examine(coq) -> Examine:
    def run(folder: Path, wanted=WANTED, **more) -> Audit:
        compiled = compile_development(coq, folder=folder)
        return audit(compiled, wanted, folder=folder, **{"second": False} | more)

    return run


def change(folder: Path, file: str, old: str, new: str) -> None:
    """Replace a text in a source; it must be there."""
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
