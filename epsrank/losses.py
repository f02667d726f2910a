"""Losses of a head with their settings, for `convex_floor`, `read_plateau` and `lipschitz_floor`.

A name, such as ``loss="huber"``, stands for the loss with the settings that PyTorch has by default.
"""

from epsrank.theory.floor.convex.classes import BinaryCrossEntropy, CrossEntropy
from epsrank.theory.floor.convex.losses import (
    AbsoluteError,
    ConvexLoss,
    GaussianError,
    Huber,
    SmoothAbsoluteError,
    SquaredError,
)

__all__ = [
    "AbsoluteError",
    "BinaryCrossEntropy",
    "ConvexLoss",
    "CrossEntropy",
    "GaussianError",
    "Huber",
    "SmoothAbsoluteError",
    "SquaredError",
]
