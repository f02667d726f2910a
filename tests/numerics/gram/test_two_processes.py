"""Two processes with half of the data each give what one process gives with all of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.distributed as dist

from epsrank.numerics.gram.layer import LayerAccumulator
from tests.numerics.gram import two_processes
from tests.processes import run_all

pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="PyTorch was built without gloo"
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gloo")
    run_all(two_processes.work, (0, folder), (1, folder))
    return [torch.load(folder / f"result{i}", weights_only=True) for i in range(2)]


@pytest.mark.parametrize("forgetting", [1.0, 0.5])
@pytest.mark.parametrize("layer", ["1", "3"])
def test_the_reduced_gram_is_that_of_one_process(results, layer, forgetting):
    parts = [two_processes.data(process) for process in range(2)]
    together = [torch.cat(batches) for batches in zip(*parts, strict=True)]
    single = two_processes.sums_of(two_processes.network(), together, forgetting)[layer]
    truth = single.gram()
    for result in results:
        found = result[f"{layer} {forgetting}"]
        off = np.linalg.norm(found["values"].numpy() - truth.values, 2)
        assert off <= found["error"] + truth.error
        assert found["error"] <= 4 * truth.error
        assert found["mass"] == truth.mass
        assert found["n_samples"] == truth.n_samples == 55
        np.testing.assert_allclose(found["mean_abs"], single.mean_abs, rtol=1e-14)


def test_every_process_holds_the_same_and_one_may_have_seen_nothing(results):
    for layer in ("1 1.0", "3 0.5"):
        assert torch.equal(results[0][layer]["values"], results[1][layer]["values"])
        assert results[0][layer]["error"] == results[1][layer]["error"]
    assert [result["one sided"]["n_samples"] for result in results] == [2, 2]


def test_sharded_models_are_measured(results):
    assert [result["sharded"] for result in results] == [{"wrapper": True, "in place": True}] * 2


def test_without_processes_the_sum_is_a_copy():
    sums = LayerAccumulator(3)
    sums.update(torch.randn(5, 3))
    total = sums.all_reduce()
    sums.update(torch.randn(5, 3))
    assert total.n_samples == 5
    assert sums.n_samples == 10
