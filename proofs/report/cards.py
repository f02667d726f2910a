"""What the page says of one claim, from its entry in ledger.json alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from epsrank.proofs.ledger.evidence import KINDS
from epsrank.proofs.report.formulas import formula
from epsrank.proofs.report.plots import plot_of
from epsrank.proofs.report.words import annotated, counted, shortened, source
from epsrank.theory.words import plural

Entry = Mapping[str, Any]

#: A sign beside each verdict, so that colour alone never says it.
MARKS = {
    "proved": "✓",
    "certified on instances": "◉",
    "supported": "●",
    "supported only in a regime": "◐",
    "refuted": "✗",
    "undecided": "?",
    "open": "○",
}

#: What each verdict means, in a line.
MEANING = {
    "proved": "Coq accepted a proof without axioms: in this run or, where it says “recorded”, on "
    "the day named, from the very same sources",
    "certified on instances": "integer, rational or ball arithmetic decided it on every instance "
    "tried; not a proof for all",
    "supported": "a search for a counterexample, or an experiment with its uncertainty, found "
    "nothing against it",
    "supported only in a regime": "it held in the regime stated, and not outside it",
    "refuted": "a witness shows it to be false",
    "undecided": "tests were made, and they do not decide it",
    "open": "nothing in this run decides it",
}

# What makes evidence worth showing where a verdict is explained, best first.
_BY_VERDICT = {
    "proved": ("formal",),
    "certified on instances": ("exact",),
    "supported": ("empirical", "property", "symbolic"),
    "supported only in a regime": ("empirical", "exact", "property"),
    "refuted": ("exact", "property", "empirical", "formal"),
    "undecided": ("empirical", "exact", "property", "symbolic"),
}
_STATES = {
    "refuted": ("refuted",),
    "undecided": ("undecided", "regime", "refuted"),
    "supported only in a regime": ("regime", "passed"),
}


@dataclass(frozen=True)
class Card:
    """One claim as the page shows it."""

    entry: Entry
    formula: Markup | None
    why: Markup
    plot: Markup | None
    #: Claims of this report that it rests on, and that rest on it.
    rests_on: tuple[Entry, ...]
    carries: tuple[Entry, ...]

    @property
    def id(self) -> str:
        """Its id, and the anchor of the card."""
        return str(self.entry["id"])

    @property
    def title(self) -> str:
        """A few words."""
        return str(self.entry["title"])

    @property
    def verdict(self) -> str:
        """The verdict."""
        return str(self.entry["verdict"])

    @property
    def mark(self) -> str:
        """The sign of the verdict."""
        return MARKS.get(self.verdict, "·")

    @property
    def style(self) -> str:
        """The class of the verdict's colour."""
        return style_of(self.verdict)

    @property
    def source(self) -> Markup:
        """Where it comes from."""
        return source(str(self.entry["source"]))

    @property
    def untested(self) -> bool:
        """Whether nothing bears on it."""
        return not self.entry["evidence"] and not self.entry["regression"]

    @property
    def kinds(self) -> list[str]:
        """The kinds of evidence that came to a result."""
        found = {item["kind"] for item in self.entry["evidence"] if item["state"] not in _SILENT}
        return [kind for kind in KINDS if kind in found]

    def of_kind(self, *kinds: str) -> list[Entry]:
        """Return the evidence of some kinds."""
        return [item for item in self.entry["evidence"] if item["kind"] in kinds]

    @property
    def theorems(self) -> list[Entry]:
        """The theorems shown as proofs, each once."""
        rows = [row for item in self.of_kind("formal") for row in item.get("rows", ())]
        return list({row.get("theorem"): row for row in rows}.values())

    @property
    def checks(self) -> list[Entry]:
        """All evidence but what the theorems show already."""
        return [item for item in self.entry["evidence"] if item["kind"] != "formal"]

    @property
    def made(self) -> list[Entry]:
        """The checks that were made: what was left out is said beside them, and not counted."""
        return [item for item in self.checks if item["state"] != "skipped"]

    @property
    def left_out(self) -> list[Entry]:
        """What was skipped, with the reason."""
        return [item for item in self.entry["evidence"] if item["state"] == "skipped"]

    @property
    def decided_by(self) -> list[str]:
        """The kinds asked for that came to a result in this run; empty where none did."""
        return [kind for kind in self.entry["wanted"] if kind in self.kinds]

    @property
    def witnesses(self) -> list[Entry]:
        """The counterexamples."""
        return [item for item in self.checks if item.get("witness")]

    @property
    def searched(self) -> str:
        """All that a search of the page looks at."""
        parts = (self.id, self.title, self.entry["statement"], self.entry["source"])
        return " ".join(map(str, parts)).lower()


