"""LiDAR: the dimensions along which objects differ more than the views of one object."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from epsrank.theory.data.inputs import as_features, to_numpy
from epsrank.theory.dimension.of_spectrum import RANKME_OFFSET, exponential_entropy
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Square, Vector
from epsrank.theory.words import plural

#: δ added to the within-object covariance.
RIDGE = 1e-4

# Features whose squares, and quotients of these with δ, stay in the range of float64.
_SMALL, _LARGE = 1e-70, 1e70


@dataclass(frozen=True, eq=False)
class LidarSums:
    """Sums over objects of their mean views μ, of μμᵀ, and of the scatter of views about μ.

    Sums of batches add up; all views of an object belong into one batch.

    Parameters
    ----------
    n_objects, n_views : int
        Objects, and views of all of them together.
    total : array, shape (n,)
        Σ μ.
    between, within : array, shape (n, n)
        Σ μμᵀ, and Σ (e − μ)(e − μ)ᵀ over all views e.

    Examples
    --------
    >>> import numpy as np
    >>> views = np.random.default_rng(0).normal(size=(20, 5, 3))
    >>> parts = LidarSums.of(views[:8]) + LidarSums.of(views[8:])
    >>> abs(lidar(parts) - lidar(views)) < 1e-9
    True
    """

    #: Objects.
    n_objects: int
    #: Views of all objects together.
    n_views: int
    #: Σ μ.
    total: Vector = field(repr=False)
    #: Σ μμᵀ.
    between: Square = field(repr=False)
    #: Σ (e − μ)(e − μ)ᵀ.
    within: Square = field(repr=False)

    @classmethod
    def of(cls, features: Any, objects: Any = None) -> LidarSums:
        """Sum one batch.

        Parameters
        ----------
        features : array_like or tensor, shape (m, q, n), or (N, n) with `objects`
            Embeddings of q views of m objects, or of N views.
        objects : array_like, shape (N,), optional
            Which object each row is a view of: numbers, such as labels of surrogate classes.

        Returns
        -------
        LidarSums
            The sums.

        Raises
        ------
        InputError
            If an argument cannot be used.
        """
        given, _ = to_numpy(features, "features")
        if objects is None:
            if given.ndim != 3 or 0 in given.shape:
                remedy = "pass objects × views × neurons, or objects= with one entry per row"
                raise InputError("features", f"have shape {given.shape}", remedy)
            m, q, n = given.shape
            rows = as_features(given.reshape(m * q, n)).values
            which = np.repeat(np.arange(m), q)
        else:
            rows = as_features(features).values
            which = to_numpy(objects, "objects")[0]
            if which.shape != (len(rows),):
                problem = f"have shape {which.shape}, but there are {plural(len(rows), 'row')}"
                raise InputError("objects", problem, "pass one entry for each row")
        if which.dtype.kind == "f" and not np.isfinite(which).all():
            raise InputError("objects", "have NaN or infinite entries", "pass whole numbers")
        largest = float(np.abs(rows).max())
        if largest > 0 and not _SMALL < largest < _LARGE:
            problem = f"reach {largest:.3g}, whose powers are out of the range of float64"
            raise InputError("features", problem, "rescale them, and δ with their square")
        _, place, counts = np.unique(which, return_inverse=True, return_counts=True)
        means = np.zeros((len(counts), rows.shape[1]))
        np.add.at(means, place, rows)
        means /= counts[:, None]
        off = rows - means[place]
        return cls(len(counts), len(rows), means.sum(axis=0), means.T @ means, off.T @ off)

    def __add__(self, other: LidarSums) -> LidarSums:
        if not isinstance(other, LidarSums):
            return NotImplemented
        if len(other.total) != len(self.total):
            problem = f"have {plural(len(other.total), 'feature')}, these {len(self.total)}"
            raise InputError("sums", problem, "add those of one layer")
        return LidarSums(
            self.n_objects + other.n_objects,
            self.n_views + other.n_views,
            self.total + other.total,
            self.between + other.between,
            self.within + other.within,
        )


def lidar(
    features: Any,
    objects: Any = None,
    *,
    delta: float = RIDGE,
    definition: str = "paper",
) -> float:
    """LiDAR  exp(−Σ p_k log p_k),  p_k = λ_k/Σλ + 1e-7,  λ of  Σ_w^(−1/2) Σ_b Σ_w^(−1/2).

    Σ_b is the covariance of the objects' mean embeddings, Σ_w the mean covariance of the views of
    one object plus δI: directions in which objects differ more than their views count.

    Parameters
    ----------
    features : array_like or tensor, shape (m, q, n), or (N, n) with `objects`, or LidarSums
        Embeddings of q views (augmentations) of m objects; the paper takes m = 1000, q = 50.
    objects : array_like, shape (N,), optional
        With features of shape (N, n): which object each row is a view of.
    delta : float
        δ > 0, in squared units of the features.
    definition : {"paper", "unbiased"}
        Σ_w over all views, or over views less one for each object. They differ by δ alone.

    Returns
    -------
    float
        Between 1 and min(n, m − 1), up to the offset; 0 where all objects have one mean.

    Raises
    ------
    InputError
        If an argument cannot be used.

    References
    ----------
    .. [1] Thilak et al., "LiDAR: Sensing linear probing performance in joint embedding SSL
       architectures", ICLR 2024, arXiv 2312.04000 (δ = 1e-4).

    Examples
    --------
    >>> import numpy as np
    >>> means = np.vstack([np.eye(3), -np.eye(3)])[:, None, :]
    >>> noise = 0.1 * np.vstack([np.eye(3), -np.eye(3)])
    >>> round(lidar(means + noise), 3)
    3.0
    """
    number = isinstance(delta, (int, float)) and not isinstance(delta, bool)
    if not (number and math.isfinite(delta) and delta > 0):
        raise InputError("delta", f"is {delta!r}", "pass a number > 0, such as 1e-4")
    if definition not in ("paper", "unbiased"):
        remedy = "choose one of 'paper', 'unbiased'"
        raise InputError("definition", f"is {definition!r}", remedy)
    sums = features if isinstance(features, LidarSums) else LidarSums.of(features, objects)
    free = sums.n_views - (sums.n_objects if definition == "unbiased" else 0)
    if sums.n_objects < 2 or free < 1 or sums.n_views == sums.n_objects:
        raise InputError(
            "features",
            f"hold {sums.n_views} views of {sums.n_objects} objects",
            "pass two or more objects, some with two or more views",
        )
    mean = sums.total / sums.n_objects
    between = sums.between / sums.n_objects - np.outer(mean, mean)
    values, vectors = np.linalg.eigh(sums.within / free)
    # Rounding leaves eigenvalues of −1e-17 or so, which δ is above.
    root = vectors / np.sqrt(np.maximum(values, 0.0) + delta)
    matrix = root.T @ between @ root
    found = np.linalg.eigvalsh((matrix + matrix.T) / 2)[::-1]
    # What is left of equal means is rounding.
    noise = float(np.abs(np.diagonal(root.T @ sums.between @ root)).max()) / sums.n_objects
    found = np.where(found > 1e-14 * noise, found, 0.0)
    return exponential_entropy(found, RANKME_OFFSET)
