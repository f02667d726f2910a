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


def sizes_of(data: Any, targets: Any = None, *, loss: str = "mse") -> dict[str, int]:
    """Return n_inputs and n_outputs, as far as samples tell them."""
    if isinstance(data, Task):
        return {"n_inputs": data.n_inputs, "n_outputs": data.n_outputs}
    if isinstance(data, BoundaryProblem):
        return {"n_inputs": len(data.domain), "n_outputs": 1}
    if targets is None and isinstance(data, (tuple, list)) and len(data) == 2:
        data, targets = data
    if targets is None and isinstance(data, Dataset) and hasattr(data, "__getitem__"):
        pair = data[0]
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            return {}
        data, targets = ([part] for part in pair)
    shape = getattr(data[0] if isinstance(data, list) else data, "shape", None)
    if shape is None:
        return {}
    shape = shape if isinstance(data, list) else shape[1:]
    found = {"n_inputs": int(shape[0]) if len(shape) == 1 else 1} if len(shape) < 2 else {}
    goal = getattr(targets[0] if isinstance(targets, list) else targets, "shape", None)
    if goal is None or isinstance(targets, list):
        return found
    if loss == "cross_entropy" and len(goal) == 1:
        return found | {"n_outputs": int(targets.max()) + 1}
    return found | {"n_outputs": 1 if len(goal) == 1 else int(goal[-1])}
