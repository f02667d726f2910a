"""What the losses compare outputs with: real rows, weighted entries, and labels that stay integers.

Labels of k classes are never spread into rows of k numbers: 50 000 classes would need k² of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsrank.theory.data.inputs import as_target
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array, Matrix, Vector, to_numpy
from epsrank.theory.words import plural

#: Most outputs N·k that are formed, 4 GiB of float64: a stray label of 10⁹ must not ask for more.
MOST_OUTPUTS = 2**29

# How far the sum of a row of shares may be from 1: what float16 leaves of a softmax.
_SUM_SLACK = 1e-2


@dataclass(frozen=True, eq=False)
class ClassTargets:
    """Rows  t_i = own_i e_{label_i} + shared,  of k entries ≥ 0, without forming them."""

    #: Class of each sample, from 0 to k − 1.
    labels: NDArray[np.int64]
    #: k.
    n_classes: int
    #: What the label itself weighs; 0 where a sample is left out.
    own: Vector
    #: What every class weighs for every sample that is not left out: label smoothing.
    shared: Vector | None
    #: What a sample counts for in the mean: the weight of its class, 0 where it is left out.
    counts: Vector
    #: Which samples are not left out; one whose class weighs 0 still has its smoothed part.
    kept: NDArray[np.bool_]

    @property
    def shape(self) -> tuple[int, int]:
        """(N, k)."""
        return len(self.labels), self.n_classes

    def mass(self) -> Vector:
        """Σ_c t_ic, up to rounding."""
        if self.shared is None:
            return self.own
        return np.asarray(self.own + self.kept * float(self.shared.sum()))

    def dot(self, outputs: Matrix) -> Vector:
        """Σ_c t_ic z_ic."""
        total = self.own * outputs[np.arange(len(self.labels)), self.labels]
        return total if self.shared is None else total + self.kept * (outputs @ self.shared)

    def subtract_from(self, slopes: Matrix) -> None:
        """Take t_i from the rows, in place."""
        slopes[np.arange(len(self.labels)), self.labels] -= self.own
        if self.shared is not None:
            # In place, without N × k numbers beside the slopes.
            np.subtract(slopes, self.shared, out=slopes, where=self.kept[:, None])

    def totals(self, shares: Vector) -> Vector:
        """Σ_i w_i t_i, shape (k,)."""
        total: Vector = np.bincount(
            self.labels, shares * self.own, minlength=self.n_classes
        ).astype(np.float64)
        if self.shared is not None:
            total = total + float(shares[self.kept].sum()) * self.shared
        return total


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of class weights, with the same methods as `ClassTargets`: checked, and as they are.

    Weights of classes are in them, which a second check would multiply in again.
    """

    #: t_i ≥ 0.
    values: Matrix

    @property
    def shape(self) -> tuple[int, int]:
        """(N, k)."""
        return self.values.shape[0], self.values.shape[1]

    def mass(self) -> Vector:
        """Σ_c t_ic, up to rounding."""
        return np.asarray(self.values.sum(axis=1))

    def dot(self, outputs: Matrix) -> Vector:
        """Σ_c t_ic z_ic."""
        return np.asarray(np.einsum("ij,ij->i", self.values, outputs))

    def subtract_from(self, slopes: Matrix) -> None:
        """Take t_i from the rows, in place."""
        slopes -= self.values

    def totals(self, shares: Vector) -> Vector:
        """Σ_i w_i t_i, shape (k,)."""
        return np.asarray(shares @ self.values)


@dataclass(frozen=True, eq=False)
class Entries:
    """Real targets y_ic whose losses are taken f_ic times, f ≥ 0."""

    #: y.
    values: Matrix
    #: f.
    factors: Matrix

    @property
    def shape(self) -> tuple[int, int]:
        """(N, k)."""
        return self.values.shape[0], self.values.shape[1]


Targets = Array | ClassTargets | Rows | Entries


def class_rows(target: Array | ClassTargets | Rows) -> ClassTargets | Rows:
    """Return class weights by rows with the methods of both."""
    return target if isinstance(target, (ClassTargets, Rows)) else Rows(target)


def entries(target: Array | Rows | Entries) -> tuple[Matrix, Matrix | None]:
    """Return y and f, None for 1."""
    if isinstance(target, Entries):
        return target.values, target.factors
    return (target.values if isinstance(target, Rows) else target), None


def sizes(target: Targets) -> Vector:
    """Return max_c |t_ic|, or of y where entries have factors; shape (N,)."""
    if isinstance(target, ClassTargets):
        shared = 0.0 if target.shared is None else float(target.shared.max())
        return np.asarray(target.own + shared)
    return np.asarray(np.abs(entries(target)[0]).max(axis=1))


def spread(target: Targets, weights: Vector, *, centred: bool) -> float:
    """Return ‖y‖ in the measure, or ‖y − ȳ‖, with labels as unit vectors."""
    if isinstance(target, ClassTargets):
        kept = weights * target.kept
        share = np.bincount(target.labels, kept, minlength=target.n_classes)
        total = float(kept.sum())
        square = total - (float(share @ share) / total if centred else 0.0)
        return float(np.sqrt(max(square, 0.0)))
    values = entries(target)[0]
    mean = weights @ values / float(weights.sum()) if centred else 0.0
    return float(np.sqrt(weights @ np.square(values - mean).sum(axis=1)))


