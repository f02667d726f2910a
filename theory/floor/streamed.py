"""The loss floor of data that stream by: only G, b and ‖u*‖² are kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from epsrank.theory.errors import InputError
from epsrank.theory.floor.loss_floor import floor_of
from epsrank.theory.floor.moments import decompose_moments
from epsrank.theory.floor.one_norm import refuse_unless_one
from epsrank.theory.floor.result import LossFloor
from epsrank.theory.floor.spectral_loss import spectral_loss_norm
from epsrank.theory.floor.weighting import frobenius
from epsrank.theory.inputs import as_coefficients, as_eps, as_norm
from epsrank.theory.measure import MeasureName
from epsrank.theory.rank import epsilon_rank_from_gram


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
    """Return the chain of `loss_floor` from G, b and t alone, with the larger tolerance they leave.

    Parameters
    ----------
    gram, cross, target_square
        G (n × n), b (n × k) and t = ‖u*‖²; see `decompose_moments`.
    eps : float
        ε > 0.
    norm : float, optional
        B ≥ 0. Exactly one of `norm` and `coefficients` is needed.
    coefficients : array_like, shape (n,) or (n, k), optional
        β or W.
    gram_error, cross_error, target_error : float
        Errors of the moments as handed in.
    accumulated_in : str or None
        Dtype in which the moments were summed.
    n_samples : int
        N.
    measure : {"mean", "raw", "volume"}
        Label of the measure.
    dtype : str
        Label of the features' type.
    losses : iterable of float, optional
        Losses of the rank budget.

    Returns
    -------
    LossFloor
        Route ``"moments"``; `tolerance` is about the root of what the data route would give.

    Raises
    ------
    InputError
        If an argument cannot be used.
    """
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
            f"have {weights.shape[1]} outputs, but cross has {data.n_outputs}",
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
