"""Formulas of the ledger as MathML, made once, so that the page needs no program for them."""

from __future__ import annotations

import re
from functools import cache

from markupsafe import Markup

_STRETCHED = re.compile(r'stretchy="true" fence="true" minsize="1.2em" maxsize="1.2em"')

# 2 sin x, and not 2sinx: a thin space after a function, and before it behind a factor.
_NAME, _SPACE = "<mi>(?:sin|cos|tanh|log|exp)</mi>", '<mspace width="0.17em"/>'
_FUNCTION = re.compile(rf"({_NAME})(?=<m(?:i|n|sup|sub)>)")
_MULTIPLIED = re.compile(rf"(</m(?:i|n|sup|sub)>)(?={_NAME})")

_WIDE_SPACE = re.compile(r"(\\q?quad(?![a-z]))")

# What a formula may be broken before, where nothing is open: relations first, then sums.
_RELATIONS = {
    r"\ge",
    r"\le",
    r"\ne",
    r"\preceq",
    r"\approx",
    r"\Rightarrow",
    r"\iff",
    "=",
    "<",
    ">",
}
_SUMS = {"+", "-"}
_TOKEN = re.compile(r"\\(?:left|right)\s*(?:\\[A-Za-z]+|\\.|.)|\\[A-Za-z]+|\\.|.", re.DOTALL)
_OPEN, _CLOSED = ("{", "(", "[", r"\{", r"\left"), ("}", ")", "]", r"\}", r"\right")
# Tokens, about as many as letters, that fit on a line of a phone.
_FITS = 26


@cache
def formula(latex: str) -> Markup | None:
    """Return the MathML of a formula; None where there is none, or nothing to make it with.

    The statement beside it says the same in words, so that a page without formulas is still whole.
    """
    if not latex.strip():
        return None
    # Nothing to make it with, or a formula of a user's own ledger: the converter names no common
    # class of errors.
    try:
        return Markup(broken(latex))
    except Exception:
        return None


def broken(latex: str) -> str:
    """Return a formula as rows of MathML that a narrow screen puts one below the other."""
    # What stands in an environment belongs together.
    return mathml(latex, "block") if r"\begin" in latex else "".join(map(_row, _parts(latex)))


def inline(latex: str) -> str:
    """Return a formula as MathML that stands in a line of text."""
    return mathml(latex, "inline")


def _row(latex: str) -> str:
    made = [mathml(piece, "block") for piece in pieces(latex)]
    return made[0] if len(made) == 1 else f'<span class="row">{"".join(made)}</span>'


def _parts(latex: str) -> list[str]:
    """Split at wide spaces outside of braces: browsers break no formula, but a row of several."""
    parts = [""]
    for piece in _WIDE_SPACE.split(latex):
        if _WIDE_SPACE.fullmatch(piece) and parts[-1].count("{") == parts[-1].count("}"):
            parts.append("")
        else:
            parts[-1] += piece
    return [part.strip() for part in parts if part.strip()]


def pieces(latex: str) -> list[str]:
    """Split a long formula before its relations, and what is still long before + and −."""
    found = [latex]
    for signs in (_RELATIONS, _SUMS):
        found = [
            piece for each in found
            for piece in (_split(each, signs) if len(_TOKEN.findall(each)) > _FITS else [each])
        ]  # fmt: skip
    return found


def _split(latex: str, signs: set[str]) -> list[str]:
    """Split before signs that stand in no bracket, no index and no pair of bars."""
    found, depth, bars, before = [""], 0, 0, ""
    for token in _TOKEN.findall(latex):
        first = not found[-1].strip() or before in {"_", "^"}
        if token in signs and not first and not depth and not bars % 2:
            found.append("")
            # A sign that begins a formula stands close to what follows, as in −1.
            token += r"\;" if token in _SUMS else ""
        depth += token.startswith(_OPEN) - token.startswith(_CLOSED)
        bars += token in {"|", r"\|"}
        found[-1] += token
        before = token.strip() or before
    return [piece.strip() for piece in found]


def mathml(latex: str, display: str) -> str:
    """Return a formula as MathML; an error for one of which the converter does not know all."""
    from latex2mathml.converter import convert

    # A prime that is raised as an exponent is too small to be seen.
    for typed, prime in ((r"^{\prime}", "′"), ("''", "″"), ("'", "′")):
        latex = latex.replace(typed, prime)
    made = convert(latex, display=display)
    # Two brackets of one size: that with an index would not be stretched with the other.
    made = _STRETCHED.sub('stretchy="false"', made)
    made = _FUNCTION.sub(rf"\1{_SPACE}", _MULTIPLIED.sub(rf"\1{_SPACE}", made))
    # A command that it does not know stays as it was written, and would be read as a name.
    if "\\" in made or "&#x0005C;" in made:
        raise ValueError(f"latex2mathml does not know all of {latex!r}")
    return made
