"""One block of rows: XᵀX at little more than half the cost of a product, in the dtype asked for."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Precision = Literal["float64", "float32"]

# Rows of a tile of the result: large enough for full speed, small enough to leave half away.
_TILE = 128


def lower_gram(rows: Tensor, precision: Precision) -> Tensor:
    """Return a float64 matrix whose lower triangle is XᵀX, formed in one dtype.

    The triangle is cut into rows of tiles, so that the work is (n + 128)/2n of the full product.
    PyTorch's own products are used, and not BLAS's symmetric update: inside a training loop the
    thread pool of another library has to wait for PyTorch's.

    Parameters
    ----------
    rows : Tensor of a float dtype, shape (N, n)
        X, which the dtype asked for holds exactly, or else is rounded to it.
    precision : {"float64", "float32"}
        Where products are formed and summed.

    Returns
    -------
    Tensor of float64, shape (n, n)
        What stands above the diagonal is arbitrary, NaN included, and not to be used.
    """
    block = rows.to(torch.float32 if precision == "float32" else torch.float64)
    n = block.shape[1]
    lower = torch.empty((n, n), dtype=block.dtype, device=block.device)
    for start in range(0, n, _TILE):
        stop = min(start + _TILE, n)
        torch.mm(block[:, start:stop].T, block[:, :stop], out=lower[start:stop, :stop])
    return lower.to(torch.float64)
