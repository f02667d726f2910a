"""A symbolic fact behind a statement, decided by SymPy when it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import sympy as sp

from epsrank.theory.printers import to_latex, to_mathml

Kind = Literal["equal", "nonnegative", "positive"]

# A value is computed to so many digits, and told from 0 by so many.
_DIGITS, _AGREE = 40, 20


@dataclass(frozen=True, eq=False)
class Identity:
    """An identity left = right, or the sign of an expression, with symbols in general position."""

    #: Such as ``"tail-2"``.
    id: str
    #: Id of the statement that it supports.
    statement: str
    #: One sentence: what is shown.
    text: str
    #: Both sides; for a sign, `left` is the expression and `right` is 0.
    left: Any = field(repr=False)
    right: Any = field(default=sp.Integer(0), repr=False)
    #: What is claimed of left − right.
    kind: Kind = "equal"

    def holds(self) -> bool:
        """Let SymPy decide."""
        difference = self.left - self.right
        if isinstance(difference, sp.MatrixBase):
            return all(_vanishes(entry) for entry in difference)
        if self.kind == "equal":
            return _vanishes(difference)
        wanted = f"is_{self.kind}"
        # The sign often shows in the expression as written, and else after factoring.
        return any(getattr(form(difference), wanted) is True for form in (sp.sympify, sp.factor))

    @property
    def relation(self) -> Any:
        """The claim as a SymPy relation, not evaluated."""
        build = {"equal": sp.Eq, "nonnegative": sp.Ge, "positive": sp.Gt}
        return build[self.kind](self.left, self.right, evaluate=False)

    @property
    def latex(self) -> str:
        """The claim in LaTeX."""
        return to_latex(self.relation)

    @property
    def mathml(self) -> str:
        """The claim in presentation MathML."""
        return to_mathml(self.relation)

    def to_json(self) -> dict[str, Any]:
        """Return the identity and SymPy's decision as plain data."""
        return {
            "id": self.id,
            "statement": self.statement,
            "text": self.text,
            "latex": self.latex,
            "mathml": self.mathml,
            "holds": self.holds(),
        }


def _differs(expression: Any) -> bool:
    """Whether an expression is not 0 at a point: to simplify what does not vanish takes longest."""
    point = {
        symbol: sp.Integer(5 + at) if symbol.is_integer else sp.Rational(3 + at, 17 + 3 * at)
        for at, symbol in enumerate(sorted(expression.free_symbols, key=str))
    }
    value = expression.subs(point).evalf(_DIGITS)
    # What has no number there, such as a sum of a symbolic length, is left to simplification.
    return bool(value.is_Number and value.is_finite and abs(value) > sp.Float(10) ** -_AGREE)


def _vanishes(expression: Any) -> bool:
    """Return whether an expression is identically 0, as far as SymPy can prove it."""
    if expression == 0:
        return True
    if _differs(expression):
        return False
    # Rational functions are decided by polynomial arithmetic; the rest needs simplification.
    if sp.cancel(sp.together(expression)) == 0:
        return True
    return bool(sp.simplify(expression) == 0)
