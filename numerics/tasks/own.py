"""Tasks of a user's, ``module:name``: a function of x, a problem, a task, data, or a factory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from epsrank.numerics.named import call_named, find, takes, user_code
from epsrank.numerics.operators.problem import BoundaryProblem
from epsrank.numerics.tasks.data import is_data, offered, task_of_data
from epsrank.numerics.tasks.functions import Target
from epsrank.numerics.tasks.posed import Request, as_domain, function_task, operator_task
from epsrank.numerics.tasks.task import Task
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array
from epsrank.theory.words import plural

# Training points unless asked otherwise, by the number of inputs; and for more inputs.
_POINTS, _MANY_POINTS = {1: 500, 2: 1024}, 2048
_WHAT = "a function of x, a BoundaryProblem, a Task, a Dataset, arrays x and y"


def own_task(spec: str, asked: Request) -> Task:
    """Return the task that a name means.

    A callable that must be given arguments is a function: of one array x of shape (N, d), or of d
    arrays of shape (N,), NumPy's or torch's, with values of shape (N,) or (N, k). Its box is its
    attribute ``domain``, or the one asked for. A callable without is a factory; it is given those
    of seed, n_train and n_test that it names.
    """
    found = find(spec, argument="task", remedy=f"name {_WHAT}, or a factory")
    if _is_factory(found):
        found = call_named(spec, found, offered(asked), argument="task", seed=asked.seed)
    if isinstance(found, Task):
        return _checked_task(spec, found, asked)
    if isinstance(found, BoundaryProblem):
        asked.refuse(spec, "domain", "brings its own")
        return operator_task(spec, _checked_problem(spec, found), asked)
    asked.refuse(spec, "boundary_weight", "has no boundary")
    if isinstance(found, Target):
        box = asked.domain or as_domain(found.domain, name="task")
        values = _values(spec, found.function, len(box or ()))
        return function_task(spec, replace(found, function=values, domain=box or ()), asked)
    if is_data(found):
        return task_of_data(spec, found, "task", asked)
    if callable(found):
        return function_task(spec, _target(spec, found, asked), asked)
    raise InputError("task", f"{spec} is a {type(found).__name__}", f"name {_WHAT}, or a factory")


def _is_factory(found: Any) -> bool:
    """Tell whether a callable can be called without arguments."""
    ready = (Task, BoundaryProblem, Target, torch.utils.data.Dataset)
    if isinstance(found, ready) or not callable(found):
        return False
    named, needed = takes(found)
    return needed <= len(named & {"seed", "n_train", "n_test"}) and not hasattr(found, "domain")


def _target(spec: str, function: Callable[..., Any], asked: Request) -> Target:
    """Return a function with its box."""
    given = getattr(function, "domain", None) if asked.domain is None else asked.domain
    if given is None:
        name = spec.rpartition(":")[2]
        remedy = f"pass --domain A B (domain=), or write {name}.domain = (-1, 1) below it"
        raise InputError("domain", f"of {spec} is not known", remedy)
    try:
        box = as_domain(given)
    except InputError as error:
        raise InputError("domain", f"of {spec} {error.problem}", error.remedy) from None
    assert box is not None
    d = len(box)
    points = getattr(function, "n_train", _POINTS.get(d, _MANY_POINTS))
    sides = " × ".join(f"[{low:g}, {high:g}]" for low, high in box)
    quadrature = bool(getattr(function, "quadrature", False))
    if quadrature and d > 1:
        raise InputError("task", f"{spec} has quadrature in {plural(d, 'input')}", "use it in one")
    return Target(
        f"{spec} on {sides}",
        _values(spec, function, d),
        box,
        quadrature,
        as_whole(points, f"{spec}.n_train"),
    )


def _values(spec: str, function: Callable[..., Any], d: int) -> Callable[[Array], Array]:
    """Return the function on NumPy's arrays, checked: values (N,) or (N, k) without NaN."""
    needed = takes(function)[1]
    if needed not in (1, d):
        raise InputError(
            "task",
            f"{spec} takes {plural(needed, 'argument')}, and its domain has {plural(d, 'input')}",
            "let it take x of shape (N, d), or one array per input",
        )
    apart = d > 1 and needed == d

    def values(x: Array) -> Array:
        columns = [x[:, axis] for axis in range(d)] if apart else [x]
        return _finite(spec, _call(spec, function, columns), x)

    return values


