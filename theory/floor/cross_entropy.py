"""Cross-entropy as a convex loss: log-sum-exp, softmax, and the entropy as its conjugate.

For targets y ≥ 0 with s = Σ_c y_c (s = 1 for labels and for distributions)

    ℓ(z, y) = Σ_c y_c (log Σ_d exp z_d − z_c),     ∇ℓ = s p − y  with p = softmax(z),

and for every distribution p the slope g = s p − y has −ℓ*(g, y) = s · H(p), H(p) = −Σ p_c log p_c.
So the linear bound f(C₀) + ⟨∇f(C₀), C − C₀⟩ of L2 is mean s·H(p) + ⟨∇f(C₀), C⟩, a form without
cancellation. L = √2 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb
from scipy.special import xlogy

from epsrank.theory.arrays import to_numpy
from epsrank.theory.errors import InputError
from epsrank.theory.floor.convex_losses import DualPoint
from epsrank.theory.inputs import Array, as_target
from epsrank.theory.rounding import UNDERFLOW, UNIT_ROUNDOFF, gamma

_U = UNIT_ROUNDOFF["float64"]

# What the library's logarithm may be off by, relatively, in units of u; `ball` assumes nothing.
_LOG = 8


@dataclass(frozen=True)
class CrossEntropy:
    """ℓ(z, y) = Σ_c y_c (log Σ_d exp z_d − z_c), for labels, distributions or weighted labels."""

    @property
    def name(self) -> str:
        """``"cross_entropy"``."""
        return "cross_entropy"

    def targets(self, target: Any, n_samples: int, n_outputs: int | None) -> Array:
        """Return targets of shape (N, k): labels as unit vectors, rows of numbers ≥ 0 as they are.

        Parameters
        ----------
        target : array_like of int, shape (N,), or of float, shape (N, k)
            Labels 0 … k − 1, or a distribution for every sample.
        n_samples : int
            N.
        n_outputs : int, optional
            k; by default the largest label plus one.

        Returns
        -------
        ndarray of float64, shape (N, k)
            y.

        Raises
        ------
        InputError
            If a label is out of range, an entry is negative, or shapes do not fit.
        """
        given, _ = to_numpy(target, "target")
        if (given.ndim == 2 and given.shape[1] > 1) or given.dtype.kind == "f":
            goal = as_target(given, n_samples)
            if n_outputs is not None and goal.shape[1] != n_outputs:
                raise InputError(
                    "target",
                    f"has {goal.shape[1]} columns, but there are {n_outputs} outputs",
                    "pass integer labels, or one column per class",
                )
            if float(goal.min()) < 0:
                raise InputError("target", "has a negative entry", "pass labels or distributions")
            return goal
        labels = as_target(given, n_samples)[:, 0].astype(np.int64)
        classes = int(labels.max()) + 1 if n_outputs is None else n_outputs
        if int(labels.min()) < 0 or int(labels.max()) >= classes:
            bad = int(labels.min()) if int(labels.min()) < 0 else int(labels.max())
            raise InputError(
                "target", f"has the label {bad}", f"pass labels from 0 to {classes - 1}"
            )
        return np.asarray(np.eye(classes)[labels])

    def lipschitz(self, target: Array) -> float:
        """Return √2 · max s."""
        return float(np.sqrt(2.0) * target.sum(axis=1).max())

    def evaluate(self, outputs: Array, target: Array) -> tuple[Array, Array]:
        """Return ℓ and s p − y."""
        powers, shifted = _powers(outputs)
        total = powers.sum(axis=1, keepdims=True)
        mass = target.sum(axis=1, keepdims=True)
        values = mass[:, 0] * np.log(total[:, 0]) - np.einsum("ij,ij->i", target, shifted)
        return values, powers * (mass / total) - target

    def dual(self, outputs: Array, target: Array) -> DualPoint:
        """Return the slopes and entropies, with the errors that rounding made.

        The exact dual variable is p = p̃/Σp̃ for the computed p̃: with |Σp̃ − 1| ≤ η, H(p) differs
        from −Σ p̃ log p̃ by at most (1 + H̃) η/(1 − η), and s p from s p̃ by at most s η/(1 − η).
        """
        computed = _softmax(outputs)
        k = computed.shape[1]
        mass = target.sum(axis=1)
        total = computed.sum(axis=1)
        defect = np.abs(total - 1) + gamma(k) * total
        share = defect / (1 - defect)
        entropy = -xlogy(computed, computed).sum(axis=1)
        relative = gamma(2 * k + _LOG + 4)
        values = mass * entropy
        errors = (mass * (1 + gamma(k))) * (share * (1 + entropy) + relative * entropy) * (
            1 + 16 * _U
        ) + (2 * _U * values + UNDERFLOW)
        slopes = computed * mass[:, None] - target
        # The product, the sum s, and the difference round: at most (k + 3) u of s p, and u of g.
        slope_error = np.max(mass * (share + gamma(k + 3)) + 2 * _U * np.abs(slopes).sum(axis=1))
        return DualPoint(slopes, values, errors, float(slope_error) * (1 + 16 * _U))

    def ball(self, outputs: list[Any], target: list[Any]) -> tuple[Any, list[Any]]:
        """Return s·H(p) and s p − y at exact outputs, in ball arithmetic."""
        largest = max(outputs, key=float)
        powers = [(z - largest).exp() for z in outputs]
        total, mass = sum(powers, arb(0)), sum(target, arb(0))
        shares = [power / total for power in powers]
        # H(p) = log Σ exp(z − m) − p·(z − m).
        entropy = total.log()
        for share, z in zip(shares, outputs, strict=True):
            entropy -= share * (z - largest)
        return mass * entropy, [mass * p - y for p, y in zip(shares, target, strict=True)]


def _powers(outputs: Array) -> tuple[Array, Array]:
    """Return exp(z − max z) and z − max z."""
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    with np.errstate(under="ignore"):
        return np.exp(shifted), shifted


def _softmax(outputs: Array) -> Array:
    """Return exp(z − max z) / Σ, at most 1 in every entry."""
    powers, _ = _powers(outputs)
    return np.asarray(np.minimum(powers / powers.sum(axis=1, keepdims=True), 1.0))