_SILENT = {"skipped", "error"}


def style_of(verdict: str) -> str:
    """Return the class of a verdict's colour."""
    return "regime" if "regime" in verdict else verdict.split()[0]


def cards_of(claims: Sequence[Entry]) -> list[Card]:
    """Return the cards of all claims, in their order."""
    by_id = {entry["id"]: entry for entry in claims}
    above: dict[str, list[Entry]] = {name: [] for name in by_id}
    for entry in claims:
        for name in entry.get("rests_on", ()):
            if name in above:
                above[name].append(entry)
    return [
        Card(
            entry=entry,
            formula=formula(str(entry.get("latex", ""))),
            why=why(entry),
            plot=plot_of(entry["evidence"]),
            rests_on=tuple(by_id[name] for name in entry.get("rests_on", ()) if name in by_id),
            carries=tuple(above[entry["id"]]),
        )
        for entry in claims
    ]


def why(entry: Entry) -> Markup:
    """Say in a sentence or two what the verdict comes from."""
    evidence = entry["evidence"]
    if not evidence:
        return Markup("Nothing in this run tests it.")
    verdict = entry["verdict"]
    parts = [_reason(verdict, entry)]
    others = Counter(
        item["kind"]
        for item in evidence
        if item["state"] in {"passed", "regime"}
        and item["kind"] not in _BY_VERDICT.get(verdict, ())
    )
    if others:
        told = join(counted(others[kind], kind) for kind in KINDS if others[kind])
        agree = "agrees" if sum(others.values()) == 1 else "agree"
        against = verdict in {"refuted", "undecided", "open"}
        parts.append(Markup("Shown beside it: {}.").format(told) if against
                     else Markup("{} {}.").format(told[:1].upper() + told[1:], agree))  # fmt: skip
    skipped = sum(item["state"] == "skipped" for item in evidence)
    if skipped:
        parts.append(Markup("{} left out.").format(plural(skipped, "check")))
    return Markup(" ").join(part for part in parts if part)


def _reason(verdict: str, entry: Entry) -> Markup:
    evidence = entry["evidence"]
    if verdict == "proved":
        return _of_proofs(entry)
    if verdict == "open":
        kinds = join(KIND_WORDS[kind] for kind in entry["wanted"])
        return Markup("It asks for {}, and no such check came to a result.").format(kinds)
    states = _STATES.get(verdict, ("passed",))
    deciding = sorted(
        (item for item in evidence if item["state"] in states
         and item["kind"] in _BY_VERDICT.get(verdict, ())),
        key=lambda item: (_BY_VERDICT[verdict].index(item["kind"]), states.index(item["state"])),
    )  # fmt: skip
    if not deciding:
        return Markup("")
    first = deciding[0]
    said = _sentence(annotated(shortened(first["title"])))
    if verdict == "undecided" and first.get("cause"):
        said += Markup(" {}").format(_sentence(Markup.escape(first["cause"])))
    if len(deciding) > 1:
        other = Counter(item["kind"] for item in deciding[1:])
        more = join(f"{other[kind]} more {KIND_WORDS[kind]}" for kind in KINDS if other[kind])
        said += Markup(" ({} in the same sense.)").format(more)
    return Markup(said)


#: Kinds of evidence in a word or two.
KIND_WORDS = {
    "formal": "by proof",
    "exact": "in exact arithmetic",
    "symbolic": "by symbols",
    "property": "by search",
    "empirical": "by experiment",
}


def _of_proofs(entry: Entry) -> Markup:
    """Say how many theorems prove it, and on which day Coq accepted them."""
    formal = [item for item in entry["evidence"] if item["kind"] == "formal"]
    theorems = {row.get("theorem") for item in formal for row in item.get("rows", ())}
    days = [item["figures"].get("accepted") for item in formal if item["state"] == "passed"]
    accepted = next(filter(None, days), None)
    what = plural(len(theorems), "theorem") if theorems else "its theorems"
    when = f" ({accepted})" if accepted else ""
    return Markup("Coq accepts {} without axioms{}.").format(what, when)


def _sentence(text: Markup) -> Markup:
    """Return a text as a sentence: it begins with a capital and ends with a stop."""
    stopped = text if text.endswith((".", "…", "?", "!")) else text + Markup(".")
    return stopped if stopped.startswith("<") else Markup(stopped[:1].upper() + stopped[1:])


def join(words: Iterable[str]) -> str:
    """Return words as “a, b and c”."""
    known = list(words)
    return known[0] if len(known) == 1 else ", ".join(known[:-1]) + f" and {known[-1]}"
