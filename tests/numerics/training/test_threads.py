"""The number of threads is a setting of the run, and nobody else's."""

from __future__ import annotations

import pytest
import torch

from epsrank.numerics.processes.threads import compute_threads
from epsrank.numerics.training import RunConfig, train
from epsrank.theory import InputError

SMALL = {"width": 8, "depth": 1, "steps": 4, "n_train": 20, "device": "cpu"}


def test_threads_are_set_inside_and_restored() -> None:
    before = torch.get_num_threads()

    def work() -> None:
        with compute_threads(before + 1):
            assert torch.get_num_threads() == before + 1
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        work()
    assert torch.get_num_threads() == before


def test_training_computes_with_the_threads_of_its_settings() -> None:
    seen = []
    train(
        RunConfig(**SMALL, threads=2),
        progress=lambda *_: seen.append(torch.get_num_threads()),
    )
    assert set(seen) == {2}


def test_the_same_bits_whatever_the_surroundings() -> None:
    before = torch.get_num_threads()
    losses = []
    try:
        for surrounding in (1, 2):
            torch.set_num_threads(surrounding)
            run = train(RunConfig(**SMALL))
            losses.append([record.loss for record in run.records])
    finally:
        torch.set_num_threads(before)
    assert losses[0] == losses[1]


@pytest.mark.parametrize("threads", [0, -1, 1.5, None])
def test_bad_threads(threads: object) -> None:
    with pytest.raises(InputError, match="threads"):
        RunConfig(**SMALL, threads=threads)