def listed(target: Targets) -> Iterator[tuple[list[float], list[float] | None]]:
    """Yield the rows one by one as numbers, with factors where there are any."""
    if isinstance(target, ClassTargets):
        for label, own, kept in zip(target.labels, target.own, target.kept, strict=True):
            row = np.zeros(target.n_classes)
            if target.shared is not None and kept:
                row += target.shared
            row[label] += own
            yield row.tolist(), None
        return
    values, factors = entries(target)
    for index, row in enumerate(values):
        yield row.tolist(), None if factors is None else factors[index].tolist()


def real_rows(target: Any, n_samples: int, n_outputs: int | None) -> Array | Entries:
    """Check real targets."""
    if isinstance(target, Entries):  # checked before
        return target
    goal = as_target(target, n_samples)
    if n_outputs is not None and goal.shape[1] != n_outputs:
        raise InputError(
            "target",
            f"has {plural(goal.shape[1], 'column')}, but the coefficients "
            f"have {plural(n_outputs, 'output')}",
            "pass one column per output",
        )
    return goal


def shares_of_classes(
    given: NDArray[Any], n_samples: int, n_outputs: int | None, *, any_rows: bool
) -> Matrix:
    """Check rows of class shares: numbers ≥ 0 that sum to 1, or any where that is asked for."""
    goal = as_target(given, n_samples)
    if given.ndim == 1:
        raise InputError(
            "target",
            f"has dtype {given.dtype.name} and shape {given.shape}, neither labels nor rows",
            "pass integer labels (labels.astype(int)), or one column per class",
        )
    refuse_one_class(goal.shape[1])
    if n_outputs is not None and goal.shape[1] != n_outputs:
        raise InputError(
            "target",
            f"has {plural(goal.shape[1], 'column')}, but there are {plural(n_outputs, 'output')}",
            "pass integer labels, or one column per class",
        )
    if float(goal.min()) < 0:
        raise InputError("target", "has a negative entry", "pass labels or distributions")
    sums = goal.sum(axis=1)
    bad = np.flatnonzero(np.abs(sums - 1) > _SUM_SLACK)
    if len(bad) and not any_rows:
        raise InputError(
            "target",
            f"has {plural(len(bad), 'row')} that are no distributions, "
            f"the first of sum {sums[bad[0]]:g} at "
            f"index {bad[0]}",
            "pass rows that sum to 1 (their sums as weights=), or loss='bce' for several labels "
            "at once",
        )
    return goal


def refuse_one_class(classes: int) -> None:
    """Refuse one logit, whose cross-entropy is 0 whatever it is."""
    if classes == 1:
        raise InputError(
            "target",
            "has one class, and the cross-entropy of one output is always 0",
            "pass loss='bce' for one logit with targets 0 and 1, or n_outputs= for more classes",
        )


def class_labels(
    given: NDArray[Any],
    n_samples: int,
    n_outputs: int | None,
    *,
    weights: Vector | None,
    smoothing: float,
    ignored: int | None,
) -> ClassTargets:
    """Check integer labels of shape (N,) or (N, 1)."""
    if given.size != n_samples or given.ndim > 2:
        raise InputError(
            "target",
            f"has shape {given.shape}, but the features have {plural(n_samples, 'sample')}",
            "pass one label per sample",
        )
    labels = given.reshape(-1)
    kept = np.ones(n_samples, dtype=bool) if ignored is None else labels != ignored
    if not kept.any():
        raise InputError("target", f"has only labels {ignored}, all left out", "pass other labels")
    low, high = int(labels[kept].min()), int(labels[kept].max())
    classes = n_outputs
    if classes is None:
        classes = high + 1 if weights is None else len(weights)
    if low < 0 or high >= classes:
        bad = low if low < 0 else high
        raise InputError("target", f"has the label {bad}", f"pass labels from 0 to {classes - 1}")
    refuse_one_class(classes)
    refuse_too_many(n_samples, classes, high)
    if weights is not None and len(weights) != classes:
        raise InputError(
            "class_weights",
            f"are {len(weights)} for {plural(classes, 'class')}",
            "pass one per class",
        )
    whole = np.where(kept, labels, 0).astype(np.int64)
    own = kept * (1.0 if weights is None else weights[whole])
    shared = None
    if smoothing:
        uniform = np.ones(classes) if weights is None else weights
        shared = np.asarray(uniform * (smoothing / classes))
    if not own.any():
        raise InputError("class_weights", "are 0 for all labels", "pass a positive weight")
    return ClassTargets(whole, classes, np.asarray(own * (1 - smoothing)), shared, own, kept)


def refuse_too_many(n_samples: int, classes: int, label: int) -> None:
    """Refuse outputs that no memory holds, before they are asked for."""
    if n_samples * classes > MOST_OUTPUTS:
        size = 8 * n_samples * classes / 2**30
        raise InputError(
            "target",
            f"has the label {label}: {plural(n_samples, 'sample')} × "
            f"{plural(classes, 'class takes', 'classes take')} {size:.3g} GiB",
            "number the classes from 0, or pass fewer samples",
        )


def read_array(target: Any) -> NDArray[Any]:
    """Return targets as an array of their own type."""
    return to_numpy(target, "target")[0]
