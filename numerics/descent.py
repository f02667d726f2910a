"""Plain and heavy-ball descent: which optimisers are it, and up to which sharpness it is stable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: μ by `RunConfig.optimizer`.
MOMENTUM = {"sgd": 0.0, "momentum": 0.9}


def limit_of(settings: Mapping[str, Any]) -> float | None:
    """Return 2(1 + μ)/η, above which steps diverge on a quadratic; None of another optimiser."""
    rate, optimizer = settings.get("learning_rate"), settings.get("optimizer")
    if optimizer not in MOMENTUM or not isinstance(rate, (int, float)) or not rate > 0:
        return None
    # Sweeps and imports may have μ as a setting.
    momentum = settings.get("momentum", MOMENTUM[optimizer])
    return 2 * (1 + momentum) / rate if isinstance(momentum, (int, float)) else None
