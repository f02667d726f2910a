"""The first screen: how many verdicts are as recorded, what failed, five sentences of results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from epsrank.proofs.ledger.verdict import VERDICTS
from epsrank.proofs.report.cards import Card, join, style_of
from epsrank.proofs.report.plots import numeric
from epsrank.proofs.report.words import annotated, number, shortened
from epsrank.theory.words import plural

# Names in a sentence; the page has all.
_MOST_NAMES = 3

_SIZES = {"default": "standard"}


@dataclass(frozen=True)
class Overview:
    """What the first screen says."""

    #: Claims whose verdict is another than that on record, or whose checks failed.
    regressions: tuple[Card, ...]
    #: Claims that a witness refutes, as they were refuted on record.
    refuted: tuple[Card, ...]
    #: Verdicts with the number of their claims, strongest first.
    counts: tuple[tuple[str, int], ...]
    #: Claims whose verdict is the one on record.
    as_recorded: int
    total: int
    interrupted: bool
    #: Results, in the order shown.
    sentences: tuple[Markup, ...]
    #: What was not run, in words; empty where all was.
    not_run: tuple[str, ...]
    #: Date, version, effort, seed and the like, in the order shown.
    facts: tuple[tuple[str, str], ...]

    @property
    def style(self) -> str:
        """The class of the banner."""
        return "bad" if self.regressions else "cut" if self.interrupted else "good"


def overview(ledger: Mapping[str, Any], cards: Sequence[Card]) -> Overview:
    """Return the first screen of a ledger.json."""
    environment = ledger["environment"]
    counts = Counter(card.verdict for card in cards)
    regressions = tuple(card for card in cards if card.entry["regression"])
    settled = [card for card in cards if not card.entry["regression"]]
    return Overview(
        regressions=regressions,
        refuted=tuple(card for card in settled if card.verdict == "refuted"),
        counts=tuple((name, counts[name]) for name in VERDICTS if counts[name]),
        as_recorded=sum(bool(card.entry["finished"]) for card in settled),
        total=len(cards),
        interrupted=environment.get("status") == "interrupted",
        sentences=tuple(said for said in (make(cards) for make in _SENTENCES) if said),
        not_run=tuple(_not_run(environment, cards)),
        facts=tuple(_facts(environment)),
    )


def _not_run(environment: Mapping[str, Any], cards: Sequence[Card]) -> Iterable[str]:
    """Say what this run left out, and why."""
    if left := environment.get("left out"):
        yield f"{join(left)} (proofs on record decide)"
    causes: Counter[str] = Counter(
        str(item.get("cause") or "no cause given")
        for card in cards
        for item in card.entry["evidence"]
        if item["state"] == "skipped" and not str(item.get("title", "")).startswith("left out")
    )
    for cause, count in causes.most_common(_MOST_NAMES):
        if not (left and "left out" in cause):
            yield f"{plural(count, 'check')}: {shortened(cause, 140)}"
    if unfinished := [card.title for card in cards if not card.entry["finished"]]:
        yield f"{plural(len(unfinished), 'claim is', 'claims are')} unfinished: {_some(unfinished)}"
    if untested := sum(card.untested for card in cards):
        yield f"{plural(untested, 'claim')} that no check of this run bears on"


def _facts(environment: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Return the toolchain, once."""
    packages = dict(environment.get("packages", {}))
    if date := environment.get("date"):
        yield "date", str(date)
    yield "version", f"epsrank {packages.pop('epsrank', 'unknown')}"
    effort = str(environment.get("effort", "unknown"))
    yield "size", _SIZES.get(effort, effort)
    yield "seed", str(environment.get("seed", "unknown"))
    for name in ("ledger", "checkers"):
        if name in environment:
            yield name, str(environment[name])
    yield "device", str(environment.get("device", "unknown"))
    machine = " ".join(
        str(environment[key]) for key in ("system", "architecture") if key in environment
    )
    tools = [f"Python {environment.get('python', '?')}"]
    tools += [f"{name} {version}" for name, version in packages.items()]
    tools += [str(name) for name in environment.get("blas", [])[:1]]
    yield "toolchain", ", ".join([*tools, machine] if machine else tools)
    if seconds := environment.get("seconds"):
        yield "computing time", _duration(sum(seconds.values()))


def _duration(seconds: float) -> str:
    """Return a time in the unit that a reader would take."""
    if seconds < 100:
        return plural(round(seconds), "second")
    return plural(round(seconds / 60), "minute")


def _some(names: Sequence[str]) -> str:
    """Return a few names, and how many more there are."""
    more = len(names) - _MOST_NAMES
    return join(list(names) if more <= 1 else [*names[:_MOST_NAMES], f"{more} more"])


