"""The test of ``check_floor.v`` in Python integers: the same numbers, the same answer.

Any ρ bounds the loss of every output layer W with ‖W‖ ≤ B from below, by duality:
‖φW − u*‖² ≥ −‖ρ‖² − 2⟨ρ, u*⟩ − 2B |Φᵀρ|. The certificate names a layer β; ρ is its residual
φβ − u*, rounded down to a multiple of 2^−s.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from flint import fmpz, fmpz_mat

from epsrank.proofs.formal.integer_data import IntegerData, Rows


@dataclass(frozen=True, eq=False)
class IntegerTarget:
    """u* = U / 2^d."""

    #: d ≥ 0.
    level: int
    #: U: one list per output.
    outputs: Rows


def dual_vectors(
    data: IntegerData, target: IntegerTarget, layer: fmpz_mat, layer_scale: int, dual_scale: int
) -> fmpz_mat:
    """Return the residuals φβ_l − u*_l in units of 2^−s, rounded down."""
    level = data.scale + layer_scale
    up, down = level - target.level, level - dual_scale
    rows = []
    for products, outputs in zip((layer * data.columns).tolist(), target.outputs, strict=True):
        # Python's >> rounds towards −∞, as does Coq's Z.shiftr.
        raised = (u << up if up >= 0 else u >> -up for u in outputs)
        residual = [int(p) - u for p, u in zip(products, raised, strict=True)]
        rows.append([x >> down if down >= 0 else x << -down for x in residual])
    return fmpz_mat(rows)


@dataclass(frozen=True)
class DualBound:
    """−‖ρ‖² − 2⟨ρ, u*⟩ and |Φᵀρ|², exactly."""

    #: The first.
    value: Fraction
    #: The second, summed over outputs.
    correlation_squared: Fraction

    def proves(self, x: Fraction, norm_squared: Fraction) -> bool:
        """Decide whether  value − 2B |Φᵀρ| ≥ x, without a root."""
        # Squaring keeps the order of numbers ≥ 0 alone, so the sign is asked first.
        room = self.value - x
        return room >= 0 and 4 * norm_squared * self.correlation_squared <= room * room


def dual_bound(
    data: IntegerData, target: IntegerTarget, dual: fmpz_mat, dual_scale: int
) -> DualBound:
    """Evaluate the bound that ρ gives."""
    weighted = data.weighted(dual)
    total = fmpz(0)
    for w_row, row, outputs in zip(weighted.tolist(), dual.tolist(), target.outputs, strict=True):
        for w, r, u in zip(w_row, row, outputs, strict=True):
            total += w * ((int(r) << target.level) + (u << dual_scale + 1))
    correlations = (weighted * data.columns.transpose()).entries()
    squares = sum((c * c for c in correlations), fmpz(0))
    unit = data.total << 2 * dual_scale + target.level
    return DualBound(
        Fraction(-int(total), unit),
        Fraction(int(squares), (data.total << data.scale + dual_scale) ** 2),
    )
