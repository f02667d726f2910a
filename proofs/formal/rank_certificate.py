"""An ε-rank with its proof: a certificate that the verified checker ``check_rank`` accepts."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar

from flint import fmpz_mat

from epsrank.proofs.formal import coq_text
from epsrank.proofs.formal.certificate import Certificate
from epsrank.proofs.formal.integer_data import Rows, integer_data
from epsrank.proofs.formal.rank_check import certified_rank
from epsrank.proofs.formal.rank_search import search_rank
from epsrank.theory.data.inputs import as_eps, as_features
from epsrank.theory.data.measure import as_measure
from epsrank.theory.errors import InputError


@dataclass(frozen=True, eq=False)
class RankCertificate(Certificate):
    """r_ε(Φᵀ diag(w) Φ) = `rank`, with integers that prove it (D1, C1).

    S (G − εI) Sᵀ is strictly diagonally dominant, even with the low bits of Φ and of the matrix
    left out; its positive diagonal entries are counted by the ε-rank.
    """

    checker: ClassVar[str] = "check_rank"
    imports: ClassVar[str] = "form spectral zmatrix measurement check_rank"

    #: ε, exactly.
    eps: Fraction
    #: r_ε(G).
    rank: int
    #: Bits left out of the features, and of the multiple of G − εI.
    cut: int
    drop: int
    #: S.
    basis: Rows = field(repr=False)

    @property
    def integers(self) -> Rows:
        """S."""
        return self.basis

    def accepted(self) -> bool:
        """Run the test of ``check_rank`` in Python integers."""
        data, size = self.data, self.data.n_features
        if any(len(neuron) != data.n_samples for neuron in data.neurons):
            return False
        if len(self.basis) != size or any(len(row) != size for row in self.basis):
            return False
        basis = fmpz_mat([list(row) for row in self.basis])
        return certified_rank(data, self.eps, basis, self.cut, self.drop) == self.rank

    def __str__(self) -> str:
        return (
            f"ε-rank {self.rank} of {self.data.n_features} at ε = {coq_text.exact(self.eps)}, with "
            f"a certificate of {self.bits} bits ({self.data.n_samples} samples, {self.measure} "
            f"measure, {self.dtype})"
        )

    def about(self) -> str:
        """Say the measurement in one sentence."""
        return (
            f"The ε-rank of {self.data.n_features} neurons at {self.data.n_samples} samples "
            f"({self.dtype}, {self.measure} measure) at ε = {coq_text.exact(self.eps)} "
            f"is {self.rank}."
        )

    def found(self) -> list[str]:
        """Return ε and the certificate, as definitions of Coq."""
        return [
            f"Definition eps : Q := {coq_text.rational(self.eps)}%Q.\n",
            f"Definition certificate : rank_certificate := "
            f"RankCertificate {self.cut}%nat {self.drop}%nat\n  {coq_text.rows(self.basis)}.\n",
        ]

    def statement(self) -> tuple[str, str]:
        """Return the theorem, and the lemma of the development that proves it."""
        return (
            f"epsrank (gram (on_data R data) (@phi R data)) (qr R eps) = {self.rank}%nat",
            "(@check_rank_sound R data eps certificate)",
        )

    def stated(self, data: str) -> str:
        """Return the theorem by full names alone, about what was measured in the module `data`."""
        return (
            "EpsRank.spectral.epsrank\n"
            f"    (EpsRank.form.gram (EpsRank.measurement.on_data R {data}.data)\n"
            f"      (@EpsRank.measurement.phi R {data}.data))\n"
            f"    (EpsRank.zmatrix.qr R {coq_text.rational(self.eps)}%Q) = {self.rank}%nat"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the whole certificate as plain data, integers as hexadecimal strings."""
        return {
            "kind": "rank",
            "rank": self.rank,
            "eps": str(self.eps),
            "measure": self.measure,
            "dtype": self.dtype,
            "cut": self.cut,
            "drop": self.drop,
            "basis": [[hex(x) for x in row] for row in self.basis],
            "data": self.data.to_json(),
        }


def exact_eps(eps: Any) -> Fraction:
    """Read a threshold without rounding.

    A float is the dyadic rational that it is, ``Fraction(1, 10**6)`` the decimal.
    """
    if isinstance(eps, Fraction):
        if eps <= 0:
            raise InputError("eps", f"is {eps}", "pass a positive number such as 1e-6")
        return eps
    return Fraction(as_eps(eps))


def certify_rank(
    features: Any, eps: float | Fraction, *, weights: Any = None, measure: Any = "mean"
) -> RankCertificate:
    """Find the ε-rank of features together with a proof that Coq checks by computation (C1)."""
    checked = as_features(features)
    threshold = exact_eps(eps)
    checked_measure = as_measure(measure, weights, checked.n_samples)
    data = integer_data(checked, checked_measure)
    found = search_rank(data, threshold)
    certificate = RankCertificate(
        data=data,
        eps=threshold,
        rank=found.rank,
        cut=found.cut,
        drop=found.drop,
        basis=tuple(tuple(int(x) for x in row) for row in found.basis.tolist()),
        measure=checked_measure.name,
        dtype=checked.dtype,
    )
    # The search is not trusted: what it found is tried as Coq will try it.
    assert certificate.accepted()
    return certificate
