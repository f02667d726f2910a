"""The answers of an experiment, as its page begins with them: one per finding.

A verdict here is of this experiment alone. What the ledger says joins all experiments on a claim,
counts only records that may decide, and corrects for how many claims are asked; so the two may
differ, and the answer says why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from epsrank.numerics.experiments.analysis import Analysis, Finding
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.registry import EXPERIMENTS, experiment
from epsrank.numerics.experiments.rules import shared_rules
from epsrank.proofs.experiments.effects_in_words import power_of
from epsrank.proofs.experiments.records import read_head, recorded_ids, seeds_undecided
from epsrank.proofs.experiments.sentences import sentence
from epsrank.proofs.ledger.claims import Claim, load_ledger
from epsrank.proofs.report.cards import MARKS, style_of
from epsrank.theory.statistics import detectable_shift
from epsrank.theory.words import joined, quoted

#: Verdicts as the ledger words them, by what a finding says.
VERDICTS = {"regime": "supported only in a regime"}
# Verdicts of the ledger that say no more than that nothing is decided.
_UNDECIDED = frozenset({"undecided", "open"})


@dataclass(frozen=True)
class Answer:
    """What an experiment answers on one claim, or on one of its parts."""

    finding: Finding
    #: The claim in words; a name of the ledger never stands alone.
    title: str
    #: Of this experiment, as the ledger words it.
    verdict: str
    #: One sentence with the decisive number.
    sentence: str
    #: What the ledger says, and why where that differs.
    ledger: str
    #: What the test could have found.
    power: str

    @property
    def mark(self) -> str:
        """A sign of the verdict, so that colour alone never says it."""
        return MARKS[self.verdict]

    @property
    def style(self) -> str:
        """Its class in the style of the page."""
        return style_of(self.verdict)


def answers(analysis: Analysis, own: Experiment) -> list[Answer]:
    """Return the answers in the order of the findings."""
    ledger = {claim.id: claim for claim in load_ledger()}
    return [_answer(finding, ledger.get(finding.claim), own) for finding in analysis.findings]


def _answer(finding: Finding, claim: Claim | None, own: Experiment) -> Answer:
    verdict = VERDICTS.get(finding.judgement, finding.judgement)
    seeds = sorted(effect.interval.count for effect in finding.effects)
    shift = detectable_shift(seeds[0]) if seeds else 0.0
    return Answer(
        finding,
        title_of(finding),
        verdict,
        sentence(finding),
        _beside(verdict, claim, own),
        power_of(finding, shift, seeds),
    )


def title_of(finding: Finding) -> str:
    """Return the claim of a finding in words, with the part that is meant."""
    title = _titles().get(finding.claim, finding.claim.replace("-", " "))
    return title if finding.part is None else f"{title}: {finding.part}"


def listed(finding: Finding) -> str:
    """Name the claim of a finding as a list does: its title, and the id in brackets."""
    return f"{title_of(finding)} [{finding.claim}]"


def named(text: str) -> str:
    """Return a text in which claims have their titles, and not the names that code has for them."""
    return _pattern().sub(lambda match: quoted(_titles()[match[0]]), text)


@cache
def _titles() -> dict[str, str]:
    return {claim.id: claim.title for claim in load_ledger()}


@cache
def _pattern() -> re.Pattern[str]:
    """Find names of claims: of those that are words as well, such as reading, after "claim"."""
    names = sorted(_titles(), key=len, reverse=True)
    words = {name for name in names if "-" not in name} | {"blow-up"}
    hyphened = "|".join(re.escape(name) for name in names if name not in words)
    plain = "|".join(re.escape(name) for name in names if name in words)
    return re.compile(rf"(?<![\w-])(?:{hyphened})(?![\w-])|(?<=claim )(?:{plain})(?![\w-])")


def _beside(verdict: str, claim: Claim | None, own: Experiment) -> str:
    """Say what the ledger says of the claim."""
    if claim is None:
        return "The ledger has no such claim."
    if claim.recorded == verdict:
        return f"The ledger says {claim.recorded} too."
    return f"The ledger says {claim.recorded}{_since(claim, own)}."


def _since(claim: Claim, own: Experiment) -> str:
    """Say why the ledger's verdict is another one; "" where the records do not show it."""
    deciding, waiting = experiments_on(claim.id)
    others = [name for name in deciding if name != own.id]
    if claim.recorded in _UNDECIDED and waiting:
        wait = "waits for a record" if len(waiting) == 1 else "wait for records"
        beside = f", and {joined(deciding)} alone do not settle it" if len(deciding) > 1 else ""
        return f", since {joined(waiting)} {wait} of standard size{beside}"
    if others:
        return f", which joins {joined(deciding)}"
    if claim.recorded in _UNDECIDED:
        return ", by the correction for the number of claims (Holm) or for want of power"
    kinds = [kind for kind in claim.wanted if kind != "empirical"]
    return f", which has {joined(kinds)} evidence as well" if kinds else ""


@cache
def experiments_on(claim: str) -> tuple[list[str], list[str]]:
    """Return the experiments on a claim: those whose records may decide, and the others."""
    held = recorded_ids()
    deciding: list[str] = []
    waiting: list[str] = []
    for name in EXPERIMENTS:
        if claim in experiment(name).claims:
            decides = name in held and read_head(name).disqualified is None
            (deciding if decides else waiting).append(name)
    return deciding, waiting


def decides_nothing(name: str, request: Request) -> str | None:
    """Say why no verdict may rest on a run that was asked for so; None where one may."""
    reasons = []
    if request.size not in shared_rules("verdicts")["sizes"]:
        reasons.append(f"it is of the size {request.size}, which shows that all runs")
    elif (seeds := seeds_undecided(name, request)) is not None:
        reasons.append(f"it has {seeds}")
    return joined(reasons) or None


@dataclass(frozen=True)
class Panel:
    """The robustness panel as a compact table."""

    #: Claims in words.
    claims: list[str]
    #: View, and by claim: words, and their class.
    rows: list[tuple[str, list[tuple[str, str]]]]


def panel_of(analysis: Analysis, found: Sequence[Answer]) -> Panel | None:
    """Return the panel, a row per view and a column per claim; None where there are no views."""
    held = next((table.rows for table in analysis.tables if table.name == "robustness"), None)
    if not held:
        return None
    keys = {
        answer.finding.claim + (f"/{answer.finding.part}" if answer.finding.part else ""): answer
        for answer in found
    }
    seen = [key for key in dict.fromkeys(row["claim"] for row in held) if key in keys]
    cells = {(row["view"], row["claim"]): _cell(row) for row in held}
    views = list(dict.fromkeys(row["view"] for row in held))
    # The initial rank *is* the first row: no view leaves that out.
    none = ("not asked", "soft")
    return Panel(
        [keys[key].title for key in seen],
        [(view, [cells.get((view, key), none) for key in seen]) for view in views],
    )


def _cell(row: Mapping[str, Any]) -> tuple[str, str]:
    """Say whether a finding is the same in a view."""
    moved, of = row["not stable"], row["effects"]
    if row["judgement"] != row["judgement in this view"]:
        now = row["judgement in this view"]
        return f"✗ {VERDICTS.get(now, now)}", "refuted"
    if moved:
        return f"◐ {moved} of {of} move", "regime"
    return "● same", "supported"
