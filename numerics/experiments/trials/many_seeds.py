"""What trials that train all seeds at once share: steps of descent and Adam, numbers by seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from epsrank.theory.strict_json import nulled

_ADAM = (0.9, 0.999, 1e-8)


def rounded(values: Tensor) -> list[float | None]:
    """Return one number per seed, None for those that have diverged."""
    # Six digits: no level is decided by these, and records stay small.
    return [nulled(float(f"{value:.6g}")) for value in values.tolist()]


def update(
    weight: Tensor,
    gradient: Tensor,
    moments: tuple[Tensor, Tensor],
    step: int,
    settings: Mapping[str, Any],
) -> None:
    """Make a step, the first one has the number 1.

    `settings`: ``optimizer`` (``"descent"`` or ``"adam"``), ``learning_rate``.
    """
    if settings["optimizer"] == "descent":
        weight.sub_(gradient, alpha=settings["learning_rate"])
        return
    first, second = moments
    b1, b2, eps = _ADAM
    first.mul_(b1).add_(gradient, alpha=1 - b1)
    second.mul_(b2).addcmul_(gradient, gradient, value=1 - b2)
    size = (second / (1 - b2**step)).sqrt_().add_(eps)
    weight.addcdiv_(first, size, value=-settings["learning_rate"] / (1 - b1**step))
