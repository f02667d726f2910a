"""Ways to one count #{k : λ_k(G) > ε}: batched sums, singular values, plain products."""

from __future__ import annotations

import numpy as np
import scipy.linalg as sl
import torch
from scipy.linalg import blas

from epsrank.benchmarks.timing import Action
from epsrank.numerics.gram.layer import LayerAccumulator
from epsrank.theory.numbers.arrays import Array, Matrix
from epsrank.theory.rank.bounds import Decision
from epsrank.theory.rank.of_gram import GramProblem
from epsrank.theory.rank.problem import Thresholds

_BATCH = 1024


def singular(features: torch.Tensor, eps: float) -> dict[str, Action]:
    """Return the ways to the same count by singular values: λ = σ²/N > ε."""
    values = features.numpy()
    n_samples = len(values)
    # λ = σ²/N > ε is σ > √(εN).
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


def product(features: Matrix, copy: Matrix) -> Action:
    """Return one general float64 product AᵀB (2Nn² operations), by the BLAS that the rank uses.

    B is a copy of A, elsewhere in memory.
    """
    return lambda: blas.dgemm(1.0, features.T, copy.T, trans_b=1)


def batched_count(features: torch.Tensor, eps: float) -> Decision:
    """Count as a monitor does: sums over batches, then factorisations, and no eigenvalue."""
    sums = LayerAccumulator(features.shape[1], eps=eps)
    for start in range(0, len(features), _BATCH):
        sums.update(features[start : start + _BATCH])
    gram = sums.gram()
    return GramProblem(gram.values, gram.error, counts_only=True).decide(Thresholds((eps,)))[0]


def unverified(features: Matrix, eps: float) -> int:
    """Count as the usual short cut does: wrong below 1e-13·λ₁, without saying so."""
    return count_above(np.linalg.eigvalsh(features.T @ features) / len(features), eps)


def count_above(eigenvalues: Array, eps: float) -> int:
    """Count eigenvalues as they were computed, right or wrong."""
    return int((eigenvalues > eps).sum())


#: Kinds of features, with what they are.
KINDS = {
    "gaussian": "Gaussian (full rank)",
    "tanh": "tanh neurons of 1-D inputs (low rank)",
    "decades": "eigenvalues over 12 decades (half above ε)",
}

#: Features at one of whose thresholds float32 suffices although that is not at an end.
GAPS = {
    "silent": "every other neuron silent (half above ε, and a gap)",
    "directions": "half of the directions empty, no neuron silent (half above ε, and a gap)",
}

# Size of silent neurons beside that of the others: small, and not 0.
_SILENCE = 1e-4


def layer_features(kind: str, n_samples: int, width: int, seed: int) -> Matrix:
    """Return features of one kind."""
    generator = np.random.default_rng(seed)
    if kind == "tanh":
        x = np.linspace(-1, 1, n_samples)[:, None]
        slopes, offsets = generator.uniform(-30, 30, (2, width))
        return np.asarray(np.tanh(x * slopes + offsets))
    gaussian = generator.standard_normal((n_samples, width))
    if kind == "gaussian":
        return gaussian
    if kind == "silent":
        return np.asarray(gaussian * np.where(np.arange(width) % 2, 1.0, _SILENCE))
    rotation = np.linalg.qr(generator.standard_normal((width, width)))[0]
    if kind == "directions":  # eigenvalues about 2, and as many about 0
        half = width // 2
        return np.asarray(gaussian[:, :half] @ (np.sqrt(2) * rotation[:half]))
    # Singular values over 6 decades are eigenvalues over 12.
    return np.asarray(gaussian @ (rotation * 10.0 ** -np.linspace(0, 6, width)))
