"""The Lightning callback against the real trainer of both packages."""

from __future__ import annotations

import csv
import math
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from epsrank.numerics.monitor.integrations import LightningRankCallback
from epsrank.numerics.monitor.sinks.files import CsvSink
from epsrank.numerics.monitor.sinks.follow import read_history
from epsrank.theory.errors import InputError

pytest.importorskip("lightning", reason="needs lightning: pip install 'epsrank[lightning]'")

# What the packages warn of among themselves, and their advice on tiny trainings.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:lightning.*"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:pytorch_lightning.*"),
    pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*number of training batches"),
    pytest.mark.filterwarnings("ignore:.*tensorboardX.*"),
]

X = torch.randn(64, 5, generator=torch.Generator().manual_seed(0))
Y = torch.sin(X.sum(dim=1, keepdim=True))


@pytest.fixture(params=["lightning.pytorch", "pytorch_lightning"])
def pl(request: pytest.FixtureRequest) -> Any:
    return pytest.importorskip(request.param)


def make_module(pl: Any, *, fail_at: int | None = None, dropout: float = 0.2) -> Any:
    class Net(pl.LightningModule):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.net = nn.Sequential(
                nn.Linear(5, 16), nn.Tanh(), nn.Dropout(dropout), nn.Linear(16, 8), nn.ReLU(),
                nn.Linear(8, 1),
            )  # fmt: skip

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x)  # type: ignore[no-any-return]

        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            if fail_at == batch_idx:
                raise RuntimeError("planted")
            x, y = batch
            self.seen = getattr(self, "seen", [])
            loss = ((self(x) - y) ** 2).mean()
            self.seen.append(float(loss.detach()))
            return loss

        def validation_step(self, batch: Any, batch_idx: int) -> None:
            self(batch[0])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=1e-2)

    return Net()


def fit(
    pl: Any, tmp_path: Path, callbacks: list[Any], module: Any, resume: Any = None, **settings: Any
) -> Any:
    settings = {"max_epochs": 2, "logger": False, **settings}
    trainer = pl.Trainer(
        accelerator="cpu", devices=1, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, default_root_dir=tmp_path, callbacks=callbacks, **settings,
    )  # fmt: skip
    torch.manual_seed(1)
    loader = DataLoader(TensorDataset(X, Y), batch_size=8, shuffle=True)
    validation = DataLoader(TensorDataset(X, Y), batch_size=32)
    trainer.fit(module, loader, validation, ckpt_path=resume)
    return trainer


@pytest.mark.parametrize("probed", [True, False])
def test_weights_are_the_same_bit_for_bit(pl: Any, tmp_path: Path, probed: bool) -> None:
    own = {"probe": X, "targets": Y} if probed else {}
    callback = LightningRankCallback(every=1, loss="mse", **own)
    plain, watched = make_module(pl), make_module(pl)
    fit(pl, tmp_path, [], plain)
    fit(pl, tmp_path, [callback], watched)
    for name, weight in plain.state_dict().items():
        assert torch.equal(weight, watched.state_dict()[name]), name
    assert plain.seen == watched.seen
    # Without a probe the batch after a due step is what is measured.
    steps = list(range(1, 17)) if probed else list(range(1, 16))
    assert callback.history.steps == steps
    last = callback.history[-1]
    assert last.failure is None
    assert last.reading is not None
    assert last.reading.n_samples == (64 if probed else 8)
    other = make_module(pl)
    other.net[0].weight.data[0, 0] += 1e-6
    fit(pl, tmp_path, [], other)
    assert not torch.equal(other.net[5].weight, plain.net[5].weight)  # the comparison can fail


def test_optimiser_steps_count_under_accumulation(pl: Any, tmp_path: Path) -> None:
    callback = LightningRankCallback("net", every=1, probe=X)
    module = make_module(pl)
    fit(pl, tmp_path, [callback], module, accumulate_grad_batches=3, max_epochs=1)
    # Eight batches: optimiser steps after batches 3, 6 and, at the end of the epoch, 8.
    assert callback.history.steps == [1, 2, 3]
    losses = [callback.history.of_layer(callback.history.layers[0])[i].loss for i in range(3)]
    groups = (module.seen[0:3], module.seen[3:6], module.seen[6:8])
    assert losses == pytest.approx([sum(group) / len(group) for group in groups], rel=1e-6)


