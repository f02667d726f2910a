"""Gradients and Hessian products of a loss on samples, beside a training that does not notice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_leaves

from epsrank.numerics.monitor.model.passes import is_one_call, take_rows, untouched
from epsrank.numerics.monitor.quantity.contract import QuantityData
from epsrank.numerics.monitor.quantity.given import as_loss, as_model, as_samples, blamed, through
from epsrank.theory.errors import InputError


@contextmanager
def beside_training(model: nn.Module) -> Iterator[None]:
    """Give evaluation mode with gradients; modes, buffers and random numbers are put back."""
    # Fused attention has no second derivative, and other bits than the mathematical kernel.
    with untouched(as_model(model)), torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        model.eval()
        yield


def trained(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that are trained, by name."""
    found = {name: p for name, p in model.named_parameters() if p.requires_grad and p.numel()}
    if not found:
        raise InputError("model", "has no parameter that is trained", "let one require gradients")
    return found


def value_of(
    model: nn.Module, loss: Any, data: QuantityData, every: QuantityData | None = None
) -> Tensor:
    """Return L on the samples, a finite scalar; `every` are those that they were drawn from."""
    checked, data = as_loss(loss), as_samples(data)
    with through(model, data.inputs):
        outputs = data.outputs(model)
    value = checked(outputs, data.targets)
    if not bool(torch.isfinite(value)):
        raise blamed(model, every or data, float(value))
    return value


def as_vector(tensors: Any) -> Tensor:
    """Return tensors as one vector, in their own dtype."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def gradient(model: nn.Module, loss: Any, data: QuantityData) -> Tensor:
    """Return ∇L on all samples as one vector."""
    parameters = list(trained(model).values())
    found = torch.autograd.grad(
        value_of(model, loss, data), parameters, materialize_grads=True, allow_unused=True
    )
    return as_vector(found)


class HessianProducts:
    """v ↦ ∇²L·v by differentiating ∇L·v; the graph of ∇L is made once and kept."""

    def __init__(
        self, model: nn.Module, loss: Any, data: QuantityData, every: QuantityData | None = None
    ) -> None:
        self._parameters = list(trained(model).values())
        found = torch.autograd.grad(
            value_of(model, loss, data, every),
            self._parameters,
            create_graph=True,
            materialize_grads=True,
            allow_unused=True,
        )
        self._gradient = as_vector(found)

    @property
    def size(self) -> int:
        """Number of parameters."""
        return len(self._gradient)

    @property
    def gradient(self) -> Tensor:
        """∇L."""
        return self._gradient.detach()

    def __call__(self, v: Tensor) -> Tensor:
        """Return ∇²L·v in float64."""
        # A loss that is linear in the parameters has a gradient without a graph.
        if not self._gradient.requires_grad:
            return torch.zeros_like(v)
        found = torch.autograd.grad(
            self._gradient @ v.to(self._gradient),
            self._parameters,
            retain_graph=True,
            materialize_grads=True,
            allow_unused=True,
        )
        product = as_vector(found).double()
        if not bool(torch.isfinite(product).all()):
            raise InputError(
                "model", "has a Hessian that is not finite here", "measure before it diverges"
            )
        return product


def whole(data: QuantityData) -> QuantityData:
    """Return samples as one call, all of which count alike: what can be cut into parts."""
    if as_samples(data).weights is not None:
        raise InputError(
            "data", "have weights, which parts of the samples do not share", "leave mask= out"
        )
    if is_one_call(data.inputs):
        return data
    pieces = list(data.inputs)
    if not pieces or not all(isinstance(piece, Tensor) for piece in pieces):
        remedy = "pass one tensor, one tuple or one mapping"
        raise InputError("data", "are batches of several arguments", remedy)
    return QuantityData(torch.cat(pieces), data.targets)


def samples_in(data: QuantityData) -> int:
    """Return the number of samples."""
    lengths = {len(leaf) for leaf in tree_leaves(data.inputs) if _has_rows(leaf)}
    lengths |= {len(leaf) for leaf in tree_leaves(data.targets) if _has_rows(leaf)}
    if len(lengths) != 1:
        raise InputError("data", f"have {sorted(lengths)} rows", "pass as many inputs as targets")
    return lengths.pop()


def part(data: QuantityData, rows: Tensor) -> QuantityData:
    """Return some of the samples."""
    return QuantityData(take_rows(data.inputs, rows), take_rows(data.targets, rows))


def _has_rows(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.ndim > 0


def drawn_batches(samples: int, size: int, batches: int, seed: int) -> list[Tensor]:
    """Return rows of independent batches: with replacement, so that their covariance is Σ/S."""
    draw = torch.Generator().manual_seed(seed)
    return [torch.randint(0, samples, (size,), generator=draw) for _ in range(batches)]
