"""The data that a command line names: a task of the suite, or something in a user's module."""

from __future__ import annotations

from typing import Any

from torch.utils.data import Dataset

from epsrank.numerics.named import call_named, find
from epsrank.numerics.operators.problem import BoundaryProblem
from epsrank.numerics.operators.stacked import OperatorSystem
from epsrank.numerics.tasks.load import TASKS, load_task
from epsrank.numerics.tasks.task import Task
from epsrank.theory.errors import InputError

_KINDS = (BoundaryProblem, OperatorSystem, Task, Dataset, tuple, list)
_REMEDY = "name a pair (inputs, targets), a Dataset, a BoundaryProblem, or a function of one"


def named_data(spec: str, *, argument: str, seed: int) -> Any:
    """Return what ``module:attribute`` names, called where it is a function; or a task by name."""
    if spec in TASKS:
        return load_task(spec, seed=seed)
    found = find(spec, argument=argument, remedy=_REMEDY)
    if not isinstance(found, _KINDS) and callable(found):
        found = call_named(
            spec, found, {"seed": seed}, argument=argument, seed=seed, remedy=_REMEDY
        )
    pair = not isinstance(found, (tuple, list)) or len(found) == 2
    if (not isinstance(found, _KINDS) and not hasattr(found, "__iter__")) or not pair:
        raise InputError(argument, f"{spec} is a {type(found).__name__}", _REMEDY)
    return found
