"""`epsrank floor` against the contract, a least-squares solution, and awkward input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from epsrank.cli import main

X = np.linspace(-1, 1, 80)
PHI = np.tanh(2 * X[:, None] + np.linspace(-2, 2, 10))
TARGET = np.cos(4 * X)
BETA = np.linalg.lstsq(PHI, TARGET)[0]

KEYS = [
    "measure",
    "eps",
    "rank",
    "coefficient_norm",
    "loss",
    "reachable",
    "envelope",
    "floor",
    "rank_budget",
    "reading",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.save(tmp_path / "phi.npy", PHI)
    np.save(tmp_path / "u.npy", TARGET)
    np.save(tmp_path / "beta.npy", BETA)
    return tmp_path


def floor(folder: Path, *words: str) -> Result:
    files = [str(folder / "phi.npy"), "--target", str(folder / "u.npy")]
    return CliRunner().invoke(main, ["floor", *files, *words])


def document(folder: Path, *words: str) -> dict[str, Any]:
    done = floor(folder, *words, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def refused(folder: Path, *words: str) -> str:
    done = floor(folder, *words, "--json")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("epsrank: error: ")


def test_json_follows_the_contract(folder: Path) -> None:
    found = document(folder, "--coefficients", str(folder / "beta.npy"))
    assert [key for key in found if key in KEYS] == KEYS
    loss = float(np.mean((PHI @ BETA - TARGET) ** 2))
    assert found["loss"] == pytest.approx(loss)
    assert found["coefficient_norm"] == pytest.approx(np.linalg.norm(BETA))
    assert found["loss"] >= found["reachable"] * (1 - 1e-9)
    assert found["reachable"] >= found["envelope"] * (1 - 1e-9) >= 0
    assert found["envelope"] >= found["floor"] * (1 - 1e-9)
    assert found["reading"] == "feature-limited"
    assert set(found["rank"]) == {"lower", "upper"}
    assert set(found["rank_budget"][0]) == {"loss", "rank"}


def test_norm_alone_and_no_bound(folder: Path) -> None:
    found = document(folder, "--norm", "1.5")
    assert found["loss"] is None
    assert found["coefficient_norm"] == 1.5
    unbounded = document(folder, "--norm", "inf")
    assert unbounded["coefficient_norm"] is None
    assert unbounded["reachable"] == pytest.approx(float(np.mean((PHI @ BETA - TARGET) ** 2)))


def test_outputs_weights_and_bias(folder: Path) -> None:
    targets = np.stack([TARGET, np.sin(X)], axis=1)
    solution = np.linalg.lstsq(PHI, targets)[0]
    np.save(folder / "u.npy", targets)
    np.save(folder / "beta.npy", solution)
    np.save(folder / "w.npy", np.full(80, 2 / 80))
    np.save(folder / "b.npy", np.array([0.5, -0.25]))
    words = ["--coefficients", str(folder / "beta.npy"), "--measure", "volume"]
    words += ["--weights", str(folder / "w.npy")]
    found = document(folder, *words)
    squares = (PHI @ solution - targets) ** 2
    assert found["measure"] == "volume"
    assert found["loss"] == pytest.approx(2 * float(squares.sum(axis=1).mean()))
    fixed = document(folder, *words, "--bias", "fixed", "--bias-value", str(folder / "b.npy"))
    shifted = (PHI @ solution + [0.5, -0.25] - targets) ** 2
    assert fixed["loss"] == pytest.approx(2 * float(shifted.sum(axis=1).mean()))
    assert fixed["bias"] == "fixed"


def test_the_page_for_people(folder: Path) -> None:
    done = floor(folder, "--coefficients", str(folder / "beta.npy"), "--bias", "feature")
    assert done.exit_code == 2
    done = floor(
        folder, "--coefficients", str(folder / "beta.npy"), "--bias", "feature", "--bias-value", "0"
    )
    assert done.exit_code == 0, done.stderr
    for text in ("loss", "V(B)", "envelope", "floor", "reading: ", "ε-rank must be at least"):
        assert text in done.stdout


def test_bad_use(folder: Path) -> None:
    assert "either --norm B or --coefficients F" in refused(folder)
    both = ("--norm", "1", "--coefficients", str(folder / "beta.npy"))
    assert "either --norm B or --coefficients F" in refused(folder, *both)
    assert "--norm is -1" in refused(folder, "--norm", "-1")
    assert "--norm is nan" in refused(folder, "--norm", "nan")
    assert "--eps is 0" in refused(folder, "--norm", "1", "--eps", "0")
    assert "does not exist" in refused(folder, "--coefficients", "nowhere.npy")
    np.save(folder / "beta.npy", BETA[:-1])
    assert "10 neurons" in refused(folder, "--coefficients", str(folder / "beta.npy"))
    np.save(folder / "u.npy", TARGET[:-1])
    assert "79 rows, but the features have 80 samples" in refused(folder, "--norm", "1")


def test_zero_features_allow_nothing(folder: Path) -> None:
    np.save(folder / "phi.npy", np.zeros((80, 3)))
    found = document(folder, "--norm", "2")
    assert found["rank"] == {"lower": 0, "upper": 0}
    assert found["reachable"] == pytest.approx(float(np.mean(TARGET**2)))
    assert {entry["rank"] for entry in found["rank_budget"]} == {None}


@pytest.mark.parametrize("loss", ["bce", "huber", "smooth_l1", "absolute", "l1"])
def test_every_lipschitz_loss_that_theory_knows_is_offered(folder: Path, loss: str) -> None:
    from epsrank import convex_floor

    goal = (TARGET > 0).astype(float)
    np.save(folder / "goal.npy", goal)
    files = [str(folder / "phi.npy"), "--target", str(folder / "goal.npy")]
    done = CliRunner().invoke(main, ["floor", *files, "--norm", "1", "--loss", loss, "--json"])
    assert done.exit_code == 0, done.output
    known = convex_floor(PHI, goal, norm=1.0, loss=loss)
    assert json.loads(done.stdout)["reachable"] == pytest.approx(known.reachable, rel=1e-3)
