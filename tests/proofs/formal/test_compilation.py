"""Coq is found or its packages are named; compilations are kept whole, or not at all."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from epsrank.proofs.formal import (
    CoqError,
    compile_development,
    explain_missing,
    find_coq,
    read_development,
    require_coq,
)
from epsrank.proofs.formal.cache import cache_folder, entry
from epsrank.proofs.formal.toolchain import PACKAGES, coq_environment
from epsrank.theory.errors import InputError

from .conftest import change


def test_without_coq_the_packages_are_named(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert find_coq() is None
    assert all(package in explain_missing() for package in PACKAGES)
    with pytest.raises(InputError, match=r"Coq is not installed.*libcoq-mathcomp-real-closed"):
        require_coq()


def _program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_a_coq_that_fails_or_lacks_mathcomp_is_told_apart(monkeypatch, tmp_path):
    programs = tmp_path / "bin"
    _program(programs, "coqdep", "exit 0")
    _program(programs, "coqchk", "exit 0")
    _program(programs, "coqc", "exit 3")
    monkeypatch.setenv("PATH", str(programs))
    assert find_coq() is None
    assert "does not answer" in explain_missing()
    other = tmp_path / "other"
    _program(other, "coqdep", "exit 0")
    _program(other, "coqchk", "exit 0")
    library = tmp_path / "lib" / "user-contrib" / "mathcomp"
    (library / "algebra").mkdir(parents=True)
    _program(other, "coqc", f'[ "$1" = -where ] && echo {tmp_path}/lib || echo 8.16.1 4.13.1')
    monkeypatch.setenv("PATH", str(other))
    assert (
        "Coq 8.16.1 lacks MathComp's ssreflect, real_closed, algebra_tactics, zify"
        in explain_missing()
    )
    for part in ("ssreflect", "real_closed", "algebra_tactics", "zify"):
        (library / part).mkdir()
    third = tmp_path / "third"
    _program(third, "coqdep", "exit 0")
    _program(third, "coqchk", "exit 0")
    _program(third, "coqc", f'[ "$1" = -where ] && echo {tmp_path}/lib || echo 8.16.1 4.13.1')
    monkeypatch.setenv("PATH", str(third))
    assert str(find_coq()) == "Coq 8.16.1 with MathComp unknown"


@pytest.fixture
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_memory_of_coq_is_set_here_and_not_by_a_user(monkeypatch):
    monkeypatch.setenv("OCAMLRUNPARAM", "v=0x400")
    assert coq_environment()["OCAMLRUNPARAM"] == "s=4M,o=400"


@pytest.mark.usefixtures("empty_cache")
def test_a_compilation_is_found_again(small, coq):
    seen = []
    first = compile_development(coq, folder=small, progress=lambda *step: seen.append(step))
    assert first.fresh
    assert seen == [(1, 2, "theories/base.v"), (2, 2, "theories/top.v")]
    assert list(first.seconds) == ["theories/base.v", "theories/top.v"]
    assert (first.folder / "theories" / "top.vo").is_file()
    assert not list(small.rglob("*.vo")), "nothing is written beside the sources"
    again = compile_development(coq, folder=small)
    assert (again.fresh, again.folder, again.seconds) == (False, first.folder, first.seconds)
    scratch = compile_development(coq, folder=small, scratch=True)
    assert scratch.fresh
    assert scratch.folder != first.folder, "another process may be reading the first"


def test_a_changed_source_is_compiled_anew(small, coq):
    first = compile_development(coq, folder=small)
    change(small, "theories/base.v", "Twice nothing", "Two times nothing")
    second = compile_development(coq, folder=small)
    assert second.fresh
    assert second.folder != first.folder


def test_a_damaged_entry_is_not_used(small, coq):
    first = compile_development(coq, folder=small)
    (first.folder / "theories" / "top.vo").write_bytes(b"half of it")
    again = compile_development(coq, folder=small)
    assert again.fresh
    assert (again.folder / "theories" / "top.vo").stat().st_size > 100
    assert again.folder == first.folder, "the damaged one is replaced"


# Of its own: a compilation from scratch of another test is kept as a draft until the process ends.
@pytest.mark.usefixtures("empty_cache")
def test_a_failed_compilation_leaves_nothing(small, coq):
    change(small, "theories/top.v", "exact twice0", "exact nothing")
    before = {path for path in cache_folder().glob("*") if path.is_dir()}
    with pytest.raises(CoqError, match="nothing was not found"):
        compile_development(coq, folder=small)
    assert {path for path in cache_folder().glob("*") if path.is_dir()} == before
    assert not list(cache_folder().glob(".draft-*"))


@pytest.mark.usefixtures("empty_cache")
def test_an_interruption_leaves_nothing(small, coq):
    def stop(done, total, what):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compile_development(coq, folder=small, scratch=True, progress=stop)
    assert not list(cache_folder().glob(".draft-*"))


def test_without_a_cache_a_temporary_folder_serves(small, coq, monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    compiled = compile_development(coq, folder=small)
    assert compiled.fresh
    assert (compiled.folder / "theories" / "top.vo").is_file()
    assert not compile_development(coq, folder=small).fresh


_ONCE = """
import sys
from epsrank.proofs.formal import compile_development, find_coq
compiled = compile_development(find_coq(), folder=sys.argv[1])
print(compiled.fresh, (compiled.folder / "theories" / "top.vo").is_file())
"""


@pytest.mark.usefixtures("empty_cache")
def test_two_processes_at_once_do_the_work_once(small, coq):
    command = [sys.executable, "-c", _ONCE, str(small)]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        for _ in range(2)
    ]
    said = sorted(process.communicate(timeout=120)[0].strip() for process in both)
    assert said == ["False True", "True True"]


def test_files_that_import_each_other_are_refused(small, coq):
    change(small, "theories/base.v", "(** * Numbers", "Require Import Small.top.\n(** * Numbers")
    with pytest.raises(CoqError, match=r"imports itself by way of theories/base.v, theories/top.v"):
        compile_development(coq, folder=small)


def test_entries_are_whole_or_absent(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with entry("a") as first:
        draft = first.draft()
        (draft / "x.v").write_text("Check 0.")
        place = first.keep(draft, {"seconds": {"x.v": 1.0}})
    with entry("a") as second:
        found = second.find()
        assert found is not None
        assert (found.folder, found.notes["seconds"]) == (place, {"x.v": 1.0})
        (place / "compiled.json").write_text(json.dumps({"files": {}}))
        assert second.find() is None
        second.draft()
    assert sorted(path.name for path in cache_folder().iterdir()) == ["a", "a.lock"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("-R theories Small", "-R theories", "needs one -R"),
        ("-R theories Small", "", "needs one -R"),
        ("theories/base.v", "elsewhere/base.v", "list files in theories/"),
        ("theories/base.v\ntheories/top.v", "", "lists no files"),
        ("theories/base.v", "-I plugin\ntheories/base.v", "'-I'"),
    ],
)
def test_a_strange_list_of_files_is_refused(small, old, new, message):
    change(small, "_CoqProject", old, new)
    with pytest.raises(InputError, match=message):
        read_development(small)


def test_a_folder_without_a_list_is_refused(tmp_path):
    with pytest.raises(InputError, match="no readable _CoqProject"):
        read_development(tmp_path)
