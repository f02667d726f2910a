"""A statement of the theory as a SymPy formula that prints and, where it computes, compiles."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from epsrank.theory.errors import InputError
from epsrank.theory.printers import to_latex, to_mathml
from epsrank.theory.symbolic.notation import MEANINGS


@dataclass(frozen=True, eq=False)
class Statement:
    """One numbered statement."""

    #: ``"D1"``, ``"M6"``, ``"F2"``, ``"F3-dual"`` …
    id: str
    #: What it is called.
    name: str
    #: The statement, for reading: an equation, an inequality, or a conjunction of them.
    relation: Any = field(repr=False)
    #: Its right-hand side (bound or formula) where that can be evaluated.
    value: Any = field(default=None, repr=False)
    #: Arguments of the compiled `value`, in order.
    arguments: tuple[Any, ...] = field(default=(), repr=False)
    #: Where the numeric code computes it, as a dotted name; empty where it does not.
    numeric: str = ""
    #: Section of the theory or paper.
    source: str = ""

    @property
    def latex(self) -> str:
        """The statement in LaTeX, without delimiters."""
        return to_latex(self.relation)

    @property
    def mathml(self) -> str:
        """The statement in presentation MathML, as a ``<math>`` element."""
        return to_mathml(self.relation)

    @property
    def symbols(self) -> dict[str, str]:
        """Meaning of every symbol that occurs, by its SymPy name."""
        names = {str(symbol) for symbol in self.relation.free_symbols}
        names |= {str(base) for base in self.relation.atoms(sp.IndexedBase)}
        return {name: MEANINGS[name] for name in sorted(names) if name in MEANINGS}

    def function(self) -> Callable[..., Any]:
        """Compile `value` to a NumPy function of `arguments`.

        Indexed arguments are arrays that count from 1: pass `from_one(array)`.
        """
        if self.value is None:
            raise InputError("statement", f"{self.id} has no formula to evaluate", "choose another")
        compiled: Callable[..., Any] = sp.lambdify(self.arguments, self.value, modules="numpy")
        return compiled

    def __str__(self) -> str:
        return f"{self.id} ({self.name}): {sp.sstr(self.relation)}"

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(self.id)}</b> {html.escape(self.name)}</p>{self.mathml}"

    def to_json(self) -> dict[str, Any]:
        """Return the statement as plain data."""
        return {
            "id": self.id,
            "name": self.name,
            "latex": self.latex,
            "mathml": self.mathml,
            "symbols": self.symbols,
            "numeric": self.numeric,
            "source": self.source,
        }
