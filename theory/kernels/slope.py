"""The slope γ of a structured first layer, chosen by the ε-rank that it predicts (I3)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from epsrank.theory.data.inputs import as_eps, as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.kernels.catalogue import Sigma
from epsrank.theory.kernels.input_measure import InputMeasure, box_measure, data_measure
from epsrank.theory.kernels.placed import Placement, placement
from epsrank.theory.kernels.simulation import simulate_ranks
from epsrank.theory.shown import Shown

By = Literal["finite-width", "kernel"]

# Slopes tried: the rule's, times powers of √2.
_HALF_OCTAVES = range(-10, 9)
_REFINEMENTS = 6
# Data beyond this many rows are thinned: the ε-rank of a layer changes little with more.
_MOST_ROWS = 1000


@dataclass(frozen=True)
class SlopeChoice(Shown):
    """A slope, and the predicted ε-rank over slopes that it was chosen from.

    Attributes
    ----------
    slope : float
        γ.
    rank : float
        Predicted ε-rank at γ.
    rule_slope, rule_rank : float
        Slope of the rule of [S1] or [S2] and its predicted ε-rank.
    target : int or None
        ε-rank asked for; None for the largest.
    eps : float
        ε.
    width : int
        n.
    by : {"finite-width", "kernel"}
        Mean over drawn layers, or the limit count #{k : nμ_k > ε}.
    slopes, ranks : tuple of float
        What was tried.
    measure : str
        Measure of the inputs.
    """

    slope: float
    rank: float
    rule_slope: float
    rule_rank: float
    target: int | None
    eps: float
    width: int
    by: By
    slopes: tuple[float, ...]
    ranks: tuple[float, ...]
    measure: str

    def __str__(self) -> str:
        wish = "largest" if self.target is None else f"at least {self.target}"
        return (
            f"γ = {self.slope:.4g} predicts ε-rank {self.rank:g} of {self.width} ({wish} wanted) "
            f"at ε = {self.eps:g}, {self.measure} measure; the rule's γ = {self.rule_slope:.4g} "
            f"predicts {self.rule_rank:g}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the choice as plain data.

        Returns
        -------
        dict
            One entry per attribute.
        """
        return {
            "slope": self.slope,
            "rank": self.rank,
            "rule_slope": self.rule_slope,
            "rule_rank": self.rule_rank,
            "target": self.target,
            "eps": self.eps,
            "width": self.width,
            "by": self.by,
            "slopes": list(self.slopes),
            "ranks": list(self.ranks),
            "measure": self.measure,
        }


def predicted_rank(
    place: Placement, inputs: InputMeasure, gamma: float | None, eps: float, by: By, draws: int = 4
) -> float:
    """Predict the ε-rank of a structured first layer of slope γ."""
    law = place.neurons(inputs, gamma)
    if by == "kernel":
        found = law.spectrum.rank(place.width, eps)
        return (found.lower + found.upper) / 2
    return simulate_ranks(law, place.width, [eps], draws=draws)[0].mean


def choose_slope(
    activation: str | Sigma,
    width: int,
    *,
    target_rank: int | None = None,
    eps: float = 1e-6,
    domain: Any = None,
    data: Any = None,
    inputs: InputMeasure | None = None,
    by: By = "finite-width",
    draws: int = 4,
) -> SlopeChoice:
    """Choose the slope γ of σ(γ(a·x − r)) by the ε-rank it predicts: the least that suffices.

    Slopes from 1/32 to 16 times the rule's are tried. A larger slope than needed makes the layer
    stiff without a gain in ε-rank, so the least is taken: of those within ½ of the largest
    predicted ε-rank, or of those that reach `target_rank` (refined by bisection).

    Parameters
    ----------
    activation : str or callable
        Name of σ.
    width : int
        Number n of neurons.
    target_rank : int, optional
        ε-rank wanted; the largest where not given.
    eps : float
        ε.
    domain, data : array_like, optional
        The box, or samples; exactly one.
    inputs : InputMeasure, optional
        Measure of the ε-rank; by default the uniform measure of the box with mass 1, on at least
        4n points in one dimension, or the data with equal weights (at most 1000 rows).
    by : {"finite-width", "kernel"}
        How to predict (see `predicted_rank`); the limit count overestimates random layers.
    draws : int
        Layers drawn per slope.

    Returns
    -------
    SlopeChoice
        The choice with what was tried.

    Raises
    ------
    InputError
        If the target is out of reach, or an argument cannot be used.

    Examples
    --------
    >>> choose_slope("tanh", 30, domain=(-1, 1), target_rank=12).rank
    12.0
    """
    threshold = as_eps(eps)
    if by not in {"finite-width", "kernel"}:
        raise InputError("by", f"is {by!r}", "choose 'finite-width' or 'kernel'")
    place = placement(activation, width, domain=domain, data=data)
    n = place.width
    if target_rank is not None:
        target_rank = as_whole(target_rank, "target_rank", most=n)
    where = _default_inputs(place) if inputs is None else inputs
    rule = place.rule_slope()

    def count(gamma: float) -> float:
        return predicted_rank(place, where, gamma, threshold, by, draws)

    slopes = [rule * 2 ** (j / 2) for j in _HALF_OCTAVES]
    ranks = [count(gamma) for gamma in slopes]
    best = max(ranks)
    needed = best - 0.5 if target_rank is None else float(target_rank)
    if best < needed:
        raise InputError(
            "target_rank",
            f"is {target_rank}, but no slope from {slopes[0]:.3g} to {slopes[-1]:.3g} predicts "
            f"more than {best:g} at ε = {threshold:g}",
            "widen the layer, lower ε, or ask for less",
        )
    first = next(j for j, rank in enumerate(ranks) if rank >= needed)
    slope, rank = slopes[first], ranks[first]
    # Below the least slope tried there is nothing to bisect against.
    if target_rank is not None and first > 0:
        slope, rank = _refine(count, slopes[first - 1], slope, rank, needed)
    name = where.measure.name
    at_rule = ranks[list(_HALF_OCTAVES).index(0)]
    return SlopeChoice(
        slope, rank, rule, at_rule, target_rank, threshold, n, by, tuple(slopes), tuple(ranks), name
    )


def _refine(
    count: Callable[[float], float], low: float, high: float, rank: float, needed: float
) -> tuple[float, float]:
    """Bisect on a logarithmic scale for the least slope that suffices."""
    for _ in range(_REFINEMENTS):
        middle = math.sqrt(low * high)
        found = count(middle)
        if found >= needed:
            high, rank = middle, found
        else:
            low = middle
    return high, rank


def _default_inputs(place: Placement) -> InputMeasure:
    """Return the measure that ranks are predicted in where none is given."""
    if place.rows is not None:
        step = -(-len(place.rows) // _MOST_ROWS)
        return data_measure(place.rows[::step], text="data of the layer")
    assert place.box is not None
    count = max(200, 4 * place.width) if place.dimension == 1 else None
    if place.dimension == 2:
        count = max(24**2, 4 * place.width)
    return box_measure(np.asarray(place.box), n_points=count)
