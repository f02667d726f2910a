"""Convex losses by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable

from epsrank.theory.errors import InputError
from epsrank.theory.floor.convex.classes import BinaryCrossEntropy, CrossEntropy
from epsrank.theory.floor.convex.losses import (
    AbsoluteError,
    ConvexLoss,
    Huber,
    SmoothAbsoluteError,
    SquaredError,
)

_LOSSES: dict[str, Callable[[], ConvexLoss]] = {
    "cross_entropy": CrossEntropy,
    "bce": BinaryCrossEntropy,
    "absolute": AbsoluteError,
    "l1": AbsoluteError,
    "huber": Huber,
    "smooth_l1": SmoothAbsoluteError,
    "mse": SquaredError,
}


def as_convex_loss(loss: str | ConvexLoss) -> ConvexLoss:
    """Return a loss by name, or the loss itself."""
    known = ", ".join(_LOSSES)
    if not isinstance(loss, str):
        if not hasattr(loss, "evaluate"):
            remedy = f"choose one of {known}, or a loss of epsrank.losses"
            raise InputError("loss", f"is {loss!r}", remedy)
        return loss
    name = loss.lower().replace("-", "_")
    if name not in _LOSSES:
        near = difflib.get_close_matches(name, _LOSSES, n=1)
        remedy = f"did you mean {near[0]!r}?" if near else f"choose one of {known}"
        raise InputError("loss", f"is {loss!r}", remedy)
    return _LOSSES[name]()
