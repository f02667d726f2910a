"""From findings of experiments to evidence on claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from epsrank.numerics.experiments.analysis import Effect, Finding, Judgement
from epsrank.numerics.experiments.rules import shared_rules
from epsrank.proofs.ledger.evidence import Evidence, State
from epsrank.theory.statistics import detectable_shift, holm
from epsrank.theory.strict_json import worded

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
    adjusted: float | None = None,
) -> Evidence:
    """Return a finding as evidence; one that needs a power and states none decides nothing.

    `adjusted`: Its claim's p-value by Holm's correction over all empirical claims.
    """
    cause = "its intervals contain no effect" if state == "undecided" else None
    level = float(shared_rules("verdicts")["level"])
    if adjusted is not None and adjusted > level and state in {"passed", "regime"}:
        state, cause = (
            "undecided",
            f"p = {adjusted:.2g} by Holm's correction over all empirical claims, above {level:g}",
        )
    if needs_power and finding.power is None:
        state, cause = "undecided", "the power of its test on these records was not simulated"
    return Evidence(
        claim=finding.claim,
        kind="empirical",
        state=state,
        title=f"{experiment}, {finding.judgement}: {finding.statement}",
        figures={"experiment": experiment, "comparisons tried": finding.tried}
        | ({} if finding.power is None else {"power": finding.power})
        | ({} if finding.pvalue is None else {"p": finding.pvalue})
        | ({} if adjusted is None else {"p by Holm over the empirical claims": adjusted})
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
        "detectable, in standard deviations": worded(round(detectable_shift(interval.count), 3)),
    }


def pvalues_of(findings: Iterable[Finding]) -> dict[str, list[float]]:
    """Return the p-values of findings by claim and part, as a record keeps them."""
    found: dict[str, list[float]] = {}
    for finding in findings:
        if finding.pvalue is not None:
            found.setdefault(claim_key(finding.claim, finding.part), []).append(finding.pvalue)
    return found


def claim_key(claim: str, part: str | None) -> str:
    """Name a claim, or one of its statements."""
    return claim if part is None else f"{claim}/{part}"


def adjusted_pvalues(records: Iterable[Mapping[str, Sequence[float]]]) -> dict[str, float]:
    """Return Holm's p-values over all claims, from those that each record holds of its findings.

    A claim that k experiments test has k chances: its p-value is the least, times k.
    """
    gathered: dict[str, list[float]] = {}
    for held in records:
        for key, values in held.items():
            gathered.setdefault(key, []).extend(values)
    names = sorted(gathered)
    least = [min(1.0, len(gathered[name]) * min(gathered[name])) for name in names]
    return dict(zip(names, holm(least), strict=True))


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
