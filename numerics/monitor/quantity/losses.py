"""The losses of a monitor as functions of outputs and targets, which quantities differentiate."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.nn import functional as F

from epsrank.numerics.monitor.quantity.contract import Loss
from epsrank.theory.errors import InputError

if TYPE_CHECKING:
    from epsrank.numerics.losses import UserLoss


def loss_function(loss: UserLoss | None) -> Loss | None:
    """Return the loss that an argument of the monitor gives or names."""
    if loss is None or not loss.named:
        return loss
    if loss.name in _ENTRYWISE:
        return partial(entrywise, _ENTRYWISE[loss.name])
    return squares if loss.squares else cross_entropy


_ENTRYWISE: dict[str, Callable[..., Tensor]] = {
    "bce": F.binary_cross_entropy_with_logits,
    "huber": F.huber_loss,
    "smooth_l1": F.smooth_l1_loss,
    "l1": F.l1_loss,
}


def entrywise(function: Callable[..., Tensor], outputs: Any, targets: Any) -> Tensor:
    """Return  mean over samples of a loss that is summed over outputs."""
    u, goal = (_rows(name, t) for name, t in (("outputs", outputs), ("targets", targets)))
    if u.shape != goal.shape:
        raise _unlike(outputs, targets)
    return function(u, goal.to(u), reduction="none").sum(dim=1).mean()


def squares(outputs: Any, targets: Any) -> Tensor:
    """Return  mean over samples of ‖u − u*‖²,  summed over outputs, as the reading does (F6)."""
    u, goal = (_rows(name, t) for name, t in (("outputs", outputs), ("targets", targets)))
    # (N,) beside (N, 1) must not become (N, N).
    if u.shape != goal.shape:
        raise _unlike(outputs, targets)
    return (u - goal.to(u)).square().sum(dim=1).mean()


def cross_entropy(outputs: Any, targets: Any) -> Tensor:
    """Return  mean over samples of −log softmax(u) at the label;  labels −100 are left out.

    Classes are on the last axis, or on the second where only that fits the labels.
    """
    u, goal = _tensor("outputs", outputs), _tensor("targets", targets).to(outputs.device)
    if goal.is_floating_point():
        if u.shape != goal.shape:
            raise _unlike(outputs, targets)
        return F.cross_entropy(_rows("outputs", u), _rows("targets", goal).to(u.dtype))
    # Tokens and positions are samples.
    if u.shape[:-1] == goal.shape:
        return F.cross_entropy(u.reshape(-1, u.shape[-1]), goal.reshape(-1).long())
    if u.ndim > 2 and u.shape[:1] + u.shape[2:] == goal.shape:
        return F.cross_entropy(u, goal.long())
    raise _unlike(outputs, targets)


def _tensor(name: str, value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        kind = "missing" if value is None else f"a {type(value).__name__}"
        raise InputError(name, f"are {kind}", "pass a tensor with one row per sample")
    return value


def _rows(name: str, value: Any) -> Tensor:
    """Return a tensor as samples × outputs: all axes but the last are samples."""
    tensor = _tensor(name, value)
    return tensor.reshape(-1, 1 if tensor.ndim < 2 else tensor.shape[-1])


def _unlike(outputs: Tensor, targets: Tensor) -> InputError:
    shapes = f"have shape {tuple(targets.shape)}, the outputs {tuple(outputs.shape)}"
    return InputError("targets", shapes, "pass one target for every sample")
