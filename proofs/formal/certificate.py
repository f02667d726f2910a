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
    #: Modules that have the types of what was measured.
    types: ClassVar[str] = "zmatrix measurement"

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
    def about(self) -> str:
        """Say the measurement in one sentence."""

    def given(self) -> list[str]:
        """Return what was measured, as definitions of Coq: a function of the files alone."""
        return [coq_text.measurement(self.data)]

    @abstractmethod
    def found(self) -> list[str]:
        """Return what was found about it, as definitions of Coq."""

    @abstractmethod
    def statement(self) -> tuple[str, str]:
        """Return the theorem, and the lemma of the development that proves it."""

    @abstractmethod
    def stated(self, data: str) -> str:
        """Return the theorem by full names alone, about what was measured in the module `data`."""

    def to_coq(self, name: str) -> str:
        """Return a Coq file whose theorem is this measurement, and which asks what it assumes."""
        return "\n".join([self._proof(name, "", self.given()), coq_text.question(name)])

    def data_file(self) -> str:
        """Return a Coq file that has what was measured and nothing else.

        check_data.py of an exported folder writes the same text from the files.
        """
        header = coq_text.HEADER.format(modules=self.types, more="")
        return "\n".join([header, *self.given()])

    def proof_file(self, name: str, data: str) -> str:
        """Return a Coq file whose theorem is about what was measured in the module `data`."""
        return self._proof(name, f"Require Import {data}.\n", [])

    def _proof(self, name: str, more: str, given: list[str]) -> str:
        coq_text.identifier(name)
        return "\n".join(
            [
                coq_text.HEADER.format(modules=self.imports, more=more),
                *given,
                *self.found(),
                coq_text.sentence(self.about()),
                coq_text.theorem(name, *self.statement()),
            ]
        )
