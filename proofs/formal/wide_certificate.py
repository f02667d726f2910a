"""Certificates of ε-ranks of wide layers, and of Gram matrices known up to a bound (C2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from flint import fmpz_mat

from epsrank.proofs.formal import coq_text
from epsrank.proofs.formal.bracket_search import (
    Brackets,
    Whole,
    accepted,
    search_brackets,
    slack,
)
from epsrank.proofs.formal.integer_data import IntegerData, Rows, integer_data
from epsrank.proofs.formal.rank_certificate import RankCertificate, exact_eps
from epsrank.proofs.formal.rank_check import cut_error, feature_products, sheared, threshold
from epsrank.theory.data.inputs import as_features
from epsrank.theory.data.measure import as_measure


@dataclass(frozen=True, eq=False)
class WideRankCertificate(RankCertificate):
    """r_ε(Φᵀ diag(w) Φ) = `rank`, from two signed factorisations (C1).

    `check_near` needs n³/3 products of short integers where `check_rank` needs 2n³, so this is the
    certificate of wide layers. It states the same theorem.
    """

    checker: ClassVar[str] = "check_near"
    imports: ClassVar[str] = "form spectral zmatrix measurement brackets check_near"

    #: The factors, with the rank and the exponent.
    brackets: Brackets = field(repr=False, kw_only=True)

    @property
    def integers(self) -> Rows:
        """The factors, one below the other."""
        return (*self.brackets.below.rows, *self.brackets.above.rows)

    def accepted(self) -> bool:
        """Run the test of ``check_wide`` in Python integers."""
        data = self.data
        if any(len(neuron) != data.n_samples for neuron in data.neurons):
            return False
        matrix = _shifted_gram(data, self.eps, self.cut)
        room = data.n_features * self.eps.denominator * cut_error(data, self.cut)
        return self.brackets.rank == self.rank and accepted(matrix, room, 1, self.brackets)

    def found(self) -> list[str]:
        """Return ε and the certificate, as definitions of Coq."""
        return [
            f"Definition eps : Q := {coq_text.rational(self.eps)}%Q.\n",
            _certificate(self.cut, self.brackets),
        ]

    def statement(self) -> tuple[str, str]:
        """Return the theorem, and the lemma of the development that proves it."""
        statement, _ = super().statement()
        return statement, "(@check_wide_sound R data eps certificate)"

    def to_json(self) -> dict[str, Any]:
        """Return the whole certificate as plain data, integers as hexadecimal strings."""
        return {**super().to_json(), "kind": "wide", "basis": [], **_factors(self.brackets)}


def _shifted_gram(data: IntegerData, eps: Fraction, cut: int) -> Whole:
    """Return the integer multiple of G − εI, from features without some low bits."""
    form = sheared(feature_products(data, cut), eps.denominator, threshold(data, eps), cut, 0)
    return _whole(form)


def _whole(matrix: fmpz_mat) -> Whole:
    """Return a matrix as an array of Python integers."""
    return np.array([[int(x) for x in row] for row in matrix.tolist()], dtype=object)


def _certificate(cut: int, brackets: Brackets) -> str:
    """Return the definition of a certificate of Coq."""
    parts = [
        f"{coq_text.booleans(side.signs)}\n  {coq_text.rows(side.rows)}"
        for side in (brackets.below, brackets.above)
    ]
    return (
        f"Definition certificate : near_certificate := NearCertificate {cut}%nat "
        f"{brackets.exponent}%nat\n  {parts[0]}\n  {parts[1]}.\n"
    )


def _factors(brackets: Brackets) -> dict[str, Any]:
    """Return the factors as plain data."""
    sides = {"below": brackets.below, "above": brackets.above}
    return {"exponent": brackets.exponent} | {
        name: {"signs": list(side.signs), "rows": [[hex(x) for x in row] for row in side.rows]}
        for name, side in sides.items()
    }


def certify_wide_rank(
    features: Any, eps: float | Fraction, *, weights: Any = None, measure: Any = "mean"
) -> WideRankCertificate:
    """Find the ε-rank of a wide layer together with a proof that Coq checks in minutes (C1)."""
    checked = as_features(features)
    limit = exact_eps(eps)
    checked_measure = as_measure(measure, weights, checked.n_samples)
    data = integer_data(checked, checked_measure)
    exact = _shifted_gram(data, limit, 0)
    brackets = search_brackets(exact, 0, 1, threshold(data, limit))
    # Cutting moves a row of the matrix by n κ at most, and n κ is the room that it then asks for.
    spare, cut = slack(exact, brackets), 0
    while (
        cut < data.bits
        and 2 * data.n_features * limit.denominator * cut_error(data, cut + 1) < spare
    ):
        cut += 1
    certificate = WideRankCertificate(
        data=data,
        eps=limit,
        rank=brackets.rank,
        cut=cut,
        drop=0,
        basis=(),
        measure=checked_measure.name,
        dtype=checked.dtype,
        brackets=brackets,
    )
    # The search is not trusted: what it found is tried as Coq will try it.
    assert certificate.accepted()
    return certificate


@dataclass(frozen=True, eq=False)
class GramRankCertificate(RankCertificate):
    """r_ε(G) = `rank` for every G near a rounded Gram matrix G̃, the exact one among them (C2).

    G̃_ij is G_ij rounded to a multiple of 2^−a, so that |G_ij − G̃_ij| ≤ 2^−(a+1), which Coq takes
    from here: it forms no products over samples, and its time does not depend on their number.
    """

    checker: ClassVar[str] = "check_near"
    imports: ClassVar[str] = "form spectral zmatrix check_rank brackets check_near"
    types: ClassVar[str] = "zmatrix"

    #: a, and the numerators of G̃.
    digits: int = field(kw_only=True)
    entries: Rows = field(repr=False, kw_only=True)
    #: The factors, with the rank and the exponent.
    brackets: Brackets = field(repr=False, kw_only=True)

    @property
    def bound(self) -> Fraction:
        """The bound of ‖G − G̃‖₂."""
        return Fraction(self.data.n_features, 2 << self.digits)

    @property
    def integers(self) -> Rows:
        """The factors, one below the other."""
        return (*self.brackets.below.rows, *self.brackets.above.rows)

    def accepted(self) -> bool:
        """Run the test of ``check_near`` in Python integers."""
        matrix, room, den = _near(self.entries, self.digits, self.bound, self.eps)
        symmetric = bool((matrix == matrix.T).all())
        fits = self.brackets.rank == self.rank
        return fits and symmetric and accepted(matrix, room, den, self.brackets)

    def about(self) -> str:
        """Say the measurement in one sentence."""
        return (
            f"{super().about()} So it is for every symmetric matrix whose entries are within "
            f"2^-{self.digits + 1} of those of the Gram matrix, rounded to multiples of "
            f"2^-{self.digits}."
        )

    def given(self) -> list[str]:
        """Return the rounded matrix, as definitions of Coq."""
        return [
            f"Definition digits : nat := {self.digits}%nat.\n",
            f"Definition entries : seq (seq Z) :=\n  {coq_text.rows(self.entries)}.\n",
        ]

    def found(self) -> list[str]:
        """Return ε and the certificate, as definitions of Coq."""
        return [
            f"Definition eps : Q := {coq_text.rational(self.eps)}%Q.\n",
            _certificate(0, self.brackets),
        ]

    def statement(self) -> tuple[str, str]:
        """Return the theorem, and the lemma of the development that proves it."""
        words = _NEAR.format(
            spectral="", check_rank="", zmatrix="", data="", eps="eps", rank=self.rank
        )
        return words, "(@check_rounded_sound R digits entries eps certificate)"

    def stated(self, data: str) -> str:
        """Return the theorem by full names alone, about what was measured in the module `data`."""
        return _NEAR.format(
            spectral="EpsRank.spectral.",
            check_rank="EpsRank.check_rank.",
            zmatrix="EpsRank.zmatrix.",
            data=f"{data}.",
            eps=f"{coq_text.rational(self.eps)}%Q",
            rank=self.rank,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the whole certificate as plain data, integers as hexadecimal strings."""
        more = {"kind": "gram", "basis": [], "digits": self.digits, "bound": str(self.bound)}
        return {**super().to_json(), **more, **_factors(self.brackets)}


