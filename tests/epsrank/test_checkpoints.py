"""`epsrank rank` and `floor` on runs of the suite and on networks of the user."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import save_file
from torch import nn

from epsrank import epsilon_rank, load_run, loss_floor
from epsrank.cli import main
from epsrank.numerics.training import RunConfig, train

CODE = """
import collections
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 7), nn.Tanh())
        self.head = nn.Linear(7, 2)

    def forward(self, x, shift=None):
        x = self.body(x)
        return self.head(x if shift is None else x + shift)

class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(9, 6)
        self.mix = nn.Sequential(nn.Linear(6, 6), nn.Tanh())
        self.out = nn.Linear(6, 9, bias=False)
        self.out.weight = self.table.weight

    def forward(self, ids):
        return self.out(self.mix(self.table(ids)))

class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 5, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 2)
        )

    def forward(self, x):
        return self.net(x)

class Box:
    made = staticmethod(Net)

ready = Net()
number = 7

def broken():
    raise RuntimeError("no\\nfile")

def pair():
    return 1, 2
"""

X = np.random.default_rng(0).normal(size=(60, 4))
U = np.stack([np.sin(X[:, 0]), X[:, 1] * X[:, 2]], axis=1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "mynets.py").write_text(CODE)
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "u.npy", U)
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    yield tmp_path
    sys.modules.pop("mynets", None)
    assert sys.path == before


def net(kind: str = "Net") -> nn.Module:
    scope: dict[str, Any] = {"__name__": "own"}
    exec(CODE, scope)
    torch.manual_seed(3)
    return scope[kind]()  # type: ignore[no-any-return]


def call(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def document(*words: str) -> dict[str, Any]:
    done = call(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def refused(*words: str) -> str:
    done = call(*words)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert done.stderr.startswith("epsrank: error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def saved(name: str, model: nn.Module) -> str:
    state = {key: value.clone() for key, value in model.state_dict().items()}
    if name.endswith(".safetensors"):
        save_file(state, name)
    else:
        torch.save(state, name)
    return name


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_the_input_of_the_head_is_measured(folder: Path, name: str) -> None:
    model = net()
    found = document("rank", "--model", "mynets:Net", "--weights", saved(name, model), "--data",
                     "x.npy", "--eps", "1e-4", "1e-6")  # fmt: skip
    with torch.no_grad():
        features = model.body(torch.tensor(X, dtype=torch.float32))  # type: ignore[operator]
    assert (found["n_samples"], found["n_features"]) == (60, 7)
    assert found["dtype"] == "float32"
    for entry in found["ranks"]:
        want = epsilon_rank(features, entry["eps"])
        assert (entry["lower"], entry["upper"]) == (want.lower, want.upper)


def test_a_layer_is_named(folder: Path) -> None:
    weights = saved("w.safetensors", net())
    common = ("rank", "--model", "mynets:Net", "--weights", weights, "--data", "x.npy")
    assert document(*common, "--layer", "body.1")["n_features"] == 12
    assert document(*common, "--layer", "body.0")["n_features"] == 12
    assert document(*common, "--layer", "body.3")["n_features"] == 7
    assert "names several" in refused(*common, "--layer", "body.*")
    assert "matches no module" in refused(*common, "--layer", "bodi")


def test_the_floor_takes_the_networks_own_head(folder: Path) -> None:
    model = net()
    weights = saved("w.safetensors", model)
    common = ("floor", "--model", "mynets:Net", "--weights", weights, "--data", "x.npy",
              "--target", "u.npy")  # fmt: skip
    found = document(*common)
    with torch.no_grad():
        features = model.body(torch.tensor(X, dtype=torch.float32))  # type: ignore[operator]
    head: Any = model.head
    want = loss_floor(
        features, U, eps=1e-6, coefficients=head.weight.detach().T, bias="feature",
        bias_value=head.bias.detach(),
    )  # fmt: skip
    for name in ("loss", "reachable", "envelope", "floor", "coefficient_norm"):
        assert found[name] == pytest.approx(getattr(want, name), rel=1e-12), name
    with torch.no_grad():
        error = model(torch.tensor(X, dtype=torch.float32)).double().numpy() - U
    assert found["loss"] == pytest.approx((error**2).sum(axis=1).mean(), rel=1e-5)
    assert document(*common, "--norm", "3")["loss"] is None
    refused(*common, "--layer", "body.1")
    assert document(*common, "--layer", "body.1", "--norm", "3")["reachable"] > 0


def test_named_inputs_and_sample_weights(folder: Path) -> None:
    weights = saved("w.safetensors", net())
    np.savez("in.npz", x=X, shift=np.full((60, 7), 2.0))
    np.save("p.npy", np.arange(1.0, 61.0))
    common = ("rank", "--model", "mynets:Net", "--weights", weights)
    shifted = document(*common, "--data", "in.npz")
    plain = document(*common, "--data", "in.npz::x")
    assert shifted["spectrum"][0] > 2 * plain["spectrum"][0]
    weighted = document(*common, "--data", "x.npy", "--sample-weights", "p.npy")
    assert weighted["spectrum"] != plain["spectrum"]
    assert "one weight per sample" in refused(
        *common, "--data", "x.npy", "--sample-weights", "u.npy"
    )


def test_tokens_tied_weights_and_images(folder: Path) -> None:
    tied = net("Tied")
    state = {key: value for key, value in tied.state_dict().items() if key != "out.weight"}
    save_file(state, "tied.safetensors")
    np.save("ids.npy", np.random.default_rng(0).integers(0, 9, size=(10, 4)))
    found = document("rank", "--model", "mynets:Tied", "--weights", "tied.safetensors", "--data",
                     "ids.npy")  # fmt: skip
    assert (found["n_samples"], found["n_features"]) == (40, 6)
    np.save("im.npy", np.random.default_rng(0).normal(size=(3, 1, 8, 8)))
    found = document("rank", "--model", "mynets:Convolutional", "--data", "im.npy", "--layer",
                     "net.1")  # fmt: skip
    assert (found["n_samples"], found["n_features"]) == (3 * 6 * 6, 5)


def test_other_factories_and_prefixes(folder: Path) -> None:
    state = {f"module._orig_mod.{key}": value for key, value in net().state_dict().items()}
    torch.save({"state_dict": state, "epoch": torch.tensor(3)}, "wrapped.ckpt")
    found = document("rank", "--model", "mynets:Box.made", "--weights", "wrapped.ckpt", "--data",
                     "x.npy")  # fmt: skip
    weights = saved("w.safetensors", net())
    plain = document("rank", "--model", "mynets:Net", "--weights", weights, "--data", "x.npy")
    assert found["spectrum"] == plain["spectrum"]
    done = call("rank", "--model", "mynets:ready", "--data", "x.npy")
    assert done.exit_code == 0
    assert "no --weights" in done.stderr


def test_bad_networks_are_refused_in_one_line(folder: Path) -> None:
    data = ("--data", "x.npy")
    for model, said in (
        ("mynets", "package.module:factory"),
        ("nonets:Net", "cannot be imported"),
        ("mynets:None_", "has no None_"),
        ("mynets:number", "is a int"),
        ("mynets:broken", "RuntimeError: no"),
        ("mynets:pair", "returned a tuple"),
    ):
        assert said in refused("rank", "--model", model, *data)
    (folder / "wrong.py").write_text("def f(:\n")
    assert "SyntaxError" in refused("rank", "--model", "wrong:f", *data)


def test_bad_weights_are_refused_in_one_line(folder: Path) -> None:
    common = ("rank", "--model", "mynets:Net", "--data", "x.npy", "--weights")
    (folder / "cut.safetensors").write_bytes(b"\x10\x00\x00")
    (folder / "cut.pt").write_bytes(b"PK\x03\x04 cut")
    torch.save({"body": print}, "code.pt")
    torch.save([1, 2], "list.pt")
    save_file({"other": torch.ones(2)}, "other.safetensors")
    big = net()
    big.head = nn.Linear(7, 5)
    saved("big.safetensors", big)
    for name, said in (
        ("none.safetensors", "cannot be read"),
        ("cut.safetensors", "is damaged"),
        ("cut.pt", "is damaged"),
        ("code.pt", "never loaded"),
        ("list.pt", "no state dict"),
        ("other.safetensors", "lacks body.0.weight"),
        ("big.safetensors", "does not fit"),
        ("x.npy", "suffix"),
    ):
        assert said in refused(*common, name), name


def test_bad_inputs_are_refused_in_one_line(folder: Path) -> None:
    common = ("rank", "--model", "mynets:Net")
    np.save("wide.npy", np.ones((5, 9)))
    np.save("nan.npy", np.full((5, 4), np.nan))
    assert "does not run through" in refused(*common, "--data", "wide.npy")
    assert "does not exist" in refused(*common, "--data", "none.npy")
    refused(*common, "--data", "nan.npy")
    assert "--data F" in refused(*common)
    assert "either FILE or --model" in refused("rank", "x.npy", "--model", "mynets:Net")
    assert "--model" in refused("rank", "x.npy", "--data", "x.npy")
    assert "holds features already" in refused("rank", "x.npy", "--layer", "1")
    assert "name a FILE" in refused("rank")
    assert "--target F" in refused("floor", *common[1:], "--data", "x.npy")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("checkpoints") / "run@home"
    train(RunConfig(task="cosines", depth=2, width=8, steps=20, n_train=40, device="cpu"), place)
    return place


def test_a_run_gives_what_it_recorded(run: Path) -> None:
    records = load_run(run).records
    for index in (0, 3, -1):
        record = records[index]
        name = f"{run}@{index}" if index != -1 else str(run)
        for layer in (1, 2):
            found = document("rank", name, "--layer", str(layer))
            want = record.rank(layer)
            assert found["ranks"][0]["lower"], found["ranks"][0]["upper"] == (
                want.lower,
                want.upper,
            )
            assert found["spectrum"] == pytest.approx(
                record.layers[layer - 1].spectrum.tolist(), abs=1e-13
            )
        floor = document("floor", name)
        for key in ("loss", "reachable", "envelope", "coefficient_norm"):
            assert floor[key] == pytest.approx(getattr(record, key), rel=1e-9), key
        assert floor["reading"] == record.reading
    assert document("rank", f"{run}@0")["spectrum"] != document("rank", str(run))["spectrum"]


def test_the_floor_of_a_run_takes_other_heads_and_targets(run: Path, tmp_path: Path) -> None:
    own = document("floor", str(run))
    bounded = document("floor", str(run), "--norm", repr(own["coefficient_norm"]))
    assert bounded["loss"] is None
    assert bounded["reachable"] == pytest.approx(own["reachable"], rel=1e-9)
    np.save(tmp_path / "zero.npy", np.zeros(40))
    other = document("floor", str(run), "--target", str(tmp_path / "zero.npy"))
    assert other["reachable"] == pytest.approx(0, abs=1e-12)
    raw = document("rank", str(run), "--measure", "raw")
    assert raw["measure"] == "raw"


def test_bad_runs_are_refused_in_one_line(run: Path, tmp_path: Path) -> None:
    assert "measurements" in refused("rank", f"{run}@10000")
    assert "names record" in refused("rank", f"{run}@last")
    assert "hidden layers 1 to 2" in refused("rank", str(run), "--layer", "3")
    assert "hidden layers 1 to 2" in refused("rank", str(run), "--layer", "head")
    assert "config.toml" in refused("rank", str(tmp_path))
    assert "--key" in refused("rank", str(run), "--key", "a")
    entropy = tmp_path / "entropy"
    config = RunConfig(
        task="digits", loss="cross-entropy", depth=1, width=4, steps=1, n_train=30, device="cpu"
    )
    train(config, entropy)
    assert document("rank", str(entropy))["n_features"] == 4
    found = document("floor", str(entropy))
    assert found["loss_name"] == "cross_entropy"
    assert found["floor"] <= found["attained"] <= found["loss"]


def test_features_in_a_file_do_not_load_torch(folder: Path) -> None:
    code = (
        "import sys; from click.testing import CliRunner; from epsrank.cli import main;"
        "done = CliRunner().invoke(main, ['rank', 'x.npy']);"
        "assert done.exit_code == 0, done.output; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=folder)
