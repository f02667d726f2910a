"""`n_test`: measurements look at a fixed draw of the test samples, and training does not change."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from epsrank.numerics.ensemble.loop import train_many
from epsrank.numerics.tasks import load_task
from epsrank.numerics.training import RunConfig, train
from epsrank.numerics.training.probe import with_test_samples
from epsrank.theory import InputError

SETTINGS = {
    "task": "digits",
    "loss": "cross-entropy",
    "width": 6,
    "depth": 1,
    "steps": 4,
    "batch_size": 32,
    "n_train": 100,
    "probe": 50,
    "device": "cpu",
}


def test_a_draw_of_the_test_samples_by_seed() -> None:
    config = RunConfig(**SETTINGS, n_test=20)
    task = load_task("digits", n_train=100, data=None, seed=0, dtype=torch.float64)
    drawn = with_test_samples(config, task, torch.device("cpu"))
    again = with_test_samples(config, task, torch.device("cpu"))
    assert torch.equal(drawn.x_test, again.x_test)
    assert len(drawn.x_test) == 20
    assert torch.equal(drawn.x, task.x)
    whole = {
        tuple(row.tolist()): label.tolist()
        for row, label in zip(task.x_test, task.y_test, strict=True)
    }
    for row, label in zip(drawn.x_test, drawn.y_test, strict=True):
        assert whole[tuple(row.tolist())] == label.tolist()
    other = with_test_samples(RunConfig(**SETTINGS, n_test=20, seed=1), task, torch.device("cpu"))
    assert not torch.equal(drawn.x_test, other.x_test)


def test_only_what_is_said_of_the_test_samples_changes() -> None:
    few, every = train(RunConfig(**SETTINGS, n_test=20)), train(RunConfig(**SETTINGS))
    for one, other in zip(few.records, every.records, strict=True):
        assert one.loss == other.loss
        assert one.rank() == other.rank()
        assert one.coefficient_norm == other.coefficient_norm
        assert one.test_accuracy is not None
        assert one.test_accuracy * 20 == pytest.approx(round(one.test_accuracy * 20), abs=1e-12)
    assert [record.test_loss for record in few.records] != [
        record.test_loss for record in every.records
    ]


def test_networks_of_one_program_each_have_their_own() -> None:
    configs = [RunConfig(**SETTINGS, n_test=20, seed=seed) for seed in range(2)]
    for config, run in zip(configs, train_many(configs), strict=True):
        alone = train(config)
        np.testing.assert_allclose(
            [record.test_loss for record in run.records],
            [record.test_loss for record in alone.records],
            rtol=1e-12,
        )


@pytest.mark.parametrize("value", [0, -1, 1.5])
def test_a_number_of_samples(value: float) -> None:
    with pytest.raises(InputError, match="n_test"):
        RunConfig(**SETTINGS, n_test=value)  # type: ignore[arg-type]


def test_more_than_there_are() -> None:
    with pytest.raises(InputError, match=r"n_test is 100000.*there are \d+ test samples"):
        train(RunConfig(**SETTINGS, n_test=100_000))
