"""Readers and command lines, fuzzed: the corpus again, and some thousand new inputs.

Longer: ``python -m tests.slow.fuzz.fuzz all 5000`` and ``… command_lines 2000``, with atheris if
`pip install atheris` has been called (wheels for Linux).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.slow.fuzz.command_lines import fuzz
from tests.slow.fuzz.targets import CORPUS, TARGETS, place, run

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="forks")


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("ignore")
def test_the_corpus_is_read_or_refused(name):
    files = sorted((CORPUS / name).iterdir())
    assert files
    with place(TARGETS[name]) as folder:
        for file in files:
            run(TARGETS[name], folder, file.read_bytes())


def test_a_fault_is_seen(monkeypatch):
    """A reader that lets another exception out."""
    target = TARGETS["csv"]

    def broken(file):
        raise KeyError(file.name)

    monkeypatch.setitem(TARGETS, "csv", type(target)(target.name, broken, target.seeds))
    with pytest.raises(KeyError), place(TARGETS["csv"]) as folder:
        run(TARGETS["csv"], folder, b"1,2\n")


@pytest.mark.parametrize("name", TARGETS)
def test_new_inputs(name, tmp_path):
    words = [sys.executable, "-m", "tests.slow.fuzz.fuzz", name, "400", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def test_command_lines():
    counts = fuzz(200, seed=3)
    assert counts["fault"] == 0, counts
    assert counts["done"] > 10
