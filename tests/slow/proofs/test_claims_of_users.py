"""The walk-through of docs/testing-claims.md in processes of its own: verify and pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.epsrank.test_readme import ROOT, files


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [sys.executable, "-m", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
    )


def test_an_empty_folder_a_ledger_a_module_and_a_test(tmp_path: Path) -> None:
    for name, text in files("docs/testing-claims.md").items():
        (tmp_path / name).write_text(text)
    (tmp_path / "conftest.py").write_text("import epsrank.testing\n")
    words = "--quick", "--jobs", "2", "--ledger", "mine.toml", "--checkers", "my_claims"
    done = run("epsrank", "verify", *words, folder=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "2 claims: 1 refuted, 1 certified on instances" in done.stdout
    ledger = (tmp_path / "mine.toml").read_text()
    ledger = ledger.replace('"supported"', '"certified on instances"')
    (tmp_path / "mine.toml").write_text(ledger.replace('page 3"', 'page 3"\nverdict = "refuted"'))
    done = run("epsrank", "verify", *words, folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "3 checks are those of an earlier call" in done.stderr
    words = "-q", "-p", "no:cacheprovider", "--hypothesis-profile", "epsrank-ci", "test_mine.py"
    done = run("pytest", *words, folder=tmp_path)
    assert done.returncode == 0, done.stdout
    # A change of the library that makes the false claim true would be seen.
    module = (tmp_path / "my_claims.py").read_text()
    (tmp_path / "my_claims.py").write_text(module.replace("np.maximum(features, 0)", "features"))
    assert run("pytest", *words, folder=tmp_path).returncode == 1
