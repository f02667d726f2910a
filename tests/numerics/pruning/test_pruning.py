"""Pruned networks: the neurons that stay, what is guaranteed and what was measured, on disk too."""

import json
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from epsrank.cli import main
from epsrank.numerics.networks import MLP, ResNet, SmallCNN
from epsrank.numerics.pruning import load_pruned, prune, shrink
from epsrank.numerics.training import RunConfig, load_run, train
from epsrank.proofs.checkers import selection
from epsrank.theory.errors import InputError


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    settings = {
        "mlp": {"task": "cosines", "width": 12, "steps": 30, "n_train": 60},
        "float32": {"task": "cosines", "width": 12, "steps": 30, "n_train": 60, "dtype": "float32"},
        "resnet": {"task": "digits", "width": 10, "steps": 10, "depth": 3, "network": "resnet",
                   "loss": "cross-entropy", "probe": 100},
        "cnn": {"task": "digits", "width": 8, "steps": 5, "depth": 3, "network": "cnn",
                "probe": 50},
        "shallow": {"task": "cosines-l2", "width": 9, "steps": 10, "depth": 1,
                    "network": "resnet", "n_train": 40},
    }  # fmt: skip
    return {
        name: train(RunConfig(device="cpu", measure_every=100, **values), place / name)
        for name, values in settings.items()
    }


@pytest.mark.parametrize("name", ["mlp", "float32", "resnet", "cnn", "shallow"])
@pytest.mark.parametrize("p", [1, 5])
def test_the_guarantee_holds_and_survives_the_disk(runs, name, p, tmp_path):
    run = runs[name]
    found = prune(run, p)
    assert found.holds
    assert found.network.head.in_features == p
    assert found.parameters[1] < found.parameters[0]
    assert found.pruned_loss**0.5 <= found.loss**0.5 + found.distance + 2 * found.rounding
    # The distance is that of the outputs, as torch computes them.
    x = run._probe.x
    with torch.no_grad():
        difference = (run.network()(x) - found.network(x)).double()
    weights = run.task.weights
    w = torch.ones(len(x)).double() / len(x) if weights is None else weights
    measured = float((difference.square().sum(dim=1) * w).sum()) ** 0.5
    slack = 1e-5 if name == "float32" else 1e-9
    assert measured <= found.distance + slack
    folder = found.save(tmp_path / "out")
    record = json.loads((folder / "pruned.json").read_text())
    assert record["holds"]
    assert record["guarantee"]["distance"] == found.distance
    again = load_pruned(folder)
    assert torch.equal(again(x), found.network(x))
    assert str(found)
    assert found._repr_html_()


def test_keeping_all_neurons_changes_nothing(runs):
    found = prune(runs["mlp"], 12)
    assert found.distance < 1e-9
    assert found.pruned_loss == pytest.approx(found.loss)


@pytest.mark.parametrize("name", ["mlp", "float32"])
def test_a_tolerance_is_met_by_the_network_itself(runs, name):
    found = prune(runs[name], tolerance=1e-3)
    assert found.distance <= 1e-3
    assert found.selection.p < 12
    with pytest.raises(InputError, match="rounding of the run"):
        prune(runs[name], tolerance=0.0)


def test_a_broken_guarantee_is_seen(runs, monkeypatch):
    module = sys.modules["epsrank.numerics.pruning.prune"]
    honest = module.select_neurons

    def wrong(*args, **more):
        found = honest(*args, **more)
        object.__setattr__(found, "coefficients", found.coefficients + 5.0)
        return found

    monkeypatch.setattr(module, "_distance", lambda *_: (1e-6, 0.0))
    monkeypatch.setattr(module, "select_neurons", wrong)
    assert not prune(runs["mlp"], 4).holds
    assert selection._pruned("mlp", runs["mlp"]).state == "refuted"


def test_shrinking_keeps_the_neurons_named():
    x = torch.randn(7, 3, dtype=torch.float64)
    for model in (MLP(3, 6, 2).double(), ResNet(3, 6, 3).double(), ResNet(3, 6, 1).double()):
        small = shrink(model, [4, 1])
        assert torch.allclose(small.hidden(x)[-1], model.hidden(x)[-1][:, [1, 4]])
        assert model.head.in_features == 6
    image = SmallCNN((1, 8, 8), 6, 2).double()
    y = torch.randn(3, 64, dtype=torch.float64)
    assert torch.allclose(shrink(image, [0]).hidden(y)[-1], image.hidden(y)[-1][:, [0]])


@pytest.mark.parametrize("neurons", [[], [6], [-1], [1, 1]])
def test_neurons_that_do_not_exist_are_refused(neurons):
    with pytest.raises(InputError, match="neurons"):
        shrink(MLP(3, 6, 2), neurons)


def test_other_networks_are_refused():
    twice = shrink(ResNet(3, 6, 3), [0, 1])
    with pytest.raises(InputError, match="pass an MLP"):
        shrink(twice, [0])
    with pytest.raises(InputError, match="shape"):
        shrink(MLP(3, 6, 2), [0], torch.ones(2, 2))


def test_bad_requests_are_one_line(runs, tmp_path):
    run = runs["mlp"]
    for settings in ({}, {"neurons": 2, "tolerance": 0.1}, {"neurons": 0}, {"neurons": 13}):
        with pytest.raises(InputError):
            prune(run, **settings)
    with pytest.raises(InputError):
        load_pruned(tmp_path)
    folder = prune(run, 3).save(tmp_path / "p")
    (folder / "weights.safetensors").write_bytes(b"junk")
    with pytest.raises(InputError, match="is not what was written"):
        load_pruned(folder)


def call(*words):
    return CliRunner().invoke(main, list(words), prog_name="epsrank")


def test_the_command_prunes_a_run(runs, tmp_path):
    place = str(runs["mlp"].out)
    done = call("prune", place, "--neurons", "4", "--json", "--out", str(tmp_path / "o"))
    assert done.exit_code == 0
    record = json.loads(done.stdout)
    assert record["holds"]
    assert load_pruned(tmp_path / "o").head.in_features == 4
    assert "guaranteed at most" in call("prune", place, "--tolerance", "0.1").stdout
    assert list(Path(place).glob("pruned-*"))
    assert load_run(place).status == "complete"
    for words in (
        (place,),
        (place, "--neurons", "2", "--coefficients", "b.npy"),
        (place, "--neurons", "2", "--step", "7"),
        (place, "--neurons", "99"),
    ):
        assert call("prune", *words).exit_code == 2


def test_the_command_prunes_a_features_file(tmp_path, monkeypatch):
    import numpy as np

    monkeypatch.chdir(tmp_path)
    x = np.linspace(-1, 1, 50)
    np.save("f.npy", np.tanh(3 * x[:, None] + np.linspace(-2, 2, 8)))
    np.save("b.npy", np.ones(8))
    done = call("prune", "f.npy", "--coefficients", "b.npy", "--neurons", "3", "--out", "o")
    assert done.exit_code == 0
    assert "neurons" in done.stdout
    record = json.loads(Path("o/pruned.json").read_text())
    assert len(record["neurons"]) == 3
    more = call("prune", "f.npy", "--coefficients", "b.npy", "--tolerance", "0.01", "--exact",
                "--json")  # fmt: skip
    assert json.loads(more.stdout)["error"] <= 0.01
    for words in (("f.npy", "--neurons", "3"), ("f.npy", "--neurons", "3", "--coefficients",
                  "b.npy", "--step", "1"), ("none.npy", "--neurons", "3", "--coefficients",
                  "b.npy")):  # fmt: skip
        assert call("prune", *words).exit_code == 2
