"""``epsrank apriori`` and ``epsrank conjecture``: what they print, and bad use in one line."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from epsrank.cli import main
from epsrank.numerics.checkpoint.apriori import floor_of_run
from epsrank.numerics.pruning import subset_search
from epsrank.numerics.training import RunConfig, load_run, train
from epsrank.proofs.checkers import apriori
from epsrank.proofs.checkers.base import Context
from epsrank.theory.errors import InputError


def call(*words):
    return CliRunner().invoke(main, list(words), prog_name="epsrank")


def test_targets_files_and_balls(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = call("apriori", "absolute", "--neurons", "3", "--n-train", "50", "--json")
    found = json.loads(done.stdout)
    assert found["lower"][0] > 0.1 > found["upper"][1]
    assert found["floors"][0] >= found["draft_floors"][0]
    np.save("x.npy", np.linspace(0, 1, 30))
    np.save("u.npy", np.linspace(0, 1, 30) ** 2)
    done = call("apriori", "x.npy", "--target-values", "u.npy", "--neurons", "20")
    assert "30 points" in done.stdout
    balls = json.loads(call("apriori", "sobolev", "--neurons", "4", "--json").stdout)
    assert balls["widths"][1] == pytest.approx(1 / np.hypot(1, 2 * np.pi))
    assert "d_p" in call("apriori", "sobolev", "--neurons", "20").stdout
    for words in (("nothing",), ("peaks",), ("absolute", "--neurons", "-1"),
                  ("absolute", "--eps", "0"), ("sobolev", "--smoothness", "0"),
                  ("absolute", "--weights", "x.npy")):  # fmt: skip
        assert call("apriori", *words).exit_code == 2


def test_a_run_lies_above_its_floor(tmp_path):
    config = RunConfig(task="absolute", width=6, depth=1, activation="relu", steps=20, n_train=40,
                       measure_every=20, device="cpu", dtype="float32")  # fmt: skip
    run = train(config, tmp_path / "run")
    floor, loss = floor_of_run(run)
    assert floor.best <= loss
    done = call("apriori", str(tmp_path / "run"))
    assert "√loss" in done.stdout
    record = json.loads(call("apriori", str(tmp_path / "run"), "--json").stdout)
    assert record["best"] <= record["root_loss"]
    other = train(RunConfig(task="absolute", width=4, depth=2, steps=0, n_train=20))
    with pytest.raises(InputError, match="one hidden ReLU layer"):
        floor_of_run(other)
    plane = train(RunConfig(task="peaks", width=4, depth=1, activation="relu", steps=0, n_train=20))
    with pytest.raises(InputError, match="2 inputs"):
        floor_of_run(plane)
    assert load_run(tmp_path / "run").status == "complete"


def test_a_floor_that_is_too_high_is_refuted(monkeypatch):
    honest = apriori.floor_of_run

    def wrong(run):
        floor, loss = honest(run)
        floor.floors[:] = 100.0
        return floor, loss

    monkeypatch.setattr(apriori, "floor_of_run", wrong)
    monkeypatch.setitem(apriori._TRAINING, "quick", (("absolute",), (3,), 5, 5))
    found = apriori.check_trained(Context("quick", 0))
    assert {item.state for item in found} == {"refuted"}


def test_an_enclosure_that_misses_is_refuted(monkeypatch):
    monkeypatch.setattr(apriori, "least_squares_by_partition", lambda case, p: -1)
    assert apriori.check_partitions(Context("quick", 0))[0].state == "refuted"


def test_an_interrupted_search_goes_on_to_the_same_matrices(tmp_path, monkeypatch):
    effort = ("--largest", "4", "--restarts", "2", "--steps", "5", "--device", "cpu")
    assert call("conjecture", *effort, "--out", str(tmp_path / "whole.npz")).exit_code == 0
    honest, tried = subset_search.search_subsets, []

    def stopped(n, p, **effort):
        tried.append((n, p))
        if len(tried) == 3:
            raise KeyboardInterrupt
        return honest(n, p, **effort)

    monkeypatch.setattr(subset_search, "search_subsets", stopped)
    words = ("conjecture", *effort, "--out", str(tmp_path / "m.npz"), "--json")
    done = call(*words)
    assert done.exit_code == 130
    assert "after 2 of 4 cases" in done.stderr
    assert "the same command goes on from there" in done.stderr
    done = call(*words)
    assert done.exit_code == 0
    assert tried == [(2, 1), (3, 1), (4, 1), (4, 1), (4, 2)]
    assert len(json.loads(done.stdout)["cases"]) == 4
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["m.npz", "whole.npz"]
    with np.load(tmp_path / "m.npz") as parts, np.load(tmp_path / "whole.npz") as whole:
        assert parts.files == whole.files
        assert all((parts[name] == whole[name]).all() for name in whole.files)


def test_the_conjecture_is_searched(tmp_path):
    file = tmp_path / "m.npz"
    effort = ("--restarts", "3", "--steps", "10", "--device", "cpu")
    done = call("conjecture", "--n", "4", "--p", "2", "--out", str(file), "--json", *effort)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["cases"][0]["value"] > 0.99
    with np.load(file, allow_pickle=False) as stored:
        assert stored["n4_p2"].shape == (4, 2)
    assert "stands" in call("conjecture", "--largest", "2", *effort).stdout
    for words in (("--n", "4"), ("--largest", "13"), ("--n", "4", "--p", "4"), ("--out", "m.txt")):
        assert call("conjecture", *words, *effort).exit_code == 2
