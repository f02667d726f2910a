"""Words of messages and pages: a number with its noun, and what stands between two markers."""

from __future__ import annotations

import re
from collections.abc import Sequence


def plural(number: float, one: str, several: str | None = None) -> str:
    """Return a number with its noun, ``1 claim`` or ``2 claims``; `several` where it is no rule.

    With a verb: ``plural(n, "run is", "runs are")``.
    """
    if number == 1:
        return f"1 {one}"
    return f"{number} {_several(one) if several is None else several}"


def quoted(text: str) -> str:
    """Return a text in quotation marks; those inside it become single ones."""
    return f"“{text.replace('“', '‘').replace('”', '’')}”"


def joined(names: Sequence[str]) -> str:
    """Return names as a sentence lists them: ``A1, A3 and A4``."""
    *most, last = names or [""]
    return f"{', '.join(most)} and {last}" if most else last


def between_markers(text: str, name: str, made: str) -> str:
    """Return a page with something made between ``<!-- name: begin -->`` and its end."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"no markers {begin} … {end}")
    return f"{before}{begin}\n{made}\n{end}{after}"


def _several(noun: str) -> str:
    """Return the plural of a noun, of its first word in “piece of Ω”."""
    head, of, rest = noun.partition(" of ")
    if re.search(r"(s|x|ch|sh)$", head):
        head += "es"
    elif re.search(r"[^aeiou]y$", head):
        head = f"{head[:-1]}ies"
    else:
        head += "s"
    return head + of + rest
