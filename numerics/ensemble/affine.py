"""y_k = x_k W_kᵀ + b_k of K networks at once, rounded as each network alone would round it."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor


def stacked_affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return x_k W_kᵀ + b_k for every network k.

    Parameters
    ----------
    x : Tensor, shape (K, N, d)
        Inputs; may be one matrix expanded to K.
    weight : Tensor, shape (K, n, d)
        W_k, as ``nn.Linear`` keeps it.
    bias : Tensor, shape (K, n)
        b_k.

    Returns
    -------
    Tensor, shape (K, N, n)
        The images, with their graph.

    Notes
    -----
    A batched product adds up each of its K products in the order of a single one where all
    dimensions are at least 2, and in another order where one of them is 1 (a scalar input or
    output: matrix times vector has kernels of its own). Where the inner dimension is 1, nothing is
    added up: products entry by entry, and then the bias, are rounded alike. The other products
    with a dimension of 1, which cost little, are made one network at a time on the CPU: then every
    product has the bits of ``nn.Linear``. The tests compare; no BLAS promises it.
    """
    return cast(Tensor, _Affine.apply(x, weight, bias))  # type: ignore[no-untyped-call]


def _product(a: Tensor, b: Tensor, add: Tensor | None = None) -> Tensor:
    """Return a_k b_k, plus a row."""
    if a.shape[2] == 1:
        outer = a * b
        return outer if add is None else outer.add_(add.unsqueeze(1))
    thin = 1 in (a.shape[1], b.shape[2])
    if thin and a.device.type == "cpu":
        out = a.new_empty(a.shape[0], a.shape[1], b.shape[2])
        if add is None:
            for left, right, place in zip(a.unbind(), b.unbind(), out.unbind(), strict=True):
                torch.mm(left, right, out=place)
        else:
            for row, left, right, place in zip(
                add.unbind(), a.unbind(), b.unbind(), out.unbind(), strict=True
            ):
                torch.addmm(row, left, right, out=place)
        return out
    return torch.bmm(a, b) if add is None else torch.baddbmm(add.unsqueeze(1), a, b)


class _Affine(torch.autograd.Function):
    """The map with its derivatives: ∂W = ∂yᵀx, ∂b = Σ ∂y, ∂x = ∂y W."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Return x Wᵀ + b."""
        ctx.save_for_backward(x, weight)
        return _product(x, weight.mT, bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        """Return the derivatives."""
        x, weight = ctx.saved_tensors
        (grad,) = grads
        inner = _product(grad, weight) if ctx.needs_input_grad[0] else None
        return inner, _product(grad.mT, x), grad.sum(dim=1)
