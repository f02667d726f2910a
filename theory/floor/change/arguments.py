"""What the questions about a drop of the loss share: checks, and how steep a loss is."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from epsrank.theory.data.inputs import as_features
from epsrank.theory.data.measure import Measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.plateau import SQUARES


class Steepness(NamedTuple):
    """A loss by its name and slope."""

    name: str
    #: L with |ℓ(z, y) − ℓ(z′, y)| ≤ L‖z − z′‖; None for the squared error, whose roots are used.
    slope: float | None


def refuse_bias(bias: Any) -> None:
    """Refuse a bias that is held at its earlier value: a later head has its own."""
    if bias not in (None, "free", "feature"):
        raise InputError("bias", f"is {bias!r}", "choose 'free', 'feature' or None")


def steepness(loss: Any, target: Any, features: Any, measure: Measure) -> Steepness:
    """Return name and slope of a loss on a target."""
    if isinstance(loss, str) and loss in SQUARES:
        return Steepness("squared", None)
    # Here, since most questions are about the squared error.
    from epsrank.theory.floor.convex.named import as_convex_loss
    from epsrank.theory.floor.convex.problem import mean_shares

    law = as_convex_loss(loss)
    goal = law.targets(target, as_features(features).n_samples, None)
    # Samples that count for more than one make the mean steeper.
    mass = float(mean_shares(measure, law, goal).sum())
    return Steepness(law.name, float(law.lipschitz(goal)) * mass * (1 + 1e-14))


def least_move(reachable: float, loss: float, norm: float, slope: float | None) -> float | None:
    """Return (√V − √loss)₊/B for squares, (V − loss)₊/(L B) for a loss of slope L; None for L = ∞.

    So far the features have to move, or so large is a direction beyond the leading ones.
    """
    if slope is not None and not math.isfinite(slope):
        return None
    if norm == 0:
        return 0.0
    if slope is None:
        return max(0.0, math.sqrt(reachable) - math.sqrt(loss)) / norm
    return max(0.0, reachable - loss) / (slope * norm)
