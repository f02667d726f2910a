"""Requests that nobody means: what they would cost is said before anything is begun."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from epsrank.theory.errors import InputError
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.numerics.sweeps import Trial, TrialStore
    from epsrank.numerics.training import RunConfig

# What takes longer wants a word of consent: it may be meant, or have a zero too many.
_LONG_SECONDS = 7200.0
_UNITS = ((60.0, "seconds"), (60.0, "minutes"), (24.0, "hours"), (365.25, "days"))
_BYTES = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")

#: The option that an agreement is given with.
YES = "--yes"


F = TypeVar("F", bound=Callable[..., Any])


def consent_option(command: F) -> F:
    """Add ``--yes``."""
    return click.option(YES, is_flag=True, help="Begin also what takes hours.")(command)


def lasting(seconds: float) -> str:
    """Say a time in words, “about 3 hours”."""
    number, unit = seconds, "years"
    for length, name in _UNITS:
        if number < length:
            unit = name
            break
        number /= length
    return f"about {number:.2g} {unit}" if number < 1e6 else "longer than the universe is old"


def holding(count: float) -> str:
    """Say a number of bytes in words, “40 GB”."""
    for unit in _BYTES:
        if count < 1000 or unit == _BYTES[-1]:
            break
        count /= 1000
    return f"{count:.3g} {unit}"


def machine_memory() -> float | None:
    """Return the bytes of memory of this machine, None where it does not say."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):  # Windows, say
        return None


def weigh(
    option: str,
    value: object,
    *,
    seconds: float = 0.0,
    memory: float = 0.0,
    disk: float = 0.0,
    yes: bool,
    folder: Path | None = None,
) -> None:
    """Refuse what the machine cannot hold; ask for a word of consent to what takes hours."""
    size = f"{value:.3g}" if isinstance(value, int) and value >= 10**9 else value
    held = machine_memory()
    for needed, there, what in (
        (memory, held, "of memory"),
        (disk, None if folder is None else _free(folder), "on disk"),
    ):
        if there is not None and needed > there:
            raise InputError(
                option,
                f"is {size}, which needs {holding(needed)} {what} or more, and there are "
                f"{holding(there)}",
                "choose a smaller one",
            )
    if seconds > _LONG_SECONDS and not yes:
        held_too = f", {holding(memory)}" if memory > 1e9 else ""
        raise InputError(
            option,
            f"is {size}, which takes {lasting(seconds)}{held_too}",
            f"choose less, or pass {YES} to go on",
        )


@dataclass(frozen=True)
class Asked:
    """The value of an option that a cost grows with, and what is usual there."""

    option: str
    value: int
    usual: float
    #: The cost grows with this power of it.
    power: float = 1.0


def furthest(*options: Asked) -> Asked:
    """Return the option that is furthest beyond the usual: it is the one that is at fault."""
    return max(options, key=lambda each: (max(each.value, 0) / each.usual) ** each.power)


def weigh_training(config: RunConfig, folder: Path | None, *, yes: bool) -> None:
    """Weigh a training, and name the option that is furthest beyond what is usual."""
    from epsrank.numerics.training.cost import training_cost

    usual = {"steps": 15_000, "width": 50, "depth": 2, "n_train": 1000, "batch_size": 1000}
    # A network twice as wide has four times as many weights.
    powers = {"width": 2.0}
    asked = furthest(
        *(
            Asked(f"--{name.replace('_', '-')}", getattr(config, name) or 0, least,
                  powers.get(name, 1.0))
            for name, least in usual.items()
        )
    )  # fmt: skip
    cost = vars(training_cost(config))
    weigh(asked.option, asked.value, **cost, yes=yes, folder=folder)


def weigh_trials(
    option: str,
    value: str,
    trials: Sequence[Trial],
    store: TrialStore,
    *,
    jobs: int | None,
    yes: bool,
    elsewhere: bool = False,
    on_record: Callable[[], Mapping[str, float]] = dict,
) -> None:
    """Weigh the trials of a sweep or an experiment before the first of them.

    Whoever has begun has agreed: of trials of which some are in the store, nothing is asked.
    Of kinds whose sizes are those of an experiment there is no estimate, but what a trial took that
    is on record (`on_record`, seconds by kind; read where it is needed). Of a cluster (`elsewhere`)
    neither memory nor number of cores is known here: the time is that of one core, or of as many as
    `jobs` says.
    """
    from epsrank.numerics.processes.cores import workers_for
    from epsrank.numerics.sweeps.cost import trial_cost

    if yes or not trials or any(store.get(trial) is not None for trial in trials):
        return
    costs = [trial_cost(trial) for trial in trials]
    known = {} if all(cost.seconds for cost in costs) else on_record()
    workers = min(jobs or 1, len(trials)) if elsewhere else workers_for(jobs, len(trials))
    held = workers * max((each.memory for each in costs), default=0.0)
    cores = f" on {plural(workers, 'core')} of the cluster" if elsewhere else ""
    weigh(
        option,
        f"{value} of {plural(len(trials), 'trial')}{cores}",
        seconds=sum(
            cost.seconds or known.get(trial.kind, 0.0)
            for trial, cost in zip(trials, costs, strict=True)
        )
        / workers,
        memory=0.0 if elsewhere else held,
        yes=yes,
    )


def _free(folder: Path) -> float | None:
    """Return the bytes that are free where a folder is or will be."""
    for place in (folder.absolute(), *folder.absolute().parents):
        try:
            return float(shutil.disk_usage(place).free)
        except OSError:
            continue
    return None
