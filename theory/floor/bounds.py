"""F2: the loss floors floor_p = (d_p − σ_{p+1} B)_+, their envelope, and the ε-form at p = r_ε."""

from __future__ import annotations

import math

import numpy as np

from epsrank.theory.floor.decomposition import FloorData
from epsrank.theory.inputs import Array


def floors(data: FloorData, norm: float) -> Array:
    """Return floor_p = (d_p − √λ_{p+1} B)_+ for p = 0…n: ‖φ·W − u*‖ ≥ floor_p if ‖W‖_F ≤ B (F2).

    Proof: project φ·W − u* onto Ψ_p^⊥; there u* has norm d_p and φ·W at most √λ_{p+1} ‖W‖_F (F1).

    Parameters
    ----------
    data : FloorData
        Decomposition of features and target.
    norm : float
        B ≥ 0, possibly infinite.

    Returns
    -------
    ndarray of float64, shape (n + 1,)
        The floors, as norms (square them to compare with a loss).
    """
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(_scaled_floors(data, norm), data.target_exponent)


def envelope(data: FloorData, norm: float) -> float:
    """Return max_p floor_p: the strongest floor of F2, which needs no ε.

    Parameters
    ----------
    data : FloorData
        Decomposition of features and target.
    norm : float
        B ≥ 0, possibly infinite.

    Returns
    -------
    float
        The envelope, as a norm.
    """
    return data.unscaled(float(_scaled_floors(data, norm).max()))


def epsilon_floor(data: FloorData, rank: int, eps: float, norm: float) -> float:
    """Return (d_p − √ε B)_+ at p = rank: a floor wherever r_ε ≤ rank, for then λ_{p+1} ≤ ε (F2).

    Parameters
    ----------
    data : FloorData
        Decomposition of features and target.
    rank : int
        An upper bound of r_ε, between 0 and n.
    eps : float
        ε ≥ 0 in the measure of `data`.
    norm : float
        B ≥ 0, possibly infinite.

    Returns
    -------
    float
        The floor, as a norm.
    """
    distance = float(data.scaled_distances[rank])
    root = math.sqrt(eps)
    # √ε·B in scaled units; its size, not B's alone, decides what is lost.
    reach = 0.0 if root == 0 else data.scaled_norm(norm) * scaled_root(data, root)
    return data.unscaled(max(0.0, distance - reach))


def scaled_root(data: FloorData, root: float) -> float:
    """Return √ε in the units of the scaled singular values.

    Parameters
    ----------
    data : FloorData
        Decomposition of features and target.
    root : float
        √ε.

    Returns
    -------
    float
        √ε · 2^(−feature_exponent).
    """
    with np.errstate(over="ignore", under="ignore"):
        return float(np.ldexp(root, -data.feature_exponent))


def _scaled_floors(data: FloorData, norm: float) -> Array:
    """Return floor_p for p = 0…n in scaled units."""
    bound = data.scaled_norm(norm)
    with np.errstate(over="ignore", under="ignore"):
        # 0·∞ = 0 here: a direction that vanishes reaches nothing, whatever its coefficient.
        reach = np.multiply(
            data.next_sigma, bound, where=data.next_sigma > 0, out=np.zeros(data.n_features + 1)
        )
        return np.maximum(data.scaled_distances - reach, 0.0)
