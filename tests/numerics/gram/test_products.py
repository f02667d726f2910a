"""Sums of blocks, one at a time or several together, against extended precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from epsrank.numerics.gram import products
from epsrank.numerics.gram.products import BLOCK, partial_sums
from epsrank.theory.numbers.rounding import UNIT_ROUNDOFF, gamma


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("shape", [(10_000, 16), (70_001, 5), (3000, 128), (1500, 130), (1, 3)])
def test_sums_are_within_their_bound(shape, precision):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    sums, sizes = partial_sums(x, precision, torch.device("cpu"))
    exact = x.numpy().astype(np.longdouble)
    wanted = np.tril(exact.T @ exact)
    step = BLOCK[precision]
    within = gamma(min(step, shape[0]) + 1, UNIT_ROUNDOFF[precision])
    between = gamma(-(-shape[0] // step) + 1)
    bound = (within + between + within * between) * np.trace(wanted)
    off = np.abs(np.tril(sums.numpy()) - wanted)
    assert sums.dtype == sizes.dtype == torch.float64
    assert off.max() <= bound
    np.testing.assert_allclose(sizes, np.abs(exact).sum(0).astype(float), rtol=1e-13)


def test_rows_that_do_not_lie_together_are_the_same_rows():
    x = torch.randn(16, 5000, generator=torch.Generator().manual_seed(1)).double()
    view, copy = x.T, x.T.contiguous()
    left, right = (partial_sums(own, "float64", torch.device("cpu")) for own in (view, copy))
    torch.testing.assert_close(left[0].tril(), right[0].tril(), rtol=1e-13, atol=1e-10)
    torch.testing.assert_close(left[1], right[1], rtol=1e-13, atol=0)


def test_several_blocks_are_multiplied_together():
    x = torch.zeros(5 * BLOCK["float64"] + 7, 16)
    shapes = [tuple(rows.shape) for rows in products._cut(x, BLOCK["float64"])]
    assert shapes == [(5, BLOCK["float64"], 16), (7, 16)]
