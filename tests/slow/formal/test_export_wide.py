"""Exported certificates of wide layers and rounded Gram matrices, by make and Coq alone.

Each forgery that is found in a folder of a narrow layer is planted here; and big layers stay
within the minutes that are promised, in processor time.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from epsrank.proofs.formal import DEVELOPMENT, explain_missing, find_coq
from epsrank.proofs.formal.export import export_project
from epsrank.proofs.formal.rank_certificate import certify_rank
from epsrank.proofs.formal.wide_certificate import certify_gram_rank, certify_wide_rank

MADE = {"wide": certify_wide_rank, "gram": certify_gram_rank, "narrow": certify_rank}
KINDS = pytest.mark.parametrize("kind", ["wide", "gram"])
EPS = 1e-6


def _layer(samples, neurons):
    """Features of a two-layer network: a spectrum that falls off quickly."""
    rng = np.random.default_rng(0)
    x = np.linspace(-1, 1, samples)[:, None]
    hidden = np.tanh(3 * x @ rng.normal(size=(1, neurons)) + rng.normal(size=neurons))
    return np.tanh(2 / np.sqrt(neurons) * hidden @ rng.normal(size=(neurons, neurons)))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project of all kinds that make has accepted, with the file that it is of."""
    if find_coq() is None or not shutil.which("make"):
        pytest.skip(f"{explain_missing()}; make is needed too")
    place = tmp_path_factory.mktemp("made")
    np.save(place / "phi.npy", _layer(20, 6))
    found = {kind: certify(_layer(20, 6), EPS) for kind, certify in MADE.items()}
    export_project(place / "project", found, files=dict.fromkeys(found, place / "phi.npy"))
    done = _make(place / "project", "all")
    assert done.returncode == 0, done.stderr
    assert "holds as audit.v states it, and assumes nothing" in done.stdout
    return place


@pytest.fixture
def project(made, tmp_path):
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy" / "project"


def _make(folder, target="audit"):
    return subprocess.run(["make", target], cwd=folder, capture_output=True, text=True, check=False)


