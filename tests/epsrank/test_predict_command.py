"""`epsrank predict`: table, JSON, measurement beside it, one-line errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from epsrank.cli import main

QUICK = ["--draws", "3", "--points", "60"]


def command(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["predict", *map(str, words)])


def document(*words: str | Path) -> Any:
    done = command(*words, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_table() -> None:
    done = command(*QUICK, "--width", "20", "40", "--depth", "2", "--measure-seeds", "2")
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "tanh, uniform on [-1, 1] (60 points, mean measure)"
    assert lines[1].split() == ["n", "layer", "ε", "limit", "estimate", "band", "measured"]
    assert [line.split()[:2] for line in lines[2:6]] == [
        ["20", "1"],
        ["20", "2"],
        ["40", "1"],
        ["40", "2"],
    ]


def test_json() -> None:
    found = document(*QUICK, "--eps", "1e-6", "1e-3", "--width", "20", "--measure-seeds", "2")
    assert found["measure"] == "mean"
    assert [item["eps"] for item in found["predictions"]] == [1e-6, 1e-3]
    first = found["predictions"][0]
    assert first["limit"] == {"lower": 5, "upper": 5}
    assert first["band"]["lower"] <= first["measured"]["mean"] <= first["band"]["upper"]
    counted = [20 * value > 1e-6 for value in first["kernel_eigenvalues"]]
    assert sum(counted) == 5


def test_variances_measures_and_inputs(tmp_path: Path) -> None:
    found = document(
        *QUICK, "--activation", "erf", "--weight-variance", "1", "--bias-variance", "1"
    )
    assert found["predictions"][0]["limit"]["lower"] == 10
    assert "σ_w² = 1" in found["predictions"][0]["law"]
    wide = document("--domain", "-2", "2", "--measure", "volume", *QUICK)
    assert wide["inputs"]["mass"] == pytest.approx(4)
    assert document("--inputs", "2", "--draws", "2")["inputs"]["dimension"] == 2
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((30, 3)))
    data = document("--data", tmp_path / "x.npy", "--measure", "raw", "--draws", "2")
    assert data["inputs"]["n_points"] == 30
    assert data["inputs"]["mass"] == 30


def test_structured_layers_and_chosen_slopes(tmp_path: Path) -> None:
    done = command(
        *QUICK,
        "--init",
        "structured",
        "--slope",
        "auto:12",
        "--width",
        "20",
        "--measure-seeds",
        "2",
    )
    assert done.exit_code == 0, done.stderr
    assert "predicts ε-rank 12 of 20" in done.stderr
    row = done.stdout.splitlines()[2].split()
    assert row[3] == "12"
    assert row[-1] == "12.0"
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((40, 3)))
    found = document("--init", "structured", "--data", tmp_path / "x.npy", "--draws", "2")
    assert found["predictions"][0]["limit"]["upper"] <= 40


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--activation", "swish"), "--activation"),
        (("--width", "0"), "--width"),
        (("--depth", "0"), "--depth"),
        (("--init", "orthogonal"), "--init"),
        (("--slope", "3"), "--init structured"),
        (("--init", "structured", "--slope", "auto:x"), "--slope"),
        (("--init", "structured", "--slope", "auto:99"), "target_rank"),
        (("--bias-variance", "1"), "--weight-variance"),
        (("--weight-variance", "-1"), "--weight-variance"),
        (("--weight-variance", "1", "--init-scale", "2"), "--init-scale"),
        (("--confidence", "1"), "--confidence"),
        (("--draws", "0"), "--draws"),
        (("--domain", "1", "1"), "domain"),
        (("--inputs", "0"), "--inputs"),
        (("--eps", "0"), "--eps"),
        (("--data", "missing.npy"), "missing.npy"),
        (("--measure", "raw"), "measure"),
        (("--measure-seeds", "0"), "seeds"),
    ],
)
def test_bad_input_is_one_line(words: tuple[str, ...], text: str) -> None:
    done = command(*words)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("epsrank: error: ")
    assert done.stderr.count("\n") == 1
    assert text in done.stderr
