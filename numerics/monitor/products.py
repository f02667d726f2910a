"""One block of rows: XᵀX at half the cost of a product, in the dtype asked for."""

from __future__ import annotations

from typing import Literal

import torch
from scipy.linalg import blas
from torch import Tensor

Precision = Literal["float64", "float32"]


def lower_gram(rows: Tensor, precision: Precision) -> Tensor:
    """Return a float64 matrix whose lower triangle is XᵀX, formed in one dtype.

    On the CPU by a symmetric rank-k update, half the work of a product; elsewhere by a product.

    Parameters
    ----------
    rows : Tensor of a float dtype, shape (N, n)
        X, which the dtype asked for holds exactly, or else is rounded to it.
    precision : {"float64", "float32"}
        Where products are formed and summed.

    Returns
    -------
    Tensor of float64, shape (n, n)
        Whatever stands above the diagonal is not to be used.
    """
    narrow = precision == "float32"
    block = rows.to(torch.float32 if narrow else torch.float64)
    if block.device.type != "cpu":
        return (block.T @ block).to(torch.float64)
    # A row-major block is the transpose of a column-major one, which BLAS takes without a copy.
    columns = block.contiguous().numpy().T
    product = (blas.ssyrk if narrow else blas.dsyrk)(1.0, columns)
    return torch.from_numpy(product.T).to(torch.float64)
