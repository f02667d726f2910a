"""Indices and powers of formulas that stand in a sentence: λ_{p+1} and σ^{L−2} as they are printed.

The ledger and the pages are plain text, read in a terminal and on a code host; report and site set
what is below or above the line. Names of code keep their underscores.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# What carries an index: a letter alone, a Greek one in any product, a bracket, a word of a limit;
# not the words of names such as `my_task`.
_ALONE = r"(?:(?<![A-Za-z_.])[^\W\d_]|(?<=_[a-z])[A-Z])"
_OTHERS = r"(?<!_)[\u0370-\u03ff∂∇‖)\]∑∏∫]|(?<![\w.])(?:max|min|sup|inf|lim|tr)"
_BASE = rf"(?:{_ALONE}|{_OTHERS})[\u0300-\u036f\u2032*]?"
_BRACED = r"\{[^{}]+\}"
_LETTER = "[A-Za-z0-9\u0370-\u03ff∞∂′]"
_INDEX = (
    rf"_(?:{_BRACED}|\([^()]+\)|\*|[+−-](?!\w)|[a-z](?=[A-Z](?:_|(?!\w)))"
    rf"|{_LETTER}{{1,4}}(?![A-Za-z0-9_]))"
)
_POWER = rf"\^(?:{_BRACED}|\([^()\s]+\)|[−-]?[\d.]*\d|[A-Za-z\u0370-\u03ff½](?!\w))"
# An index may have a power, or a power an index: λ_D^{−1/2}.
_SCRIPTS = re.compile(
    rf"({_BASE})((?:{_INDEX})(?:{_POWER})?)|([\w)\]‖}}])((?:{_POWER})(?:{_INDEX})?)"
)
_PART = re.compile(rf"({_INDEX})|({_POWER})")


def scripts(text: str) -> Iterator[tuple[str, str]]:
    """Yield the pieces of a text with what each is: "" for the line itself, "sub" or "sup".

    What is below or above the line may hold scripts itself.
    """
    done = 0
    for match in _SCRIPTS.finditer(text):
        base, marks = (match[1], match[2]) if match[1] is not None else (match[3], match[4])
        yield "", text[done : match.start()] + base
        for part in _PART.finditer(marks):
            inner = part[0][1:]
            braced = inner[0] in "{("
            yield ("sub" if part[1] else "sup"), inner[1:-1] if braced else inner
        done = match.end()
    if text[done:]:
        yield "", text[done:]
