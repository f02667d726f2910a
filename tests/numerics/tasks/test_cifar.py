"""CIFAR-10 from files of the user: both forms, and every way in which they can be wrong."""

from __future__ import annotations

import numpy as np
import pytest

from epsrank.numerics.tasks import load_task
from epsrank.numerics.training import RunConfig, train
from epsrank.theory.errors import InputError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (60, 3, 32, 32), dtype=np.uint8)
LABELS = RNG.integers(0, 10, 60)


def write_binary(folder, *, cut=0, label=None):
    folder.mkdir(parents=True)
    for k, rows in enumerate(np.array_split(np.arange(50), 5), start=1):
        _batch(folder / f"data_batch_{k}.bin", rows)
    _batch(folder / "test_batch.bin", np.arange(50, 60), cut, label)
    return folder


def _batch(path, rows, cut=0, label=None):
    labels = LABELS[rows] if label is None else np.full(len(rows), label)
    records = np.column_stack([labels.astype(np.uint8), IMAGES[rows].reshape(len(rows), -1)])
    path.write_bytes(records.tobytes()[: records.nbytes - cut])


def arrays(last=True, **changes):
    x = np.moveaxis(IMAGES, 1, 3) if last else IMAGES
    found = {
        "x_train": x[:50],
        "y_train": LABELS[:50, None],
        "x_test": x[50:],
        "y_test": LABELS[50:],
    }
    return found | changes


def check(task):
    assert task.image_shape == (3, 32, 32)
    assert task.n_samples == 50
    np.testing.assert_array_equal(
        task.x.numpy() * 255, IMAGES[:50].reshape(50, -1).astype(np.float64)
    )
    np.testing.assert_array_equal(task.y.argmax(dim=1).numpy(), LABELS[:50])
    np.testing.assert_array_equal(task.y_test.argmax(dim=1).numpy(), LABELS[50:])
    assert "CIFAR-10: all 50" in str(task)


@pytest.mark.parametrize("inside", ["cifar-10-batches-bin", "."])
def test_the_binary_version(tmp_path, inside):
    write_binary(tmp_path / "data" / inside)
    check(load_task("cifar10", data=tmp_path / "data"))


@pytest.mark.parametrize("last", [True, False])
def test_archives_with_colours_last_or_first(tmp_path, last, monkeypatch):
    np.savez(tmp_path / "cifar10.npz", **arrays(last))
    check(load_task("cifar10", data=tmp_path / "cifar10.npz"))
    monkeypatch.setenv("EPSRANK_CIFAR10", str(tmp_path))
    check(load_task("cifar10"))


def test_it_is_never_fetched(monkeypatch):
    monkeypatch.delenv("EPSRANK_CIFAR10", raising=False)
    with pytest.raises(InputError, match="never fetched"):
        load_task("cifar10")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_train": IMAGES[:50].astype(np.float32)}, "float32"),
        ({"x_test": IMAGES[50:, 0]}, "x_test has shape"),
        ({"y_train": LABELS[:40]}, "y_train has shape"),
        ({"y_test": LABELS[50:] + 10}, "labels beyond"),
        ({"y_test": np.array([{}] * 10, dtype=object)}, "never loaded"),
    ],
)
def test_wrong_archives(tmp_path, changes, message):
    np.savez(tmp_path / "wrong.npz", **arrays(False, **changes))
    with pytest.raises(InputError, match=message):
        load_task("cifar10", data=tmp_path / "wrong.npz")


def test_wrong_folders(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        load_task("cifar10", data=tmp_path)
    cut = write_binary(tmp_path / "cut", cut=7)
    with pytest.raises(InputError, match="no records"):
        load_task("cifar10", data=cut)
    with pytest.raises(InputError, match="labels beyond"):
        load_task("cifar10", data=write_binary(tmp_path / "labels", label=11))
    lacking = write_binary(tmp_path / "lacking")
    for k in range(1, 6):
        (lacking / f"data_batch_{k}.bin").unlink()
    with pytest.raises(InputError, match="lacks data_batch_1"):
        load_task("cifar10", data=lacking)


@pytest.mark.parametrize("network", ["mlp", "cnn", "transformer"])
def test_networks_train_on_it(tmp_path, network):
    np.savez(tmp_path / "cifar10.npz", **arrays())
    run = train(
        RunConfig(
            task="cifar10",
            data=str(tmp_path / "cifar10.npz"),
            network=network,
            width=4,
            depth=3,
            steps=2,
            loss="cross-entropy",
            init="structured",
            device="cpu",
            eps=(1e-2,),
        )
    )
    assert run.status == "complete"
    assert run.records[-1].loss < run.records[0].loss
