"""Which runs can be trained as one batched program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from epsrank.numerics.ensemble.optimizers import ELEMENTWISE
from epsrank.numerics.named import is_name
from epsrank.numerics.operators.problem import PROBLEMS
from epsrank.numerics.training.config import RunConfig
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural

#: Settings in which networks of one program may differ: what they begin with, their own rate and
#: order of the data, and how they are measured. All others decide the program.
FREE = (
    "seed",
    "learning_rate",
    "init",
    "init_scale",
    "slope",
    "eps",
    "measure_every",
    "probe",
    "n_test",
    "bias",
)


@dataclass(frozen=True)
class Grouping:
    """Runs that can be trained together, and those that cannot."""

    #: Places in the list, group by group, each in the order of the list.
    groups: tuple[tuple[int, ...], ...]
    #: Places of those that train one by one.
    single: tuple[int, ...]
    #: Per single run, why.
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        together = sum(len(group) for group in self.groups)
        return (
            f"{plural(together, 'run')} in {len(self.groups)} batched "
            f"programs, {len(self.single)} one by one"
        )


def group_configs(configs: Sequence[RunConfig], *, at_most: int | None = None) -> Grouping:
    """Split any list of runs into batched programs, and what is left over.

    Parameters
    ----------
    configs : sequence of RunConfig
        The runs.
    at_most : int, optional
        Most networks of one program; their activations are in memory together.

    Returns
    -------
    Grouping
        Groups of at least 2 in the order of their first run. A function of the list alone.

    Examples
    --------
    >>> runs = [RunConfig(seed=0), RunConfig(seed=1, learning_rate=0.01), RunConfig(width=8)]
    >>> group_configs(runs).groups
    ((0, 1),)
    """
    most = len(configs) + 1 if at_most is None else as_whole(at_most, "at_most")
    alike: dict[tuple[object, ...], list[list[int]]] = {}
    reasons: dict[int, str] = {}
    for place, config in enumerate(configs):
        reason = why_alone(config)
        if reason is not None:
            reasons[place] = reason
            continue
        parts = alike.setdefault(tuple(_fixed(config).items()), [[]])
        if len(parts[-1]) == most:
            parts.append([])
        parts[-1].append(place)
    groups = []
    for group in (part for parts in alike.values() for part in parts):
        if len(group) > 1:
            groups.append(tuple(group))
        else:
            reasons[group[0]] = "no other run of its shape"
    single = sorted(reasons)
    groups.sort()
    return Grouping(tuple(groups), tuple(single), tuple(reasons[place] for place in single))


def why_alone(config: RunConfig) -> str | None:
    """Return why a run cannot share a program with any other; None where it can."""
    if config.optimizer not in ELEMENTWISE:
        return f"{config.optimizer} searches along a line, network by network"
    if is_name(config.network):
        return "of a network of one's own the layers alone are known"
    if is_name(config.task) and config.batch_size is not None:
        return "a task of one's own may be a boundary-value problem, whose batches differ"
    problem = PROBLEMS.get(config.task)
    if problem is None:
        return None
    if config.batch_size is not None:
        return "batches of a boundary-value problem differ in their numbers of boundary points"
    return None


def check_alike(configs: Sequence[RunConfig]) -> None:
    """Check that runs can be trained as one program."""
    if not configs:
        raise InputError("configs", "is empty", "pass at least one run")
    for place, config in enumerate(configs):
        if not isinstance(config, RunConfig):
            raise InputError("configs", f"has a {type(config).__name__}", "pass RunConfigs")
        reason = why_alone(config)
        if reason is not None:
            name = "optimizer" if config.optimizer not in ELEMENTWISE else "task"
            name = "network" if is_name(config.network) else name
            raise InputError(name, f"of run {place} cannot be batched: {reason}", "use train")
    first = _fixed(configs[0])
    for place, config in enumerate(configs):
        for name, value in _fixed(config).items():
            if value != first[name]:
                raise InputError(
                    name,
                    f"is {first[name]!r} in run 0 and {value!r} in run {place}",
                    "train them apart (group_configs splits a list)",
                )


def _fixed(config: RunConfig) -> dict[str, object]:
    """Return the settings that decide the program."""
    return {name: _hashable(value) for name, value in config.to_json().items() if name not in FREE}


def _hashable(value: object) -> object:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value