def linked(cards: Sequence[Card]) -> Markup:
    """Return titles as links, a few of them, and how many more there are."""
    more = len(cards) - _MOST_NAMES
    shown = cards if more <= 1 else cards[:_MOST_NAMES]
    links = [Markup('<a href="#{}">{}</a>').format(card.id, card.title) for card in shown]
    if more > 1:
        links.append(Markup('<a href="#?verdict={}">{} more</a>').format(shown[0].style, more))
    return Markup(join(links))


def _proofs(cards: Sequence[Card]) -> Markup | None:
    proved = [card for card in cards if card.verdict == "proved"]
    theorems = {row.get("theorem") for card in proved for row in card.theorems}
    if not proved:
        return None
    # What carries the most is what a reader should hear of first.
    ranked = sorted(proved, key=lambda card: -len(card.carries))
    first = plural(len(proved), "statement is", "statements are")
    certified = [card for card in cards if card.verdict == "certified on instances"]
    more = Markup(
        "; <b>{} more certified</b> in exact or ball arithmetic on every instance tried: {}"
    )
    return Markup("<b>{} proved</b>, by {} that Coq accepts without axioms: {}{}.").format(
        first, plural(len(theorems), "theorem"), linked(ranked),
        more.format(len(certified), linked(certified)) if certified else "",
    )  # fmt: skip


def _floors(cards: Sequence[Card]) -> Markup | None:
    rows = [row for card in cards for item in card.checks for row in item.get("rows", ())]
    rows = [row for row in rows if "net" in row and numeric(row, "loss", "reachable", "floor")]
    rows = [row for row in rows if row["reachable"] > 0]
    if not rows:
        return None
    checked = [row for row in rows if row.get("certified")] or rows
    closest = min(rows, key=lambda row: row["loss"] / row["reachable"])
    networks = {(row.get("task"), row["net"]) for row in rows}
    below = sum(row["loss"] < row["reachable"] * (1 - 1e-9) for row in checked)
    verb = "stays above" if not below else f"falls {plural(below, 'time')} below"
    return Markup(
        "<b>The loss {} its floor</b> at every measurement shown of {}; it comes "
        "nearest in {} {} at step {}, to {} times the loss V that the best output layer of its "
        "norm leaves."
    ).format(
        verb, plural(len(networks), "trained network"), closest.get("task", ""), closest["net"],
        closest.get("step", "?"), number(closest["loss"] / closest["reachable"]),
    )  # fmt: skip


def _searches(cards: Sequence[Card]) -> Markup | None:
    searches = [(card, item) for card in cards for item in card.of_kind("property")
                if numeric(item["figures"], "examples")]  # fmt: skip
    if not searches:
        return None
    tries = sum(int(item["figures"]["examples"]) for _, item in searches)
    broken = list({card.id: card for card, item in searches if item["state"] == "refuted"}.values())
    grouped = f"{tries:,}".replace(",", "\u202f")
    found = Markup("found one to {}").format(linked(broken)) if broken else Markup("found none")
    return Markup("<b>{} for a counterexample</b> made {} and {}.").format(
        plural(len(searches), "search"), plural(tries, "try").replace(str(tries), grouped), found
    )


def _experiments(cards: Sequence[Card]) -> Markup | None:
    supported = [card for card in cards if card.verdict == "supported"]
    partly = [card for card in cards if card.verdict == "supported only in a regime"]
    if not supported and not partly:
        return None
    parts = []
    if supported:
        parts.append(Markup("support {}").format(linked(supported)))
    if partly:
        parts.append(Markup("support {} in a regime only").format(linked(partly)))
    return Markup("<b>Experiments and searches</b> {}.").format(Markup("; they ").join(parts))


def _undecided(cards: Sequence[Card]) -> Markup | None:
    undecided = [card for card in cards if card.verdict == "undecided"]
    open_ = [card for card in cards if card.verdict == "open"]
    if not undecided and not open_:
        return None
    parts = []
    if undecided:
        parts.append(Markup("<b>Undecided</b> after tests: {}").format(linked(undecided)))
    if open_:
        told = plural(len(open_), "claim is", "claims are") + " open"
        parts.append(Markup('<a href="#untested">{}</a>').format(told))
    return Markup("{}.").format(Markup("; ").join(parts))


# In this order; each is silent where the run has nothing for it. What is refuted has its own box.
_SENTENCES = (_proofs, _floors, _searches, _experiments, _undecided)


def failed_because(card: Card) -> Markup:
    """Say why a claim is refuted, by its shortest witness."""
    refuting = [item for item in card.checks if item["state"] == "refuted"]
    exact = [item for item in refuting if item["kind"] == "exact"] or refuting
    if not exact:
        return Markup("Coq accepts a proof of a counterexample.")
    return annotated(shortened(exact[0]["title"], 150))


def bar(overview_: Overview) -> list[tuple[str, int, str, float]]:
    """Return the parts of the bar: verdict, claims, class of the colour, width in percent."""
    return [
        (name, number_, style_of(name), round(100.0 * number_ / overview_.total, 3))
        for name, number_ in overview_.counts
    ]
