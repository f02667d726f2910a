"""Ways to one count #{k : λ_k(G) > ε}: batched sums, singular values, plain products."""

from __future__ import annotations

import numpy as np
import scipy.linalg as sl
import torch
from scipy.linalg import blas

from epsrank.benchmarks.timing import Action
from epsrank.numerics.monitor.accumulate import LayerAccumulator
from epsrank.theory.gram_problem import GramProblem
from epsrank.theory.inputs import Array

_BATCH = 1024


def singular(features: torch.Tensor, eps: float) -> dict[str, Action]:
    """Return the ways to the same count by singular values: λ = σ²/N > ε.

    Parameters
    ----------
    features : Tensor, shape (N, n)
        Φ.
    eps : float
        ε.

    Returns
    -------
    dict of str to callable
        Each returns its count.
    """
    values = features.numpy()
    n_samples = len(values)
    least = float(np.sqrt(eps * n_samples))
    return {
        "singular values (SciPy)": lambda: count_above(sl.svdvals(values) ** 2 / n_samples, eps),
        "singular values (torch)": lambda: count_above(
            torch.linalg.svdvals(features).numpy() ** 2 / n_samples, eps
        ),
        "torch.linalg.matrix_rank": lambda: int(
            torch.linalg.matrix_rank(features, atol=least, rtol=0.0)
        ),
    }


def product(features: Array, copy: Array) -> Action:
    """One general float64 product AᵀB (2Nn² operations), by the BLAS that the rank uses.

    Parameters
    ----------
    features, copy : ndarray of float64, shape (N, n)
        A, and B elsewhere in memory.

    Returns
    -------
    callable
        Makes the product.
    """
    return lambda: blas.dgemm(1.0, features.T, copy.T, trans_b=1)


def batched_count(features: torch.Tensor, eps: float) -> tuple[int, int]:
    """Count as a monitor does: sums over batches, then factorisations, and no eigenvalue.

    Parameters
    ----------
    features : Tensor, shape (N, n)
        Φ.
    eps : float
        ε.

    Returns
    -------
    tuple of (int, int)
        Certified ends.
    """
    sums = LayerAccumulator(features.shape[1], eps=eps)
    for start in range(0, len(features), _BATCH):
        sums.update(features[start : start + _BATCH])
    gram = sums.gram()
    found = GramProblem(gram.values, gram.error).decide_all([eps], counts_only=True)[0]
    return found.lower, found.upper


def count_above(eigenvalues: Array, eps: float) -> int:
    """Count eigenvalues as they were computed, right or wrong.

    Parameters
    ----------
    eigenvalues : ndarray of float
        λ.
    eps : float
        ε.

    Returns
    -------
    int
        #{k : λ_k > ε}.
    """
    return int((eigenvalues > eps).sum())
