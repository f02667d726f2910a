"""Trials of kind ``train`` carried out many at once, and named so that they are found again.

The numbers of a run do not depend on its companions beyond rounding, and in most shapes not at all;
but no library of products owes that to anybody. What is stored is therefore named by the whole
program that computed it: a trial of kind ``train-many`` lists its runs, its hash is that of the
list, and the same list gives the same bits again. Nothing of it is ever taken for the outcome of a
run that was trained alone, nor the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from epsrank.numerics.ensemble.grouping import group_configs
from epsrank.numerics.ensemble.loop import train_many
from epsrank.numerics.sweeps.execute import Progress, run_trials
from epsrank.numerics.sweeps.settings import config_of
from epsrank.numerics.sweeps.store import TrialStore
from epsrank.numerics.sweeps.training import history_of
from epsrank.numerics.sweeps.trial import Outcome, Trial
from epsrank.numerics.training.config import RunConfig
from epsrank.theory.errors import InputError

KIND = "train-many"

# Larger programs are hardly faster on a CPU, and leave the other cores without work. The number is
# not that of the cores: a plan must be the same on every machine.
_AT_MOST = 12


@dataclass(frozen=True)
class Batch:
    """What is computed for some of the trials of a list."""

    #: One of kind ``train-many``, or a trial of the list itself.
    trial: Trial
    #: The trials of the list that it computes, in the order of its runs.
    members: tuple[Trial, ...]


def plan_batches(trials: Sequence[Trial], *, at_most: int = _AT_MOST) -> list[Batch]:
    """Pack trials of kind ``train`` into batched ones; all others stay as they are.

    `at_most` bounds the runs of one batch: it decides what is computed together, and so the names.
    """
    different = list(dict.fromkeys(trials))
    candidates: list[tuple[Trial, RunConfig]] = []
    alone: list[Trial] = []
    for trial in different:
        config = _config(trial)
        if config is None:
            alone.append(trial)
        else:
            candidates.append((trial, config))
    grouping = group_configs([config for _, config in candidates], at_most=at_most)
    batches = []
    for group in grouping.groups:
        members = tuple(candidates[place][0] for place in group)
        runs = [dict(member.settings) for member in members]
        version = max(member.version for member in members)
        batches.append(Batch(Trial(KIND, {"runs": runs}, version), members))
    alone += [candidates[place][0] for place in grouping.single]
    return batches + [Batch(trial, (trial,)) for trial in alone]


def _config(trial: Trial) -> RunConfig | None:
    """Return the settings of a run, None where the trial is none or cannot be read."""
    if trial.kind != "train":
        return None
    try:
        return config_of(trial.settings)
    except (InputError, TypeError):  # computed alone, it fails with its own cause
        return None


def train_many_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train networks of one shape together, and return the history of each.

    `settings` has ``runs``, a list of the settings of ``train``, alike except for those of
    `epsrank.numerics.ensemble.grouping.FREE`.
    """
    runs = settings.get("runs")
    if set(settings) != {"runs"} or not isinstance(runs, list):
        raise InputError("settings", "are not a list of runs", 'pass {"runs": […]}')
    return {"runs": [history_of(run) for run in train_many([config_of(each) for each in runs])]}


def run_train_trials_batched(
    trials: Sequence[Trial],
    store: TrialStore | None = None,
    *,
    jobs: int | None = None,
    backend: str = "local",
    progress: Progress | None = None,
    retry_failed: bool = False,
    at_most: int = _AT_MOST,
) -> list[Outcome]:
    """Carry out trials as `run_trials` does, those of kind ``train`` many at once."""
    batches = plan_batches(trials, at_most=at_most)
    options: dict[str, Any] = {
        "jobs": jobs,
        "backend": backend,
        "progress": progress,
        "retry_failed": retry_failed,
    }
    found: dict[Trial, Outcome] = {}
    again: list[Trial] = []
    outcomes = run_trials([batch.trial for batch in batches], store, **options)
    for batch, outcome in zip(batches, outcomes, strict=True):
        if batch.trial == batch.members[0]:
            found[batch.trial] = outcome
        elif outcome.status == "failed":
            # One run that fails takes its program with it: computed alone, it fails alone.
            again += batch.members
        else:
            found |= zip(batch.members, _shares(batch, outcome), strict=True)
    if again:
        found |= zip(again, run_trials(again, store, **options), strict=True)
    return [found[trial] for trial in trials]


def stored_runs(
    trials: Sequence[Trial], store: TrialStore, *, at_most: int = _AT_MOST
) -> list[Outcome | None]:
    """Return what a store has of trials that `run_train_trials_batched` carries out.

    There is one entry per trial, in their order; None where it is missing.
    """
    found: dict[Trial, Outcome | None] = {}
    for batch in plan_batches(trials, at_most=at_most):
        outcome = store.get(batch.trial)
        if outcome is None or batch.trial == batch.members[0]:
            found |= dict.fromkeys(batch.members, outcome)
        elif outcome.status == "failed":
            found |= {member: store.get(member) for member in batch.members}
        else:
            found |= zip(batch.members, _shares(batch, outcome), strict=True)
    return [found[trial] for trial in trials]


def _shares(batch: Batch, outcome: Outcome) -> list[Outcome]:
    """Return the outcome of each run of a batch."""
    seconds = outcome.seconds / len(batch.members)
    return [
        Outcome(member, "done", result, None, seconds)
        for member, result in zip(batch.members, outcome.result["runs"], strict=True)
    ]
