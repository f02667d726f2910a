"""Tasks that are posed on a box: functions on a grid, boundary-value problems on their nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from epsrank.numerics.operators.problem import BoundaryProblem
from epsrank.numerics.operators.stacked import as_kappa
from epsrank.numerics.tasks.functions import Target, gauss_legendre, grid
from epsrank.numerics.tasks.task import Task
from epsrank.theory.data.inputs import as_box
from epsrank.theory.errors import InputError

Box = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Request:
    """What is asked of a task beside its name."""

    #: Numbers of samples; None leaves them to the task.
    n_train: int | None
    n_test: int | None
    #: Of what is drawn.
    seed: int
    dtype: torch.dtype
    #: κ of a boundary-value problem.
    boundary_weight: float | None
    #: The box of a function.
    domain: Box | None

    def refuse(self, name: str, option: str, why: str) -> None:
        """Refuse an option that the task has no use for."""
        if getattr(self, option) is not None:
            raise InputError(option, f"is given, but {name!r} {why}", "drop it")


def as_domain(domain: Any, *, name: str = "domain") -> Box | None:
    """Check a box: (a, b) for one input, or one pair for each."""
    if domain is None:
        return None
    return tuple((float(low), float(high)) for low, high in as_box(domain, name=name))


def function_task(name: str, target: Target, asked: Request) -> Task:
    """Sample a function on its box."""
    n_points = target.n_train if asked.n_train is None else asked.n_train
    weights = None
    if target.quadrature:
        x, node_weights = gauss_legendre(target.domain, n_points)
        weights = torch.from_numpy(node_weights)
    else:
        x = grid(target.domain, n_points)
    low, high = np.array(target.domain).T
    # 1 and, in `load.subset`, 2: streams of one seed that have nothing to do with each other.
    random = np.random.default_rng([asked.seed, 1])
    x_test = random.uniform(low, high, (asked.n_test or len(x), len(low)))

    def columns(points: NDArray[Any]) -> Tensor:
        values = target.function(points)
        return torch.from_numpy(values.reshape(len(points), -1)).to(asked.dtype)

    return Task(
        name=name,
        kind="regression",
        x=torch.from_numpy(x).to(asked.dtype),
        y=columns(x),
        x_test=torch.from_numpy(x_test).to(asked.dtype),
        y_test=columns(x_test),
        description=target.formula,
        weights=weights,
        measure="volume" if target.quadrature else "mean",
        domain=target.domain,
    )


def operator_task(name: str, problem: BoundaryProblem, asked: Request) -> Task:
    """Put a boundary-value problem on its nodes; the test samples hold its solution, or NaN."""
    kappa = asked.boundary_weight
    if kappa is not None:
        kappa = as_kappa(kappa, name="boundary_weight")
    system = problem.system(asked.n_train, kappa=kappa, dtype=asked.dtype)
    low, high = np.array(problem.domain).T
    random = np.random.default_rng([asked.seed, 1])
    x_test = random.uniform(low, high, (asked.n_test or system.n_interior, len(low)))
    known = problem.solution or (lambda x: np.full(len(x), np.nan))
    return Task(
        name=name,
        kind="regression",
        x=system.x,
        y=torch.from_numpy(system.target).to(asked.dtype),
        x_test=torch.from_numpy(x_test).to(asked.dtype),
        y_test=torch.from_numpy(known(x_test)[:, None]).to(asked.dtype),
        description=f"{problem.formula}, boundary weight {system.stacked.kappa:g}",
        weights=torch.from_numpy(system.weights),
        measure=system.measure,
        domain=problem.domain,
        operator=system.stacked,
    )
