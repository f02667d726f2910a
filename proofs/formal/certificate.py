"""What certificates have in common: integers of a measurement, and the theorem that Coq checks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from epsrank.proofs.formal import coq_text
from epsrank.proofs.formal.integer_data import IntegerData, Rows


@dataclass(frozen=True, eq=False)
class Certificate(ABC):
    """A measurement with integers that prove it, for Python to try and for Coq to check."""

    #: Module of the development whose checker accepts it, and all that its text imports.
    checker: ClassVar[str]
    imports: ClassVar[str]

    #: Φ and w as integers.
    data: IntegerData = field(repr=False)
    #: Measure of the samples, and type of the features as given.
    measure: str
    dtype: str

    @property
    @abstractmethod
    def integers(self) -> Rows:
        """The matrix that proves the measurement."""

    @property
    def bits(self) -> int:
        """Bits of the largest entry of `integers`."""
        return max(abs(entry).bit_length() for row in self.integers for entry in row)

    @abstractmethod
    def accepted(self) -> bool:
        """Run the test of `checker` in Python integers."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return the whole certificate as plain data, integers as hexadecimal strings."""

    @abstractmethod
    def _about(self) -> str:
        """Say the measurement in one sentence."""

    @abstractmethod
    def _definitions(self) -> list[str]:
        """Return what the theorem speaks of, as definitions of Coq."""

    @abstractmethod
    def _statement(self) -> tuple[str, str]:
        """Return the theorem, and the lemma of the development that proves it."""

    def to_coq(self, name: str) -> str:
        """Return a Coq file whose theorem is this measurement."""
        coq_text.identifier(name)
        return "\n".join(
            [
                coq_text.HEADER.format(modules=self.imports),
                coq_text.measurement(self.data),
                *self._definitions(),
                coq_text.sentence(self._about()),
                coq_text.theorem(name, *self._statement()),
            ]
        )