def test_batches_of_one_optimiser_step_are_measured_together(pl: Any, tmp_path: Path) -> None:
    callback = LightningRankCallback("net", every=1, loss="mse")
    module = make_module(pl)
    fit(pl, tmp_path, [callback], module, accumulate_grad_batches=4, max_epochs=2)
    assert callback.history.steps == [1, 2, 3]
    for record in callback.history:
        assert record.n_samples == 32
    assert callback.history[-1].reading is not None
    assert callback.history[-1].reading.n_samples == 32


def test_a_due_batch_is_sent_through_again_where_inputs_are_known(pl: Any, tmp_path: Path) -> None:
    callback = LightningRankCallback(
        "net", every=2, loss="mse", batch_inputs=lambda batch: batch[0],
        batch_targets=lambda batch: batch[1],
    )  # fmt: skip
    plain, watched = make_module(pl), make_module(pl)
    fit(pl, tmp_path, [], plain)
    fit(pl, tmp_path, [callback], watched)
    assert all(map(torch.equal, plain.state_dict().values(), watched.state_dict().values()))
    assert callback.history.steps == list(range(2, 17, 2))
    assert callback.history[-1].reading is not None


def test_an_exception_closes_the_monitor(pl: Any, tmp_path: Path) -> None:
    sink = CsvSink(tmp_path / "history.csv")
    callback = LightningRankCallback(every=1, sinks=[sink])
    module = make_module(pl, fail_at=5)
    with pytest.raises(RuntimeError, match="planted"):
        fit(pl, tmp_path, [callback], module)
    assert callback.monitor is not None
    with pytest.raises(InputError, match="is closed"):
        callback.monitor.step()
    assert all(not part._forward_hooks for part in module.modules())
    assert read_history(tmp_path / "history.csv").steps == [1, 2, 3, 4]


def test_measurements_go_to_the_loggers_of_the_trainer(pl: Any, tmp_path: Path) -> None:
    logger = pl.loggers.CSVLogger(tmp_path, name="", version="log")
    callback = LightningRankCallback("net", every=4, probe=X, targets=Y, loss="mse")
    fit(pl, tmp_path, [callback], make_module(pl), logger=logger, log_every_n_steps=1)
    with (tmp_path / "log" / "metrics.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row.get("epsrank/net/1/eps_1e-06/lower")
                or row.get("epsrank/1/eps_1e-06/lower")]  # fmt: skip
    assert [int(row["step"]) for row in rows] == [4, 8, 12, 16]
    first = callback.history[0]
    assert int(float(rows[0]["epsrank/1/eps_1e-06/lower"])) == first.rank().lower
    assert math.isfinite(float(rows[-1]["epsrank/loss"]))


def test_a_resumed_training_goes_on_counting(pl: Any, tmp_path: Path) -> None:
    first = fit(pl, tmp_path, [], make_module(pl), max_epochs=1)
    first.save_checkpoint(tmp_path / "half.ckpt", weights_only=False)
    sink = CsvSink(tmp_path / "history.csv")
    callback = LightningRankCallback("net", every=4, probe=X, sinks=[sink])
    fit(pl, tmp_path, [callback], make_module(pl), resume=tmp_path / "half.ckpt")
    assert callback.history.steps == [12, 16]
    assert read_history(tmp_path / "history.csv").steps == [12, 16]


def test_manual_optimisation_counts_its_own_steps(pl: Any, tmp_path: Path) -> None:
    module = make_module(pl)
    module.automatic_optimization = False

    def training_step(batch: Any, batch_idx: int) -> dict[str, torch.Tensor]:
        x, y = batch
        loss = ((module(x) - y) ** 2).mean()
        if batch_idx % 2:
            optimizer = module.optimizers()
            optimizer.zero_grad()
            module.manual_backward(loss)
            optimizer.step()
        return {"loss": loss.detach()}

    module.training_step = training_step
    callback = LightningRankCallback("net", every=1, probe=X)
    fit(pl, tmp_path, [callback], module, max_epochs=1)
    assert callback.history.steps == [1, 2, 3, 4]


def test_bad_use_is_told_in_one_line(pl: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no part of the LightningModule"):
        fit(pl, tmp_path, [LightningRankCallback("nets")], make_module(pl))
    with pytest.raises(InputError, match=r"trainer\.fit"):
        _ = LightningRankCallback().history


def test_objects_are_callbacks_of_the_packages_in_use(pl: Any) -> None:
    callback = LightningRankCallback("net", every=3)
    assert isinstance(callback, LightningRankCallback)
    assert isinstance(callback, pl.Callback)
    again = pickle.loads(pickle.dumps(callback))
    assert isinstance(again, pl.Callback)
    assert again._settings == {"every": 3}

    class Mine(LightningRankCallback):
        pass

    assert isinstance(Mine(), pl.Callback)
