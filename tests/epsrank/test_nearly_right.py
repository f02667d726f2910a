"""Command lines that are nearly right, a sample: 2000 of them are tests/slow/fuzz/skeletons.py."""

from __future__ import annotations

import importlib
import os

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
