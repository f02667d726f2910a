"""Sums of a layer: the stated bound encloses the exact matrix, with forgetting and in float32."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import weakref
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from epsrank.numerics.gram.layer import LayerAccumulator
from epsrank.numerics.gram.streaming import StreamingGram
from epsrank.theory.errors import InputError
from epsrank.theory.rank import epsilon_rank


def exact_gram(batches, factors):
    """Return Σ_t ρ_t Φ_tᵀΦ_t and Σ_t ρ_t N_t as rational numbers."""
    n = batches[0].shape[1]
    total, mass = [[Fraction(0)] * n for _ in range(n)], Fraction(0)
    for batch, factor in zip(batches, factors, strict=True):
        rows = [[Fraction(x) for x in row] for row in batch.double().tolist()]
        mass += factor * len(rows)
        for i in range(n):
            for j in range(n):
                total[i][j] += factor * sum(row[i] * row[j] for row in rows)
    return total, mass


def distance(computed, truth):
    """Return ‖G̃ − G‖_F² exactly, which bounds the square of the spectral norm."""
    return sum(
        (Fraction(a) - b) ** 2
        for row, line in zip(computed.tolist(), truth, strict=True)
        for a, b in zip(row, line, strict=True)
    )


def sample(seed, rows, n=4, spread=4.0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    scales = 10.0 ** (spread * (torch.rand(n, generator=generator) - 0.5))
    return (torch.randn(rows, n, generator=generator) * scales).to(dtype)


@pytest.mark.parametrize("measure", ["mean", "raw"])
@pytest.mark.parametrize("forgetting", [None, 0.9])
@pytest.mark.parametrize("eps", [None, 1e9], ids=["float64", "float32"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_bound_encloses_the_exact_matrix(measure, forgetting, eps, dtype):
    batches = [sample(seed, rows, dtype=dtype) for seed, rows in enumerate((300, 1, 70, 520))]
    sums = LayerAccumulator(4, measure=measure, eps=eps)
    factors = [Fraction(1)] * len(batches)
    for t, batch in enumerate(batches):
        if forgetting:
            sums.forget(forgetting)
            factors = [f * Fraction(forgetting) if s < t else f for s, f in enumerate(factors)]
        sums.update(batch)
    truth, mass = exact_gram(batches, factors)
    if measure == "mean":
        truth = [[entry / mass for entry in row] for row in truth]
    gram = sums.gram()
    off = distance(gram.values, truth)
    assert off <= Fraction(gram.error) ** 2
    # Not vacuous: the bound is γ_K tr G with the K of the block, and not of all samples.
    roundoff = 2.0**-24 if eps and dtype != torch.float64 else 2.0**-53
    assert gram.error <= 600 * roundoff * float(np.trace(gram.values))
    np.testing.assert_array_equal(gram.values, gram.values.T)
    assert gram.mass == pytest.approx(float(mass), rel=1e-15)
    sizes = sum(
        float(f) * np.abs(b.double().numpy()).sum(0) for f, b in zip(factors, batches, strict=True)
    )
    np.testing.assert_allclose(sums.mean_abs, sizes / float(mass), rtol=1e-13)
    json.dumps(gram.to_json(), allow_nan=False)


def test_float32_is_used_only_where_the_threshold_allows_it():
    rows = torch.randn(400, 16).relu()
    fine, coarse = LayerAccumulator(16, eps=1e-6), LayerAccumulator(16, eps=1.0)
    plain = LayerAccumulator(16)
    for sums in (fine, coarse, plain):
        sums.update(rows)
    np.testing.assert_array_equal(fine.gram().values, plain.gram().values)
    assert coarse.gram().error > 100 * plain.gram().error
    assert coarse.gram().error <= 1.0 / 8 * 1.01
    # Relative thresholds need the first batch to know λ_1.
    relative = LayerAccumulator(16, eps=0.1, relative=True)
    relative.update(rows)
    assert relative.gram().error == plain.gram().error
    relative.update(rows)
    assert relative.gram().error > 100 * plain.gram().error
    largest = float(np.linalg.eigvalsh(relative.gram().values)[-1])
    assert relative.gram().error <= 0.1 * largest / 8 * 1.01
    # Features beyond float32 are never narrowed.
    wide = LayerAccumulator(16, eps=1e9)
    wide.update(rows.double())
    assert wide.gram().error == plain.gram().error


@pytest.mark.parametrize("eps", [1e-4, 1e-2, 0.3])
def test_ranks_are_those_of_the_features(eps):
    rows = torch.randn(500, 5) @ torch.randn(5, 12) * torch.logspace(-3, 0, 12)
    sums = LayerAccumulator(12, eps=eps)
    for part in rows.split(130):
        sums.update(part)
    truth = epsilon_rank(rows, eps)
    found = sums.rank(eps)
    assert found.lower <= truth.lower
    assert truth.upper <= found.upper
    assert found.upper - found.lower <= 1


@given(
    batches=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    factors=st.lists(st.sampled_from([0.0, 0.25, 0.7, 0.99, 1.0]), min_size=6, max_size=6),
    seed=st.integers(0, 999),
)
def test_forgetting_is_a_weighted_sum(batches, factors, seed):
    sums = LayerAccumulator(3, measure="raw")
    truth, mass = np.zeros((3, 3)), 0.0
    for t, (rows, factor) in enumerate(zip(batches, factors, strict=False)):
        batch = sample(seed + t, rows, n=3, spread=0)
        sums.forget(factor)
        sums.update(batch)
        truth = factor * truth + (batch.double().T @ batch.double()).numpy()
        mass = factor * mass + rows
    gram = sums.gram()
    assert gram.mass == pytest.approx(mass)
    np.testing.assert_allclose(gram.values, truth, atol=1e-12 * np.trace(truth))
    assert np.linalg.norm(gram.values - truth, 2) <= gram.error + 1e-13 * np.trace(truth)


def test_without_forgetting_it_agrees_with_the_streaming_gram():
    rows = torch.randn(5000, 20)
    sums, stream = LayerAccumulator(20), StreamingGram(20)
    for part in rows.split(777):
        sums.update(part)
        stream.update(part)
    mine, theirs = sums.gram(), stream.gram()
    assert np.linalg.norm(mine.values - theirs.values, 2) <= mine.error + theirs.error
    assert mine.error <= 2 * theirs.error


def test_eight_bit_floats_are_widened_exactly():
    rows, sums = torch.randn(30, 4).to(torch.float8_e4m3fn), LayerAccumulator(4)
    sums.update(rows)
    wide = rows.double().numpy()
    assert sums.gram().dtype == "float8_e4m3fn"
    np.testing.assert_allclose(sums.gram().values, wide.T @ wide / 30, rtol=1e-14)
    np.testing.assert_allclose(sums.mean_abs, np.abs(wide).mean(0), rtol=1e-14)


def test_a_refused_batch_leaves_everything_as_it_was():
    sums = LayerAccumulator(3, eps=1e9)
    sums.update(torch.randn(10, 3))
    before = sums.gram()
    bad = torch.randn(2000, 3)
    bad[1500, 1] = torch.nan
    for features, line in (
        (bad, "features have 1 NaN or infinite entries, the first at index (1500, 1)"),
        (torch.full((4, 3), 1e200, dtype=torch.float64), "squares beyond the range of float64"),
        (torch.full((4, 3), float("inf")), "12 NaN or infinite"),
        (torch.randn(4, 2), "features have shape (4, 2), expected (N, 3)"),
        (torch.randn(0, 3), "are empty"),
        (torch.ones(4, 3, dtype=torch.int64), "have dtype int64"),
    ):
        with pytest.raises(InputError) as error:
            sums.update(features)
        assert line in str(error.value)
    after = sums.gram()
    np.testing.assert_array_equal(before.values, after.values)
    assert (before.error, before.mass) == (after.error, after.mass)


def test_squares_beyond_float32_are_summed_in_float64():
    # The norm of such a batch overflows too, so float32 is never chosen for it.
    sums = LayerAccumulator(2, eps=1e300)
    sums.update(torch.full((4, 2), 1e30))
    assert sums.gram().values[0, 0] == pytest.approx(1e60, rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"n_features": 0}, "n_features is 0; pass the number of neurons, ≥ 1"),
        ({"n_features": 3, "measure": "volume"}, "measure is 'volume'; choose 'mean' or 'raw'"),
        ({"n_features": 3, "eps": -1.0}, "eps is -1"),
        ({"n_features": 3, "device": "meta"}, "device 'meta' holds no float64 sums"),
    ],
)
def test_bad_arguments(arguments, line):
    with pytest.raises(InputError) as error:
        LayerAccumulator(**arguments)
    assert str(error.value).startswith(line)


@pytest.mark.parametrize("factor", [-0.1, 1.5, float("nan"), "half", True])
def test_bad_forgetting(factor):
    with pytest.raises(InputError, match="forgetting"):
        LayerAccumulator(3).forget(factor)


def test_nothing_seen_is_an_error_of_its_own():
    sums = LayerAccumulator(3)
    for read in (sums.gram, lambda: sums.mean_abs, lambda: sums.rank(1e-6)):
        with pytest.raises(InputError, match="nothing was accumulated"):
            read()
    sums.update(torch.ones(2, 3))
    sums.forget(0.0)
    with pytest.raises(InputError, match="nothing was accumulated"):
        sums.gram()


def test_dead_neurons_are_exactly_zero_and_zero_features_have_no_rank():
    sums = LayerAccumulator(3)
    sums.update(torch.tensor([[0.0, 1e-40, -2.0], [0.0, 0.0, 2.0]]))
    assert sums.mean_abs[0] == 0
    assert sums.mean_abs[1] > 0  # a subnormal number is not zero
    assert sums.mean_abs[2] == 2
    zero = LayerAccumulator(3)
    zero.update(torch.zeros(5, 3))
    assert (zero.rank(1e-6).lower, zero.rank(1e-6).upper) == (0, 0)


def test_no_batch_is_kept():
    sums, rows = LayerAccumulator(8, eps=1e9), torch.randn(50, 8, requires_grad=True)
    sums.update(rows * 1)
    alive = weakref.ref(rows)
    del rows
    gc.collect()
    assert alive() is None
    assert not any(t.requires_grad for t in vars(sums).values() if isinstance(t, torch.Tensor))


STREAM = """
import resource, sys
import torch
from epsrank.numerics.gram.layer import LayerAccumulator

rows, batch = int(sys.argv[1]), 8192
features = torch.randn(batch, 1024)
eps = float(sys.argv[2]) if len(sys.argv) > 2 else None
sums = LayerAccumulator(1024, eps=eps)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(rows // batch):
    sums.update(features)
gram = sums.gram()
assert gram.n_samples == rows // batch * batch
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def streamed(rows, *eps):
    """Return the MiB that the process grew by while it streamed, above one batch of input."""
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", STREAM, str(rows), *map(str, eps)],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
    )
    return int(done.stdout)


def test_streaming_takes_bounded_memory():
    assert streamed(5 * 8192) <= 300
