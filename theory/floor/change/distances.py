"""R′, R″ and F9: a new direction, rank that the loss forces, and how far features have to move."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from epsrank.theory.data.inputs import as_eps, as_features, as_size, as_target, as_whole
from epsrank.theory.data.measure import Measure, as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.change.arguments import refuse_bias
from epsrank.theory.floor.decomposed.centring import centred_problem
from epsrank.theory.floor.decomposed.curve import SquaresCurve
from epsrank.theory.floor.decomposed.decomposition import FloorData, decompose
from epsrank.theory.floor.decomposed.weighting import weighted_problem
from epsrank.theory.floor.plateau import asked
from epsrank.theory.floor.reading import ReadingBias
from epsrank.theory.numbers.arrays import Matrix, to_numpy
from epsrank.theory.numbers.rounding import downward, upward
from epsrank.theory.words import plural


def new_direction(
    features_before: Any,
    target: Any,
    norm_after: float,
    loss_after: float,
    *,
    rank: int,
    weights: Any = None,
    measure: Any = "mean",
    bias: ReadingBias | None = "free",
) -> float:
    """Return a lower bound of σ₁((I − P_s)A_t), P_s the projection on Ψ_p before (R′).

    A head of norm B_t with loss_t has σ₁((I − P_s)A_t) ≥ (d_p(s) − √loss_t)_+/B_t: so much of the
    later features lies outside the leading p directions of the earlier ones.

    Parameters
    ----------
    features_before : array_like or tensor, shape (N, n)
        φ_s.
    target : array_like or tensor, shape (N,) or (N, k)
        u*, of the same samples.
    norm_after, loss_after : float
        B_t and loss_t = ‖u_t − u*‖².
    rank : int
        p.
    weights : array_like, shape (N,), optional
        Sample weights.
    measure : {"mean", "raw", "volume"} or Measure
        Of all norms.
    bias : {"free", None}
        The bias of the head.

    Returns
    -------
    float
        The bound, ≥ 0; ∞ for a head of norm 0 whose loss the directions before do not explain.

    Raises
    ------
    InputError
        If an argument cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 100)[:, None]
    >>> new_direction(x, np.cos(9 * x), 2.0, 0.01, rank=1) > 0.1
    True
    """
    refuse_bias(bias)
    norm, loss = as_size(norm_after, "norm_after"), as_size(loss_after, "loss_after")
    known = asked(features_before, target, norm=norm, bias=bias, weights=weights, measure=measure)
    assert isinstance(known.known, SquaresCurve)
    data = known.known.data
    p = min(as_whole(rank, "rank", least=0), data.n_features)
    # d_p of the matrix decomposed; for the features themselves it moves with the whole tolerance.
    room = float(data.distances[p]) - data.evaluation_tolerance - math.sqrt(loss)
    if room <= 0:
        return 0.0
    return math.inf if norm == 0 else room / norm * (1 - 1e-15)


def rank_forced(
    outputs: Any,
    target: Any,
    *,
    weight_norm: float,
    eps: float = 0.0,
    weights: Any = None,
    measure: Any = "mean",
    bias: ReadingBias | None = "free",
) -> int:
    """Return a rank that the outputs force: r_ε(A) ≥ #{j : σ_j(Y) > ‖U − Y‖₂ + √ε‖W‖₂} (R″).

    For k outputs U = AW the targets have up to k singular values, and a small loss forces as many
    directions. For one output no loss forces more than one.

    Parameters
    ----------
    outputs : array_like or tensor, shape (N, k)
        u, of the network.
    target : array_like or tensor, shape (N, k)
        u*; for classes the unit vectors.
    weight_norm : float
        ‖W‖₂, the spectral norm of the head (‖W‖_F is more, and does as well).
    eps : float
        ε ≥ 0.
    weights : array_like, shape (N,), optional
        Sample weights.
    measure : {"mean", "raw", "volume"} or Measure
        Of the Gram matrix.
    bias : {"free", None}
        A bias may be free: outputs and targets are centred then, which lowers no rank by more than
        the features' own centring does, so that the bound holds for the features as they are.

    Returns
    -------
    int
        The bound, after rounding.

    Raises
    ------
    InputError
        If an argument cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.eye(3)[np.arange(30) % 3]
    >>> rank_forced(0.98 * labels, labels, weight_norm=2.0, eps=1e-4, bias=None)
    3
    """
    refuse_bias(bias)
    read = to_numpy(outputs, "outputs")[0]
    given = as_target(outputs, len(read) if read.ndim else 0, name="outputs")
    goal = as_target(target, len(given))
    law = as_measure(measure, weights, len(given))
    if given.shape[1] != goal.shape[1]:
        raise InputError(
            "outputs",
            f"have {plural(given.shape[1], 'column')}",
            f"pass {goal.shape[1]}, as the target",
        )
    size = as_size(weight_norm, "weight_norm")
    threshold = as_size(eps, "eps")
    left = _spectrum(given - goal, law, bias)
    reach = upward(left.most[0] + math.sqrt(threshold) * size * (1 + 1e-15))
    return int(np.count_nonzero(_spectrum(goal, law, bias).least > reach))


@dataclass(frozen=True)
class _Spectrum:
    """Singular values from below and from above."""

    least: Any
    most: Any


def _spectrum(values: Matrix, measure: Measure, bias: ReadingBias | None) -> _Spectrum:
    """Return the singular values of A = diag(√w)·values, centred for a free bias."""
    data = _decomposed(values, measure, bias)
    low, high = data.error.eigenvalues(data.computed_sigma)
    scale = 2.0**data.feature_exponent
    return _Spectrum(np.sqrt(low) * scale * (1 - 1e-15), np.sqrt(high) * scale * (1 + 1e-15))


def _decomposed(values: Any, measure: Measure, bias: ReadingBias | None) -> FloorData:
    """Return the decomposition of features without a target."""
    checked, none = as_features(values), np.zeros((len(values), 1))
    if bias == "free":
        return decompose(centred_problem(checked, none, measure))
    return decompose(weighted_problem(checked, none, measure))


@dataclass(frozen=True)
class RankDistance:
    """How far features have to move before their ε-rank can be q (F9)."""

    #: ‖A − A_s‖₂ is at least this, √ε − σ_q(A_s), for every A with r_ε ≥ q.
    spectral: float
    #: ‖A − A_s‖_F is at least this, √Σ_{k ≤ q} (√ε − σ_k)_+².
    frobenius: float
    #: q.
    rank: int
    #: ε.
    eps: float

    def exceeds(self, path: Any) -> bool:
        """Whether steps of ‖ΔA‖₂ (or ‖ΔA‖_F) make too short a path to the rank: D1 is strict."""
        return upward(math.fsum(float(step) for step in path)) <= self.spectral


def rank_distance(
    features: Any, eps: float, rank: int, *, weights: Any = None, measure: Any = "mean"
) -> RankDistance:
    """Return how far the features lie from ε-rank q: Weyl, and Mirsky for Frobenius norms (F9).

    |σ_k(A) − σ_k(A′)| ≤ ‖A − A′‖₂, and λ_q > ε asks for σ_q > √ε. True, and weak where ε is small:
    paths of training are often a thousand times as long.

    Parameters
    ----------
    features : array_like or tensor, shape (N, n)
        φ_s.
    eps : float
        ε > 0.
    rank : int
        q, the rank that is to be reached.
    weights : array_like, shape (N,), optional
        Sample weights.
    measure : {"mean", "raw", "volume"} or Measure
        Of A = diag(√w)Φ.

    Returns
    -------
    RankDistance
        Both distances, rounded down; 0 where the rank is reached already.

    Raises
    ------
    InputError
        If an argument cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> found = rank_distance(np.diag([1.0, 1e-4]), 1e-6, 2, measure="raw")
    >>> round(found.spectral, 6), found.exceeds([5e-4])
    (0.0009, True)
    """
    checked, threshold = as_features(features), as_eps(eps)
    q = as_whole(rank, "rank")
    if q > min(checked.n_features, checked.n_samples):
        raise InputError(
            "rank", f"is {q}", f"pass at most {min(checked.n_features, checked.n_samples)}"
        )
    law = as_measure(measure, weights, checked.n_samples)
    sigma = _spectrum(checked.values, law, None).most[:q]
    room = np.maximum(math.sqrt(threshold) * (1 - 1e-15) - sigma, 0.0)
    return RankDistance(
        spectral=float(downward(float(room[-1]))),
        frobenius=float(downward(float(np.linalg.norm(room)) * (1 - 1e-14))),
        rank=q,
        eps=threshold,
    )
