"""Carry out trials: what is in the store costs nothing, and what is finished is never lost."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from functools import partial

from epsrank.numerics.processes.pool import Finished, carry_out
from epsrank.numerics.processes.scratch import remove_abandoned
from epsrank.numerics.processes.signals import terminated_as_interrupted
from epsrank.numerics.sweeps.cluster import BACKENDS, run_on_cluster
from epsrank.numerics.sweeps.store import TrialStore
from epsrank.numerics.sweeps.trial import Outcome, Trial
from epsrank.numerics.sweeps.worker import Task, kept, killed, perform_once, was_killed
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError

Progress = Callable[[int, int, str], None]


def run_trials(
    trials: Sequence[Trial],
    store: TrialStore | None,
    *,
    jobs: int | None = None,
    backend: str = "local",
    progress: Progress | None = None,
    retry_failed: bool = False,
) -> list[Outcome]:
    """Compute trials f(s) that the store does not know, and return the outcomes of all.

    Every trial computes with one thread, in a process of its own kind, and its outcome is kept
    before anything else happens; so a kill of all processes loses only what was under way,
    and calling again goes on. What a trial raises is the cause of its failure and stops
    nothing else; nor does the death of its process.

    Parameters
    ----------
    trials : sequence of Trial
        What to compute. Equal ones are computed once.
    store : TrialStore or None
        Where outcomes are looked up and kept; None keeps nothing.
    jobs : int or None
        Processes, no more of them than trials and cores; None takes one per core, or what a
        cluster has. 1 computes in this process, so that the death of a trial's process is the end.
    backend : {"local", "ray", "dask"}
        Processes of this machine, or the engine of a cluster.
    progress : callable or None
        Called with (finished, total, text) at first and after each trial; text is what went
        wrong with it, or empty.
    retry_failed : bool
        Compute failed trials again. Those whose process died are computed again in any case.

    Returns
    -------
    list of Outcome
        One per trial, in their order.

    Raises
    ------
    InputError
        If an option cannot be used, or the store cannot be written.
    KeyboardInterrupt
        On Ctrl-C or SIGTERM, once the processes are stopped. What was finished is in the store.
    """
    _check(jobs, backend)
    # Also where nothing is left to compute: the call before may have been killed.
    remove_abandoned()
    # A trial is its hash: equal ones would be computed, and written, side by side.
    different = list(dict.fromkeys(trials))
    found = {} if store is None else _stored(different, store, retry_failed)
    missing = [trial for trial in different if trial not in found]
    report = progress or (lambda done, total, text: None)
    report(len(found), len(different), "")
    if not missing:
        return [found[trial] for trial in trials]
    tasks = [Task.of(trial, store) for trial in missing]
    with ExitStack() as opened:
        opened.enter_context(terminated_as_interrupted())
        # Only where something is missing: a complete store may be read-only.
        if store is not None:
            opened.enter_context(store.in_use())
        # Closed at once, whatever is raised: workers end before the error goes on.
        for outcome in opened.enter_context(closing(_outcomes(tasks, jobs, backend))):
            found[outcome.trial] = outcome
            failed = outcome.status == "failed"
            report(len(found), len(different), f"failed: {outcome.cause}" if failed else "")
    return [found[trial] for trial in trials]


def _check(jobs: int | None, backend: str) -> None:
    """Refuse what cannot be used before anything is read or written."""
    if backend not in BACKENDS:
        raise InputError("backend", f"is {backend!r}", f"choose one of {', '.join(BACKENDS)}")
    if jobs is not None:
        as_whole(jobs, "jobs", remedy="pass a number of processes ≥ 1")


def _stored(trials: Sequence[Trial], store: TrialStore, retry_failed: bool) -> dict[Trial, Outcome]:
    """Return the outcomes that need no new computation."""
    known = {trial: store.get(trial) for trial in trials}
    return {
        trial: outcome
        for trial, outcome in known.items()
        # What raised would raise again; a process may have died of its neighbours' memory.
        if outcome is not None
        and (outcome.status == "done" or not (retry_failed or was_killed(outcome)))
    }


def _outcomes(
    tasks: Sequence[Task], jobs: int | None, backend: str
) -> Generator[Outcome, None, None]:
    """Yield outcomes as they come."""
    if backend != "local":
        yield from run_on_cluster(tasks, jobs, backend)
        return
    calls = [partial(perform_once, task) for task in tasks]
    with closing(carry_out(calls, jobs)) as stream:
        for found in stream:
            yield _outcome(tasks[found.index], found)


def _outcome(task: Task, found: Finished) -> Outcome:
    """Return what became of a trial; what is raised outside of its function ends the sweep."""
    if found.error is not None:
        raise found.error
    if found.death is None:
        outcome: Outcome = found.value
        return outcome
    # It may have been kept before the process died.
    outcome = kept(task) or killed(task.trial, found.death)
    if task.folder is not None and outcome.status == "failed":
        TrialStore(task.folder).put(outcome)
    return outcome
