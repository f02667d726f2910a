"""Random features on a box, in one block or under a partition of unity, fitted by least squares."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.linalg import lstsq

from epsrank.numerics.tasks.functions import TARGETS, grid
from epsrank.theory.numbers.arrays import Array, Matrix, Vector
from epsrank.theory.rank import epsilon_ranks


def bumps(x: Vector, parts: int) -> Matrix:
    """Return a smooth partition of unity on [−1, 1]: ψ_i ≥ 0 with Σ_i ψ_i = 1.

    ψ_i is 1 in the middle half of the i-th of `parts` equal intervals of half-width h, and passes
    to its neighbour by (1 ± sin)/2 over the h/2 on both sides of their common end; at the ends of
    the box it stays 1.

    Source: J. Chen, X. Chi, W. E, Z. Yang, Bridging traditional and machine learning-based
    algorithms for solving PDEs: the random feature method, 2022: ψ^b.
    """
    half = 1 / parts
    ends = -1 + 2 * half * np.arange(1, parts)
    # The share of the right side at each common end rises from 0 to 1.
    t = np.clip((x[:, None] - ends) / (half / 2), -1, 1)
    right = (1 + np.sin(math.pi * t / 2)) / 2
    padded = np.concatenate([np.ones((len(x), 1)), right, np.zeros((len(x), 1))], axis=1)
    values: Array = padded[:, :-1] - padded[:, 1:]
    return values


def random_features(
    x: Matrix, parts: int, per_part: int, scale: float, random: np.random.Generator
) -> Matrix:
    """Return φ_{ij}(x) = ψ_i(x) tanh(w_ij·ξ_i + b_ij), ξ_i = (x − c_i)·m the local coordinates.

    w and b are uniform on ±scale; one part (m = 1) is an extreme-learning-machine block, with
    ψ = 1 and ξ = x.
    """
    n, d = x.shape
    windows = [bumps(x[:, axis], parts) for axis in range(d)]
    columns = []
    for index in np.ndindex(*(parts,) * d):
        centre = -1 + (2 * np.array(index) + 1) / parts
        w = random.uniform(-scale, scale, (d, per_part))
        b = random.uniform(-scale, scale, per_part)
        window = np.prod([windows[axis][:, i] for axis, i in enumerate(index)], axis=0)
        columns.append(window.reshape(n, 1) * np.tanh((x - centre) * parts @ w + b))
    return np.concatenate(columns, axis=1)


def fit_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Fit a target by least squares on random features, and count the features' ε-rank.

    `settings`: ``task`` (a target on [−1, 1]^d), ``parts``, ``per_part``, ``scale``, ``points`` of
    the grid, ``eps`` (list), ``seed``.
    """
    target = TARGETS[settings["task"]]
    # 7 and 8 give features and test points streams of their own.
    random = np.random.default_rng([settings["seed"], 7])
    x = grid(target.domain, settings["points"])
    x_test = np.random.default_rng([settings["seed"], 8]).uniform(-1, 1, (4000, x.shape[1]))
    # One call for both sets of points: weights are drawn inside.
    both = random_features(
        np.concatenate([x, x_test]),
        settings["parts"],
        settings["per_part"],
        settings["scale"],
        random,
    )
    features, held_out = both[: len(x)], both[len(x) :]
    y, y_test = target.function(x), target.function(x_test)
    # By singular values, which leaves out what is nearly dependent: most features are.
    beta = lstsq(features, y, lapack_driver="gelsd")[0]
    ranks = epsilon_ranks(features, settings["eps"])
    return {
        "n_features": features.shape[1],
        "rank_lower": {str(r.eps): r.lower for r in ranks},
        "rank_upper": {str(r.eps): r.upper for r in ranks},
        "train_error": float(np.linalg.norm(features @ beta - y) / np.linalg.norm(y)),
        "test_error": float(np.linalg.norm(held_out @ beta - y_test) / np.linalg.norm(y_test)),
        "norm": float(np.linalg.norm(beta)),
    }