def _call(spec: str, function: Callable[..., Any], x: list[Array]) -> NDArray[Any]:
    """Call a function on arrays, or on tensors where it is one of torch."""
    remedy = "write it for arrays, np.cos or torch.cos rather than math.cos"
    what = f"{spec} failed on x of shape {x[0].shape}"
    # NumPy warns of what is refused below.
    with user_code("task", what, remedy), np.errstate(all="ignore"):
        try:
            found = function(*(part.copy() for part in x))
        except (TypeError, AttributeError):
            try:
                found = function(*(torch.from_numpy(part.copy()) for part in x))
            except Exception:
                found = None
            if found is None:  # what it says of arrays
                found = function(*(part.copy() for part in x))
    if isinstance(found, Tensor):
        found = found.detach().cpu().numpy()
    values: NDArray[Any] = np.asarray(found)
    return values


def _finite(spec: str, found: NDArray[Any], x: Array) -> Array:
    """Check the values of a function."""
    if found.ndim not in (1, 2) or len(found) != len(x) or found.dtype.kind not in "biuf":
        problem = (
            f"{spec} returns {found.dtype} of shape {found.shape} for {plural(len(x), 'point')}"
        )
        raise InputError("task", problem, "return numbers of shape (N,) or (N, k)")
    values = found.astype(np.float64)
    bad = ~np.isfinite(values).reshape(len(x), -1).all(axis=1)
    if bad.any():
        point = ", ".join(f"{value:.6g}" for value in x[int(bad.argmax())])
        problem = f"{spec} has {int(bad.sum())} NaN or infinite values, the first at x = ({point})"
        raise InputError("task", problem, "change the function or its domain")
    return values


def _checked_problem(spec: str, problem: BoundaryProblem) -> BoundaryProblem:
    """Return a problem whose functions are checked: one value at each point."""
    box = as_domain(problem.domain, name="task")
    assert box is not None

    def one(name: str, function: Callable[[Array], Array]) -> Callable[[Array], Array]:
        values = _values(f"{spec}.{name}", function, len(box))

        def column(x: Array) -> Array:
            found = values(x)
            if found.size != len(x):
                problem = f"{spec}.{name} returns shape {found.shape} for {plural(len(x), 'point')}"
                raise InputError("task", problem, "return one value for each point, (N,)")
            return found.reshape(len(x))

        return column

    solution = problem.solution
    return replace(
        problem,
        domain=box,
        source=one("source", problem.source),
        boundary=one("boundary", problem.boundary),
        solution=None if solution is None else one("solution", solution),
    )


def _checked_task(spec: str, task: Task, asked: Request) -> Task:
    """Return a task of the user's in the dtype of the run, if its parts fit."""
    for option in ("domain", "boundary_weight", "n_train"):
        asked.refuse(spec, option, "is a Task, which has its own")
    parts = {name: getattr(task, name) for name in ("x", "y", "x_test", "y_test")}
    for name, part in parts.items():
        shape = tuple(part.shape) if isinstance(part, Tensor) else None
        if shape is None or len(shape) != 2 or not part.is_floating_point() or 0 in shape:
            problem = f"{spec}.{name} is {'no tensor' if shape is None else f'of shape {shape}'}"
            raise InputError("task", problem, "make it a tensor of floats with two axes")
        # The test values of a problem without a known solution are NaN.
        if not bool(torch.isfinite(part).all()) and name != "y_test":
            raise InputError("task", f"{spec}.{name} has NaN or infinite entries", "drop those")
    x, y, x_test, y_test = parts.values()
    alike = x.shape[1] == x_test.shape[1] and y.shape[1] == y_test.shape[1]
    weights = task.weights
    if not alike or len(x) != len(y) or len(x_test) != len(y_test):
        shapes = ", ".join(f"{name} {tuple(part.shape)}" for name, part in parts.items())
        raise InputError("task", f"{spec} has parts that do not fit: {shapes}", "make them fit")
    if weights is not None and (weights.shape != (len(x),) or bool((weights < 0).any())):
        raise InputError("task", f"{spec}.weights are not {len(x)} numbers ≥ 0", "give one each")
    if task.image_shape is not None and math.prod(task.image_shape) != x.shape[1]:
        raise InputError("task", f"{spec}.image_shape is {task.image_shape}", "make it fit x")
    cast = {name: part.detach().cpu().to(asked.dtype) for name, part in parts.items()}
    return replace(task, name=spec, **cast)
