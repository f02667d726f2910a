"""Some of many, evenly spaced."""

from __future__ import annotations

import numpy as np


def spaced(count: int, most: int) -> list[int]:
    """Return at most so many of the indices 0 … count − 1, evenly spaced, both ends among them."""
    return sorted({round(at) for at in np.linspace(0, count - 1, min(count, most))})
