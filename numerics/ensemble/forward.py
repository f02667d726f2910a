"""u_k(x_k) of K networks of one architecture, from their stacked parameters."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor
from torch.func import functional_call, vmap

from epsrank.numerics.networks import MLP, FeatureNetwork, ResNet, activation_function
from epsrank.numerics.operators.stacked import StackedOperator


def stacked_affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return x_k W_kᵀ + b_k for every network k.

    A batched product adds up each of its K products in the order of a single one where all
    dimensions are at least 2, and in another order where one of them is 1 (a scalar input or
    output: matrix times vector has kernels of its own). Where the inner dimension is 1, nothing is
    added up: products entry by entry, and then the bias, are rounded alike. The other products
    with a dimension of 1, which cost little, are made one network at a time on the CPU: then every
    product has the bits of ``nn.Linear``. The tests compare; no BLAS promises it.

    `weight` is W_k, as ``nn.Linear`` keeps it; `bias` is b_k.
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


Parameters = Mapping[str, Tensor]
Forward = Callable[[Parameters, Tensor], Tensor]


def stacked_forward(
    model: FeatureNetwork, activation: str, operator: StackedOperator | None = None
) -> Forward:
    """Return (θ_1 … θ_K, x_1 … x_K) ↦ u_k(x_k), or the operator's image of u_k.

    Multilayer perceptrons and residual networks are products of stacked matrices; all else goes
    through ``torch.func.vmap``.
    """
    # The very class: a subclass may compute something else.
    if operator is None and type(model) is MLP:
        return _mlp(len(model.layers), activation)
    if operator is None and type(model) is ResNet:
        return _resnet(len(model.blocks), activation)
    return _vmapped(model, operator)


def _layer(parameters: Parameters, name: str, x: Tensor) -> Tensor:
    return stacked_affine(x, parameters[f"{name}.weight"], parameters[f"{name}.bias"])


def _rows(x: Tensor) -> Tensor:
    """Flatten everything behind the sample axis."""
    return x if x.ndim == 3 else x.reshape(*x.shape[:2], -1)


def _mlp(depth: int, activation: str) -> Forward:
    """Return the forward pass of `MLP`, y ↦ σ(yWᵀ + b) in every layer."""
    sigma = activation_function(activation)

    def forward(parameters: Parameters, x: Tensor) -> Tensor:
        """Return u."""
        y = _rows(x)
        for index in range(depth):
            y = sigma(_layer(parameters, f"layers.{index}", y))
        return _layer(parameters, "head", y)

    return forward


def _resnet(blocks: int, activation: str) -> Forward:
    """Return the forward pass of `ResNet`, y ↦ y + σ(yWᵀ + b) in every block."""
    sigma = activation_function(activation)

    def forward(parameters: Parameters, x: Tensor) -> Tensor:
        """Return u."""
        y = sigma(_layer(parameters, "lifting", _rows(x)))
        for index in range(blocks):
            y = y + sigma(_layer(parameters, f"blocks.{index}", y))
        return _layer(parameters, "head", y)

    return forward


def _vmapped(model: FeatureNetwork, operator: StackedOperator | None) -> Forward:
    """Return the forward pass of any network, and of what an operator makes of it."""
    # It has no numbers: all parameters come from the stack.
    skeleton = copy.deepcopy(model).to("meta")

    def single(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        """Return u, or 𝓛u, of one network."""

        def network(points: Tensor) -> Tensor:
            value: Tensor = functional_call(skeleton, parameters, (points,))
            return value

        return network(x) if operator is None else operator(network, x)

    def forward(parameters: Parameters, x: Tensor) -> Tensor:
        """Return u, or 𝓛u, of all."""
        # One matrix for all of them is not to be copied K times.
        shared = x.shape[0] > 0 and x.stride(0) == 0
        mapped = vmap(single, in_dims=(0, None if shared else 0))
        value: Tensor = mapped(dict(parameters), x[0] if shared else x)
        return value

    return forward
