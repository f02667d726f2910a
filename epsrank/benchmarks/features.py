"""Feature matrices like those of layers: at both ends, and in the middle."""

from __future__ import annotations

import numpy as np

from epsrank.theory.inputs import Array

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

_SILENCE = 1e-4


def layer_features(kind: str, n_samples: int, width: int, seed: int) -> Array:
    """Return features of one kind.

    Parameters
    ----------
    kind : str
        Of `KINDS` or `GAPS`.
    n_samples, width : int
        N and n.
    seed : int
        Of the draw.

    Returns
    -------
    ndarray of float64, shape (N, n)
        Φ.
    """
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
    return np.asarray(gaussian @ (rotation * 10.0 ** -np.linspace(0, 6, width)))
