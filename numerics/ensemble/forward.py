"""u_k(x_k) of K networks of one architecture, from their stacked parameters."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

from torch import Tensor
from torch.func import functional_call, vmap

from epsrank.numerics.ensemble.affine import stacked_affine
from epsrank.numerics.networks import MLP, FeatureNetwork, ResNet, activation_function
from epsrank.numerics.operators.stacked import StackedOperator

Parameters = Mapping[str, Tensor]
Forward = Callable[[Parameters, Tensor], Tensor]


def stacked_forward(
    model: FeatureNetwork, activation: str, operator: StackedOperator | None = None
) -> Forward:
    """Return (θ_1 … θ_K, x_1 … x_K) ↦ u_k(x_k), or the operator's image of u_k.

    Multilayer perceptrons and residual networks are products of stacked matrices; all else goes
    through ``torch.func.vmap``.

    Parameters
    ----------
    model : FeatureNetwork
        One of the networks; only its architecture is used.
    activation : str
        Name of their σ.
    operator : StackedOperator, optional
        What is done to u for a PINN; then all K are evaluated at all points.

    Returns
    -------
    callable
        From parameters by name, each (K, …), and inputs (K, N, …) to outputs (K, N, k).
    """
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
    """Return the forward pass of `MLP`."""
    sigma = activation_function(activation)

    def forward(parameters: Parameters, x: Tensor) -> Tensor:
        """Return u."""
        y = _rows(x)
        for index in range(depth):
            y = sigma(_layer(parameters, f"layers.{index}", y))
        return _layer(parameters, "head", y)

    return forward


def _resnet(blocks: int, activation: str) -> Forward:
    """Return the forward pass of `ResNet`."""
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
