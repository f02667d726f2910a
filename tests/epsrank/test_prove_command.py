"""`epsrank prove`: exit codes, output, and exported projects."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from epsrank.cli import main
from epsrank.proofs.formal import explain_missing, find_coq
from epsrank.proofs.formal.toolchain import PACKAGES

needs_coq = pytest.mark.skipif(find_coq() is None, reason=explain_missing())

THEOREM = "(** Nothing but itself. *)\nTheorem same (n : nat) : n = n.\nProof. reflexivity. Qed.\n"


def prove(*words: object) -> Result:
    return CliRunner().invoke(main, ["prove", *map(str, words)])


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tiny"
    (folder / "theories").mkdir(parents=True)
    (folder / "_CoqProject").write_text("-R theories Tiny\ntheories/one.v\n")
    (folder / "theories" / "one.v").write_text(THEOREM)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("epsrank.proofs.ledger.claims.load_ledger", lambda: ())
    return folder


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    x = np.linspace(-1, 1, 30)
    np.save("phi.npy", np.tanh(3 * x[:, None] + np.linspace(-2, 2, 5)))
    np.save("u.npy", np.cos(4 * x))
    np.save("beta.npy", np.ones(5))
    return tmp_path


def test_without_coq_the_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    done = prove("--audit")
    assert done.exit_code == 2
    assert done.stderr.startswith("epsrank: error: Coq is not installed")
    assert all(package in done.stderr for package in PACKAGES)
    assert done.stdout == ""


@needs_coq
def test_compiling_shows_files_and_theorems(tiny: Path) -> None:
    done = prove("--development", tiny)
    assert done.exit_code == 0, done.stderr
    assert "accepts 1 file with 1 theorem" in done.stdout
    assert "theories/one.v" in done.stdout
    shown = json.loads(prove("--development", tiny, "--json", "--jobs", 1).stdout)
    assert shown["passed"]
    assert list(shown["seconds"]) == ["theories/one.v"]
    assert shown["audit"] is None


@needs_coq
def test_the_audit_decides_the_exit_code(tiny: Path) -> None:
    done = prove("--development", tiny, "--audit")
    assert done.exit_code == 0, done.stdout
    assert "1 theorem, closed under the global context" in done.stdout
    (tiny / "theories" / "one.v").write_text(f"Axiom ax : 1 = 2.\n{THEOREM}")
    done = prove("--development", tiny, "--audit")
    assert done.exit_code == 1
    assert "theories/one.v, line 1: “Axiom” assumes a statement" in done.stdout
    done = prove("--development", tiny, "--audit", "--json", "--yes")
    assert done.exit_code == 1, done.stderr
    assert not json.loads(done.stdout)["audit"]["passed"]


@needs_coq
def test_a_theorem_of_the_ledger_must_exist(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    done = prove("--development", tiny, "--audit")
    assert done.exit_code == 1
    assert "EpsRank.rank.rank_monotone_eps is named in the ledger, but" in done.stdout


@needs_coq
def test_what_coq_refuses_exits_with_1(tiny: Path) -> None:
    (tiny / "theories" / "one.v").write_text("Theorem t : 1 = 2.\nProof. reflexivity. Qed.\n")
    done = prove("--development", tiny)
    assert done.exit_code == 1
    assert "Coq refuses theories/one.v, line 2" in done.stderr
    done = prove("--development", tiny, "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["error"].startswith("theories/one.v, line 2")


@needs_coq
def test_accepting_and_recording_write_their_files(tiny: Path) -> None:
    done = prove("--development", tiny, "--accept-statements", "--record")
    assert done.exit_code == 0, done.stdout
    assert "read it before you commit it" in done.stderr
    assert (tiny / "statements.txt").is_file()
    record = json.loads((tiny / "record.json").read_text())
    assert list(record["theorems"]) == ["Tiny.one.same"]
    (tiny / "theories" / "one.v").write_text(f"Axiom ax : 1 = 2.\n{THEOREM}")
    before = (tiny / "record.json").read_text()
    assert prove("--development", tiny, "--record").exit_code == 1
    assert (tiny / "record.json").read_text() == before


def test_a_rank_is_exported_without_coq(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    done = prove("--export", "out", "--rank", "phi.npy", "--eps", "1e-2", "1e-6")
    assert done.exit_code == 0, done.output
    assert "phi_rank_0_01" in done.stdout
    assert "make -C out" in done.stdout
    text = (files / "out" / "measurements" / "phi_rank_1e_06.v").read_text(encoding="utf-8")
    assert "epsrank" in text
    project = (files / "out" / "_CoqProject").read_text()
    assert "theories/check_rank.v" in project
    assert (files / "out" / "theories" / "check_rank.v").is_file()
    assert not list((files / "out").rglob("*.vo"))


@pytest.mark.parametrize(
    ("words", "checker"),
    [
        (["--proof", "narrow"], "check_rank_sound"),
        (["--proof", "wide"], "check_wide_sound"),
        (["--proof", "gram"], "check_rounded_sound"),
        ([], "check_rank_sound"),
    ],
)
def test_a_rank_is_proved_as_it_is_asked_for(files: Path, words: list[str], checker: str) -> None:
    done = prove("--export", "out", "--rank", "phi.npy", *words)
    assert done.exit_code == 0, done.output
    assert checker in (files / "out" / "measurements" / "phi_rank.v").read_text(encoding="utf-8")


def test_a_wide_layer_has_the_proof_of_wide_layers(files: Path) -> None:
    np.save("phi.npy", np.eye(3, 51))
    prove("--export", "out", "--rank", "phi.npy", "--eps", "0.1")
    about = json.loads((files / "out" / "measurements" / "phi_rank.json").read_text())
    assert (about["kind"], about["rank"]) == ("wide", 3)


def test_near_and_opposite_thresholds_are_theorems_of_their_own(files: Path) -> None:
    words = ["--eps", "1e-16", "1e16", "1e-6", "1e6", "1.0000001e-6"]
    done = prove("--export", "out", "--rank", "phi.npy", *words, "--json")
    assert len(json.loads(done.stdout)["theorems"]) == 5
    assert len(list((files / "out" / "measurements").glob("*_data.v"))) == 5


def test_a_floor_is_exported(files: Path) -> None:
    done = prove("--export", "a", "--floor", "phi.npy", "--target", "u.npy", "--norm", 2, "--json")
    shown = json.loads(done.stdout)
    assert list(shown["theorems"]) == ["phi_floor"]
    assert "measurements/phi_floor.v" in shown["files"]
    words = ["--floor", "phi.npy", "--target", "u.npy", "--coefficients", "beta.npy"]
    done = prove("--export", "b", *words)
    # ‖(1, 1, 1, 1, 1)‖ = √5, rounded upward: the bound holds for the layer itself.
    assert "‖W‖ ≤ 2.23607" in done.stdout


def test_a_layer_whose_squared_norm_float64_does_not_hold(files: Path) -> None:
    np.save("phi.npy", [[1.0], [0.0]])
    np.save("u.npy", [1.0, 1.0])
    np.save("beta.npy", [1e200])
    words = ["--floor", "phi.npy", "--target", "u.npy", "--coefficients", "beta.npy"]
    done = prove("--export", "a", *words)
    assert done.exit_code == 0
    assert "‖W‖ ≤ 1e+200" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rank", "phi.npy"], "is certified with --export DIR"),
        (["--export", "out"], "needs --rank FILE or --floor FILE"),
        (["--export", "out", "--rank", "phi.npy", "--audit"], "one after the other"),
        (["--export", "out", "--rank", "phi.npy", "--norm", "2"], "belong to --floor"),
        (["--export", "out", "--floor", "phi.npy", "--norm", "2"], "needs --target"),
        (["--export", "out", "--floor", "phi.npy", "--target", "u.npy"], "--norm B or --coeff"),
        (["--export", "out", "--floor", "phi.npy", "--target", "u.npy", "--norm", "2", "--eps",
          "1"], "--eps belongs to --rank"),
        (["--export", "out", "--floor", "phi.npy", "--target", "u.npy", "--norm", "2", "--proof",
          "wide"], "--proof belongs to --rank"),
        (["--export", "out", "--rank", "phi.npy", "--proof", "long"], "narrow"),
        (["--export", "out", "--rank", "gone.npy"], "gone.npy does not exist"),
        (["--export", "out", "--rank", "phi.npy", "--eps", "0"], "--eps is 0"),
        (["--export", ".", "--rank", "phi.npy"], "is not empty"),
        (["--development", "."], "no readable _CoqProject"),
    ],
)  # fmt: skip
def test_bad_use_exits_with_2(files: Path, words: list[str], message: str) -> None:
    if "--development" in words and find_coq() is None:
        pytest.skip(explain_missing())
    done = prove(*words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_names_of_files_become_identifiers() -> None:
    from epsrank.cli.certificates import _name

    assert _name("runs/a-b.c/my features.npy", "rank", "1e-06") == "my_features_rank_1e_06"
    assert _name("3x50.npy", "floor", "") == "m_3x50_floor"
    assert _name("ψ.npy", "rank", "") == "rank"
