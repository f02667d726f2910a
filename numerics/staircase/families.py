"""Series whose truth is known: smooth decays with noise, and planted steps."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from theory.inputs import Array


def autocorrelated(generator: np.random.Generator, length: int, correlation: float) -> Array:
    """Draw stationary Gaussian noise of variance 1 with correlation ρ^k at lag k.

    Parameters
    ----------
    generator : numpy.random.Generator
        Source of randomness.
    length : int
        n.
    correlation : float
        ρ in [0, 1).

    Returns
    -------
    ndarray, shape (n,)
        The noise.
    """
    before, drawn = generator.standard_normal(), generator.standard_normal(length)
    scale = np.sqrt(1 - correlation**2)
    noise, _ = lfilter([scale], [1.0, -correlation], drawn, zi=[correlation * before])
    return np.asarray(noise)
