"""Whole cases: features with a threshold that matters to them, and fitted problems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from epsrank.proofs.strategies.entries import coefficients, sample_weights, targets, thresholds
from epsrank.proofs.strategies.features import FLAVOURS, feature_matrices
from epsrank.theory.numbers.arrays import Array, Matrix, Vector

#: Flavours whose floors are worth a float64 check (the rest are for exact counts).
FLOOR_FLAVOURS = (
    "integers",
    "mantissas",
    "duplicated",
    "zero_columns",
    "deficient",
    "graded",
    "known",
    "float32",
)


@dataclass(frozen=True, eq=False)
class RankCase:
    """Features, measure and a threshold near one of their eigenvalues.

    Attributes
    ----------
    features : ndarray, shape (N, n)
        Φ.
    eps : float
        ε > 0.
    weights : ndarray of float64 of shape (N,), or None
        w.
    measure : str
        ``"mean"``, ``"raw"`` or ``"volume"``.
    """

    features: NDArray[Any]
    eps: float
    weights: Vector | None
    measure: str


@dataclass(frozen=True, eq=False)
class FloorCase:
    """A network with frozen features: Φ, u*, W, ε and the measure.

    Attributes
    ----------
    features : ndarray of float64, shape (N, n)
        Φ.
    target : ndarray of float64, shape (N, k)
        u*.
    coefficients : ndarray of float64, shape (n, k)
        W.
    eps : float
        ε > 0.
    weights : ndarray of float64 of shape (N,), or None
        w.
    measure : str
        ``"mean"``, ``"raw"`` or ``"volume"``.
    """

    features: Matrix
    target: Matrix
    coefficients: Matrix
    eps: float
    weights: Vector | None
    measure: str


def _eigenvalues(features: NDArray[Any], weights: Array | None, measure: str) -> Array:
    """Return approximate eigenvalues, only to aim thresholds at."""
    values = features.astype(np.float64)
    w = np.ones(len(values)) if weights is None else weights
    total = float(w.sum()) if measure == "mean" else 1.0
    # Of Φ, not of its Gram matrix, which loses the eigenvalues below rounding.
    singular = np.linalg.svd(np.sqrt(w / total)[:, None] * values, compute_uv=False)
    return np.asarray(singular**2, dtype=np.float64)


@st.composite
def _measured(draw: st.DrawFn, n_samples: int) -> tuple[Array | None, str]:
    if draw(st.booleans()):
        return None, draw(st.sampled_from(("mean", "raw")))
    return draw(sample_weights(n_samples)), draw(st.sampled_from(("mean", "raw", "volume")))


@st.composite
def _aimed(draw: st.DrawFn, eigenvalues: Array) -> float:
    """Draw ε from the usual ones, or within some ulps of a computed eigenvalue."""
    positive = [float(value) for value in eigenvalues if 1e-300 < value < 1e300]
    if not positive or draw(st.booleans()):
        return draw(thresholds())
    value = draw(st.sampled_from(positive))
    nudge = draw(st.sampled_from((0.0, 2.0**-52, -(2.0**-52), 1e-12, -1e-9, 1e-3, -0.3)))
    return value * (1.0 + nudge)


@st.composite
def rank_cases(
    draw: st.DrawFn,
    max_samples: int = 7,
    max_features: int = 6,
    flavours: tuple[str, ...] = FLAVOURS,
) -> RankCase:
    """Draw features, a measure, and ε: usual, or within ulps of an eigenvalue.

    Parameters
    ----------
    draw : callable
        Supplied by Hypothesis.
    max_samples, max_features : int
        Largest N and n.
    flavours : tuple of str
        Flavours of `feature_matrices`.

    Returns
    -------
    RankCase
        The case.
    """
    features = draw(feature_matrices(max_samples, max_features, flavours))
    weights, measure = draw(_measured(features.shape[0]))
    return RankCase(
        features, draw(_aimed(_eigenvalues(features, weights, measure))), weights, measure
    )


@st.composite
def floor_cases(
    draw: st.DrawFn,
    max_samples: int = 8,
    max_features: int = 5,
    flavours: tuple[str, ...] = FLOOR_FLAVOURS,
) -> FloorCase:
    """Draw a fitted problem; one time in three W is close to a least-squares fit of u*.

    Parameters
    ----------
    draw : callable
        Supplied by Hypothesis.
    max_samples, max_features : int
        Largest N and n.
    flavours : tuple of str
        Flavours of `feature_matrices`.

    Returns
    -------
    FloorCase
        The case.
    """
    features = draw(feature_matrices(max_samples, max_features, flavours)).astype(np.float64)
    weights, measure = draw(_measured(features.shape[0]))
    target = draw(targets(features.shape[0]))
    head = draw(coefficients(features.shape[1], target.shape[1]))
    if draw(st.sampled_from((False, False, True))):
        rcond = draw(st.sampled_from((1e-12, 1e-6, 1e-2)))
        head = np.linalg.lstsq(features, target, rcond=rcond)[0]
    eps = draw(_aimed(_eigenvalues(features, weights, measure)))
    return FloorCase(features, target, head, eps, weights, measure)
