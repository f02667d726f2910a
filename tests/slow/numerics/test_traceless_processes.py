"""DDP, FSDP, torch.compile, mixed precision: watched trainings are those without, bit for bit."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from tests.slow.numerics.traceless_processes import PRECISIONS, WRAPPERS


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("traceless")
    command = [sys.executable, "-m", "tests.slow.numerics.traceless_processes"]
    both = [subprocess.Popen([*command, str(number), str(folder)]) for number in range(2)]
    assert [process.wait(600) for process in both] == [0, 0]
    return [torch.load(folder / f"result{number}", weights_only=False) for number in range(2)]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("wrap", WRAPPERS)
def test_two_processes_train_as_without_a_monitor(results, wrap, precision):
    for process, found in enumerate(results):
        if (wrap, precision, "alone") not in found:
            pytest.skip("compiled in one precision")
        alone, _ = found[wrap, precision, "alone"]
        for watching in ("batches", "probe"):
            numbers, records = found[wrap, precision, watching]
            assert not isinstance(numbers, str), numbers
            assert len(numbers) == len(alone)
            assert all(map(torch.equal, numbers, alone))
            # Of a group the first process keeps the history: both probes of six samples.
            steps = {step for _, step, _, _ in records}
            expected = {"batches": {1, 2, 3}, "probe": set() if process else {1, 2, 3, 4}}
            assert steps == expected[watching]
            assert {(n, why) for *_, n, why in records} <= {(12, None)}
