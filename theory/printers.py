"""LaTeX and MathML with sums in the order of the text: d_p − √λ·B, not −√λ·B + d_p."""

from __future__ import annotations

from typing import Any

from sympy.printing.latex import LatexPrinter
from sympy.printing.mathml import MathMLPresentationPrinter


class _PositiveFirst:
    """Order of terms: SymPy's, with those that carry a minus sign at the end."""

    def _as_ordered_terms(self, expr: Any, order: str | None = None) -> list[Any]:
        terms = super()._as_ordered_terms(expr, order=order)  # type: ignore[misc]
        return sorted(terms, key=lambda term: bool(term.could_extract_minus_sign()))


class _Latex(_PositiveFirst, LatexPrinter):  # type: ignore[misc]
    """LaTeX printer of the theory."""


class _MathML(_PositiveFirst, MathMLPresentationPrinter):  # type: ignore[misc]
    """Presentation MathML printer of the theory; keeps the case of V(B) and D(μ)."""

    def _print_AppliedUndef(self, expr: Any) -> Any:
        name = self.dom.createElement("mi")
        name.appendChild(self.dom.createTextNode(expr.func.__name__))
        row = self.dom.createElement("mrow")
        row.appendChild(name)
        for index, argument in enumerate(expr.args):
            row.appendChild(self._operator("," if index else "("))
            row.appendChild(self._print(argument))
        row.appendChild(self._operator(")"))
        return row

    def _operator(self, text: str) -> Any:
        node = self.dom.createElement("mo")
        node.appendChild(self.dom.createTextNode(text))
        return node


# SymPy writes names that only HTML knows, and relation signs that XML reads as tags.
_ENTITIES = (
    ("&InvisibleTimes;", "&#8290;"),
    ("&pi;", "π"),
    ("&ExponentialE;", "e"),
    ("&infin;", "∞"),
    (">><", ">&gt;<"),
    ("><<", ">&lt;<"),
)


def to_latex(formula: Any) -> str:
    """Return a formula in LaTeX, without delimiters."""
    return str(_Latex().doprint(formula))


def to_mathml(formula: Any) -> str:
    """Return a formula as a presentation MathML element ``<math>``."""
    inner = str(_MathML().doprint(formula))
    for raw, escaped in _ENTITIES:
        inner = inner.replace(raw, escaped)
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">{inner}</math>'
