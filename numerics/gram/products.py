"""One batch of rows: XᵀX and Σ|x_i| from blocks, in the dtype asked for, at little cost a block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

Precision = Literal["float64", "float32"]

#: Rows of one partial sum: long enough for full speed, short enough for a small bound.
BLOCK: dict[Precision, int] = {"float64": 1024, "float32": 256}

# Rows of a tile of the result: large enough for full speed, small enough to leave half away.
_TILE = 128

# Numbers of the blocks that are multiplied in one call where the result is at most one tile: a call
# for every block of a narrow layer would cost more than its products.
_TOGETHER = 2**18


def lower_gram(rows: Tensor, precision: Precision) -> Tensor:
    """Return a float64 matrix whose lower triangle is XᵀX, formed in one dtype.

    The triangle is cut into rows of tiles, so that the work is (n + 128)/2n of the full product.
    Rows that this dtype does not hold exactly are rounded to it. PyTorch's own products are used,
    and not BLAS's symmetric update: inside a training loop the thread pool of another library has
    to wait for PyTorch's.
    """
    block = rows.to(torch.float32 if precision == "float32" else torch.float64)
    n = block.shape[1]
    lower = torch.empty((n, n), dtype=block.dtype, device=block.device)
    for start in range(0, n, _TILE):
        stop = min(start + _TILE, n)
        torch.mm(block[:, start:stop].T, block[:, :stop], out=lower[start:stop, :stop])
    return lower.to(torch.float64)


def partial_sums(
    batch: Tensor, precision: Precision, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return XᵀX and Σ_i |x_i| of a batch, summed in float64 over blocks of `BLOCK` rows.

    Every product is summed over the rows of one block, in one dtype, and the ⌈N/K⌉ blocks are added
    in float64 in some order: the rounding is at most γ_{K+1} and γ_{⌈N/K⌉} of the trace. Of XᵀX the
    lower triangle counts.
    """
    sums: Tensor | None = None
    sizes = torch.zeros(batch.shape[1], dtype=torch.float64, device=device)
    for rows in _cut(batch, BLOCK[precision]):
        own = rows.to(device)
        block = lower_gram(own, precision) if own.ndim == 2 else _grams(own, precision)
        sums = block if sums is None else sums.add_(block)
        sizes += own.reshape(-1, own.shape[-1]).abs().sum(0, dtype=torch.float64)
    assert sums is not None
    return sums, sizes


def _cut(batch: Tensor, step: int) -> Iterator[Tensor]:
    """Yield blocks of rows (K, n), and of narrow layers several whole ones at once, (b, K, n)."""
    count, n = batch.shape
    together = _TOGETHER // (step * n) if n <= _TILE else 0
    start = 0
    if together > 1 and batch.is_contiguous():
        whole = count // step
        start = whole * step
        yield from torch.split(batch[:start].view(whole, step, n), together)
    for first in range(start, count, step):
        yield batch[first : first + step]


def _grams(blocks: Tensor, precision: Precision) -> Tensor:
    """Return Σ_b X_bᵀX_b in float64, for blocks X_b of shape (K, n)."""
    own = blocks.to(torch.float32 if precision == "float32" else torch.float64)
    return torch.bmm(own.transpose(1, 2), own).sum(0, dtype=torch.float64)