def _check_data(folder, *words):
    return subprocess.run(
        [sys.executable, "check_data.py", *map(str, words)],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _change(file, old, new):
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


def test_the_whole_chain_is_checked_with_two_commands(project):
    words = [project.parent / "phi.npy", "--record", DEVELOPMENT / "record.json"]
    done = _check_data(project, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("its numbers are those of") == 3
    other = np.load(project.parent / "phi.npy")
    other[3, 1] = np.nextafter(other[3, 1], 2)
    np.save(project.parent / "other.npy", other)
    assert _check_data(project, project.parent / "other.npy").returncode == 1


@KINDS
def test_another_rank_does_not_compile(project, kind):
    _change(project / "measurements" / f"{kind}.v", "= 6%nat.", "= 5%nat.")
    done = _make(project)
    assert done.returncode != 0
    assert f"{kind}.v" in done.stderr


@KINDS
def test_an_axiom_is_found(project, kind):
    file = project / "measurements" / f"{kind}.v"
    text = file.read_text("utf-8")
    file.write_text(f"{text[: text.index('Proof. move=> R')]}Proof. Admitted.\n", "utf-8")
    done = _make(project)
    assert done.returncode != 0
    assert "audit.found" in done.stdout + done.stderr


@KINDS
def test_a_shadowed_definition_is_found(project, kind):
    file = project / "measurements" / f"{kind}.v"
    text = file.read_text("utf-8")
    shadow = "Definition epsrank (R : rcfType) n (G : 'M[R]_n) (e : R) : nat := 7.\n"
    statement = text[text.index(f"Theorem {kind}") : text.index("Proof. move=> R")]
    file.write_text(
        text[: text.index(f"Theorem {kind}")] + shadow
        + statement.replace("6%nat", "7%nat") + "Proof. by []. Qed.\n", "utf-8",
    )  # fmt: skip
    audit = (project / "audit.v").read_text("utf-8")
    start = audit.index(f"Definition {kind}_says")
    (project / "audit.v").write_text(audit[:start] + audit[start:].replace("6%nat", "7%nat", 1))
    done = _make(project)
    assert done.returncode != 0
    # The forged proof compiles, and does not have the statement of audit.v.
    assert "audit.v" in done.stderr


@KINDS
def test_a_theorem_about_other_numbers_is_found(project, kind):
    # Audit and data agree with each other; the proof is about numbers of its own.
    file = project / "measurements" / f"{kind}.v"
    own = (project / "measurements" / f"{kind}_data.v").read_text("utf-8")
    definitions = own[own.index("\nDefinition") :]
    _change(file, "Definition eps", f"{definitions.replace('0x1', '0x2', 1)}\nDefinition eps")
    assert _make(project).returncode != 0


@KINDS
def test_what_was_compiled_of_other_sources_counts_for_nothing(made, project, kind, tmp_path):
    # Numbers of one neuron are compiled and then replaced by the true ones, which are older.
    files = [f"measurements/{kind}.v", f"measurements/{kind}_data.v", "audit.v", "audit.expected"]
    export_project(tmp_path / "one", {kind: MADE[kind](np.load(made / "phi.npy")[:, :1], EPS)})
    true = (project / files[1]).read_text("utf-8")
    for file in files:
        shutil.copyfile(tmp_path / "one" / file, project / file)
    assert _make(project).returncode == 0
    (project / files[1]).write_text(true, "utf-8")
    for file in files[:2]:
        os.utime(project / file, (0, 0))
    # Coq finds that the proof is not of these numbers.
    assert _make(project).returncode != 0


def test_a_finer_rounding_than_was_made_is_found(project):
    # The same entries with more digits are another matrix, and half a unit is less then.
    data = project / "measurements" / "gram_data.v"
    digits = re.search(r"digits : nat := (\d+)", data.read_text("utf-8"))[1]
    _change(data, f"nat := {digits}%nat", f"nat := {int(digits) + 1}%nat")
    done = _make(project)
    assert done.returncode != 0
    assert "gram.v" in done.stderr


@KINDS
def test_integers_that_prove_nothing_do_not_compile(made, project, kind, tmp_path):
    # Everything that check_data.py writes is as it must be: Coq itself refuses.
    good = MADE[kind](np.load(made / "phi.npy"), EPS)
    brackets = replace(good.brackets, rank=good.rank - 1)
    bad = replace(good, rank=good.rank - 1, brackets=brackets)
    export_project(tmp_path / "bad", {"net": bad})
    assert _check_data(tmp_path / "bad", made / "phi.npy").returncode == 0
    shutil.copytree(project / "theories", tmp_path / "bad" / "theories", dirs_exist_ok=True)
    done = _make(tmp_path / "bad")
    assert done.returncode != 0
    assert "net.v" in done.stderr


def _seconds(who=resource.RUSAGE_CHILDREN):
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize(
    ("kind", "samples", "neurons", "most"),
    [
        ("narrow", 100, 50, 60),
        ("wide", 100, 50, 60),
        ("gram", 2000, 50, 60),
        ("wide", 60, 200, 300),
        ("gram", 2000, 200, 300),
    ],
)
def test_big_layers_are_checked_in_time(project, tmp_path, kind, samples, neurons, most):
    features = _layer(samples, neurons)
    np.save(tmp_path / "phi.npy", features)
    before = time.process_time()
    export_project(tmp_path / "big", {"net": MADE[kind](features, EPS)})
    found = time.process_time() - before
    shutil.copytree(project / "theories", tmp_path / "big" / "theories", dirs_exist_ok=True)
    before = _seconds()
    done = _make(tmp_path / "big")
    assert done.returncode == 0, done.stderr
    by_coq = _seconds() - before
    assert _check_data(tmp_path / "big", tmp_path / "phi.npy").returncode == 0
    by_python = _seconds() - before - by_coq
    print(f"{kind} {samples} × {neurons}: {found:.0f} s to find, Coq {by_coq:.0f} s, "
          f"check_data.py {by_python:.0f} s")  # fmt: skip
    assert by_coq + by_python < most
