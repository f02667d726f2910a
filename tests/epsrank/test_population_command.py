"""`epsrank population` and `epsrank continuous`: JSON, tables, and one line for what is wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from epsrank.cli import main
from epsrank.numerics.training import RunConfig, train


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    settings = {"width": 8, "depth": 2, "steps": 30, "n_train": 40, "device": "cpu"}
    train(RunConfig(**settings), folder / "cosines")
    train(RunConfig(task="cosines-2d", **settings), folder / "plane")
    train(RunConfig(activation="relu", **settings), folder / "relu")
    np.save(folder / "phi.npy", np.random.default_rng(0).normal(size=(300, 4)))
    return folder


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def document(*words):
    done = run(*words, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout, parse_constant=lambda word: pytest.fail(word))


def test_a_guarantee_over_the_domain_of_a_run(runs):
    found = document(
        "population", "--network", runs / "cosines", "--draw", 2000, "--eps", "1e-2", "1e-4"
    )
    assert [entry["eps"] for entry in found["ranks"]] == [1e-2, 1e-4]
    for entry in found["ranks"]:
        assert entry["guaranteed"]
        assert entry["leverage_source"] == "domain"
        assert entry["lower"] <= entry["sample_lower"] <= entry["sample_upper"] <= entry["upper"]
        assert entry["plain"]["vacuous"]


def test_the_population_holds_the_certified_rank(runs):
    certified = document("continuous", runs / "cosines", "--eps", "1e-3", "--measure", "mean")
    drawn = document("population", "--network", runs / "cosines", "--draw", 3000, "--eps", "1e-3")
    (rank,), (entry,) = certified["ranks"], drawn["ranks"]
    assert entry["lower"] <= rank["lower"] <= rank["upper"] <= entry["upper"]


def test_features_alone_give_an_estimate(runs):
    found = document("population", runs / "phi.npy", "--eps", 0.1, "--resamples", 20)
    (entry,) = found["ranks"]
    assert entry["status"] == "estimated, not guaranteed"
    assert entry["certain_lower"] <= 4
    table = run("population", runs / "phi.npy", "--eps", 0.1)
    assert "estimated, not guaranteed" in table.stdout
    assert "* guaranteed by nothing" in table.stdout
    repeated = run("population", runs / "phi.npy", "--eps", 0.1)
    assert repeated.stdout == table.stdout


def test_two_dimensions(runs):
    found = document("population", "--network", runs / "plane", "--draw", 1000, "--eps", "1e-2")
    assert found["ranks"][0]["guaranteed"]


def test_a_certified_run(runs):
    found = document("continuous", runs / "cosines", "--eps", "1e-2", "1e-6")
    assert found["floor"]["holds"]
    assert found["domain"] == [-1, 1]
    assert all(rank["lower"] == rank["upper"] for rank in found["ranks"])
    assert len(found["spectrum"]) == 8
    table = run("continuous", runs / "cosines")
    assert "every inequality proved" in table.stdout
    first = document("continuous", runs / "cosines", "--layer", 1, "--domain", "-2:0.5")
    assert first["floor"] is None
    assert first["domain"] == [-2, 0.5]
    assert document("continuous", runs / "cosines", "--no-floor")["floor"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["population"], "pass FILE, or --draw"),
        (["population", "{}/phi.npy", "--draw", "9", "--network", "{}/cosines"], "not both"),
        (["population", "--draw", "9"], "--draw needs --network"),
        (["population", "{}/phi.npy", "--domain", "0:1"], "--domain needs --network"),
        (["population", "--network", "{}/cosines", "--draw", "2"], "draw 4 points or more"),
        (["population", "--network", "{}/cosines", "--draw", "9", "--domain", "x"], "A:B"),
        (["population", "{}/phi.npy", "--network", "{}/cosines"], "8 neurons"),
        (["population", "{}/phi.npy", "--confidence", "2"], "confidence is 2"),
        (["population", "{}/phi.npy", "--eps", "0"], "--eps is 0"),
        (["population", "{}/none.npy"], "does not exist"),
        (["population", "--network", "{}", "--draw", "9"], "holds no config"),
        (["continuous", "{}/plane"], "2 sides"),
        (["continuous", "{}/relu"], "not analytic"),
        (["continuous", "{}/cosines", "--layer", "5"], "layer is 5"),
        (["continuous", "{}/cosines", "--domain", "1:1"], "domain is"),
        (["continuous", "{}"], "holds no config"),
    ],
)
def test_bad_use_is_told_in_one_line(runs, words, message):
    done = run(*(word.format(runs) for word in words))
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
