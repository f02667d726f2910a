"""Command lines that are nearly right, a sample: 2000 of them are tests/slow/fuzz/skeletons.py."""

from __future__ import annotations

import importlib
import os

import numpy as np
import pytest

from tests.slow.fuzz.props import QUICK, make_arrays
from tests.slow.fuzz.skeletons import Line, attempt, fuzz_in

pytestmark = pytest.mark.skipif(os.name != "posix", reason="forks")

_USED = (
    "loading", "theory.rank", "theory.floor.loss_floor", "theory.selection",
    "theory.sampling", "theory.apriori", "theory.kernels.prediction",
    "numerics.first_layer.initial_rank", "numerics.stages.entry", "numerics.results",
    "numerics.pruning", "numerics.checkpoint.models", "numerics.plots.save",
    "numerics.tasks", "cli.estimates",
)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    # Once, and not in every fork.
    for name in _USED:
        importlib.import_module(f"epsrank.{name}")
    folder = tmp_path_factory.mktemp("lines")
    make_arrays(folder / "true")
    return folder


def test_lines_end_as_documented(place):
    counts = fuzz_in(place, range(30), seed=7, lines=QUICK)
    assert counts["fault"] == 0, counts
    assert counts["done"] > 5, counts
    assert counts["refused"] > 5, counts


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (KeyError("x"), "traceback"),
        (MemoryError(), "out of memory"),
        (OSError("no"), "names nothing"),
    ],
)
def test_a_fault_is_seen(place, monkeypatch, raised, said):
    def broken(*given, **more):
        raise raised

    monkeypatch.setattr("epsrank.loading.load_array", broken)
    line = Line(["rank", "x.npy"], place / "true")
    found, _ = attempt(line, place / type(raised).__name__)
    assert found.startswith(said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("apriori cosines --n-train 40 --neurons 4 --width -1", "refused"),
        ("apriori sobolev --neurons 4 --smoothness 2147483648", "done"),
        ("predict --data far.npy --width 4 --weight-variance 1e308 --draws 2 --depth 1", "refused"),
        ("prune @ --coefficients c.npy --neurons 2", "refused"),
        ("rank named&.csv", "done"),
    ],
)
def test_lines_that_were_found(place, words, said):
    """An array named in place of an option, overflows, files called " " or with a line's end."""
    np.save(place / "true" / "far.npy", np.full((9, 2), 3.0))
    (place / "true" / "named\n.csv").write_text("a,b\n1,2\n3,4\n")
    given = [" " if word == "@" else word.replace("&", "\n") for word in words.split()]
    line = Line(given, place / "true")
    assert attempt(line, place / f"found {words[:20]}")[0] == said


def test_a_command_line_changes_files_of_its_folder_alone(place):
    """Neither of "/" nor of "..": what is damaged lies within."""
    line = Line(["rank", "/", "..", ".", "x.npy", "../true/y.npy", "~"], place / "true")
    assert [line.words[at] for at in line.files] == ["x.npy", "../true/y.npy"]
