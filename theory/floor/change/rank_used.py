"""R: how many directions of its features a loss needs, and whether the number before sufficed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from epsrank.theory.data.inputs import as_features, as_size, as_target, as_whole
from epsrank.theory.data.measure import Measure, as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.certified.value import certified_value
from epsrank.theory.floor.change.arguments import least_move, refuse_bias, steepness
from epsrank.theory.floor.decomposed.curve import SquaresCurve
from epsrank.theory.floor.decomposed.decomposition import FloorData
from epsrank.theory.floor.plateau import SQUARES, asked
from epsrank.theory.floor.reading import FEATURE_LIMITED, ReadingBias
from epsrank.theory.numbers.arrays import Matrix
from epsrank.theory.numbers.interval import outward
from epsrank.theory.shown import Shown
from epsrank.theory.strict_json import nulled
from epsrank.theory.words import plural

#: The loss uses p directions when T(p, B) is at most this many times the loss.
USED = FEATURE_LIMITED

_Ends = tuple[float, float]


@dataclass(frozen=True)
class RankUsed(Shown):
    """Whether directions beyond the earlier number were necessary for the later loss (R).

    Attributes
    ----------
    rank_before : int
        p, the number of directions before.
    loss, norm : float
        loss_t and B_t.
    reachable, attained : float
        T_t(p, B_t) lies between them: the least loss in the leading p directions of the later
        features.
    ratio : float
        reachable/loss_t.
    necessary : bool
        Whether T_t(p, B_t) > loss_t is proved: more than p directions were necessary.
    loss_before : float or None
        loss_s, where it was given.
    ratio_before : float or None
        reachable/loss_s.
    carries : bool or None
        Whether T_t(p, B_t) ≥ loss_s is proved: the directions beyond p carry the whole drop.
    rank_needed : int
        p*_t = min{p : T_t(p, B_t) ≤ 1.25 loss_t}: the rank that the loss uses; n + 1 where even all
        directions do not.
    eigenvalue : float
        λ_{p+1}(G_t) is at least this.
    n_features : int
        n.
    loss_name, measure : str
        ℓ and the measure.
    bias : {"free", None}
        How a bias enters.
    certified : bool
        Whether T was enclosed in ball arithmetic.
    """

    rank_before: int
    loss: float
    norm: float
    reachable: float
    attained: float
    ratio: float
    necessary: bool
    loss_before: float | None
    ratio_before: float | None
    carries: bool | None
    rank_needed: int
    eigenvalue: float
    n_features: int
    loss_name: str
    measure: str
    bias: ReadingBias | None
    certified: bool

    def __str__(self) -> str:
        p = self.rank_before
        if self.necessary:
            said = (
                f"more than {plural(p, 'direction was', 'directions were')} necessary: the "
                f"leading {p} of the later features "
                f"allow no loss below {self.reachable:.4g}, {self.ratio:.4g} times the later one"
            )
        else:
            said = (
                f"no proof that more than {plural(p, 'direction was', 'directions were')} "
                f"necessary: the leading {p} of the "
                f"later features allow a loss of {self.attained:.4g}"
            )
        if self.carries is not None:
            share = "carry the whole drop" if self.carries else "are not shown to carry all of it"
            said += f"; those beyond {share}"
        if self.rank_needed > self.n_features:
            return f"{said}; all directions together do not come within a quarter of the loss"
        return f"{said}; the loss uses {self.rank_needed} of {plural(self.n_features, 'direction')}"

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain data, null for ∞.

        Returns
        -------
        dict
            One entry per attribute.
        """
        found: dict[str, Any] = nulled(vars(self))
        return found


