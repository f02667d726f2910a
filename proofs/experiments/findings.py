"""From findings of experiments to evidence on claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from epsrank.numerics.experiments.analysis import Effect, Finding, Judgement
from epsrank.proofs.ledger.evidence import Evidence, State

STATES: Mapping[Judgement, State] = {
    "supported": "passed",
    "regime": "regime",
    "refuted": "refuted",
    "undecided": "undecided",
}


def evidence_of(
    finding: Finding,
    state: State,
    experiment: str,
    about: Mapping[str, str | int | bool],
    *,
    needs_power: bool = False,
) -> Evidence:
    """Return a finding as evidence; one that needs a power and states none decides nothing."""
    cause = "its intervals contain no effect" if state == "undecided" else None
    if needs_power and finding.power is None:
        state, cause = "undecided", "the power of its test on these records was not simulated"
    return Evidence(
        claim=finding.claim,
        kind="empirical",
        state=state,
        title=f"{experiment}, {finding.judgement}: {finding.statement}",
        figures={"experiment": experiment, "comparisons tried": finding.tried}
        | ({} if finding.power is None else {"power": finding.power})
        | dict(about),
        witness=finding.witness,
        cause=cause,
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


def reconciled(findings: Sequence[Finding]) -> list[State]:
    """Return the states of findings on one statement from several experiments.

    What is supported by one experiment and refuted, undecided or a matter of regime in another
    one holds in a regime: then nothing is passed, and nothing refuted. Where no experiment is in
    favour, a refutation stays one.
    """
    judgements = {finding.judgement for finding in findings}
    in_favour = judgements & {"supported", "regime"}
    # Experiments of several settings: what holds in some of them holds in a regime.
    if len(judgements) > 1 and in_favour:
        return ["undecided" if f.judgement == "undecided" else "regime" for f in findings]
    return [STATES[finding.judgement] for finding in findings]
