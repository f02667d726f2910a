"""An exported project is rebuilt and audited by make and Coq alone, without this package.

And it withstands what earlier ones did not: `make` ended well on an axiom, on a shadowed
definition and on a theorem about other numbers, and took what somebody else had compiled.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from epsrank.proofs.formal import DEVELOPMENT, explain_missing, find_coq
from epsrank.proofs.formal.export import export_project
from epsrank.proofs.formal.floor_certificate import certify_floor
from epsrank.proofs.formal.rank_certificate import certify_rank

X = np.linspace(-1, 1, 20)[:, None]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project that make has accepted, with the files that it is of."""
    if find_coq() is None or not shutil.which("make") or not shutil.which("coq_makefile"):
        pytest.skip(f"{explain_missing()}; make is needed too")
    place = tmp_path_factory.mktemp("made")
    features, target = np.tanh(3 * X + np.linspace(-2, 2, 5)), np.cos(9 * X)
    np.save(place / "phi.npy", features)
    np.save(place / "u.npy", target)
    np.save(place / "two.npy", np.hstack([target, -target]))
    certificates = {
        "net_rank": certify_rank(features, 1e-6),
        "net_floor": certify_floor(features, target, 3.0),
    }
    files = dict.fromkeys(certificates, place / "phi.npy")
    export_project(place / "project", certificates, files=files)
    done = _make(place / "project", "all")
    assert done.returncode == 0, done.stderr
    assert "holds as audit.v states it, and assumes nothing" in done.stdout
    return place


@pytest.fixture
def project(made, tmp_path):
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy" / "project"


def _make(folder, target="audit", **more):
    # The theories take half a minute, and are compiled once; `all`, the default, begins with them.
    return subprocess.run(
        ["make", target], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, **more},
    )  # fmt: skip


def _check_data(folder, *words):
    return subprocess.run(
        [sys.executable, "check_data.py", *map(str, words)],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _change(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


def test_the_whole_chain_is_checked_with_two_commands(project):
    record = DEVELOPMENT / "record.json"
    words = [project.parent / "phi.npy", "--target", project.parent / "u.npy", "--record", record]
    done = _check_data(project, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("its numbers are those of") == 2
    assert "the theories are those of" in done.stdout


def test_other_files_and_other_theories_are_told(project):
    place = project.parent
    other = np.load(place / "phi.npy")
    other[3, 1] = np.nextafter(other[3, 1], 2)
    np.save(place / "other.npy", other)
    done = _check_data(project, place / "other.npy", "--target", place / "u.npy")
    assert done.returncode == 1
    assert "NOT THOSE" in done.stdout
    assert _check_data(project, place / "phi.npy").returncode == 2
    _change(project / "theories" / "form.v", "(** * ", "(** *  ")
    words = [place / "phi.npy", "--target", place / "u.npy"]
    done = _check_data(project, *words, "--record", DEVELOPMENT / "record.json")
    assert done.returncode == 1
    assert "form.v is NOT THE ONE" in done.stdout


def test_another_rank_does_not_compile(project):
    file = project / "measurements" / "net_rank.v"
    _change(file, "(qr R eps) = 5%nat", "(qr R eps) = 4%nat")
    done = _make(project)
    assert done.returncode != 0
    assert "net_rank" in done.stderr


def test_an_axiom_is_found(project):
    file = project / "measurements" / "net_rank.v"
    text = file.read_text("utf-8")
    start = text.index("Proof. move=> R")
    file.write_text(f"{text[:start]}Proof. Admitted.\n", "utf-8")
    done = _make(project)
    assert done.returncode != 0
    assert "audit.found" in done.stdout + done.stderr


def test_a_shadowed_definition_is_found(project):
    file = project / "measurements" / "net_rank.v"
    shadow = (
        "Definition epsrank (R : rcfType) n (G : 'M[R]_n) (e : R) : nat := 7.\n"
        "Theorem net_rank : forall R : rcfType,\n"
        "  epsrank (gram (on_data R data) (@phi R data)) (qr R eps) = 7%nat.\n"
        "Proof. by []. Qed.\n"
    )
    text = file.read_text("utf-8")
    file.write_text(text[: text.index("Theorem net_rank")] + shadow, "utf-8")
    _change(project / "audit.v", "%Q) = 5%nat", "%Q) = 7%nat")
    done = _make(project)
    assert done.returncode != 0
    assert "net_rank" in done.stdout + done.stderr


def test_a_theorem_about_other_numbers_is_found(project):
    # Audit and data agree with each other; the proof is about numbers of its own.
    file = project / "measurements" / "net_rank.v"
    own = (project / "measurements" / "net_rank_data.v").read_text("utf-8")
    definition = own[own.index("Definition data") :]
    _change(file, "Definition eps", f"{definition.replace('0x1', '0x2', 1)}\nDefinition eps")
    assert _make(project).returncode != 0


def test_what_was_compiled_of_other_sources_counts_for_nothing(project):
    # Numbers of rank 1 are compiled and then replaced by the true ones, which are older.
    other = project.parent / "other"
    export_project(
        other, {"net_rank": certify_rank(np.load(project.parent / "phi.npy")[:, :1], 1e-6)}
    )
    honest = project / "measurements" / "net_rank_data.v"
    true, words = honest.read_text("utf-8"), ["net_rank.v", "net_rank_data.v"]
    for word in words:
        shutil.copyfile(other / "measurements" / word, project / "measurements" / word)
    shutil.copyfile(other / "audit.v", project / "audit.v")
    (project / "audit.expected").write_text("Closed under the global context\n")
    assert _make(project).returncode == 0
    honest.write_text(true, "utf-8")
    for word in words:
        os.utime(project / "measurements" / word, (0, 0))
    # Coq finds that the proof is not of these numbers.
    assert _make(project).returncode != 0


def test_make_begins_from_nothing(project):
    stale = project / "theories" / "form.vo"
    stale.write_bytes(b"of somebody else")
    # Coq reads this one in place of a .vo that is older.
    ahead = project / "theories" / "form.vio"
    ahead.write_bytes(b"of somebody else")
    assert _make(project, "clean").returncode == 0
    assert not any(project.rglob("*.vo"))
    assert not ahead.exists()
    plan = subprocess.run(["make", "-n", "-j2"], cwd=project, capture_output=True, text=True,
                          check=True).stdout  # fmt: skip
    assert plan.index("-delete") < plan.index("theories/*.v") < plan.index("measurements/*.v")


def test_nothing_of_the_user_is_read(project, tmp_path):
    evil = tmp_path / "lib" / "coq" / "user-contrib" / "mathcomp"
    evil.mkdir(parents=True)
    (evil / "all_algebra.v").write_text("Axiom oops : False.\n")
    subprocess.run(["coqc", "-q", "-R", ".", "mathcomp", "all_algebra.v"], cwd=evil, check=True)
    more = {"COQPATH": str(evil), "OCAMLPATH": str(evil), "COQEXTRAFLAGS": "-type-in-type"}
    found = _make(project, XDG_DATA_HOME=str(tmp_path / "lib"), COQLIB="/none", **more)
    assert found.returncode == 0, found.stderr
