"""Formulas of the ledger as MathML, made once, so that the page needs no program for them."""

from __future__ import annotations

import re
from functools import cache

from markupsafe import Markup

_STRETCHED = re.compile(r'stretchy="true" fence="true" minsize="1.2em" maxsize="1.2em"')

_WIDE_SPACE = re.compile(r"(\\q?quad(?![a-z]))")


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
        return Markup("".join(mathml(part, "block") for part in _parts(latex)))
    except Exception:
        return None


def _parts(latex: str) -> list[str]:
    """Split at wide spaces outside of braces: browsers break no formula, but a row of several."""
    parts = [""]
    for piece in _WIDE_SPACE.split(latex):
        if _WIDE_SPACE.fullmatch(piece) and parts[-1].count("{") == parts[-1].count("}"):
            parts.append("")
        else:
            parts[-1] += piece
    return [part.strip() for part in parts if part.strip()]


def mathml(latex: str, display: str) -> str:
    """Return a formula as MathML; an error for one of which the converter does not know all."""
    from latex2mathml.converter import convert

    # A prime that is raised as an exponent is too small to be seen.
    made = convert(latex.replace(r"^{\prime}", "′"), display=display)
    # Two brackets of one size: that with an index would not be stretched with the other.
    made = _STRETCHED.sub('stretchy="false"', made)
    # A command that it does not know stays as it was written, and would be read as a name.
    if "\\" in made or "&#x0005C;" in made:
        raise ValueError(f"latex2mathml does not know all of {latex!r}")
    return made
