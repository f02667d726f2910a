"""From findings of experiments to evidence on claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from numerics.experiments.analysis import Analysis, Effect, Finding, Judgement
from proofs.evidence import Evidence, State

STATES: Mapping[Judgement, State] = {
    "supported": "passed",
    "regime": "regime",
    "refuted": "refuted",
    "undecided": "undecided",
}


def evidence_of(
    finding: Finding, experiment: str, about: Mapping[str, str | int | bool]
) -> Evidence:
    """Return a finding as evidence.

    Parameters
    ----------
    finding : Finding
        What the runs say about a claim.
    experiment : str
        Id of the experiment.
    about : mapping
        What else a reader has to know: size, seeds, day of a record.

    Returns
    -------
    Evidence
        Of kind ``empirical``, with one row per effect.
    """
    return Evidence(
        claim=finding.claim,
        kind="empirical",
        state=STATES[finding.judgement],
        title=f"{experiment}: {finding.statement}",
        figures={"experiment": experiment, "comparisons tried": finding.tried, **about},
        witness=finding.witness,
        cause="the intervals contain no effect" if finding.judgement == "undecided" else None,
        part=finding.part,
        rows=[_row(effect) for effect in finding.effects],
    )


def _row(effect: Effect) -> dict[str, str | float | int]:
    interval = effect.interval
    return {
        "comparison": effect.name,
        "median": interval.value,
        "low": interval.low,
        "high": interval.high,
        "coverage": interval.coverage,
        "seeds": interval.count,
        "no effect": effect.null,
        "unit": effect.unit,
    }


def findings_on(analysis: Analysis, claims: Sequence[str]) -> list[Finding]:
    """Return the findings on some claims.

    Parameters
    ----------
    analysis : Analysis
        What an experiment found.
    claims : sequence of str
        Ids.

    Returns
    -------
    list of Finding
        In the order of the analysis.
    """
    return [finding for finding in analysis.findings if finding.claim in claims]
