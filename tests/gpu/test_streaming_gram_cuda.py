"""Streaming Gram matrices on CUDA: within the stated bounds of the CPU's and of the exact ones."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from epsrank.numerics.gram.streaming import StreamingGram
from epsrank.theory.data.inputs import as_features
from epsrank.theory.data.measure import as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.certified.exact_data import exact_data

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device; torch.cuda.is_available() is False"
)


def accumulate(device, batches, *, n, outputs):
    gram = StreamingGram(n, outputs, device=device)
    for features, weights, target in batches:
        gram.update(features, weights, target)
    return gram


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("source", ["cpu", "cuda"])
def test_cuda_agrees_with_cpu_and_with_the_exact_sums(dtype, source):
    generator = torch.Generator().manual_seed(0)
    batches = [
        (
            torch.randn(1500, 24, generator=generator).to(dtype),
            torch.rand(1500, generator=generator, dtype=torch.float64),
            torch.randn(1500, 3, generator=generator).to(dtype),
        )
        for _ in range(3)
    ]
    moved = [tuple(tensor.to(source) for tensor in batch) for batch in batches]
    on_cpu = accumulate("cpu", batches, n=24, outputs=3).gram()
    on_cuda = accumulate("cuda", moved, n=24, outputs=3).gram()
    assert np.linalg.norm(on_cpu.values - on_cuda.values, 2) <= on_cpu.error + on_cuda.error
    features, weights, target = (
        torch.cat([batch[k] for batch in batches]).double().numpy() for k in range(3)
    )
    data = exact_data(as_features(features), target, as_measure("mean", weights, len(weights)))
    distance = sum(
        (Fraction(float(on_cuda.values[i, j])) - int(data.gram_integers[i, j]) * data.gram_unit)
        ** 2
        for i in range(24)
        for j in range(24)
    )
    assert distance <= Fraction(on_cuda.error) ** 2
    assert on_cuda.error <= 1e-11 * float(np.trace(on_cuda.values))


def test_refused_batches_change_nothing_on_cuda():
    gram = StreamingGram(4, device="cuda")
    gram.update(torch.randn(10, 4, device="cuda"))
    before = gram.state_dict()
    with pytest.raises(InputError, match="NaN"):
        gram.update(torch.full((10, 4), float("nan"), device="cuda"))
    assert torch.equal(before["sums"], gram.state_dict()["sums"])


def test_merge_and_state_cross_devices():
    batch = torch.randn(100, 4, generator=torch.Generator().manual_seed(1))
    cpu, cuda = StreamingGram(4), StreamingGram(4, device="cuda")
    cpu.update(batch)
    cuda.update(batch)
    merged = cpu.merge(cuda).gram()
    restored = StreamingGram(4, device="cuda")
    restored.load_state_dict(cpu.state_dict())
    np.testing.assert_array_equal(restored.gram().values, merged.values)
    assert merged.n_samples == 200
    assert int(restored.rank(1e-6)) == 4


def test_memory_does_not_grow_with_the_samples():
    gram = StreamingGram(64, device="cuda")
    batch = torch.randn(200_000, 64, device="cuda", dtype=torch.float32)
    gram.update(batch)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    base = torch.cuda.memory_allocated()
    gram.update(batch)
    torch.cuda.synchronize()
    # A float64 copy of the whole batch would be 102 MB; a chunk is below 1 MB.
    assert torch.cuda.max_memory_allocated() - base < 16 * 2**20
