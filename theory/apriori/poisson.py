"""C_S of the Poisson problem on a box: how far a small residual can be from the solution.

Let Ω be a box with sides ℓ_1 … ℓ_d and e = u − u* with residuals r = Δe in Ω, g = e on ∂Ω. Write
e = w + h with Δw = r, w = 0 on ∂Ω, and h harmonic with h = g on ∂Ω.

* ‖w‖ ≤ λ_D⁻¹‖r‖ and ‖∇w‖ ≤ λ_D^{−1/2}‖r‖, λ_D = π² Σ ℓ_i⁻² the first Dirichlet eigenvalue: expand
  in sines, |⟨Δw, s_k⟩| = λ_k |⟨w, s_k⟩|, λ_k ≥ λ_D.
* ‖h‖ ≤ C_b ‖g‖_{∂Ω} by duality: for −Δz = h, z = 0 on ∂Ω, ‖h‖² = −∫_{∂Ω} g ∂_ν z. With x measured
  from the centre, Rellich's identity on the convex box (z ∈ H²)

      ½ ∫_{∂Ω} (x·ν)|∂_ν z|² = ∫ Δz (x·∇z) + (1 − d/2) ‖∇z‖²,

  x·ν ≥ ℓ_min/2 and |x| ≤ D/2 (D the diagonal) gives

      ‖∂_ν z‖²_{∂Ω} ≤ (4/ℓ_min) (D/2 · λ_D^{−1/2} + (1 − d/2)_+ λ_D⁻¹) ‖Δz‖² = C_b² ‖Δz‖².

Hence ‖e‖ ≤ λ_D⁻¹‖r‖ + C_b‖g‖ ≤ √(λ_D⁻² + C_b²/κ) · √(‖r‖² + κ‖g‖²), all norms L² over Ω and ∂Ω.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from epsrank.theory.data.inputs import as_positive
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import real_array


def dirichlet_eigenvalue(sides: Sequence[float]) -> float:
    """Return λ_D = π² Σ ℓ_i⁻², the first eigenvalue of −Δ with u = 0 on the boundary of a box."""
    return math.pi**2 * sum(side**-2 for side in _lengths(sides))


def _lengths(sides: Sequence[float]) -> list[float]:
    """Check the sides ℓ_i > 0 of a box."""
    lengths = real_array(sides, "sides")
    if lengths.ndim != 1 or not lengths.size or not (np.isfinite(lengths) & (lengths > 0)).all():
        raise InputError("sides", f"are {sides!r}", "pass the side lengths ℓ > 0 of a box")
    found: list[float] = lengths.tolist()
    return found


def poisson_stability(
    sides: Sequence[float],
    *,
    penalty: float | None = None,
    norm: Literal["L2", "H1"] = "L2",
    measure: Literal["volume", "mean"] = "volume",
) -> float:
    """Return C_S with ‖u − u*‖ ≤ C_S √L(u), L the squared residual of −Δu = f, u = g (N2).

    Without a penalty the network meets the boundary condition exactly and L = ‖Δu + f‖²: then
    C_S = λ_D⁻¹ in L², and λ_D^{−1/2} for ‖∇(u − u*)‖. With it L = ‖Δu + f‖² + κ‖u − g‖²_{∂Ω} and
    C_S = √(λ_D⁻² + C_b²/κ) in L² (see the derivation above; there is no such bound in H¹, where the
    boundary error would have to be measured in H^{1/2}).

    Parameters
    ----------
    sides : sequence of float
        Side lengths of the box.
    penalty : float, optional
        κ > 0; None where the boundary condition holds exactly.
    norm : {"L2", "H1"}
        Norm of the error: ‖e‖ or ‖∇e‖.
    measure : {"volume", "mean"}
        Whether ‖·‖² are integrals, or means over Ω and over ∂Ω.

    Returns
    -------
    float
        C_S.

    Raises
    ------
    InputError
        If an argument is out of range, or the H¹ norm is asked for with a penalty.
    """
    eigenvalue = dirichlet_eigenvalue(sides)
    if measure not in ("volume", "mean") or norm not in ("L2", "H1"):
        raise InputError("norm", f"is {norm!r}, {measure!r}", "choose L2 or H1, volume or mean")
    if penalty is None:
        return 1 / eigenvalue if norm == "L2" else 1 / math.sqrt(eigenvalue)
    if norm == "H1":
        raise InputError("norm", "is 'H1' with a penalty", "use 'L2'")
    penalty = as_positive(penalty, "penalty", "pass κ > 0, or None for u = g exactly")
    lengths = _lengths(sides)
    trace = _trace_square(lengths, eigenvalue)
    if measure == "mean":
        # |∂Ω| ‖g‖²_mean = ‖g‖², |Ω| ‖e‖²_mean = ‖e‖²; two end points count 1 each for d = 1.
        volume = math.prod(lengths)
        trace *= sum(2 * volume / side for side in lengths) / volume
    return math.sqrt(eigenvalue**-2 + trace / penalty)


def _trace_square(lengths: list[float], eigenvalue: float) -> float:
    """Return C_b²."""
    diagonal, dimension = math.hypot(*lengths), len(lengths)
    reach = diagonal / 2 / math.sqrt(eigenvalue) + max(0.0, 1 - dimension / 2) / eigenvalue
    return 4 / min(lengths) * reach
