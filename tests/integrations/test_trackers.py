"""TensorBoard, Weights & Biases and MLflow get the numbers of a monitor, read back from disk."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from epsrank.numerics.monitor import RankMonitor
from epsrank.numerics.monitor.integrations import HuggingFaceRankCallback, LightningRankCallback
from epsrank.numerics.monitor.integrations import shared as bases_module
from epsrank.numerics.monitor.sinks.protocol import finite_numbers, flat
from epsrank.numerics.monitor.sinks.trackers import MlflowSink, TensorBoardSink, WandbSink, tag
from epsrank.theory.errors import InputError

X = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
Y = X.sum(dim=1, keepdim=True)


def watch(sink: Any) -> RankMonitor:
    """Train three steps with a sink."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with RankMonitor(model, probe=X, targets=Y, loss="mse", every=1, sinks=[sink]) as monitor:
        for _ in range(3):
            loss = ((model(X) - Y) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            monitor.step(loss)
    return monitor


def expected(monitor: RankMonitor) -> dict[str, dict[int, float]]:
    """Return what every scalar was, by name and step."""
    found: dict[str, dict[int, float]] = {}
    for step in monitor.history.steps:
        records = [record for record in monitor.history if record.step == step]
        for name, value in finite_numbers(flat(records)).items():
            found.setdefault(name, {})[step] = value
    assert len(found) > 10
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard.*")
@pytest.mark.filterwarnings("ignore::UserWarning:google.protobuf.*")
@pytest.mark.parametrize("own", [True, False])
def test_tensorboard(tmp_path: Path, own: bool) -> None:
    pytest.importorskip("tensorboard", reason="pip install 'epsrank[tensorboard]'")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    writer = None if own else SummaryWriter(str(tmp_path))
    monitor = watch(TensorBoardSink(tmp_path if writer is None else writer))
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    want = expected(monitor)
    assert set(events.Tags()["scalars"]) == {tag(name) for name in want}
    for name, values in want.items():
        got = {event.step: event.value for event in events.Scalars(tag(name))}
        assert got == pytest.approx(values, rel=1e-6)
    if writer is not None:
        writer.add_scalar("mine", 1.0, 0)  # the caller's writer is still open
        writer.close()


def joined_records(data: bytes) -> bytes:
    """Return what is in a LevelDB log, whose records are cut at the ends of 32 KiB blocks."""
    found, place = b"", 7  # after the file's own header
    while place + 7 <= len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        length = int.from_bytes(data[place + 4 : place + 6], "little")
        found += data[place + 7 : place + 7 + length]
        place += 7 + length
    return found


def stored(folder: Path) -> bytes:
    """Return what the one run in a folder has stored."""
    (file,) = folder.rglob("*.wandb")
    return joined_records(file.read_bytes())


@pytest.mark.filterwarnings("ignore::DeprecationWarning:wandb.*")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_wandb(tmp_path: Path) -> None:
    wandb = pytest.importorskip("wandb", reason="pip install 'epsrank[wandb]'")
    run = wandb.init(
        project="test", mode="offline", dir=str(tmp_path),
        settings=wandb.Settings(silent=True, console="off"),
    )  # fmt: skip
    try:
        rows: list[dict[str, Any]] = []
        plain = run.log
        run.log = lambda row, **options: (rows.append(row), plain(row, **options))[1]
        monitor = watch(WandbSink())
        run.log({"mine": 1.0})  # the run is the caller's, and still goes on
    finally:
        run.finish()
    want = expected(monitor)
    assert [row["epsrank/step"] for row in rows[:3]] == [1, 2, 3]
    for name, values in want.items():
        assert {row["epsrank/step"]: row[name] for row in rows[:3] if name in row} == values
    # The package's own process writes the file, sometimes a moment after finish() returns.
    names, deadline = (b"epsrank/step", b"epsrank/1/stable_rank"), time.monotonic() + 60
    while not all(name in stored(tmp_path) for name in names):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(InputError, match=r"wandb\.init"):
        WandbSink()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning:mlflow.*")
@pytest.mark.filterwarnings("ignore::UserWarning:pydantic.*")
@pytest.mark.parametrize("given", [True, False])
def test_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: bool) -> None:
    mlflow = pytest.importorskip("mlflow", reason="pip install 'epsrank[mlflow]'")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.chdir(tmp_path)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((tmp_path / "store").as_uri())
    try:
        client = mlflow.MlflowClient()
        with pytest.raises(InputError, match=r"mlflow\.start_run"):
            MlflowSink()
        if given:
            run_id = client.create_run(client.create_experiment("test")).info.run_id
            monitor = watch(MlflowSink(run_id, client=client))
        else:
            with mlflow.start_run() as run:
                run_id = run.info.run_id
                monitor = watch(MlflowSink())
        for name, values in expected(monitor).items():
            history = client.get_metric_history(run_id, tag(name))
            assert {metric.step: metric.value for metric in history} == values
    finally:
        mlflow.set_tracking_uri(before)


@pytest.mark.parametrize(
    ("packages", "make", "extra"),
    [
        (["torch.utils.tensorboard"], lambda: TensorBoardSink("folder"), "tensorboard"),
        (["wandb"], WandbSink, "wandb"),
        (["mlflow"], MlflowSink, "mlflow"),
        (["lightning.pytorch", "pytorch_lightning"], LightningRankCallback, "lightning"),
        (["transformers"], HuggingFaceRankCallback, "huggingface"),
    ],
)
def test_a_missing_package_is_told_in_one_line(
    packages: list[str], make: Any, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in packages:
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError) as caught:
        make()
    assert f"pip install 'epsrank[{extra}]'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_base_class_is_taken_from_what_the_program_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "decimal", raising=False)
    both = [("decimal", "Decimal"), ("pathlib", "Path")]
    assert bases_module.find_bases(both, name="", extra="") == (Path,)
    (alone,) = bases_module.find_bases(both[:1], name="", extra="")
    assert alone.__name__ == "Decimal"