_NEAR = """\
forall G : 'M[R]_(size {data}entries),
    {spectral}symmetric G ->
    (forall i j, `|G i j - {check_rank}given_gram R {data}digits {data}entries i j|
      <= (2%:R ^+ {data}digits.+1)^-1)%R ->
    {spectral}epsrank G ({zmatrix}qr R {eps}) = {rank}%nat"""


def _near(entries: Rows, digits: int, bound: Fraction, eps: Fraction) -> tuple[Whole, int, int]:
    """Return the integer multiple of G̃ − εI, and the bound in its units as a fraction."""
    matrix = np.array([list(row) for row in entries], dtype=object) * eps.denominator
    for i in range(len(entries)):
        matrix[i, i] -= eps.numerator << digits
    return matrix, (eps.denominator << digits) * bound.numerator, bound.denominator


def rounded_gram(data: IntegerData, digits: int) -> Rows:
    """Return the Gram matrix rounded to the nearest multiples of 2^−digits, as numerators."""
    unit = data.total << 2 * data.scale
    products = feature_products(data, 0).tolist()
    return tuple(
        tuple(((int(x) << (digits + 1)) + unit) // (2 * unit) for x in row) for row in products
    )


def _digits(data: IntegerData, eps: Fraction, spare: Fraction) -> int:
    """Return the digits of G̃ that leave nearly all of the room between ε and the eigenvalues."""
    size, unit = data.n_features, data.total << 2 * data.scale
    largest = max(Fraction(int(x), unit) for x in feature_products(data, 0).entries())
    digits = 0
    # Rounding may use a sixteenth of the room. And factors are whole numbers in units of G̃ − εI,
    # whose squares round it by √(largest entry × unit) per neuron.
    while Fraction(size, 2 << digits) * 16 > spare or (
        eps.denominator << digits
    ) * spare**2 < 256 * size**2 * (largest + eps):
        digits += 1
    return digits


def certify_gram_rank(
    features: Any, eps: float | Fraction, *, weights: Any = None, measure: Any = "mean"
) -> GramRankCertificate:
    """Find the ε-rank of a wide layer at many samples, with a proof about its Gram matrix (C2)."""
    checked = as_features(features)
    limit = exact_eps(eps)
    checked_measure = as_measure(measure, weights, checked.n_samples)
    data = integer_data(checked, checked_measure)
    form, unit = _shifted_gram(data, limit, 0), threshold(data, limit)
    spare = slack(form, search_brackets(form, 0, 1, unit))
    digits = _digits(data, limit, spare * limit / unit)
    entries = rounded_gram(data, digits)
    bound = Fraction(data.n_features, 2 << digits)
    matrix, room, den = _near(entries, digits, bound, limit)
    brackets = search_brackets(matrix, room, den, limit.numerator << digits)
    certificate = GramRankCertificate(
        data=data,
        eps=limit,
        rank=brackets.rank,
        cut=0,
        drop=0,
        basis=(),
        measure=checked_measure.name,
        dtype=checked.dtype,
        digits=digits,
        entries=entries,
        brackets=brackets,
    )
    # The search is not trusted: what it found is tried as Coq will try it.
    assert certificate.accepted()
    return certificate
