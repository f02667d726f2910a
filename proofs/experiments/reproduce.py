"""`reproduce`: run the trials of an experiment, judge them, and write the report."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from epsrank.numerics.ensemble.trials import plan_batches, run_train_trials_batched
from epsrank.numerics.experiments.analysis import Analysis
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.processes import pool
from epsrank.numerics.sweeps.execute import run_trials
from epsrank.numerics.sweeps.store import TrialStore
from epsrank.numerics.sweeps.trial import Outcome, Trial
from epsrank.proofs.experiments.answers import listed
from epsrank.proofs.experiments.report import write_experiment
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural

#: ``progress(done, total, what)`` after every trial.
ProgressCallback = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Reproduction:
    """An experiment that was run."""

    #: Which.
    experiment: Experiment
    #: What was asked.
    request: Request
    #: In the order of the plan.
    outcomes: tuple[Outcome, ...]
    #: What follows from them.
    analysis: Analysis
    #: Folder of its report.
    out: Path | None = None

    @property
    def seconds(self) -> float:
        """Time that the trials took in all, on one core each, whenever they were run."""
        return sum(outcome.seconds for outcome in self.outcomes)

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Trials that could not be carried out."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == "failed")

    def __str__(self) -> str:
        lines = [f"{self.experiment.id}: {self.experiment.title}"]
        lines += [
            f"  {listed(finding)}: {finding.judgement}. {finding.statement}"
            for finding in self.analysis.findings
        ]
        lines += [f"  note: {note}" for note in self.analysis.notes]
        if self.failed:
            lines.append(f"  {len(self.failed)} of {plural(len(self.outcomes), 'trial')} failed")
        return "\n".join(lines)


def carry_out(
    experiments: Sequence[Experiment],
    request: Request,
    out: Path,
    *,
    jobs: int | None = None,
    backend: str = "local",
    progress: ProgressCallback | None = None,
) -> None:
    """Run what is not yet in the store of several experiments, as one list.

    `reproduce` finds it there. One after another, processes would start anew for each experiment,
    and wait at its end for the last of its trials.
    """
    programs: list[Trial] = []
    others: list[Trial] = []
    for experiment in experiments:
        trials = list(experiment.plan(request))
        for batch in plan_batches(trials) if experiment.batched else ():
            (programs if len(batch.members) > 1 else others).append(batch.trial)
        if not experiment.batched:
            others += trials
    # What takes longest first: at the end, no process waits for long.
    store = TrialStore(out / "store")
    run_trials([*programs, *others], store, jobs=jobs, backend=backend, progress=progress)


def reproduce_all(
    experiments: Sequence[Experiment],
    request: Request,
    *,
    out: Path,
    jobs: int | None = None,
    backend: str = "local",
    progress: ProgressCallback | None = None,
) -> Generator[Reproduction, None, None]:
    """Reproduce several experiments: all trials first, as one list, then report by report.

    Reports are written side by side: drawing the figures of all takes a minute of one core.
    """
    carry_out(experiments, request, out, jobs=jobs, backend=backend, progress=progress)
    # What is passed on are the outcomes: a kind of trial that the caller has registered is not
    # known to another process.
    outcomes = [_outcomes(each, request, out, jobs, backend, None) for each in experiments]
    calls = [
        partial(_write, each, request, found, out)
        for each, found in zip(experiments, outcomes, strict=True)
    ]
    with closing(pool.carry_out(calls, jobs)) as stream:
        for found in pool.in_order(stream):
            if found.error is not None:
                raise found.error
            each = experiments[found.index]
            if found.death is not None:
                raise RuntimeError(f"the process that judged {each.id} died ({found.death})")
            # Judged here again: pictures yet to be drawn are functions that no process can send.
            yield _judged(each, request, outcomes[found.index], out, found.value)


def reproduce(
    experiment: Experiment,
    request: Request,
    *,
    out: Path | None = None,
    jobs: int | None = None,
    backend: str = "local",
    progress: ProgressCallback | None = None,
) -> Reproduction:
    """Run the trials that are not yet in the store, and judge all of them.

    In `out`, ``store`` keeps every finished trial, and ``A2/`` and the like the report of an
    experiment. Without it nothing is kept.
    """
    return _judged(
        experiment, request, _outcomes(experiment, request, out, jobs, backend, progress), out
    )


def _outcomes(
    experiment: Experiment,
    request: Request,
    out: Path | None,
    jobs: int | None,
    backend: str,
    progress: ProgressCallback | None,
) -> list[Outcome]:
    """Run the trials that are not yet in the store, and return all."""
    trials = list(experiment.plan(request))
    if not trials:
        raise InputError(
            "experiment",
            f"{experiment.id} has no trials for this request",
            "name the data that it needs (EPSRANK_DATA)",
        )
    store = None if out is None else TrialStore(out / "store")
    run = run_train_trials_batched if experiment.batched else run_trials
    return run(trials, store, jobs=jobs, backend=backend, progress=progress)


def _write(
    experiment: Experiment, request: Request, outcomes: Sequence[Outcome], out: Path
) -> list[str]:
    """Judge outcomes and write the report, in a process of its own; return what is missing."""
    analysis = experiment.analyse(outcomes)
    return write_experiment(out / experiment.id, experiment, request, outcomes, analysis)


def _judged(
    experiment: Experiment,
    request: Request,
    outcomes: Sequence[Outcome],
    out: Path | None,
    missing: Sequence[str] | None = None,
) -> Reproduction:
    """Judge outcomes, and write the report, unless another process has, which missed something."""
    analysis = experiment.analyse(outcomes)
    folder = None if out is None else out / experiment.id
    if folder is not None and missing is None:
        missing = write_experiment(folder, experiment, request, outcomes, analysis)
    analysis = replace(analysis, notes=(*analysis.notes, *(missing or ())))
    return Reproduction(experiment, request, tuple(outcomes), analysis, folder)
