"""Cross-entropies: of one class among k, and of yes or no for each output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb

from epsrank.theory.data.inputs import as_error, as_target
from epsrank.theory.errors import InputError
from epsrank.theory.floor.convex.losses import ConvexLoss, DualPoint
from epsrank.theory.floor.convex.targets import (
    ClassTargets,
    Entries,
    Rows,
    class_labels,
    class_rows,
    read_array,
    shares_of_classes,
)
from epsrank.theory.numbers.arrays import Array, Matrix, Vector, real_array
from epsrank.theory.numbers.rounding import UNDERFLOW, UNIT_ROUNDOFF, gamma
from epsrank.theory.words import plural

#: Labels, rows as they were given, or rows that are weighted already.
ClassRows = ClassTargets | Rows | Matrix

_U = UNIT_ROUNDOFF["float64"]

# What the library's logarithm may be off by, relatively, in units of u; `ball` assumes nothing.
_LOG_ROUNDINGS = 8


def _positive_vector(values: Any, name: str) -> tuple[float, ...] | None:
    """Check weights ≥ 0, one per class, and keep them as a tuple, which can be compared."""
    if values is None:
        return None
    vector = real_array(values, name).reshape(-1)
    if not vector.size or not bool((np.isfinite(vector) & (vector >= 0)).all()):
        raise InputError(name, "have entries that are negative or infinite", "pass numbers ≥ 0")
    return tuple(vector.tolist())


@dataclass(frozen=True)
class CrossEntropy:
    """ℓ(z, t) = Σ_c t_c (log Σ_d exp z_d − z_c), for labels or rows of shares t; L = √2 Σ_c t_c.

    Labels y with weights w and smoothing α stand for  t = (1 − α) w_y e_y + (α/k) w,  and the mean
    is over Σ w_y, as in PyTorch; rows of shares are smoothed and weighted likewise, and their mean
    is over samples.

    Attributes
    ----------
    class_weights : array_like, shape (k,), optional
        w ≥ 0; 1 each by default.
    label_smoothing : float
        0 ≤ α ≤ 1.
    ignore_index : int, optional
        Label of the samples that are left out.
    any_rows : bool
        Take rows that do not sum to 1 too, as weighted labels.

    Examples
    --------
    >>> CrossEntropy(class_weights=[1.0, 2.0], label_smoothing=0.1).name
    'cross_entropy'
    """

    class_weights: Any = None
    label_smoothing: float = 0.0
    ignore_index: int | None = None
    any_rows: bool = False

    def __post_init__(self) -> None:
        weights = _positive_vector(self.class_weights, "class_weights")
        object.__setattr__(self, "class_weights", weights)
        if not 0 <= as_error(self.label_smoothing, "label_smoothing", "the share") <= 1:
            raise InputError(
                "label_smoothing", f"is {self.label_smoothing:g}", "pass a share from 0 to 1"
            )

    @property
    def slopes_sum_to_zero(self) -> bool:
        """True: a shift of all outputs changes no share."""
        return True

    @property
    def name(self) -> str:
        """``"cross_entropy"``."""
        return "cross_entropy"

    def targets(self, target: Any, n_samples: int, n_outputs: int | None) -> ClassRows:
        """Return labels as they are, without forming rows, or rows of shares.

        By default k is the largest label plus one, or the number of class weights.
        """
        if isinstance(target, (ClassTargets, Rows)):  # checked before
            return target
        given = read_array(target)
        weights = None if self.class_weights is None else np.array(self.class_weights)
        if given.dtype.kind == "f" or (given.ndim == 2 and given.shape[1] > 1):
            rows = shares_of_classes(given, n_samples, n_outputs, any_rows=self.any_rows)
            if self.label_smoothing:
                share = self.label_smoothing
                rows = (1 - share) * rows + share / rows.shape[1]
            if weights is not None and len(weights) != rows.shape[1]:
                raise InputError(
                    "class_weights",
                    f"are {len(weights)} for {plural(rows.shape[1], 'class')}",
                    "pass one per class",
                )
            if weights is None and not self.label_smoothing:
                return rows
            return Rows(rows if weights is None else np.asarray(rows * weights))
        return class_labels(
            given,
            n_samples,
            n_outputs,
            weights=weights,
            smoothing=float(self.label_smoothing),
            ignored=self.ignore_index,
        )

    def counts(self, target: ClassRows) -> Vector | None:
        """Return the weights of the labels, 0 where a sample is left out."""
        return target.counts if isinstance(target, ClassTargets) else None

    def lipschitz(self, target: ClassRows) -> float:
        """Return √2 · max s."""
        return float(np.sqrt(2.0) * class_rows(target).mass().max())

    def smoothed(self, width: float) -> ConvexLoss | None:
        """Its slopes vary steadily."""
        del width
        return None

    def evaluate(self, outputs: Array, target: ClassRows) -> tuple[Array, Array]:
        """Return ℓ and s p − t."""
        rows = class_rows(target)
        shifted = outputs - outputs.max(axis=1, keepdims=True)
        taken = rows.dot(shifted)
        with np.errstate(under="ignore"):
            powers = np.exp(shifted, out=shifted)  # in place: N × k numbers may be most of memory
        total, mass = powers.sum(axis=1), rows.mass()
        values = mass * np.log(total) - taken
        powers *= (mass / total)[:, None]
        rows.subtract_from(powers)
        return values, powers

    def dual(self, outputs: Array, target: ClassRows) -> DualPoint:
        """Return the slopes and entropies, with the errors that rounding made.

        The exact dual variable is p = p̃/Σp̃ for the computed p̃: with |Σp̃ − 1| ≤ η, H(p) differs
        from −Σ p̃ log p̃ by at most (1 + H̃) η/(1 − η), and s p from s p̃ by at most s η/(1 − η).
        """
        return self._dual(_softmax(outputs), target, 0.0)

    def _dual(self, computed: Array, target: ClassRows, moved: float) -> DualPoint:
        """Return the dual point at shares p̃, which exact ones lie within a share `moved` of."""
        rows = class_rows(target)
        k, mass = computed.shape[1], rows.mass()
        total = computed.sum(axis=1)
        defect = np.abs(total - 1) + gamma(k) * total
        share = defect / (1 - defect)
        entropy = _entropies(computed)
        relative = gamma(2 * k + _LOG_ROUNDINGS + 4)
        values = mass * entropy
        # A mixture (1 − τ)p + τq has at least the entropy (1 − τ)H(p), for H is concave.
        errors = (mass * (1 + gamma(k))) * (share * (1 + entropy) + relative * entropy) * (
            1 + 16 * _U
        ) + ((2 * _U + 1.01 * moved) * values + UNDERFLOW)
        computed *= mass[:, None]
        rows.subtract_from(computed)
        # The product, the sum s, and the difference round: at most (k + 3) u of s p, and u of g.
        sizes = _by_blocks(computed, lambda block: np.abs(block).sum(axis=1))
        slope_error = np.max(mass * (share + gamma(k + 3) + 1.5 * moved) + 2 * _U * sizes)
        return DualPoint(computed, values, errors, float(slope_error) * (1 + 16 * _U))

    def balanced(self, outputs: Array, target: ClassRows, shares: Vector) -> DualPoint:
        """Mix the shares of all samples with one row, so that every class gets what it has.

        With P = Σ w s p, Y = Σ w t, M their sum and τ = max_c (1 − Y_c/P_c)_+ the row
        q = (Y − (1 − τ)P)/(τM) is a distribution, and Σ w s ((1 − τ)p + τq) = Y. A class that no
        sample has gets nothing at all.
        """
        rows = class_rows(target)
        own, wanted = shares * rows.mass(), rows.totals(shares)
        p = _softmax(outputs)
        if not wanted.all():
            p[:, wanted == 0] = 0.0
            left = p.sum(axis=1, keepdims=True)
            fallback = wanted / wanted.sum()
            np.divide(p, left, out=p, where=left > 0)
            p[left[:, 0] == 0] = fallback
        for _ in range(2):  # the second mends the rounding of the first
            got = own @ p
            share = _excess(got, wanted)
            if not 0 < share < 1:
                break
            row = np.maximum(wanted - (1 - share) * got, 0.0)
            if not row.any():  # what is missing is less than rounding
                row = wanted
            p *= 1 - share
            p += (share / row.sum()) * row
        np.minimum(p, 1.0, out=p)
        slack = gamma(len(own) + p.shape[1] + 32)
        moved = min(1.0, _excess(own @ p, wanted) + 4 * slack)
        return self._dual(p, target, moved)

    def ball(
        self, outputs: list[Any], target: list[Any], factors: list[Any] | None = None
    ) -> tuple[Any, list[Any]]:
        """Return s·H(p) and s p − t at exact outputs, in ball arithmetic."""
        del factors
        largest = max(outputs, key=float)
        powers = [(z - largest).exp() for z in outputs]
        total, mass = sum(powers, arb(0)), sum(target, arb(0))
        shares = [power / total for power in powers]
        # H(p) = log Σ exp(z − m) − p·(z − m).
        entropy = total.log()
        for share, z in zip(shares, outputs, strict=True):
            entropy -= share * (z - largest)
        return mass * entropy, [mass * p - y for p, y in zip(shares, target, strict=True)]


def _softmax(outputs: Array) -> Array:
    """Return exp(z − max z) / Σ, at most 1 in every entry."""
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    with np.errstate(under="ignore"):
        powers = np.exp(shifted, out=shifted)
    powers /= powers.sum(axis=1, keepdims=True)
    # A quotient that rounds above 1 would make a negative term of the entropy.
    return np.asarray(np.minimum(powers, 1.0, out=powers))


# Numbers of a block of rows: what is formed beside all outputs stays small.
_BLOCK = 2**18


def _by_blocks(rows: Array, numbers: Callable[[Array], Array]) -> Vector:
    """Return a number for each row, a few rows at a time."""
    step = max(1, _BLOCK // rows.shape[1])
    return np.concatenate(
        [numbers(rows[start : start + step]) for start in range(0, len(rows), step)]
    )


def _entropies(shares: Array) -> Vector:
    """Return −Σ_c p_ic log p_ic."""
    # Here, since it alone needs scipy.special, which is a tenth of a second of every import.
    from scipy.special import xlogy

    return -_by_blocks(shares, lambda block: xlogy(block, block).sum(axis=1))


def _excess(got: Vector, wanted: Vector) -> float:
    """Return max_c (1 − Y_c/P_c)_+."""
    over = got > wanted
    return float(np.max(1 - wanted[over] / got[over], initial=0.0))


@dataclass(frozen=True)
class BinaryCrossEntropy:
    """ℓ(z, y) = Σ_c w_c {(1 − y_c) log(1 + exp z_c) + p_c y_c log(1 + exp(−z_c))}, y ∈ [0, 1].

    One logit, or several labels at once. With m = w(1 − y) + w p y and β = w p y it is
    m log(1 + exp z) − β z, its slope m σ(z) − β, and −ℓ* = m H(σ), H the entropy of (σ, 1 − σ).

    Attributes
    ----------
    pos_weight : array_like, shape () or (k,), optional
        p ≥ 0; 1 by default.
    weight : array_like, shape () or (k,), optional
        w ≥ 0; 1 by default.
    """

    pos_weight: Any = None
    weight: Any = None

    def __post_init__(self) -> None:
        for name in ("pos_weight", "weight"):
            object.__setattr__(self, name, _positive_vector(getattr(self, name), name))

    @property
    def slopes_sum_to_zero(self) -> bool:
        """False: every output has a slope of its own."""
        return False

    @property
    def name(self) -> str:
        """``"bce"``."""
        return "bce"

    def targets(self, target: Any, n_samples: int, n_outputs: int | None) -> Entries:
        """Return β and m for targets from 0 to 1, shape (N,) or (N, k)."""
        if isinstance(target, Entries):  # checked before
            return target
        goal = as_target(target, n_samples)
        if n_outputs is not None and goal.shape[1] != n_outputs:
            raise InputError(
                "target",
                f"has {plural(goal.shape[1], 'column')}, but there "
                f"are {plural(n_outputs, 'output')}",
                "pass one column per output, each from 0 to 1",
            )
        low, high = float(goal.min()), float(goal.max())
        if low < 0 or high > 1:
            bad = low if low < 0 else high
            raise InputError("target", f"has the entry {bad:g}", "pass targets from 0 to 1")
        positive, every = (self._vector(name, goal.shape[1]) for name in ("pos_weight", "weight"))
        return logistic_entries(goal, positive, every)

    def _vector(self, name: str, k: int) -> Array:
        """Return weights per output."""
        given = getattr(self, name)
        if given is not None and len(given) not in (1, k):
            raise InputError(
                name,
                f"has {plural(len(given), 'entry')} for {plural(k, 'output')}",
                "pass one each",
            )
        return np.ones(k) if given is None else np.broadcast_to(np.array(given), (k,))

    def counts(self, target: Entries) -> Vector | None:
        """Every sample counts for 1."""
        del target
        return None

    def lipschitz(self, target: Entries) -> float:
        """Return max_i ‖max(β, m − β)‖₂."""
        steep = np.maximum(target.values, target.factors - target.values)
        return float(np.sqrt(np.square(steep).sum(axis=1).max())) * (1 + 4 * _U)

    def smoothed(self, width: float) -> ConvexLoss | None:
        """Its slopes vary steadily."""
        del width
        return None

    def evaluate(self, outputs: Array, target: Entries) -> tuple[Array, Array]:
        """Return ℓ and m σ(z) − β."""
        beta, mass = target.values, target.factors
        with np.errstate(under="ignore"):
            # log(1 + exp z) without overflow; the difference below is of positive terms.
            tail = np.log1p(np.exp(-np.abs(outputs)))
        values = (mass - beta) * np.maximum(outputs, 0) + beta * np.maximum(-outputs, 0)
        return (values + mass * tail).sum(axis=1), mass * _sigmoid(outputs) - beta

    def dual(self, outputs: Array, target: Entries) -> DualPoint:
        """Return the slopes at the computed σ, which is in [0, 1], and its entropies."""
        return self._dual(_sigmoid(outputs), target, np.zeros(target.shape[1]))

    def _dual(self, sigma: Array, target: Entries, moved: Vector) -> DualPoint:
        """Return the dual point at σ̃, which exact ones lie within a share `moved` of."""
        from scipy.special import xlog1py, xlogy

        beta, mass = target.values, target.factors
        entropy = -(xlogy(sigma, sigma) + xlog1py(1 - sigma, -sigma))
        values = mass * entropy
        errors = ((gamma(_LOG_ROUNDINGS + 8) + 1.01 * moved) * values).sum(axis=1)
        errors += gamma(sigma.shape[1] + 2) * values.sum(axis=1) + UNDERFLOW
        slopes = mass * sigma - beta
        off = 4 * _U * (mass + beta) + 1.01 * moved * mass
        slope_error = float(np.sqrt(np.square(off).sum(axis=1).max())) * (1 + 1e-9)
        return DualPoint(slopes, values.sum(axis=1), errors, slope_error)

    def balanced(self, outputs: Array, target: Entries, shares: Vector) -> DualPoint:
        """Mix σ of all samples with one share per output, as `CrossEntropy.balanced` does."""
        beta, mass = target.values, target.factors
        own = shares[:, None] * mass
        yes, no = shares @ beta, shares @ (mass - beta)
        sigma = _sigmoid(outputs)
        sigma[:, yes == 0] = 0.0
        sigma[:, no == 0] = 1.0
        for _ in range(2):
            got, rest = (own * sigma).sum(axis=0), (own * (1 - sigma)).sum(axis=0)
            share = np.array(
                [
                    _excess(np.array([a, b]), np.array([c, d]))
                    for a, b, c, d in zip(got, rest, yes, no, strict=True)
                ]
            )
            total = np.where(share > 0, share, 1.0) * np.maximum(yes + no, UNDERFLOW)
            other = np.clip((yes - (1 - share) * got) / total, 0.0, 1.0)
            sigma = np.clip((1 - share) * sigma + share * other, 0.0, 1.0)
        got, rest = (own * sigma).sum(axis=0), (own * (1 - sigma)).sum(axis=0)
        slack = 4 * gamma(len(own) + 32)
        moved = np.array(
            [
                min(1.0, _excess(np.array([a, b]), np.array([c, d])) + slack)
                for a, b, c, d in zip(got, rest, yes, no, strict=True)
            ]
        )
        return self._dual(sigma, target, moved)

    def ball(
        self, outputs: list[Any], target: list[Any], factors: list[Any] | None = None
    ) -> tuple[Any, list[Any]]:
        """Return Σ m H(σ) and m σ − β at exact outputs, in ball arithmetic."""
        weights = [arb(1)] * len(outputs) if factors is None else [arb(f) for f in factors]
        total, slopes = arb(0), []
        for z, beta, mass in zip(outputs, target, weights, strict=True):
            sigma = 1 / (1 + (-z).exp())
            # H(σ) = log(1 + exp(−|z|)) + |z| (1 − σ(|z|)).
            size = abs(z)
            small = (-size).exp()
            total += mass * ((1 + small).log() + size * small / (1 + small))
            slopes.append(mass * sigma - beta)
        return total, slopes


def logistic_entries(goal: Matrix, pos_weight: Array, weight: Array) -> Entries:
    """Return β = w p y and m = w(1 − y) + w p y."""
    beta = np.asarray(weight * pos_weight * goal)
    return Entries(beta, np.asarray(weight * (1 - goal) + beta))


def _sigmoid(outputs: Array) -> Array:
    """Return 1/(1 + exp(−z)) without overflow, from 0 to 1."""
    with np.errstate(under="ignore"):
        small = np.exp(-np.abs(outputs))
    return np.asarray(np.where(outputs >= 0, 1.0, small) / (1 + small))
