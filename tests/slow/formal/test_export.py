"""An exported project is rebuilt by make and Coq alone, without this package."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

from epsrank.proofs.formal import explain_missing, find_coq
from epsrank.proofs.formal.export import export_project
from epsrank.proofs.formal.floor_certificate import certify_floor
from epsrank.proofs.formal.rank_certificate import certify_rank


@pytest.fixture
def project(tmp_path):
    if find_coq() is None or not shutil.which("make") or not shutil.which("coq_makefile"):
        pytest.skip(f"{explain_missing()}; make is needed too")
    x = np.linspace(-1, 1, 20)[:, None]
    features = np.tanh(3 * x + np.linspace(-2, 2, 5))
    certificates = {
        "net_rank": certify_rank(features, 1e-6),
        "net_floor": certify_floor(features, np.cos(9 * x), 3.0),
    }
    export_project(tmp_path / "project", certificates)
    return tmp_path / "project"


def _make(folder):
    return subprocess.run(["make"], cwd=folder, capture_output=True, text=True, check=False)


def test_make_proves_the_measurements_and_refuses_a_changed_one(project):
    done = _make(project)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Closed under the global context") == 2
    # As the README says.
    ask = "From EpsRank.Measurements Require Import net_rank. Print Assumptions net_rank."
    assert ask in (project / "README.md").read_text()
    (project / "ask.v").write_text(ask)
    folders = ["-R", "theories", "EpsRank", "-R", "measurements", "EpsRank.Measurements"]
    done = subprocess.run(
        ["coqc", *folders, "ask.v"], cwd=project, capture_output=True, text=True, check=True
    )
    assert "Closed under the global context" in done.stdout
    file = project / "measurements" / "net_rank.v"
    text = file.read_text()
    statement = "(qr R eps) = "
    place = text.index(statement) + len(statement)
    rank = int(text[place : text.index("%nat", place)])
    file.write_text(text.replace(f"{statement}{rank}", f"{statement}{rank + 1}"))
    done = _make(project)
    assert done.returncode != 0
    assert "net_rank" in done.stderr
