"""F8 and R for many pairs of moments of one training, each moment decomposed once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from epsrank.theory.data.inputs import as_eps, as_features
from epsrank.theory.data.measure import as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.change.counterfactual import head_factor
from epsrank.theory.floor.change.rank_used import USED, least_rank, loss_by_rank
from epsrank.theory.floor.plateau import SQUARES, Asked, asked
from epsrank.theory.floor.reading import ReadingBias
from epsrank.theory.numbers.arrays import Matrix, Vector
from epsrank.theory.rank import epsilon_ranks
from epsrank.theory.strict_json import nulled


@dataclass(frozen=True, eq=False)
class Moment:
    """A last layer as it was at a step: φ on the samples, W and b."""

    step: int
    features: Matrix
    coefficients: Matrix
    bias: Vector | None


@dataclass(frozen=True)
class RankShare:
    """R at one ε, between two moments s and t."""

    eps: float
    #: Ends of the ε-rank before and after.
    rank_before: tuple[int, int]
    rank_after: tuple[int, int]
    #: T_t(p, B_t) lies between them, p the upper end of the rank before.
    reachable: float
    attained: float
    #: Whether T_t > loss_t is proved: more than p directions were necessary.
    necessary: bool
    #: Whether T_t ≥ loss_s is proved: those beyond p carry the whole drop.
    carries: bool
    #: log(T_t/loss_t)/log(loss_s/loss_t) from below, at most 1: the share of the drop, on a
    #: logarithmic scale, that the directions beyond p certainly carry; 0 where none is proved.
    share: float


@dataclass(frozen=True)
class DropFigures:
    """What is proved between two moments: F8, R at every ε, and the rank that each loss uses."""

    step_before: int
    step_after: int
    loss_before: float
    loss_after: float
    #: B_t.
    norm: float
    #: V_s(B_t) lies between them.
    reachable: float
    attained: float
    #: Whether V_s(B_t) > loss_t is proved: the features had to change.
    changed: bool
    #: c* from below and above; None for losses other than squares, whose search takes seconds.
    factor_below: float | None
    factor: float | None
    #: p* before and after: the rank that the loss uses.
    used_before: int
    used_after: int
    #: One per ε.
    ranks: tuple[RankShare, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain data, null for ∞."""
        found: dict[str, Any] = nulled(asdict(self))
        return found


def explain_pairs(
    moments: Sequence[Moment],
    target: Any,
    pairs: Sequence[tuple[int, int]],
    *,
    eps: Sequence[float] = (1e-6,),
    loss: Any = "squared",
    weights: Any = None,
    measure: Any = "mean",
) -> list[DropFigures]:
    """Answer both questions about a drop for pairs of moments of one training.

    V_{φ_s}(B_t) > loss_t proves that the features had to change (F8); T_t(p, B_t) > loss_t, with p
    the ε-rank before, that more than p directions were necessary, and T_t(p, B_t) ≥ loss_s that
    those beyond carry the whole drop (R). For losses other than squares V and T are dual values.
    The numbers are those of `explain_drop`; each moment is decomposed once, however many
    pairs it is in.

    `pairs`: indices (s, t) into `moments`, s before t. The bias is free where moments have one.
    """
    thresholds = [as_eps(value) for value in eps]
    if not moments:
        return []
    law = as_measure(measure, weights, as_features(moments[0].features).n_samples)
    wrong = [pair for pair in pairs if not 0 <= pair[0] < pair[1] < len(moments)]
    if wrong:
        raise InputError("pairs", f"have {wrong[0]}", "pass indices (before, after) of moments")
    squares = loss in SQUARES

    @cache
    def curve(index: int) -> Asked:
        moment = moments[index]
        return asked(
            moment.features, target, loss=loss, coefficients=moment.coefficients,
            bias=_bias(moment), bias_value=moment.bias, measure=law,
        )  # fmt: skip

    @cache
    def ranks(index: int) -> list[tuple[int, int]]:
        found = epsilon_ranks(moments[index].features, thresholds, measure=law)
        return [(interval.lower, interval.upper) for interval in found]

    @cache
    def by_rank(index: int) -> Callable[[int], tuple[float, float]]:
        moment, place = moments[index], curve(index)
        ends = loss_by_rank(moment.features, target, place.norm, law, _bias(moment), loss)
        return cache(ends)

    @cache
    def used(index: int) -> int:
        n = moments[index].features.shape[1]
        return least_rank(by_rank(index), USED * _loss(curve(index)), n)

    found = []
    for s, t in pairs:
        before, after = curve(s), curve(t)
        most = _loss(after) + after.error
        low, _, high = before.known.bounds(after.norm)
        below, factor = (
            head_factor(before.known, after.norm, _loss(after), most) if squares else (None, None)
        )
        shares = tuple(
            _share(value, p, q, by_rank(t)(min(p[1], moments[t].features.shape[1])), before, after)
            for value, p, q in zip(thresholds, ranks(s), ranks(t), strict=True)
        )
        found.append(
            DropFigures(
                moments[s].step,
                moments[t].step,
                _loss(before),
                _loss(after),
                after.norm,
                float(low),
                float(high),
                bool(low > most),
                below,
                factor,
                used(s),
                used(t),
                shares,
            )
        )
    return found


def _bias(moment: Moment) -> ReadingBias | None:
    return None if moment.bias is None else "free"


def _loss(place: Asked) -> float:
    assert place.loss is not None
    return place.loss


def _share(
    eps: float,
    before: tuple[int, int],
    after: tuple[int, int],
    ends: tuple[float, float],
    earlier: Asked,
    later: Asked,
) -> RankShare:
    """Return R at one ε."""
    low, high = ends
    loss_s, loss_t = _loss(earlier), _loss(later)
    necessary = bool(low > loss_t + later.error)
    share = 0.0
    if necessary and 0 < loss_t < loss_s:
        share = min(1.0, math.log(low / loss_t) / math.log(loss_s / loss_t))
    return RankShare(eps, before, after, low, high, necessary, bool(low >= loss_s), share)
