"""F4: features, target and coefficients for which the floor (d_p − √ε B)_+ is attained."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from epsrank.theory.data.inputs import as_eps, as_norm
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array, Matrix, Vector


@dataclass(frozen=True)
class ExactEquality:
    """What rational arithmetic finds for an `AttainingFamily`."""

    #: ‖φ·β − u*‖².
    loss: Fraction
    #: d_p².
    distance_square: Fraction
    #: ‖β‖².
    norm_square: Fraction
    #: ε.
    eps: Fraction
    #: Whether Φᵀ diag(w) Φ has the stated eigenvalues, seen on its eigenvectors.
    gram_holds: bool

    @property
    def holds(self) -> bool:
        """Whether loss = (d_p − √ε‖β‖)² exactly, with d_p ≥ √ε‖β‖ and the stated spectrum.

        (a − b)² = s for a, b ≥ 0 without square roots: a² + b² − s = 2ab ≥ 0, squared.
        """
        a, b = self.distance_square, self.eps * self.norm_square
        twice = a + b - self.loss
        return self.gram_holds and a >= b and twice >= 0 and twice * twice == 4 * a * b


def verify_equality(family: AttainingFamily) -> ExactEquality:
    """Evaluate loss, d_p², ‖β‖² and G q_k = λ_k q_k in rational arithmetic."""
    weights = [Fraction(w) for w in family.weights.tolist()]
    rows = [[Fraction(x) for x in row] for row in family.features.tolist()]
    target = [Fraction(x) for x in family.target.tolist()]
    beta = [Fraction(x) for x in family.coefficients.tolist()]
    network = [_dot(row, beta) for row in rows]
    loss = sum(
        (w * (u - t) ** 2 for w, u, t in zip(weights, network, target, strict=True)), Fraction()
    )
    distance = sum((w * t * t for w, t in zip(weights, target, strict=True)), Fraction())
    gram_holds = True
    # Row k of the first min(N, n) samples is q_k, up to its place; ψ_k = φ·q_k.
    limit = min(len(rows), family.eigenvalues.size)
    columns = [list(column) for column in zip(*rows, strict=True)]
    for k, vector in enumerate(rows[:limit]):
        values = [_dot(row, vector) for row in rows]
        weighted = [w * v for w, v in zip(weights, values, strict=True)]
        image = [_dot(column, weighted) for column in columns]
        value = Fraction(float(family.eigenvalues[k]))
        gram_holds &= image == [value * x for x in vector] and _dot(vector, vector) == 1
        gram_holds &= all(_dot(vector, other) == 0 for other in rows[:k])
        # u* must be orthogonal to ψ_1 … ψ_p, so that d_p = ‖u*‖.
        if k < family.rank:
            gram_holds &= _dot(weighted, target) == 0
            gram_holds &= value > Fraction(family.eps)
    gram_holds &= Fraction(float(family.eigenvalues[family.rank])) == Fraction(family.eps)
    return ExactEquality(loss, distance, _dot(beta, beta), Fraction(family.eps), gram_holds)


def _dot(left: list[Fraction], right: list[Fraction]) -> Fraction:
    """Return Σ left_i right_i exactly."""
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction())


# Numbers in this range keep all their bits when they are divided by a few powers of two.
_SMALLEST, _LARGEST = 2.0**-900, 2.0**900

# Eigenvalues are ε·2^j: exact in float64, and up to 2^10 away from ε.
_MOST_DOUBLINGS = 10


@dataclass(frozen=True, eq=False)
class AttainingFamily:
    """‖φ·β − u*‖ = d_p − √ε ‖β‖ with r_ε = p: the floor of F2 cannot be raised (F4)."""

    #: Φ.
    features: Matrix = field(repr=False)
    #: w, to be used with measure ``"raw"``.
    weights: Vector = field(repr=False)
    #: u* = α ψ_{p+1}/σ_{p+1}.
    target: Vector = field(repr=False)
    #: β = B q_{p+1}.
    coefficients: Vector = field(repr=False)
    #: λ_1 ≥ … ≥ λ_p > ε = λ_{p+1} ≥ … ≥ λ_n.
    eigenvalues: Vector = field(repr=False)
    #: p.
    rank: int
    #: ε.
    eps: float
    #: B = ‖β‖.
    norm: float
    #: α = d_p; √ε times a float64 number where `exact`.
    alpha: float
    #: Whether every statement holds for the stored numbers in exact arithmetic (`verify`).
    exact: bool

    @property
    def floor_norm(self) -> float:
        """α − √ε B: both the floor and ‖φ·β − u*‖."""
        return self.alpha - math.sqrt(self.eps) * self.norm

    def verify(self) -> ExactEquality:
        """Return the two sides of F2 for the stored numbers, in rational arithmetic."""
        return verify_equality(self)


def attaining_family(
    n: int,
    p: int,
    eps: float,
    norm: float,
    alpha: float,
    n_samples: int | None = None,
    *,
    exact: bool = True,
    generator: np.random.Generator | int | None = None,
) -> AttainingFamily:
    """Return features, u* and β with ‖β‖ = B, r_ε = p and ‖φ·β − u*‖ = α − √ε B = d_p − √ε‖β‖ (F4).

    Exact variant. No square root is stored: with an orthogonal matrix Q of entries 0, ±2^(−j),
    weights w_i = λ_i and Φ = Qᵀ, the Gram matrix Φᵀ diag(w) Φ = Q diag(λ) Qᵀ has the eigenvalue ε
    to its last bit. With u* = v at sample p + 1 and 0 elsewhere, d_p = v√ε, and with β = B q_{p+1}
    the loss is ε(v − B)². Here v is the float64 number nearest α/√ε (raised to B if need be), so
    `alpha` of the result is √ε v, within rounding of the argument. Samples beyond n share the
    weight of earlier ones.

    Other variant (`exact=False`): A = U diag(√λ) Qᵀ with dense random orthonormal U and Q. Equality
    in the envelope holds to rounding; λ_{p+1} is ε to rounding only, so the ε-rank of the stored
    numbers is p or p + 1, and at p + 1 the ε-form of the floor is far below the loss.

    0 ≤ p < n, and B is 0 or a number that is neither tiny nor enormous.
    """
    threshold, bound = as_eps(eps), as_norm(norm)
    root = math.sqrt(threshold)
    samples = n if n_samples is None else n_samples
    if not _SMALLEST <= threshold <= _LARGEST:
        raise InputError("eps", f"is {threshold:g}", "choose 2^-900 ≤ ε ≤ 2^900")
    if bound and not _SMALLEST <= bound <= _LARGEST:
        raise InputError("norm", f"is {bound:g}", "choose B = 0 or 2^-900 ≤ B ≤ 2^900")
    if n < 1 or not 0 <= p < n:
        raise InputError("p", f"is {p} for n = {n}", "choose 0 ≤ p < n")
    if samples <= p:
        raise InputError("n_samples", f"is {samples}", f"rank {p} and a tail need at least {p + 1}")
    alpha = as_norm(alpha, name="alpha")
    # 1e-12, for α = √ε B itself comes in rounded.
    if not math.isfinite(alpha) or alpha < root * bound * (1 - 1e-12):
        raise InputError("alpha", f"is {alpha!r}", f"pass α ≥ √ε B = {root * bound:g}")
    random = np.random.default_rng(0 if generator is None else generator)
    rank_limit = min(n, samples)
    eigenvalues = _eigenvalues(n, p, rank_limit, threshold, random)
    value = max(alpha / root, bound)
    if not exact:
        return _dense(eigenvalues, p, threshold, bound, alpha, samples, random)
    basis = _dyadic_orthogonal(n, random)
    owners = np.concatenate(
        [np.arange(rank_limit), random.integers(0, rank_limit, samples - rank_limit)]
    )
    weights = np.zeros(samples)
    weights[:rank_limit] = eigenvalues[:rank_limit]
    for index in range(rank_limit, samples):
        # Halving is exact: the new sample and its twin carry half the weight each.
        weights[owners[index]] /= 2
        weights[index] = weights[owners[index]]
    return AttainingFamily(
        features=np.ascontiguousarray(basis.T[owners]),
        weights=weights,
        target=np.where(owners == p, value, 0.0),
        coefficients=bound * basis[:, p],
        eigenvalues=eigenvalues,
        rank=p,
        eps=threshold,
        norm=bound,
        alpha=float(value * root),
        exact=True,
    )


def _eigenvalues(n: int, p: int, limit: int, eps: float, random: np.random.Generator) -> Array:
    """Return λ_1 ≥ … ≥ λ_p > ε = λ_{p+1} ≥ …, each ε·2^j, and 0 beyond `limit`."""
    above = np.sort(random.integers(1, _MOST_DOUBLINGS + 1, p))[::-1]
    below = np.sort(random.integers(0, _MOST_DOUBLINGS + 1, n - p - 1))
    eigenvalues = np.ldexp(eps, np.concatenate([above, [0], -below]).astype(np.int64))
    eigenvalues[limit:] = 0.0
    return eigenvalues


def _dyadic_orthogonal(n: int, random: np.random.Generator) -> Array:
    """Return an orthogonal matrix with entries 0 and ±2^(−j): signed, permuted Hadamard blocks."""
    blocks = np.zeros((n, n))
    start = 0
    while start < n:
        # Blocks of size 4^j have entries ±2^(−j).
        size = 1
        while 4 * size <= min(n - start, 64):
            size *= 4
        block = np.ones((1, 1))
        while block.shape[0] < size:
            block = np.block([[block, block], [block, -block]])
        blocks[start : start + size, start : start + size] = block / math.isqrt(size)
        start += size
    signs = random.choice([-1.0, 1.0], n)
    return (signs[:, None] * blocks)[np.ix_(random.permutation(n), random.permutation(n))]


def _dense(
    eigenvalues: Array,
    p: int,
    eps: float,
    norm: float,
    alpha: float,
    samples: int,
    random: np.random.Generator,
) -> AttainingFamily:
    """Return the variant with dense orthonormal factors and unit weights."""
    n = eigenvalues.size
    rank = min(n, samples)
    right = np.linalg.qr(random.standard_normal((n, n)))[0]
    left = np.linalg.qr(random.standard_normal((samples, rank)))[0]
    features = (left * np.sqrt(eigenvalues[:rank])) @ right[:, :rank].T
    return AttainingFamily(
        features=features,
        weights=np.ones(samples),
        target=alpha * left[:, p],
        coefficients=norm * right[:, p],
        eigenvalues=eigenvalues,
        rank=p,
        eps=eps,
        norm=norm,
        alpha=float(alpha),
        exact=False,
    )
