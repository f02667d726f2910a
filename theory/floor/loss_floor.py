"""The public function: what loss fixed features allow, and whether a plateau is theirs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from epsrank.theory.data.inputs import as_coefficients, as_eps, as_features, as_norm, as_target
from epsrank.theory.data.measure import MeasureName, as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.arguments import BiasName, refuse_unless_one, with_bias
from epsrank.theory.floor.decomposed.bounds import envelope, epsilon_floor, floors, rank_budget
from epsrank.theory.floor.decomposed.curve import SquaresCurve
from epsrank.theory.floor.decomposed.decomposition import FloorData, decompose
from epsrank.theory.floor.decomposed.moments import decompose_moments
from epsrank.theory.floor.decomposed.reachable import ReachableLoss, reachable_loss
from epsrank.theory.floor.decomposed.spectral import rank_of, spectral_loss_norm
from epsrank.theory.floor.decomposed.weighting import residual_norm, weighted_problem
from epsrank.theory.floor.plateau import read_plateau
from epsrank.theory.floor.reading import NO_LOSS, Reading, no_reading, read_curve
from epsrank.theory.floor.result import LossFloor
from epsrank.theory.numbers.scaled import frobenius
from epsrank.theory.rank import epsilon_rank, epsilon_rank_from_gram
from epsrank.theory.rank.interval import RankInterval
from epsrank.theory.words import plural


def loss_floor(
    features: Any,
    target: Any,
    *,
    eps: float,
    norm: float | None = None,
    coefficients: Any = None,
    weights: Any = None,
    measure: Any = "mean",
    bias: BiasName | None = None,
    bias_value: Any = None,
    constant: Any = None,
    losses: Iterable[float] | None = None,
    exact: bool = False,
) -> LossFloor:
    """Return loss ≥ V(‖β‖) ≥ envelope ≥ floor for fixed features (F1–F6).

    With d_p = dist(u*, Ψ_p) and V(B) = min_{‖W‖_F ≤ B} ‖φ·W − u*‖²,

        ‖φ·W − u*‖² ≥ V(‖W‖_F) ≥ max_p (d_p − √λ_{p+1} ‖W‖_F)_+² ≥ (d_{r_ε} − √ε ‖W‖_F)_+².

    All losses are squared norms in the measure (for ``mean`` and one output: mean squared errors).

    Parameters
    ----------
    features : array_like or tensor, shape (N, n)
        Φ, outputs of the last hidden layer at the samples.
    target : array_like or tensor, shape (N,) or (N, k)
        u*.
    eps : float
        ε > 0, in the measure.
    norm : float, optional
        B ≥ 0 (``inf`` for no bound). Exactly one of `norm` and `coefficients` is needed.
    coefficients : array_like or tensor, shape (n,) or (n, k), optional
        β or W; gives the loss and the norm.
    weights : array_like, shape (N,), optional
        Sample weights w_i ≥ 0.
    measure : {"mean", "raw", "volume"}
        Normalisation of the weights.
    bias : {None, "feature", "fixed"}
        An output bias: the constant 1 joins the features and `bias_value` the coefficients (so that
        the norm includes it), or the floor is taken for u* − bias_value.
    bias_value : array_like, shape () or (k,), optional
        The bias of the output layer.
    constant : array_like, shape (N,), optional
        What the constant function is at the samples where that is not 1, as under the operator of a
        PINN (L1).
    losses : iterable of float, optional
        Losses δ² whose rank budget is wanted (F5); by default ‖u*‖²·10^(−1…−8).
    exact : bool
        Whether the ε-rank must be decided in exact arithmetic.

    Returns
    -------
    LossFloor
        The chain, its rounding bound, the rank budget and the reading of F6.

    Raises
    ------
    InputError
        If an argument cannot be used, or not exactly one of `norm` and `coefficients` is given.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 200)
    >>> features = np.tanh(np.outer(x, np.arange(1, 6)))
    >>> result = loss_floor(features, np.sin(3 * x), eps=1e-6, norm=2.0)
    >>> result.floor <= result.envelope <= result.reachable
    True
    """
    refuse_unless_one(norm, coefficients)
    threshold = as_eps(eps)
    checked = as_features(features)
    goal = as_target(target, checked.n_samples)
    law = as_measure(measure, weights, checked.n_samples)
    matrix = None if coefficients is None else as_coefficients(coefficients, checked.n_features)
    if matrix is not None and matrix.shape[1] != goal.shape[1]:
        raise InputError(
            "coefficients",
            f"have {plural(matrix.shape[1], 'output')}, but the target has {goal.shape[1]}",
            "pass one column per output",
        )
    ones = None if constant is None else as_target(constant, checked.n_samples, name="constant")
    checked, goal, matrix = with_bias(checked, goal, matrix, bias, bias_value, ones)
    problem = weighted_problem(checked, goal, law)
    # By routes of its own, which escalate where the decomposition would leave an interval open.
    rank = epsilon_rank(checked, threshold, measure=law, exact=exact)
    size = as_norm(norm) if matrix is None else frobenius(matrix)
    verdict = None
    if bias is not None:
        verdict = no_reading(NO_LOSS, bias="free")
        if coefficients is not None:
            # The head as it was given: its own bias stays out of the norm.
            verdict = read_plateau(
                features, target, coefficients=coefficients, bias_value=bias_value,
                constant=constant, measure=law,
            )  # fmt: skip
    return floor_of(
        decompose(problem),
        eps=threshold,
        norm=size,
        rank=rank,
        loss_norm=None if matrix is None else residual_norm(problem, matrix),
        losses=losses,
        bias=bias,
        verdict=verdict,
    )


def floor_of(
    data: FloorData,
    *,
    eps: float,
    norm: float,
    rank: RankInterval | None = None,
    reachable: ReachableLoss | None = None,
    loss_norm: float | None = None,
    losses: Iterable[float] | None = None,
    bias: str | None = None,
    verdict: Reading | None = None,
) -> LossFloor:
    """Assemble F1–F6 from a decomposition; cheap, so one decomposition serves many ε and norms.

    `rank` is an enclosure of the ε-rank of the same features, such as `epsilon_rank` returns; by
    default it is read off the decomposition (`rank_of`), at no further cost. `verdict` is the
    reading of a head that has a bias (`read_plateau`); by default the decomposition is read, which
    is right for a head without one.
    """
    rank = rank_of(data, eps) if rank is None else rank
    if reachable is None:
        reachable = reachable_loss(data, norm)
    tolerance = data.tolerance(norm) + reachable.gap
    if verdict is None:
        verdict = _own_reading(data, loss_norm, norm, tolerance)
    return LossFloor(
        eps=eps,
        rank=rank,
        coefficient_norm=norm,
        loss_norm=loss_norm,
        reachable_norm=reachable.norm,
        unbounded_norm=data.unscaled(data.outside),
        envelope_norm=envelope(data, norm),
        # At the upper end of its interval: all that the floor needs is r_ε ≤ p.
        floor_norm=epsilon_floor(data, rank.upper, eps, norm),
        multiplier=reachable.multiplier,
        distances=data.distances,
        floor_norms=floors(data, norm),
        spectrum=data.spectrum,
        rank_budget=rank_budget(data, norm, eps, losses),
        verdict=verdict,
        tolerance=tolerance,
        evaluation_tolerance=data.evaluation_tolerance + reachable.gap,
        bias=bias,
        measure=data.measure,
        dtype=data.dtype,
        route=data.route,
        n_samples=data.n_samples,
        n_features=data.n_features,
        n_outputs=data.n_outputs,
    )


def _own_reading(
    data: FloorData, loss_norm: float | None, norm: float, tolerance: float
) -> Reading:
    """Return the reading of a head without a bias, from the decomposition of its floors."""
    if loss_norm is None:
        return no_reading(NO_LOSS)
    slack = (2 * loss_norm + tolerance) * tolerance
    return read_curve(SquaresCurve(data), loss_norm * loss_norm, norm, error=slack)


def loss_floor_from_moments(
    gram: Any,
    cross: Any,
    target_square: float,
    *,
    eps: float,
    norm: float | None = None,
    coefficients: Any = None,
    gram_error: float = 0.0,
    cross_error: float = 0.0,
    target_error: float = 0.0,
    accumulated_in: str | None = "float64",
    n_samples: int = 0,
    measure: MeasureName = "mean",
    dtype: str = "float64",
    losses: Iterable[float] | None = None,
) -> LossFloor:
    """Return the chain of `loss_floor` from G, b and t alone, within the tolerance they leave."""
    refuse_unless_one(norm, coefficients)
    threshold = as_eps(eps)
    data = decompose_moments(
        gram,
        cross,
        target_square,
        gram_error=gram_error,
        cross_error=cross_error,
        target_error=target_error,
        accumulated_in=accumulated_in,
        n_samples=n_samples,
        measure=measure,
        dtype=dtype,
    )
    rank = epsilon_rank_from_gram(
        gram,
        threshold,
        gram_error=gram_error,
        accumulated_in=accumulated_in if n_samples > 0 else None,
        n_samples=n_samples,
        measure=measure,
        dtype=dtype,
    )
    if coefficients is None:
        return floor_of(data, eps=threshold, norm=as_norm(norm), rank=rank, losses=losses)
    weights = as_coefficients(coefficients, data.n_features)
    if weights.shape[1] != data.n_outputs:
        raise InputError(
            "coefficients",
            f"have {plural(weights.shape[1], 'output')}, but cross has {data.n_outputs}",
            "pass one column per output",
        )
    return floor_of(
        data,
        eps=threshold,
        norm=frobenius(weights),
        rank=rank,
        loss_norm=spectral_loss_norm(data, weights),
        losses=losses,
    )
