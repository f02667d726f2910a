"""``epsrank tightness`` and ``epsrank plot theory --for``: what they print, write and refuse."""

from __future__ import annotations

import json
import textwrap
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from epsrank.cli import main
from epsrank.cli.plot import _OWN
from epsrank.cli.tightness import _KINDS
from epsrank.numerics.papers.axes import OWN_KINDS
from epsrank.numerics.training import RunConfig, train
from epsrank.theory.floor.tightness.enclosed import Enclosed

MINE = """
import torch
from torch import nn
from epsrank import BoundaryProblem
from epsrank.numerics.operators import poisson
import numpy as np

def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(1, 6), nn.Tanh(), nn.Linear(6, 1)).double()

class Classes(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(1, 6), nn.Tanh(), nn.Linear(6, 2))

x = torch.linspace(-1, 1, 50, dtype=torch.float64)[:, None]
pair = (x, torch.sin(4 * x))

def data():
    return pair

def wrong():
    raise RuntimeError("broken")

number = 3
problem = BoundaryProblem(
    "-u'' = 1", poisson(), ((-1.0, 1.0),), lambda x: np.ones(len(x)), lambda x: 0 * x[:, 0],
    n_interior=20,
)
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    (tmp_path / "mine_tight.py").write_text(textwrap.dedent(MINE))
    x = np.linspace(-1, 1, 50)[:, None]
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.sin(4 * x))
    np.save(tmp_path / "labels.npy", (x[:, 0] > 0).astype(np.int64))
    np.save(tmp_path / "w.npy", np.linspace(0, 1, 50))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = RunConfig(
        task="cosines", width=6, depth=1, steps=20, measure_every=10, n_train=40, device="cpu"
    )
    return train(config, tmp_path_factory.mktemp("runs") / "run").out


def call(*words, command="tightness"):
    return CliRunner().invoke(main, [command, *map(str, words)])


def document(*words):
    done = call(*words, "--json", "--eps", "1e-6")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_names_of_figures_are_those_of_the_figures():
    assert (*_KINDS, "kernel") == OWN_KINDS == _OWN


def test_tables_of_a_run_and_its_json(run):
    done = call(run)
    assert done.exit_code == 0, done.output
    for words in ("loss/V", "V/envelope", "this loss needs", "norm B", "step", "reading: ",
                  "output: u = φW + b", "chain: strict"):  # fmt: skip
        assert words in done.stdout
    found = document(run)
    assert [record["step"] for record in found["records"]] == [0, 10, 20]
    last = found["records"][-1]
    assert set(last) >= {"loss", "norm", "reachable", "envelope", "by_eps", "by_norm", "links"}
    assert last["by_norm"][-1]["norm"] is None
    assert last["reachable"]["lower"] <= last["reachable"]["upper"] <= last["loss"]["upper"]
    assert found["state"] == "strict"
    assert found["reading"]["reading"].endswith("limited")
    one = document(f"{run}@0", "--certified")
    assert [record["step"] for record in one["records"]] == [0]
    assert one["certified"]
    assert one["records"][0]["certificates"][0]["holds"]


def test_a_network_of_ones_own_with_data_of_every_kind():
    by_name = document("--model", "mine_tight:net", "--data", "mine_tight:pair")
    assert by_name["records"] == document(
        "--model", "mine_tight:net", "--data", "mine_tight:data"
    )["records"]  # fmt: skip
    by_file = document("--model", "mine_tight:net", "--data", "x.npy", "--target", "y.npy")
    # NumPy's grid and PyTorch's differ in the last bits.
    losses = [found["records"][0]["loss"]["value"] for found in (by_name, by_file)]
    assert losses[0] == pytest.approx(losses[1])
    weighted = document(
        "--model", "mine_tight:net", "--data", "x.npy", "--target", "y.npy",
        "--sample-weights", "w.npy",
    )  # fmt: skip
    assert weighted["records"][0]["loss"]["value"] != pytest.approx(losses[1])
    pinn = document("--model", "mine_tight:net", "--data", "mine_tight:problem")
    assert pinn["measure"] == "volume"
    assert "𝓛" in pinn["form"]
    classes = document(
        "--model", "mine_tight:Classes", "--data", "x.npy", "--target", "labels.npy",
        "--loss", "cross_entropy",
    )  # fmt: skip
    assert classes["loss_name"] == "cross_entropy"
    assert classes["records"][0]["envelope"] is None


def test_checkpoints_are_moments(here):
    import torch
    from safetensors.torch import save_file

    net = torch.nn.Sequential(torch.nn.Linear(1, 6), torch.nn.Tanh(), torch.nn.Linear(6, 1))
    net = net.double()
    for step in (10, 9):
        save_file(net.state_dict(), here / f"w-{step}.safetensors")
    given = ("--model", "mine_tight:net", "--data", "mine_tight:pair", "--checkpoints")
    found = document(*given, "w-10.safetensors", "w-9.safetensors")
    assert [record["step"] for record in found["records"]] == [9, 10]
    (here / "again").mkdir()
    save_file(net.state_dict(), here / "again" / "v-10.safetensors")
    done = call(*given, "w-10.safetensors", "again/v-10.safetensors")
    assert done.exit_code == 2
    assert "step 10 twice" in done.stderr


def test_figures_are_written_and_named(run, here):
    done = call(run, "--kind", "chain", "--out", here / "figures", "--columns", "1", "--greyscale",
                "--format", "png", "--json")  # fmt: skip
    file = here / "figures" / "tightness-chain.png"
    assert done.stderr.split() == [str(file)]
    json.loads(done.stdout)
    assert file.stat().st_size > 1000
    done = call("theory", "--for", run, "--kind", "eps", "--out", here / "own", command="plot")
    assert done.exit_code == 0, done.output
    assert done.stdout.split() == [str(here / "own" / "theory-eps.svg")]


def test_a_violated_chain_is_an_exit_code(run, monkeypatch):
    from epsrank.numerics.tightness import entry

    honest = entry.tightness_of_run

    def planted(*given, **settings):
        found = honest(*given, **settings)
        wrong = Enclosed(*(1.5 * x for x in vars(found.last.loss).values()))
        return replace(found, records=(replace(found.last, reachable=wrong),))

    monkeypatch.setattr(entry, "tightness_of_run", planted)
    done = call(run, "--eps", "1e-6")
    assert done.exit_code == 1
    assert "violated: V(B) ≤ loss" in done.stderr


NET = ("--model", "mine_tight:net")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "name a RUN"),
        (("nowhere",), "nowhere"),
        (("nowhere", "--kind", "none"), "not one of chain"),
        (("nowhere", "--data", "x.npy"), "--data belongs to --model"),
        (("nowhere", *NET), "either RUN or --model"),
        (NET, "--data"),
        ((*NET, "--data", "x.npy"), "--target"),
        ((*NET, "--data", "mine_tight:pair", "--target", "y.npy"), "brings its own"),
        ((*NET, "--data", "mine_tight:number"), "mine_tight:number is a int"),
        ((*NET, "--data", "mine_tight:wrong"), "RuntimeError: broken at mine_tight.py"),
        ((*NET, "--data", "mine_tight:none"), "has no none"),
        (("--model", "mine_tight:none", "--data", "x.npy"), "--model"),
        ((*NET, "--data", "x.npy", "--target", "w.npy", "--loss", "cross_entropy"), "whole"),
        ((*NET, "--data", "x.npy", "--target", "y.npy", "--head", "9"), "--head"),
        ((*NET, "--data", "x.npy", "--target", "y.npy", "--eps", "0"), "--eps"),
        ((*NET, "--data", "x.npy", "--target", "y.npy", "--columns", "3"), "--columns is 3"),
        ((*NET, "--data", "x.npy", "--target", "y.npy", "--bias", "free", "--certified"),
         "--certified"),
    ],
)  # fmt: skip
def test_bad_use_is_one_line(words, message):
    done = call(*words)
    assert done.exit_code == 2
    lines = [line for line in done.stderr.splitlines() if "error" in line]
    assert len(lines) == 1
    assert message in lines[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("theory", "--for", "nowhere"), "nowhere"),
        (("run", "--for", "other"), "--for belongs to the theory"),
        (("theory", "more", "--for", "other"), "--for belongs to the theory"),
        (("theory", "--for", "x", "--kind", "noise"), "not one of chain"),
        (("theory", "--columns", "7"), "--columns is 7"),
    ],
)
def test_bad_use_of_plot_is_one_line(words, message):
    done = call(*words, command="plot")
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
