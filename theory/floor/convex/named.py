"""Convex losses by name."""

from __future__ import annotations

from epsrank.theory.errors import InputError
from epsrank.theory.floor.convex.losses import (
    AbsoluteError,
    ConvexLoss,
    CrossEntropy,
    Huber,
    SquaredError,
)

_LOSSES: dict[str, type[CrossEntropy | AbsoluteError | Huber | SquaredError]] = {
    "cross_entropy": CrossEntropy,
    "absolute": AbsoluteError,
    "huber": Huber,
    "mse": SquaredError,
}


def as_convex_loss(loss: str | ConvexLoss) -> ConvexLoss:
    """Return a loss by name, or the loss itself."""
    if not isinstance(loss, str):
        return loss
    if loss not in _LOSSES:
        raise InputError("loss", f"is {loss!r}", f"choose one of {', '.join(_LOSSES)}")
    return _LOSSES[loss]()
