"""Neurons one by one: dormant and dead ones; and the size of features."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsrank.theory.dimension.moments import FeatureMoments, as_moments, as_samples
from epsrank.theory.dimension.of_spectrum import DORMANT, dormant_mask
from epsrank.theory.errors import InputError


def dormant_neurons(features: Any, tau: float = DORMANT) -> NDArray[np.bool_]:
    """Neurons with  a_j ≤ τ · mean_i a_i,  a_j the mean of |φ_j| over the samples.

    Scaling all features changes nothing; scaling one neuron may. Their share is ``.mean()``, their
    indices are ``.nonzero()[0]``.

    Parameters
    ----------
    features : array_like or tensor, shape (N, n), or FeatureMoments
        Outputs of the layer after its activation, one column per neuron, or their sums.
    tau : float
        τ ≥ 0, without unit; 0 asks for `dead_neurons`.

    Returns
    -------
    array of bool, shape (n,)
        All true in a layer of zeros.

    Raises
    ------
    InputError
        If an argument cannot be used.

    References
    ----------
    .. [1] Sokar, Agarwal, Castro, Evci, "The dormant neuron phenomenon in deep reinforcement
       learning", ICML 2023, arXiv 2302.12902, Def. 3.1.

    Examples
    --------
    >>> dormant_neurons([[1.0, 0.01, 0.0], [3.0, 0.01, 0.0]])
    array([False,  True,  True])
    """
    number = isinstance(tau, (int, float)) and not isinstance(tau, bool)
    if not (number and math.isfinite(tau) and tau >= 0):
        raise InputError("tau", f"is {tau!r}", "pass a number ≥ 0, such as 0.025")
    if tau == 0:  # small numbers beside huge ones must not be rounded to 0
        return dead_neurons(features)
    moments, _ = as_moments(features)
    return dormant_mask(moments.sizes, float(tau))


def dead_neurons(features: Any) -> NDArray[np.bool_]:
    """Neurons with  φ_j(x) = 0  at every sample, exactly.

    Parameters
    ----------
    features : array_like or tensor, shape (N, n), or FeatureMoments
        Outputs of the layer after its activation, or their sums.

    Returns
    -------
    array of bool, shape (n,)
        Their share is ``.mean()``.

    Raises
    ------
    InputError
        If the features cannot be used.

    Examples
    --------
    >>> dead_neurons([[1.0, 0.01, 0.0], [3.0, 0.01, 0.0]])
    array([False, False,  True])
    """
    samples = as_samples(features)
    if isinstance(samples, FeatureMoments):
        return np.asarray(samples.sizes == 0)
    return np.asarray(~samples.any(axis=0))


def feature_norm(features: Any, *, definition: str = "mean") -> float:
    """Size of features: the mean of ‖φ(x)‖₂ over the samples, or its root mean square.

    Parameters
    ----------
    features : array_like or tensor, shape (N, n), or FeatureMoments
        Φ, or its sums.
    definition : {"mean", "rms", "frobenius"}
        Σ ‖φ(x_i)‖/N; √(Σ ‖φ(x_i)‖²/N), the root of the trace of the Gram matrix; or
        √(Σ ‖φ(x_i)‖²) = ‖Φ‖_F, which grows as √N.

    Returns
    -------
    float
        In the units of the features.

    Raises
    ------
    InputError
        If an argument cannot be used.

    Examples
    --------
    >>> feature_norm([[3.0, 4.0], [0.0, 1.0]]), feature_norm([[3.0, 4.0]], definition="rms")
    (3.0, 5.0)
    """
    moments, unit = as_moments(features)
    moments.refuse_vanished()
    trace = float(np.trace(moments.gram))
    found = {
        "mean": moments.norms / moments.n_samples,
        "rms": math.sqrt(trace / moments.n_samples),
        "frobenius": math.sqrt(trace),
    }
    if definition not in found:
        named = ", ".join(repr(name) for name in found)
        raise InputError("definition", f"is {definition!r}", f"choose one of {named}")
    return found[definition] * unit
