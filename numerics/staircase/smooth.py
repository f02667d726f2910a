"""The null: the convex or concave curve nearest to a series."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.optimize import nnls

from epsrank.theory.inputs import Array

# Knots that a curve may bend at; ours. Even ones, and geometric ones from both ends, where decays
# bend most.
_EVEN_KNOTS = 16
_PER_OCTAVE = 2.0


def nearest_smooth(time: Array, values: Array) -> tuple[Array, Array]:
    """Return argmin ‖y − g‖₂ over convex g and over concave g.

    Linear drift, a + b·exp(−λt), a + b·t^{−p} and all mixtures of them with a, b ≥ 0 are convex,
    and so are their logarithms (sums of log-convex functions are log-convex): a series that is
    neither convex nor concave beyond its noise is none of them. g is continuous and linear between
    knots t_j: a linear function plus a combination of |t − t_j| with weights of one sign.

    Parameters
    ----------
    time : ndarray, shape (n,)
        Increasing.
    values : ndarray, shape (n,)
        y.

    Returns
    -------
    tuple of ndarray, each of shape (n,)
        The convex and the concave curve at the times.
    """
    n = time.size
    x = (time - time[0]) / (time[-1] - time[0])
    lines = np.stack([np.ones(n), x - x.mean()])
    bends = np.abs(x - x[list(_knots(n))][:, None])
    # What a bend adds to the best line: free coefficients are projected out, one sign remains.
    basis = lines / np.linalg.norm(lines, axis=1, keepdims=True)
    bends = bends - (bends @ basis.T) @ basis
    size = np.linalg.norm(bends, axis=1, keepdims=True)
    bends = bends[size[:, 0] > 1e-9] / size[size[:, 0] > 1e-9]
    line = (values @ basis.T) @ basis
    rest = values - line
    scale = float(np.abs(rest).max())
    if scale == 0 or bends.size == 0:
        return line, line
    design = bends.T
    convex, concave = (
        sign * (design @ nnls(design, sign * rest / scale, maxiter=50 * n)[0]) * scale
        for sign in (1.0, -1.0)
    )
    return line + convex, line + concave


@lru_cache(maxsize=64)
def _knots(n: int) -> tuple[int, ...]:
    """Return the indices of the knots among n times."""
    even = np.linspace(0, n - 1, min(n, _EVEN_KNOTS + 2))
    octaves = np.arange(0, _PER_OCTAVE * np.log2(n))
    near = 2.0 ** (octaves / _PER_OCTAVE)
    chosen = {round(float(value)) for value in (*even, *near, *(n - 1 - near))}
    return tuple(sorted(index for index in chosen if 0 < index < n - 1))
