"""Empirical claims: the experiments on record, judged anew, with a trial of each run again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from epsrank.numerics.ensemble.trials import plan_batches, run_train_trials_batched
from epsrank.numerics.environment import describe_environment
from epsrank.numerics.experiments.analysis import Finding
from epsrank.numerics.experiments.experiment import Experiment
from epsrank.numerics.experiments.registry import experiment
from epsrank.numerics.sweeps.execute import run_trials
from epsrank.numerics.sweeps.trial import Outcome
from epsrank.proofs.checkers.base import Checker, Context
from epsrank.proofs.experiments.findings import (
    adjusted_pvalues,
    claim_key,
    evidence_of,
    reconciled,
)
from epsrank.proofs.experiments.records import (
    RECORDED,
    Record,
    read_record,
    recorded_ids,
    same_numbers,
)
from epsrank.proofs.instances.networks import find_mnist
from epsrank.proofs.ledger.claims import Claim, load_ledger
from epsrank.proofs.ledger.evidence import Evidence


@dataclass(frozen=True)
class _Source:
    """An experiment on record, and why its record is of no use, if so."""

    experiment: Experiment
    record: Record
    problem: str | None


def check_claim(context: Context, claim: str, folder: Path = RECORDED) -> list[Evidence]:
    """Judge the recorded outcomes of all experiments on a claim again, after trying one of them.

    No verdict is on record: the findings are derived from the recorded numbers now, by the rules of
    the experiments. Except in quick verifications one of the recorded trials, drawn by the seed of
    the verification (with those that were trained together with it), is run again, and on the same
    arithmetic (versions, BLAS kernels) it has to give the very same numbers.
    """
    sources = [_source(name, folder) for name in _experiments_on(claim, folder)]
    again = "not tried"
    if context.effort != "quick":
        again, sources = _try_again(sources, random.Random(f"{context.seed} {claim}"))
    found: list[tuple[_Source, Finding]] = [
        (source, finding)
        for source in sources
        if source.problem is None
        for finding in source.experiment.analyse(source.record.outcomes).findings
        if finding.claim == claim
    ]
    evidence = [
        Evidence(
            claim,
            "empirical",
            "undecided",
            f"{source.experiment.id}: {source.experiment.title}",
            cause=source.problem,
            part=part,
        )
        for source in sources
        if source.problem is not None
        # A claim of several statements is undecided in each of them.
        for part in _ledger()[claim].parts or (None,)
    ]
    adjusted = _adjusted(folder) if found else {}
    for part in dict.fromkeys(finding.part for _, finding in found):
        mine = [(source, finding) for source, finding in found if finding.part == part]
        states = reconciled([finding for _, finding in mine])
        for (source, finding), state in zip(mine, states, strict=True):
            about: dict[str, str | int | bool] = {
                "recorded": source.record.day,
                "size": source.record.request.size,
                "trials": len(source.record.outcomes),
                "a trial run again": again,
            }
            evidence.append(
                evidence_of(
                    finding,
                    state,
                    source.experiment.id,
                    about,
                    needs_power=_ledger()[claim].needs_power,
                    adjusted=adjusted.get(claim_key(claim, part)),
                )
            )
    return evidence


def _adjusted(folder: Path) -> dict[str, float]:
    """Return Holm's p-values over all claims of the records that may decide."""
    sources = [_source(name, folder) for name in recorded_ids(folder)]
    return adjusted_pvalues(s.record.pvalues for s in sources if s.problem is None)


def _ledger() -> dict[str, Claim]:
    return {claim.id: claim for claim in load_ledger()}


def _source(name: str, folder: Path) -> _Source:
    entry, record = experiment(name), read_record(name, folder)
    return _Source(entry, record, record.undecided(entry))


def _experiments_on(claim: str, folder: Path) -> list[str]:
    return [name for name in recorded_ids(folder) if claim in experiment(name).claims]


def _try_again(sources: list[_Source], draw: random.Random) -> tuple[str, list[_Source]]:
    """Run one trial again, any with the same chance; return what came of it, and the sources."""
    candidates = [
        (index, held)
        for index, source in enumerate(sources)
        if source.problem is None
        for held in _computed_together(source)
        if all(map(_possible, held))
    ]
    if not candidates:
        return "none is of use, or its data are not at hand", sources
    # Not the cheapest: whoever forges a record would leave that one alone. One of a program of
    # many has the chance of them all.
    (index, held) = draw.choices(candidates, [len(held) for _, held in candidates])[0]
    source = sources[index]
    run = run_train_trials_batched if source.experiment.batched else run_trials
    if same_numbers(held, run([outcome.trial for outcome in held], None, jobs=1)):
        seeds = ", ".join(dict.fromkeys(str(_seed(outcome)) for outcome in held))
        return f"the same numbers ({source.experiment.id}, seed {seeds})", sources
    if _arithmetic(source.record.environment) != _arithmetic(describe_environment("cpu")):
        return "other numbers, on other versions or another processor", sources
    problem = (
        f"a trial of the record of {source.record.day} no longer gives the same numbers; run "
        f"`epsrank reproduce {source.experiment.id} --size {source.record.request.size} --record`"
    )
    sources = [*sources]
    sources[index] = replace(source, problem=problem)
    return "other numbers", sources


def _seed(outcome: Outcome) -> object:
    settings = outcome.settings
    return settings.get("seed", settings.get("train", {}).get("seed", "?"))


def _computed_together(source: _Source) -> list[Sequence[Outcome]]:
    """Return the recorded outcomes, those of one batched program as one entry."""
    outcomes = source.record.outcomes
    if not source.experiment.batched:
        return [[outcome] for outcome in outcomes]
    held = {outcome.trial: outcome for outcome in outcomes}
    return [[held[trial] for trial in batch.members] for batch in plan_batches(list(held))]


def _possible(outcome: Outcome) -> bool:
    settings = outcome.settings
    needs = {str(value) for value in settings.values() if isinstance(value, str)}
    return (
        # A GPU adds in another order, whatever its versions.
        settings.get("device", "cpu") == "cpu"
        and "cifar10" not in needs
        and ("mnist" not in needs or find_mnist(None) is not None)
    )


def _arithmetic(environment: dict[str, object]) -> tuple[object, ...]:
    """Return what the last bits depend on."""
    packages = environment.get("packages")
    versions = {} if not isinstance(packages, dict) else packages
    return (
        environment.get("architecture"),
        tuple(versions.get(name) for name in ("numpy", "scipy", "torch", "scikit-learn")),
        tuple(environment.get("blas") or ()),  # type: ignore[arg-type]
    )


def experiment_checkers(folder: Path = RECORDED) -> list[Checker]:
    """Return one checker per claim that an experiment on record is about."""
    claims = [claim for name in recorded_ids(folder) for claim in experiment(name).claims]
    return [
        Checker(
            f"experiments on {claim}",
            (claim,),
            "empirical",
            partial(check_claim, claim=claim, folder=folder),
        )
        for claim in dict.fromkeys(claims)
    ]
