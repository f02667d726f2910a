"""Lanczos with full reorthogonalisation: extreme eigenvalues of a symmetric product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from epsrank.numerics.boundary import refuse_working_set
from epsrank.theory.numbers.arrays import Vector
from epsrank.theory.words import plural

Product = Callable[[Tensor], Tensor]

# Below this share of the largest entry of T the Krylov space is exhausted: Hv stays inside of it up
# to rounding of float32 products.
_EXHAUSTED = 1e-7


@dataclass(frozen=True, eq=False)
class Ritz:
    """Ritz values θ of H in a Krylov space, ascending, with ‖Hy − θy‖ of their unit vectors."""

    #: θ_1 ≤ … ≤ θ_k.
    values: Vector
    #: Within this of θ_i lies an eigenvalue.
    residuals: Vector
    #: Squared first entries of the eigenvectors of T: the weights of Gauss quadrature.
    weights: Vector
    #: The unit vectors y as rows, where they were asked for; else those of T, as columns.
    vectors: Tensor


def lanczos(
    product: Product,
    start: Tensor,
    *,
    steps: int,
    wanted: int = 0,
    tolerance: float = 0.0,
    vectors: bool = False,
) -> Ritz:
    """Return Ritz values after k ≤ steps products, and their vectors where they are asked for.

    Stops where the largest `wanted` have residuals below tolerance·max |θ|. The space restarts
    from a fresh direction where it is exhausted, so that multiple eigenvalues are found one by one.
    The vectors are kept and take part twice in every reorthogonalisation: k·n float64 numbers.
    """
    size = len(start)
    refuse_working_set(
        "steps", min(steps, size), f"vectors of {plural(size, 'parameter')}", 8 * size
    )
    draw = torch.Generator().manual_seed(size)
    rows = torch.empty(min(steps, size), size, dtype=torch.float64, device=start.device)
    diagonal: list[float] = []
    beside: list[float] = []
    v = start.double() / torch.linalg.vector_norm(start.double())
    restarted = False
    for k in range(min(steps, size)):
        rows[k] = v
        basis = rows[: k + 1]
        w = product(v)
        diagonal.append(float(v @ w))
        w = _orthogonal(w, basis)
        beta = float(torch.linalg.vector_norm(w))
        scale = max(map(abs, [*diagonal, *beside]))
        exhausted = beta <= _EXHAUSTED * scale
        beside.append(0.0 if exhausted else beta)
        # A space that is exhausted at once knows one eigenvector, perhaps not the largest.
        if wanted and len(diagonal) >= wanted and not (exhausted and not restarted):
            found = _ritz(diagonal, beside)
            sharp = found.residuals[-wanted:] <= tolerance * abs(found.values).max(initial=0.0)
            if sharp.all():
                return _with_vectors(found, basis) if vectors else found
        if not exhausted:
            v = w / beta
            continue
        if not wanted or k + 1 == min(steps, size):
            break
        restarted = True
        fresh = torch.randn(size, generator=draw, dtype=torch.float64).to(start.device)
        v = _orthogonal(fresh / torch.linalg.vector_norm(fresh), basis)
        v = v / torch.linalg.vector_norm(v)
    found = _ritz(diagonal, beside)
    return _with_vectors(found, rows[: len(diagonal)]) if vectors else found


def _with_vectors(found: Ritz, basis: Tensor) -> Ritz:
    """Return Ritz values with vectors of H for those of T."""
    return replace(found, vectors=found.vectors.T.to(basis) @ basis)


def _orthogonal(w: Tensor, basis: Tensor) -> Tensor:
    """Return the part of w outside of a space; twice is enough (Kahan and Parlett)."""
    for _ in range(2):
        w = w - basis.T @ (basis @ w)
    return w


def _ritz(diagonal: list[float], beside: list[float]) -> Ritz:
    t = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
    off = torch.tensor(beside[:-1], dtype=torch.float64)
    t += torch.diag(off, 1) + torch.diag(off, -1)
    values, vectors = torch.linalg.eigh(t)
    residuals = abs(beside[-1] * vectors[-1])
    return Ritz(values.numpy(), residuals.numpy(), vectors[0].square().numpy(), vectors)
