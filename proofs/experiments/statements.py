"""Statements of findings for readers: the sentence that leads, and long lists of settings as rows.

Records and findings.json hold a statement whole, with every setting in one line. A page shows its
first clause, and what it lists as a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

# A clause that ends before this is no sentence yet: "In 9 of 9 settings: …".
_SHORTEST = 30
# And what is longer than this is no name of a setting.
_LONGEST_NAME = 60
_OPENING, _CLOSING = "([", ")]"
_BREAKS = ("; ", ", ", ": ", ". ")

#: How a share is written: 5 of 48 [0.03, 0.23].
SHARE = r"(\d+) of (\d+) \[([\d.]+), ([\d.]+)\]"
_SHARE_AT_END = re.compile(rf"^(?P<name>.+) (?P<said>{SHARE})$")
_IN_BRACKETS = re.compile(r"^(?P<name>.*?\S) \((?P<said>.+)\)(?: runs)?$")
_NUMBER = re.compile(r"^[-−+×]?[\d.]+(?: of \d+)?$")
_ALL = re.compile(r"\b([Ii]n) (\d+) of \2\b(?! [\[(])")
# A word that stands for "neither shorter nor longer nor the same is established".
_OPEN = re.compile(r"(?<=[:,] )\?(?=[,;.]|$)")
_LEADS = re.compile(
    r"^(?P<lead>(?:it )?(?:holds|fails|is open) in|the reverse holds in|undecided in|"
    r"equal within the margin in|medians beyond are established for|its peak lies there in|in) "
)


@dataclass
class Passage:
    """Words, and the settings that they list."""

    text: str
    #: Setting, and what is said of it.
    rows: list[tuple[str, str]] = field(default_factory=list)


def leading(statement: str) -> str:
    """Return the first clause of a statement, without the settings that it goes on to list."""
    for text, sep in _clauses(statement):
        if sep in ("; ", ": ", ". ") and len(text) >= _SHORTEST:
            return plainer(text)
    return plainer(statement.removesuffix("."))


def plainer(text: str) -> str:
    """Say "in all 6" for "in 6 of 6", where it is more than one."""
    return _OPEN.sub("not decided", _ALL.sub(_all, text))


def _all(match: re.Match[str]) -> str:
    every = "both" if match[2] == "2" else f"all {match[2]}"
    return match[0] if int(match[2]) < 2 else f"{match[1]} {every}"


def _clauses(statement: str) -> Iterator[tuple[str, str]]:
    """Yield what lies before each break outside of brackets, with that break."""
    depth = start = 0
    for at, letter in enumerate(statement):
        depth += (letter in _OPENING) - (letter in _CLOSING)
        if depth == 0 and statement[at : at + 2] in _BREAKS:
            yield statement[:at], statement[at : at + 2]
            start = at + 2
    if start < len(statement):
        yield statement, ""


def _segments(statement: str) -> Iterator[tuple[str, str]]:
    """Yield what lies between breaks, with the break after it."""
    start = 0
    for text, sep in _clauses(statement):
        yield text[start:], sep
        start = len(text) + len(sep)


def passages(statement: str) -> list[Passage]:
    """Return a statement as words and tables, in its order; nothing is left out."""
    text, rows = _named_list(plainer(statement.strip()))
    if rows:
        return [*(passages(text) if text else []), Passage("", rows)]
    found = [Passage("")]
    for segment, sep in _parts(text):
        lead = _LEADS.match(segment)
        rest = segment[lead.end() :] if lead else segment
        # What ends in a colon begins a list.
        item = None if sep == ": " else _item(rest.rstrip("."))
        here = found[-1]
        if item is None:
            # Words after a table begin another passage.
            if here.rows:
                found.append(here := Passage(""))
            here.text += segment + sep
            continue
        if lead and here.rows:
            found.append(here := Passage(""))
        if lead and lead["lead"] != "in":
            here.text += lead["lead"] + " "
        here.rows.append(item)
    return [_whole(passage) for passage in found if passage.text.strip() or passage.rows]


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield clauses, and one that lists several settings setting by setting.

    A name may have a comma or a colon of its own: "(2, 30), tanh: structured (+24)" is one setting.
    """
    whole = ""
    held: list[tuple[str, str]] = []
    every = list(_segments(text))
    for at, (segment, sep) in enumerate(every):
        held.append((segment, sep))
        whole += segment + sep
        next_one, after = every[at + 1] if at + 1 < len(every) else ("", "")
        of_a_name = len(whole) <= _LONGEST_NAME and after in ("; ", "") and _item(next_one)
        if sep == ", " or (sep == ": " and at > 0 and of_a_name):
            continue
        items = sum(_item(_LEADS.sub("", part.rstrip("."))) is not None for part, _ in held)
        yield from held if items > 1 else [(whole.removesuffix(sep), sep)]
        whole, held = "", []


def _named_list(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Part a text from the list "name: words; name: words" with which it ends, if it does."""
    for begin in re.finditer(r"(?<=: )|(?<=\. )", text):
        pairs = [entry.partition(": ") for entry in text[begin.start() :].rstrip(".").split("; ")]
        if len(pairs) > 1 and all(
            said and len(name) <= _LONGEST_NAME and ": " not in said for name, _, said in pairs
        ):
            return text[: begin.start()].rstrip(": "), [(name, said) for name, _, said in pairs]
    return text, []


def _item(text: str) -> tuple[str, str] | None:
    """Return a setting and what is said of it: "name (numbers)", "numbers (name)", "name share"."""
    found = _SHARE_AT_END.match(text) or _IN_BRACKETS.match(text)
    if found is None:
        return None
    name, said = found["name"], found["said"]
    return (said, name) if _NUMBER.match(name) else (name, said)


def _whole(passage: Passage) -> Passage:
    """Return a passage; a list of one setting is put back into its words."""
    if len(passage.rows) == 1:
        ((name, said),) = passage.rows
        passage = Passage(f"{passage.text.strip()} {name} ({said})")
    text = passage.text.strip().rstrip(";,:.").strip()
    return Passage(text[:1].upper() + text[1:], passage.rows)
