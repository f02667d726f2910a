"""Other words for commands, options and values, and the near ones of what nobody knows."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence

import click

#: Other words for commands.
COMMANDS = {"check": "verify", "fit": "train", "follow": "watch", "diff": "compare"}

#: Other words for options, as neighbours call them; each counts where a command has the option.
OPTIONS = {
    "--lr": "--learning-rate",
    "--optim": "--optimizer",
    "--optimiser": "--optimizer",
    "--batch": "--batch-size",
    "--bs": "--batch-size",
    "--epsilon": "--eps",
    "--output": "--out",
    "--outdir": "--out",
    "-o": "--out",
    "--workers": "--jobs",
    "--n-jobs": "--jobs",
    "-j": "--jobs",
    "--color": "--colour",
    "--grayscale": "--greyscale",
    "--claims": "--claim",
    "--random-seed": "--seed",
    "--filetype": "--format",
}

# “'adm'; choose one of sgd, adam” and what click says: a word, then the words that are known.
_CHOICES = re.compile(
    r"['\"](?P<word>[^'\"]+)['\"](?:[^'\"]{0,24}?; (?:choose|name|pass)(?: one)?(?: of| from)?"
    r"| is not one of) (?P<known>.+?)\.?$"
)
_KNOWN = re.compile(r"['\"]?([\w][\w.×-]*)['\"]?(?=,|$| or )")


def normal(word: str) -> str:
    """Return an option or a choice as it is written here: cross_entropy as cross-entropy."""
    return word.replace("_", "-").lower()


def nearest(word: str, known: Collection[str]) -> str | None:
    """Return the known word that is meant, None where none is near."""
    by_normal = {normal(name): name for name in known}
    found = difflib.get_close_matches(normal(word), by_normal, n=1)
    return by_normal[found[0]] if found else None


def with_nearest(text: str) -> str:
    """Add the word that was meant to an error that lists those that are known."""
    found = None if "did you mean" in text.lower() else _CHOICES.search(text)
    near = found and nearest(found["word"], _KNOWN.findall(found["known"]))
    return f"{text.rstrip('.')} (did you mean {near}?)" if near else text


def renamed(words: Iterable[str], options: Collection[str]) -> Iterator[str]:
    """Yield the words of a command line with options as the command calls them."""
    words = iter(words)
    for word in words:
        if word == "--":
            yield word
            yield from words
            return
        head, equals, value = word.partition("=")
        if head.startswith("--") and head not in options:
            head = normal(head) if normal(head) in options else head
        if head not in options and OPTIONS.get(head) in options:
            head = OPTIONS[head]
        yield head + equals + value


def hint_for(extra: str, words: Sequence[str], single: Collection[str]) -> str:
    """Say which option takes one value only, where more were given to it."""
    at = list(words).index(extra) if extra in words else 0
    if at >= 2 and words[at - 2] in single and not words[at - 1].startswith("--"):
        return f"; {words[at - 2]} takes one value here"
    return ""


def sections(
    groups: dict[str, Sequence[str]], rows: Iterable[tuple[str, tuple[str, str]]]
) -> dict[str, list[tuple[str, str]]]:
    """Sort the rows of a help page by their names into groups; the rest is under “Others”."""
    left = dict(rows)
    found = {
        title: [left.pop(name) for name in names if name in left] for title, names in groups.items()
    }
    found["Others"] = list(left.values())
    return {title: part for title, part in found.items() if part}


def write_sections(formatter: click.HelpFormatter, parts: dict[str, list[tuple[str, str]]]) -> None:
    """Write groups of rows, each under its title."""
    for title, rows in parts.items():
        with formatter.section(title):
            formatter.write_dl(rows)
