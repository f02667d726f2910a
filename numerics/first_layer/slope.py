"""Slopes of a structured first layer as settings: a number, or chosen by the predicted ε-rank."""

from __future__ import annotations

import math
import re
from typing import Any

from epsrank.numerics.networks.activations import theory_activation
from epsrank.theory.errors import InputError
from epsrank.theory.kernels.slope import SlopeChoice, choose_slope
from epsrank.theory.numbers.arrays import real_number

_AUTO = re.compile(r"auto(?::(?P<rank>[1-9]\d*))?")


def as_slope(slope: Any, *, name: str = "gamma") -> float | str | None:
    """Check a slope γ: a positive number, ``"auto"``, or ``"auto:R"``."""
    if slope is None:
        return None
    if isinstance(slope, str) and _AUTO.fullmatch(slope):
        return slope
    remedy = "pass a positive number, 'auto' or 'auto:RANK'"
    number = slope
    if isinstance(slope, str):  # as a command line gives it
        try:
            number = float(slope)
        except ValueError:
            raise InputError(name, f"is {slope!r}", remedy) from None
    value = real_number(number, name, remedy)
    if not 0 < value < math.inf:
        raise InputError(name, f"is {slope!r}", remedy)
    return value


def resolve_slope(
    slope: str, activation: str, width: int, *, domain: Any, data: Any, eps: float
) -> SlopeChoice:
    """Choose γ for ``"auto"`` (largest predicted ε-rank) or ``"auto:R"`` (at least R)."""
    found = _AUTO.fullmatch(slope)
    assert found is not None
    rank = None if found["rank"] is None else int(found["rank"])
    sigma = theory_activation(activation)
    return choose_slope(sigma, width, target_rank=rank, eps=eps, domain=domain, data=data)
