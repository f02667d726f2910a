"""The test of ``check_rank.v`` in Python integers: the same numbers, the same answer.

With M = Q·D·4^a·(G − εI) for ε = P/Q, an integer matrix, a certificate (S, q, s) passes if
T = S M' Sᵀ is strictly diagonally dominant with room for κ, where M' ≈ 2^−s M is formed from
features without their q low bits and κ bounds what was left out. The ε-rank is then the number of
positive T_ii.
"""

from __future__ import annotations

from fractions import Fraction

from flint import fmpz, fmpz_mat

from epsrank.proofs.formal.integer_data import IntegerData


def left_out(bits: int) -> int:
    """Return what leaving out some low bits of an integer may change."""
    return 1 << bits if bits else 0


def feature_products(data: IntegerData, cut: int) -> fmpz_mat:
    """Return Fᵀ diag(W) F from features without their low bits."""
    rows = data.columns
    if cut:
        # Python's >> rounds towards −∞, as does Coq's Z.shiftr.
        rows = fmpz_mat([[x >> cut for x in neuron] for neuron in data.neurons])
    return data.products(rows)


def cut_error(data: IntegerData, cut: int) -> int:
    """Bound what cutting the features may change in an entry of the products."""
    largest = max(abs(x) for neuron in data.neurons for x in neuron)
    return left_out(cut) * (2 * largest + left_out(cut)) * sum(data.weights)


def sheared(products: fmpz_mat, denominator: int, theta: int, cut: int, drop: int) -> fmpz_mat:
    """Return (Q·4^q·P − θI) / 2^s, rounded down."""
    size, factor = products.nrows(), denominator << 2 * cut
    return fmpz_mat(
        [
            [(int(products[i, j]) * factor - theta * (i == j)) >> drop for j in range(size)]
            for i in range(size)
        ]
    )


def threshold(data: IntegerData, eps: Fraction) -> int:
    """Return θ = P·D·4^a, so that Q·(FᵀWF) − θI is a positive multiple of G − εI."""
    return eps.numerator * data.total << 2 * data.scale


def count_signs(form: fmpz_mat, kappa: int, drop: int, basis: fmpz_mat) -> int | None:
    """Count the positive diagonal entries of S M' Sᵀ, if it is dominant enough.

    None where 2^s (|T_ii| − Σ_{j≠i} |T_ij|) ≤ κ |S_i|₁ Σ_j |S_j|₁ for some i, T = S M' Sᵀ.
    """
    size = form.nrows()
    norms = [sum((abs(x) for x in row), fmpz(0)) for row in basis.tolist()]
    room = sum(norms, fmpz(0)) * kappa
    count = 0
    for i, row in enumerate((basis * form * basis.transpose()).tolist()):
        # The sum has |T_ii| in it once, hence twice.
        slack = 2 * abs(row[i]) - sum((abs(x) for x in row), fmpz(0))
        if not slack * (1 << drop) > norms[i] * room:
            return None
        count += row[i] > 0
    return count if size else None


def certified_rank(
    data: IntegerData, eps: Fraction, basis: fmpz_mat, cut: int, drop: int
) -> int | None:
    """Return the r for which ``check_rank`` accepts this certificate."""
    form = sheared(feature_products(data, cut), eps.denominator, threshold(data, eps), cut, drop)
    kappa = eps.denominator * cut_error(data, cut) + left_out(drop)
    return count_signs(form, kappa, drop, basis)
