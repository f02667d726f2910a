"""One trial in one process: computed with one thread, and its outcome kept at once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from epsrank.numerics.named.places import folder as here
from epsrank.numerics.named.places import looking_from
from epsrank.numerics.processes.memory import keep_freed_memory
from epsrank.numerics.processes.threads import one_thread
from epsrank.numerics.sweeps.store import TrialStore
from epsrank.numerics.sweeps.trial import TRIAL_KINDS, Outcome, Trial
from epsrank.theory.errors import InputError
from epsrank.theory.strict_json import round_trip

_KILLED = "the process that computed it died"


@dataclass(frozen=True)
class Task:
    """A trial, and what another process needs to carry it out."""

    #: The trial.
    trial: Trial
    #: Where its function is, ``module:function``. Part of the task, as kinds registered in one
    #: process are not known in another.
    place: str
    #: Folder of the store.
    folder: Path | None
    #: Where modules and files of the user are looked for.
    here: Path | None = None

    @classmethod
    def of(cls, trial: Trial, store: TrialStore | None) -> Task:
        """Return the task of a trial; the folder is absolute, as workers may run elsewhere."""
        folder = None if store is None else store.folder.absolute()
        return cls(trial, TRIAL_KINDS[trial.kind], folder, here().absolute())


def perform(task: Task) -> Outcome:
    """Compute a trial and keep its outcome."""
    # A worker may be the first to use a kind that its parent has registered.
    TRIAL_KINDS.setdefault(task.trial.kind, task.place)
    keep_freed_memory()
    start = time.perf_counter()
    cause, result = None, {}
    try:
        module, name = task.place.split(":")
        function = getattr(import_module(module), name)
        with one_thread(), looking_from(task.here):
            returned = function(task.trial.settings)
        # As the store gives it back: a first run and a later one return the same.
        result = round_trip(returned)
        if not isinstance(result, dict):
            cause = f"returned {type(returned).__name__} instead of a mapping"
    # Its text is a sentence for the user, and needs no class.
    except InputError as error:
        cause = str(error)
    # A library that exits ends its trial, not the worker with all that wait.
    except (Exception, SystemExit) as error:
        cause = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    seconds = time.perf_counter() - start
    if cause is None:
        outcome = Outcome(task.trial, "done", result, None, seconds)
    else:
        outcome = Outcome(task.trial, "failed", {}, " ".join(cause.split()), seconds)
    if task.folder is not None:
        TrialStore(task.folder).put(outcome)
    return outcome


def kept(task: Task) -> Outcome | None:
    """Return what the store has of a trial that was carried out."""
    found = None if task.folder is None else TrialStore(task.folder).get(task.trial)
    return found if found is not None and found.status == "done" else None


def perform_once(task: Task) -> Outcome:
    """Compute a trial unless another process has: what a death cut off is repeated."""
    return kept(task) or perform(task)


def killed(trial: Trial, how: str) -> Outcome:
    """Return the outcome of a trial whose process died."""
    cause = f"{_KILLED} ({how})" if how else _KILLED
    cause += ", perhaps for want of memory" if "KILL" in how or "Memory" in how else ""
    return Outcome(trial, "failed", {}, cause)


def was_killed(outcome: Outcome) -> bool:
    """Tell whether a trial failed because its process died, say for want of memory."""
    return outcome.status == "failed" and (outcome.cause or "").startswith(_KILLED)
