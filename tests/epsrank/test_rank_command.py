"""`epsrank rank` against the contract and against awkward features."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from epsrank.cli import main
from epsrank.theory.rank import epsilon_ranks
from epsrank.theory.rank.interval import RankInterval

X = np.linspace(-1, 1, 60)[:, None]
PHI = np.tanh(3 * X + np.linspace(-2, 2, 12))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.save(tmp_path / "phi.npy", PHI)
    return tmp_path


def rank(folder: Path, *words: str, file: str = "phi.npy") -> Result:
    return CliRunner().invoke(main, ["rank", str(folder / file), *words])


def document(folder: Path, *words: str, file: str = "phi.npy") -> dict[str, Any]:
    done = rank(folder, *words, "--json", file=file)
    assert done.exit_code == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def refused(folder: Path, values: Any, *words: str) -> str:
    np.save(folder / "bad.npy", values, allow_pickle=True)
    done = rank(folder, *words, "--json", file="bad.npy")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("epsrank: error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_json_follows_the_contract(folder: Path) -> None:
    found = document(folder, "--eps", "1e-4", "1e-6")
    assert list(found) == [
        "n_samples",
        "n_features",
        "measure",
        "dtype",
        "noise_floor",
        "spectrum",
        "ranks",
    ]
    assert (found["n_samples"], found["n_features"]) == PHI.shape
    assert (found["measure"], found["dtype"]) == ("mean", "float64")
    assert 0 < found["noise_floor"] < 1e-10
    expected = np.linalg.eigvalsh(PHI.T @ PHI / len(PHI))[::-1]
    np.testing.assert_allclose(found["spectrum"], expected, atol=1e-12)
    for entry, eps in zip(found["ranks"], (1e-4, 1e-6), strict=True):
        assert entry["eps"] == eps
        assert entry["lower"] == entry["upper"] == int((expected > eps).sum())
        assert entry["route"]


def test_defaults_and_the_plain_table(folder: Path) -> None:
    assert [entry["eps"] for entry in document(folder)["ranks"]] == [1e-6]
    done = rank(folder)
    assert done.exit_code == 0
    assert "60 samples × 12 features, float64, mean measure" in done.stdout
    assert "float64 noise floor" in done.stdout
    assert "\x1b" not in done.stdout


def test_what_float32_cannot_say_is_said(folder: Path) -> None:
    np.save(folder / "narrow.npy", np.tanh(X + np.linspace(-1, 1, 12)).astype(np.float32))
    page = rank(folder, "--eps", "1e-4", "1e-17", file="narrow.npy").stdout
    assert "at ε = 1e-17 features that round to these float32 numbers have ε-ranks in [" in page
    assert "at ε = 0.0001 features" not in page
    entry = document(folder, "--eps", "1e-17", file="narrow.npy")["ranks"][0]
    assert entry["storage"][0] < entry["lower"]


def test_measure_weights_relative_and_exact(folder: Path) -> None:
    weights = np.linspace(0, 2, len(PHI))
    np.save(folder / "w.npy", weights)
    words = ("--weights", str(folder / "w.npy"), "--measure", "raw", "--eps", "1e-3")
    expected = np.linalg.eigvalsh((PHI.T * weights) @ PHI)
    found = document(folder, *words)
    assert found["measure"] == "raw"
    assert found["ranks"][0]["lower"] == int((expected > 1e-3).sum())
    relative = document(folder, *words, "--relative")["ranks"][0]
    assert relative["lower"] == int((expected > 1e-3 * expected[-1]).sum())
    exact = document(folder, *words, "--exact")["ranks"][0]
    assert exact["route"] == "exact"
    assert exact["lower"] == exact["upper"] == found["ranks"][0]["lower"]


def test_integers_are_exact(folder: Path) -> None:
    np.save(folder / "i.npy", np.array([[2**60 + 1, 2**60], [2**60, 2**60 - 1]]))
    found = document(folder, "--exact", "--measure", "raw", "--eps", "1e-40", file="i.npy")
    # det = −1: two eigenvalues of the Gram matrix, the smaller about 2^−122
    assert found["dtype"] == "int64"
    assert found["ranks"][0]["lower"] == found["ranks"][0]["upper"] == 2


def test_all_zero_features_have_rank_0(folder: Path) -> None:
    np.save(folder / "zero.npy", np.zeros((5, 3)))
    found = document(folder, file="zero.npy")
    assert found["ranks"][0]["lower"] == found["ranks"][0]["upper"] == 0
    assert found["spectrum"] == [0.0, 0.0, 0.0]
    assert rank(folder, file="zero.npy").exit_code == 0
    assert document(folder, "--relative", file="zero.npy")["ranks"][0]["upper"] == 0


def test_features_that_are_none(folder: Path) -> None:
    assert "bad.npy has 2 non-finite entries" in refused(folder, [[1, np.inf], [np.nan, 1]])
    assert "bad.npy is empty, shape (0, 3)" in refused(folder, np.empty((0, 3)))
    assert "reshape(-1, 1)" in refused(folder, np.ones(4))
    assert "3 dimensions" in refused(folder, np.ones((2, 2, 2)))
    assert "complex128; pass real numbers" in refused(folder, np.ones((2, 2)) * 1j)
    assert "pickled" in refused(folder, np.array([[None]]))
    assert "dtype" in refused(folder, np.array([["a"]]))


@pytest.mark.parametrize(("value", "shown"), [("0", "0"), ("-1e-6", "-1e-06"), ("nan", "nan")])
def test_thresholds_that_are_none(value: str, shown: str, folder: Path) -> None:
    done = rank(folder, f"--eps={value}")
    assert done.exit_code == 2
    assert f"--eps is {shown}" in done.stderr


def test_weights_that_are_none(folder: Path) -> None:
    cases = {
        "negative entry": -np.ones(60),
        "are all zero": np.zeros(60),
        "one weight per sample": np.ones(59),
        "non-finite": np.full(60, np.nan),
    }
    for problem, weights in cases.items():
        np.save(folder / "w.npy", weights)
        done = rank(folder, "--weights", str(folder / "w.npy"))
        assert done.exit_code == 2
        assert problem in done.stderr
        assert "--weights" in done.stderr
    assert "no weights are given" in rank(folder, "--measure", "volume").stderr


def test_archives(folder: Path) -> None:
    np.savez(folder / "all.npz", phi=PHI, w=np.ones(60))
    assert "--key" in rank(folder, file="all.npz").stderr
    found = document(
        folder, "--key", "phi", "--weights", f"{folder / 'all.npz'}::w", file="all.npz"
    )
    assert found["n_features"] == 12


def test_a_header_is_a_notice_on_stderr(folder: Path) -> None:
    (folder / "a.csv").write_text("p,q\n1,2\n3,4\n")
    done = rank(folder, "--json", file="a.csv")
    assert "first line as a header" in done.stderr
    assert json.loads(done.stdout)["n_samples"] == 2


@pytest.mark.parametrize(
    ("words", "code", "verdict", "said"),
    [
        ("--at-least 6 --eps 1e-3", 0, "met", "at least 6: certified"),
        ("--at-least 99 --eps 1e-3", 1, "missed", "at least 99: no, the rank is certified"),
        ("--at-least 6 --eps 1e-3 10", 1, "missed", "at least 6: no"),
        ("--at-least 6 --eps 1e-3 1e-6", 3, "undecided", "at least 6: undecided, the interval"),
        ("--at-least 13 --eps 1e-3 1e-6", 1, "missed", "at least 13: no"),
    ],
)
def test_at_least_decides_the_exit_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: str, code: int, verdict: str, said: str
) -> None:
    found = epsilon_ranks

    def wide(*arguments: Any, **settings: Any) -> list[RankInterval]:
        """Leave the second threshold open, which small features never do by themselves."""
        ranks = found(*arguments, **settings)
        return [replace(rank, lower=0) if rank.eps == 1e-6 else rank for rank in ranks]

    monkeypatch.setattr("epsrank.theory.rank.epsilon_ranks", wide)
    done = rank(folder, *words.split())
    assert (done.exit_code, done.stderr) == (code, "")
    assert done.stdout.splitlines()[-1].startswith(said)
    done = rank(folder, *words.split(), "--json")
    asked = {"rank": int(words.split()[1]), "verdict": verdict}
    assert (done.exit_code, json.loads(done.stdout)["at_least"]) == (code, asked)


def test_at_least_refuses_what_is_no_rank(folder: Path) -> None:
    done = rank(folder, "--at-least", "0")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "epsrank: error: --at-least is 0; pass a whole number ≥ 1\n"
