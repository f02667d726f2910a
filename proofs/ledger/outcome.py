"""The outcome of a verification: verdicts derived from evidence, compared with the record."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from epsrank.proofs.ledger.claims import Claim
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.proofs.ledger.rests_on import foundations
from epsrank.proofs.ledger.verdict import derive_verdict
from epsrank.theory.words import plural


@dataclass(frozen=True)
class ClaimResult:
    """One claim with this run's evidence."""

    #: The claim.
    claim: Claim
    #: What the checkers found.
    evidence: tuple[Evidence, ...]
    #: Whether all checkers of the claim ran to their end.
    finished: bool = True

    @property
    def verdict(self) -> str:
        """The verdict, derived from the evidence and from nothing else."""
        return derive_verdict(self.claim.wanted, self.evidence, self.claim.parts)

    @property
    def remark(self) -> str | None:
        """“recorded …” where the verdict rests on a record instead of a proof checked now."""
        accepted = [
            str(item.figures.get("accepted", ""))
            for item in self.evidence
            if item.kind == "formal" and item.state in {"passed", "refuted"}
        ]
        recorded = [origin for origin in accepted if origin.startswith("recorded")]
        return recorded[0] if recorded and self.verdict == "proved" else None

    @property
    def errors(self) -> tuple[Evidence, ...]:
        """Checks that failed to run."""
        return tuple(item for item in self.evidence if item.state == "error")

    @property
    def regression(self) -> str | None:
        """Why this is a regression, None where all is as recorded."""
        # Cut short, it decides nothing either way.
        if not self.finished:
            return None
        # Even where the verdict stands without the check.
        if self.errors:
            return f"a check failed to run ({self.errors[0].cause})"
        if self.verdict != self.claim.recorded:
            differs = f"the verdict is “{self.verdict}”, on record is “{self.claim.recorded}”"
            causes = [item.cause for item in self.evidence if item.kind == "formal" and item.cause]
            return f"{differs} ({causes[0]})" if causes else differs
        return None

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``"claims"`` in ledger.json."""
        return {
            "id": self.claim.id,
            "title": self.claim.title,
            "statement": self.claim.statement,
            "latex": self.claim.latex,
            "source": self.claim.source,
            "wanted": list(self.claim.wanted),
            "verdict": self.verdict,
            "remark": self.remark,
            "recorded": self.claim.recorded,
            "regression": self.regression,
            "finished": self.finished,
            "theme": self.claim.theme,
            "parts": list(self.claim.parts),
            "code": list(self.claim.code),
            "theorems": [name for _, name in self.claim.theorems],
            "refuting_theorems": [name for _, name in self.claim.refuting_theorems],
            "evidence": [item.to_json() for item in self.evidence],
        }


@dataclass(frozen=True)
class Report:
    """All verdicts of a run.

    Attributes
    ----------
    results : tuple of ClaimResult
        One per claim, in the order of the ledger.
    environment : dict
        What it ran on, with seed, effort and timings: all that may differ between equal runs.
    interrupted : bool
        Whether it was cut short.
    out : Path or None
        Folder of the written report.
    left_out : tuple of str
        What a quick run of single claims did not do.
    """

    results: tuple[ClaimResult, ...]
    environment: dict[str, Any] = field(default_factory=dict)
    interrupted: bool = False
    out: Path | None = None
    left_out: tuple[str, ...] = ()

    @property
    def regressions(self) -> tuple[ClaimResult, ...]:
        """Claims whose verdict is not the recorded one, or whose checks failed to run."""
        return tuple(result for result in self.results if result.regression)

    @property
    def exit_code(self) -> int:
        """0 if every verdict is as recorded; 1 after a regression or an interruption."""
        return 1 if self.regressions or self.interrupted else 0

    def counts(self) -> dict[str, int]:
        """Return how many claims have each verdict.

        Returns
        -------
        dict of str to int
            Numbers by verdict.
        """
        return dict(Counter(result.verdict for result in self.results))

    def summary(self) -> str:
        """Return a few lines: verdicts by kind, regressions, whether the run was cut short.

        Returns
        -------
        str
            The lines.
        """
        counts = ", ".join(
            f"{number} {verdict}{self._recorded(verdict)}"
            for verdict, number in self.counts().items()
        )
        lines = [f"{plural(len(self.results), 'claim')}: {counts}"]
        lines += [f"regression in {r.claim.named}: {r.regression}" for r in self.regressions]
        if untested := [r.claim.named for r in self.results if r.finished and not r.evidence]:
            more = f" and {len(untested) - 6} more" if len(untested) > 6 else ""
            lines.append(f"no check bears on {'; '.join(untested[:6])}{more}")
        if self.left_out:
            lines.append(f"not run, as proofs on record decide: {', '.join(self.left_out)}")
        if self.interrupted:
            left = [r.claim.named for r in self.results if not r.finished]
            lines.append(f"interrupted, unfinished: {'; '.join(left) or 'none'}")
        elif not self.regressions:
            lines.append("every verdict is as recorded")
        return "\n".join(lines)

    def _recorded(self, verdict: str) -> str:
        """Say how many claims of a verdict rest on a record; for all of them, without a number."""
        remarks = [result.remark for result in self.results if result.verdict == verdict]
        days = Counter(remark for remark in remarks if remark)
        if sum(days.values()) == len(remarks) and len(days) == 1:
            return f" ({next(iter(days))})"
        return f" ({', '.join(f'{n} {day}' for day, n in days.items())})" if days else ""

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"

    def to_json(self) -> dict[str, Any]:
        """Return the content of ledger.json.

        Returns
        -------
        dict
            ``claims`` and ``environment``; everything that may differ between runs of one seed is
            in the latter.
        """
        below = foundations(result.claim for result in self.results)
        return {
            "claims": [
                {**result.to_json(), "rests_on": list(below[result.claim.id])}
                for result in self.results
            ],
            "environment": {
                **self.environment,
                **({"left out": list(self.left_out)} if self.left_out else {}),
                "status": "interrupted" if self.interrupted else "complete",
            },
        }


def gather(
    claims: Sequence[Claim],
    evidence: dict[str, list[Evidence]],
    expected: dict[str, tuple[str, ...]],
) -> tuple[ClaimResult, ...]:
    """Sort evidence by claim, in the order of the checkers: one result per claim."""
    results = []
    for claim in claims:
        mine = [name for name, served in expected.items() if claim.id in served]
        found = [item for name in mine for item in evidence.get(name, []) if item.claim == claim.id]
        finished = all(name in evidence for name in mine)
        results.append(ClaimResult(claim, tuple(found), finished))
    return tuple(results)
