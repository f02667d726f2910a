"""Formulas of the ledger as MathML, made once, so that the page needs no program for them."""

from __future__ import annotations

import re
from functools import cache

from markupsafe import Markup

_STRETCHED = re.compile(r'stretchy="true" fence="true" minsize="1.2em" maxsize="1.2em"')


@cache
def formula(latex: str) -> Markup | None:
    """Return the MathML of a formula; None where there is none, or nothing to make it with.

    The statement beside it says the same in words, so that a page without formulas is still whole.
    """
    if not latex.strip():
        return None
    try:
        from latex2mathml.converter import convert
    except ImportError:
        return None
    # A prime that is raised as an exponent is too small to be seen.
    latex = latex.replace(r"^{\prime}", "′")
    # Users write the formulas of their own ledgers; the converter names no common class of errors.
    try:
        made = convert(latex, display="block")
    except Exception:
        return None
    # Two brackets of one size: that with an index would not be stretched with the other.
    made = _STRETCHED.sub('stretchy="false"', made)
    # A command that it does not know stays as it was written, and would be read as a name.
    return None if "\\" in made or "&#x0005C;" in made else Markup(made)