def rank_used(
    features_after: Any,
    target: Any,
    norm_after: float,
    loss_after: float,
    *,
    rank_before: int,
    loss_before: float | None = None,
    loss: Any = "squared",
    weights: Any = None,
    measure: Any = "mean",
    bias: ReadingBias | None = "free",
    loss_error: float = 0.0,
    certify: bool = False,
) -> RankUsed:
    """Ask whether the later loss needs more directions than there were before (R).

    With Q_p the leading p eigenvectors of the later Gram matrix, T_t(p, B) is the least loss of
    heads Q_p c with ‖c‖ ≤ B. T_t(p, B_t)/loss_t > 1 proves that directions beyond p are necessary,
    and T_t(p, B_t)/loss_s ≥ 1 that they carry the whole drop. Since dropping them moves a head's
    outputs by at most √λ_{p+1} B_t, it also follows that λ_{p+1} ≥ ((√T − √loss_t)_+/B_t)².

    Parameters
    ----------
    features_after : array_like or tensor, shape (N, n)
        φ_t at the samples.
    target : array_like or tensor
        u*, or labels; of the same samples.
    norm_after, loss_after : float
        B_t = ‖W_t‖_F and loss_t.
    rank_before : int
        p, such as the ε-rank of the features before.
    loss_before : float, optional
        loss_s.
    loss : {"squared", "cross_entropy", "huber", "absolute"} or ConvexLoss
        As in `read_plateau`.
    weights : array_like, shape (N,), optional
        Sample weights.
    measure : {"mean", "raw", "volume"} or Measure
        Of the losses and of the Gram matrix.
    bias : {"free", None}
        The bias of the head. Where it is free the directions are those of the centred features,
        whose ε-rank is at most that of the features.
    loss_error : float
        How far `loss_after` may be off.
    certify : bool
        Enclose T in ball arithmetic; the squared error, widths up to about 100.

    Returns
    -------
    RankUsed
        The proof or its absence, with the numbers.

    Raises
    ------
    InputError
        If an argument cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 100)
    >>> features = np.stack([x, 0.1 * np.cos(9 * x)], axis=1)
    >>> found = rank_used(features, np.cos(9 * x), 10.0, 1e-3, rank_before=1)
    >>> found.necessary, found.rank_needed
    (True, 2)
    """
    refuse_bias(bias)
    if bias == "feature":
        raise InputError("bias", "is 'feature'", "choose 'free' or None: directions are of φ")
    checked = as_features(features_after)
    n = checked.n_features
    p = min(as_whole(rank_before, "rank_before", least=0), n)
    norm, value = as_size(norm_after, "norm_after"), as_size(loss_after, "loss_after")
    before = None if loss_before is None else as_size(loss_before, "loss_before")
    law = as_measure(measure, weights, checked.n_samples)
    name, slope = steepness(loss, target, checked, law)
    ends = loss_by_rank(checked.values, target, norm, law, bias, loss)
    reachable, attained = ends(p)
    if certify:
        if loss not in SQUARES:
            raise InputError("certify", "is True", "balls know the squared error")
        goal = as_target(target, checked.n_samples)
        found = certified_value(checked, goal, norm, law, free=bias == "free", directions=p)
        reachable = max(0.0, outward(Fraction(found.lower), -1))
        attained = outward(Fraction(found.upper), +1)
    most = value + as_size(loss_error, "loss_error")
    return RankUsed(
        rank_before=p,
        loss=value,
        norm=norm,
        reachable=reachable,
        attained=attained,
        ratio=reachable / value if value > 0 else math.inf,
        necessary=reachable > most,
        loss_before=before,
        ratio_before=None if before is None else (reachable / before if before else math.inf),
        carries=None if before is None else reachable >= before,
        rank_needed=least_rank(ends, USED * value, n),
        eigenvalue=_eigenvalue(reachable, most, norm, slope),
        n_features=n,
        loss_name=name,
        measure=law.name,
        bias=bias,
        certified=certify,
    )


def loss_by_rank(
    features: Matrix,
    target: Any,
    norm: float,
    measure: Measure,
    bias: ReadingBias | None,
    loss: Any,
) -> Callable[[int], _Ends]:
    """Return p ↦ T(p, B), enclosed."""
    if loss in SQUARES:
        return _squares(features, target, norm, measure, bias)
    return _convex(features, target, norm, measure, bias, loss)


def _squares(
    features: Matrix, target: Any, norm: float, measure: Any, bias: ReadingBias | None
) -> Callable[[int], _Ends]:
    """Return p ↦ T(p, B) for squares, from one decomposition."""
    known = asked(features, target, norm=norm, bias=bias, measure=measure).known
    assert isinstance(known, SquaresCurve)
    return lambda p: _ends(SquaresCurve(_leading(known.data, p)), norm)


def _ends(curve: SquaresCurve, norm: float) -> _Ends:
    low, _, high = curve.bounds(norm)
    return low, high


def _leading(data: FloorData, count: int) -> FloorData:
    """Return the decomposition with its first directions alone: the others join what is outside."""
    if count >= data.sigma.size:
        return data
    rest = float(np.linalg.norm(data.components[count:]))
    return replace(
        data,
        sigma=data.sigma[:count],
        components=data.components[:count],
        outside=math.hypot(data.outside, rest),
        right=data.right[:, :count],
    )


def _convex(
    features: Matrix,
    target: Any,
    norm: float,
    measure: Any,
    bias: ReadingBias | None,
    loss: Any,
) -> Callable[[int], _Ends]:
    """Return p ↦ T(p, B) for another convex loss: V of the features φQ_p."""
    factors = measure.row_factors()
    shares = factors**2
    centred = features - shares @ features / float(shares.sum()) if bias == "free" else features
    vectors = np.linalg.eigh((centred * shares[:, None]).T @ centred)[1][:, ::-1]

    def ends(p: int) -> _Ends:
        """Return T(p, B)."""
        # One direction of zeros stands for none.
        images = features @ vectors[:, :p] if p else np.zeros((len(features), 1))
        found = asked(images, target, loss=loss, norm=norm, bias=bias, measure=measure)
        low, _, high = found.known.bounds(norm)
        return float(low), float(high)

    return ends


def least_rank(ends: Callable[[int], _Ends], level: float, n: int) -> int:
    """Return min{p : T(p, B) ≤ level}; T falls with p."""
    low, high = 0, n + 1
    while low < high:
        middle = (low + high) // 2
        if middle > n or ends(middle)[1] <= level:
            high = middle
        else:
            low = middle + 1
    return low


def _eigenvalue(reachable: float, loss: float, norm: float, slope: float | None) -> float:
    """Return the lower bound of λ_{p+1}(G_t)."""
    root = least_move(reachable, loss, norm, slope) or 0.0
    return root * root * (1 - 1e-14)
