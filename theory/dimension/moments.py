"""Sums over samples from which every dimension here is computed; sums of batches add up."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from epsrank.theory.data.inputs import as_features
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array, Matrix, Square, Vector
from epsrank.theory.numbers.rounding import UNIT_ROUNDOFF, gram_error_bound, gram_product, upward
from epsrank.theory.rank import epsilon_rank_from_gram
from epsrank.theory.rank.interval import RankInterval
from epsrank.theory.words import plural

# Rows whose powers are formed at once: what is kept beside the sums stays small.
_ROWS = 4096

# Mean square of features whose fourth powers, and products of four sums, keep their digits.
_SMALL, _LARGE = 1e-140, 1e140


@dataclass(frozen=True, eq=False)
class FeatureMoments:
    """Sums  Σ x,  Σ xxᵀ,  Σ |x|,  Σ ‖x‖,  Σ ‖x‖²x,  Σ ‖x‖⁴,  Σ x³,  Σ x⁴  over the samples x ∈ R^n.

    They take n² + 5n numbers whatever N is, and those of two sets of samples are added: make one of
    each batch by `of`, and add. The functions that take features (`rankme`, `participation_ratio`,
    `srank` and their like) take these sums in place of them.

    Parameters
    ----------
    n_samples : int
        N.
    total, sizes, skew, cubes, quartics : array, shape (n,)
        Σ x, Σ |x|, Σ ‖x‖²x, Σ x³ and Σ x⁴ (powers entry by entry).
    gram : array, shape (n, n)
        Σ xxᵀ, in float64.
    norms, fourth : float
        Σ ‖x‖ and Σ ‖x‖⁴.
    gram_error : float
        Bound on the rounding of `gram`, in the spectral norm.
    dtype : str
        Type of the features.

    Notes
    -----
    Singular values are roots of eigenvalues here, so those below about 1e-8 of the largest are
    noise; of whole features the functions take singular values themselves. Where the mean of the
    features is much larger than their spread, take it off first (any constant vector will do):
    centred sums are differences.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> one, two = rng.normal(size=(50, 3)), rng.normal(size=(70, 3))
    >>> both = FeatureMoments.of(one) + FeatureMoments.of(two)
    >>> both.n_samples, int(both.rank(1e-6))
    (120, 3)
    """

    #: N.
    n_samples: int
    #: Σ x.
    total: Vector = field(repr=False)
    #: Σ xxᵀ.
    gram: Square = field(repr=False)
    #: Σ |x|.
    sizes: Vector = field(repr=False)
    #: Σ ‖x‖.
    norms: float
    #: Σ ‖x‖⁴.
    fourth: float
    #: Σ ‖x‖² x.
    skew: Vector = field(repr=False)
    #: Σ x³.
    cubes: Vector = field(repr=False)
    #: Σ x⁴.
    quartics: Vector = field(repr=False)
    #: ‖gram − Σ xxᵀ‖₂ is at most this.
    gram_error: float = 0.0
    #: Type of the features.
    dtype: str = "float64"

    @classmethod
    def of(cls, features: Any) -> FeatureMoments:
        """Sum one batch.

        Parameters
        ----------
        features : array_like or tensor, shape (N, n)
            Φ, one row per sample.

        Returns
        -------
        FeatureMoments
            Its sums.

        Raises
        ------
        InputError
            If the features cannot be used, or their fourth powers overflow.
        """
        checked = as_features(features)
        matrix = checked.values
        with np.errstate(over="ignore", invalid="ignore"):
            gram, factor = gram_product(matrix)
            sums = cls._powers(matrix)
            trace = float(np.trace(gram))
        if not np.isfinite(sums["fourth"]):
            problem = "have fourth powers beyond the range of float64"
            raise InputError("features", problem, "divide them by their largest entry")
        lost = gram_error_bound(0.0, checked.n_samples, n_features=checked.n_features)
        return cls(
            n_samples=checked.n_samples,
            gram=np.asarray(gram),
            gram_error=upward(factor / (1 - factor) * trace + lost),
            dtype=checked.dtype,
            **sums,
        )

    @staticmethod
    def _powers(matrix: Matrix) -> dict[str, Any]:
        n = matrix.shape[1]
        sums: dict[str, Any] = {name: np.zeros(n) for name in _VECTORS} | {"norms": 0.0}
        sums["fourth"] = 0.0
        for start in range(0, len(matrix), _ROWS):
            rows = matrix[start : start + _ROWS]
            squares = rows * rows
            lengths = squares.sum(axis=1)
            sums["total"] += rows.sum(axis=0)
            sums["sizes"] += np.abs(rows).sum(axis=0)
            sums["skew"] += lengths @ rows
            sums["cubes"] += (squares * rows).sum(axis=0)
            sums["quartics"] += np.einsum("ij,ij->j", squares, squares)
            sums["norms"] += float(np.sqrt(lengths).sum())
            sums["fourth"] += float(lengths @ lengths)
        return sums

    def __add__(self, other: FeatureMoments) -> FeatureMoments:
        if not isinstance(other, FeatureMoments):
            return NotImplemented
        if other.n_features != self.n_features:
            problem = f"have {plural(other.n_features, 'feature')}, these {self.n_features}"
            raise InputError("moments", problem, "add those of one layer")
        gram = self.gram + other.gram
        added = UNIT_ROUNDOFF["float64"] * float(np.trace(gram)) * 1.01
        names = (*_VECTORS, "norms", "fourth")
        return FeatureMoments(
            n_samples=self.n_samples + other.n_samples,
            gram=gram,
            # One rounding of every entry: at most u·tr G in the spectral norm.
            gram_error=upward(1.01 * (self.gram_error + other.gram_error) + added),
            dtype=self.dtype if self.dtype == other.dtype else "mixed",
            **{name: getattr(self, name) + getattr(other, name) for name in names},
        )

    @property
    def n_features(self) -> int:
        """The number of neurons n."""
        return len(self.total)

    @property
    def mean(self) -> Vector:
        """Mean of the features over the samples, shape (n,)."""
        return np.asarray(self.total / self.n_samples)

    @cached_property
    def covariance(self) -> Square:
        """Σ (x − x̄)(x − x̄)ᵀ / N, as computed."""
        found = self.gram / self.n_samples - np.outer(self.mean, self.mean)
        return np.asarray((found + found.T) / 2)

    def eigenvalues(self, *, centred: bool = False) -> Vector:
        """Eigenvalues of the second moment or of the covariance matrix.

        Parameters
        ----------
        centred : bool
            Of Σ (x − x̄)(x − x̄)ᵀ / N in place of Σ xxᵀ / N.

        Returns
        -------
        array, shape (min(N, n),)
            λ_1 ≥ λ_2 ≥ … ≥ 0, as computed; those that N < n samples leave at 0 are left out.
        """
        self.refuse_vanished()
        matrix = self.covariance if centred else self.gram / self.n_samples
        found = np.maximum(np.linalg.eigvalsh(matrix)[::-1], 0.0)
        return np.asarray(found[: min(self.n_samples, self.n_features)])

    def refuse_vanished(self) -> None:
        """Refuse sums of features so small or large that powers of them left the range of float64.

        Raises
        ------
        InputError
            If so; features of zeros are none of them.
        """
        square = float(np.trace(self.gram)) / self.n_samples
        if self.sizes.any() and not _SMALL < square < _LARGE:
            size = "small" if square <= _SMALL else "large"
            problem = f"are so {size} that their fourth powers are out of the range of float64"
            raise InputError("features", problem, "rescale them before they are summed")

    def rank(self, eps: float, *, relative: bool = False) -> RankInterval:
        """ε-rank of Σ xxᵀ / N, certified against the rounding of the sums.

        Parameters
        ----------
        eps : float
            ε > 0.
        relative : bool
            Threshold ε·λ_1 in place of ε.

        Returns
        -------
        RankInterval
            The certified interval.

        Raises
        ------
        InputError
            If ε is no positive number.
        """
        n, u = self.n_samples, UNIT_ROUNDOFF["float64"]
        # The division by N rounds once more.
        error = upward((1.01 * self.gram_error + 1.01 * u * float(np.trace(self.gram))) / n)
        return epsilon_rank_from_gram(
            self.gram / n,
            eps,
            gram_error=error,
            n_samples=n,
            measure="mean",
            dtype=self.dtype,
            relative=relative,
        )


_VECTORS = ("total", "sizes", "skew", "cubes", "quartics")

#: What the functions of this folder take: features as they are, or their sums.
Samples = Any


def as_samples(features: Samples) -> Matrix | FeatureMoments:
    """Return sums as they are, and features as a float64 matrix."""
    return features if isinstance(features, FeatureMoments) else as_features(features).values


def as_moments(features: Samples) -> tuple[FeatureMoments, float]:
    """Return sums and the unit that they are in: those given, or of features over their largest."""
    if isinstance(features, FeatureMoments):
        return features, 1.0
    matrix = as_features(features).values
    # Not max |Φ|, which would copy the features.
    largest = max(float(matrix.max()), -float(matrix.min())) or 1.0
    return FeatureMoments.of(matrix / largest), largest


def singular_values(samples: Matrix | FeatureMoments, *, centred: bool) -> Array:
    """Return σ_k/√N of the features, or of the centred ones, k = 1 … min(N, n)."""
    if isinstance(samples, FeatureMoments):
        values = samples.eigenvalues(centred=centred)
        # Of the sums, and of the eigenvalue solver; what is below is not known to be more than 0.
        solver = samples.n_features * UNIT_ROUNDOFF["float64"] * np.trace(samples.gram)
        noise = 2 * (samples.gram_error + solver) / samples.n_samples
        return np.asarray(np.sqrt(np.where(values > noise, values, 0.0)))
    matrix = samples - samples.mean(axis=0) if centred else samples
    largest = float(np.abs(matrix).max())
    if largest == 0:
        return np.zeros(min(matrix.shape))
    # Squares of huge or tiny entries would overflow or vanish inside the decomposition.
    found = np.linalg.svd(matrix / largest, compute_uv=False)
    return np.asarray(found * (largest / np.sqrt(len(matrix))))
