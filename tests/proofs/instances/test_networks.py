"""The networks of a verification: valid settings, honest absences, whole checkpoints."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from epsrank.proofs.instances import networks
from epsrank.proofs.instances.networks import (
    CERTIFIED_WIDTH,
    checkpoints,
    find_mnist,
    network_config,
    planned,
    train_network,
)

TINY = {"tiny": {"task": "digits", "width": 5, "steps": 12}}


@pytest.mark.parametrize("effort", ["quick", "default", "full"])
def test_every_effort_has_valid_settings(effort):
    tasks = set()
    for name, width in planned(effort).items():
        config = network_config(name, effort, 3, "cpu", None)
        assert (config.width, config.seed, config.loss) == (width, 3, "mse")
        assert name.split()[0] == config.task
        tasks.add(config.task)
    assert {"cosines", "digits", "mnist"} <= tasks
    assert min(planned(effort).values()) <= CERTIFIED_WIDTH


def test_mnist_is_skipped_with_its_reason(tmp_path):
    name = next(name for name in planned("quick") if name.startswith("mnist"))
    found = train_network(name, "quick", 0, "cpu", None, tmp_path)
    assert "EPSRANK_DATA" in found.skipped
    assert found.folder is None


def test_mnist_is_looked_for_where_it_may_be(tmp_path, monkeypatch):
    monkeypatch.delenv("EPSRANK_DATA", raising=False)
    assert find_mnist(None) is None
    monkeypatch.setenv("EPSRANK_DATA", str(tmp_path))
    assert find_mnist(None) is None
    (tmp_path / "mnist.npz").write_bytes(b"")
    assert find_mnist(None) == str(tmp_path / "mnist.npz")
    # What is named outright is not silently passed over.
    assert find_mnist(tmp_path / "elsewhere.npz") == str(tmp_path / "elsewhere.npz")


def test_checkpoints_give_the_loss_that_was_measured(tmp_path, monkeypatch):
    monkeypatch.setitem(networks._SETTINGS, "quick", TINY)
    threads = torch.get_num_threads()
    run = train_network("tiny", "quick", 0, "cpu", None, tmp_path).run()
    assert torch.get_num_threads() == threads
    points = list(checkpoints(run, 3))
    assert (points[0].step, points[-1].step) == (0, 12)
    for point, record in ((points[0], run.records[0]), (points[-1], run.records[-1])):
        assert point.features.shape[1] == 6
        assert (point.features[:, -1] == 1).all()
        residual = point.features @ point.coefficients - point.target
        assert np.mean((residual**2).sum(axis=1)) == pytest.approx(record.loss, rel=1e-12)


def test_training_that_diverges_is_an_error(tmp_path, monkeypatch):
    wild = {"tiny": {**TINY["tiny"], "optimizer": "sgd", "learning_rate": 1e12, "steps": 60}}
    monkeypatch.setitem(networks._SETTINGS, "quick", wild)
    found = train_network("tiny", "quick", 0, "cpu", None, tmp_path)
    assert found.error is not None
    assert "diverged" in found.error
