"""`load_task`: a task by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from epsrank.numerics.operators.problem import PROBLEMS, BoundaryProblem
from epsrank.numerics.operators.stacked import as_kappa
from epsrank.numerics.tasks.cifar import cifar10
from epsrank.numerics.tasks.functions import TARGETS, Target, gauss_legendre, grid
from epsrank.numerics.tasks.images import LabelledImages, digits, mnist
from epsrank.numerics.tasks.task import Task
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError

TASKS: dict[str, str] = {
    **{name: target.formula for name, target in TARGETS.items()},
    **{name: problem.formula for name, problem in PROBLEMS.items()},
    "digits": "scikit-learn's 1797 handwritten digits of 8×8 pixels",
    "mnist": "MNIST, handwritten digits of 28×28 pixels (10 000 of 60 000 by default)",
    "cifar10": "CIFAR-10, colour images of 32×32 pixels (10 000 of 50 000 by default), of the user",
}

# MNIST in float64 takes 376 MB, CIFAR-10 1.2 GB: all of it is there for the asking, not by default.
_USUAL_TRAIN = 10_000


def load_task(
    name: str,
    *,
    n_train: int | None = None,
    n_test: int | None = None,
    data: str | Path | None = None,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    boundary_weight: float | None = None,
) -> Task:
    """Return the samples x_i, targets u*(x_i) and measure of a task.

    Function targets are sampled on an equispaced grid (``cosines-l2``: at Gauss–Legendre nodes with
    their weights), and tested at as many points drawn uniformly from the box. Images are scaled to
    [0, 1] and flattened; labels become one-hot rows. Boundary-value problems are posed at
    Gauss–Legendre nodes of the box and its sides; their test samples hold the solution.

    `n_train` and `n_test` are numbers of samples. On a box the grid has the next larger d-th power;
    of images a subset is drawn by seed.

    `data` is, for ``mnist``, an .npz file with uint8 arrays x_train, y_train, x_test, y_test, or a
    folder that holds ``mnist.npz``. By default EPSRANK_DATA names it; without that OpenML is asked,
    and where there is no network the task is `digits`, and says so in its name and notice. For
    ``cifar10`` it is the folder of the binary version or an .npz (see
    `epsrank.numerics.tasks.cifar`); by default EPSRANK_CIFAR10 names it. It is never fetched.
    """
    if not isinstance(name, str) or name not in TASKS:
        raise InputError("task", f"is {name!r}", f"choose one of {', '.join(TASKS)}")
    if dtype not in (torch.float32, torch.float64):
        raise InputError("dtype", f"is {dtype}", "choose torch.float64 or torch.float32")
    n_train = None if n_train is None else as_whole(n_train, "n_train")
    n_test = None if n_test is None else as_whole(n_test, "n_test")
    if as_whole(seed, "seed", least=0) >= 2**63:
        raise InputError("seed", f"is {seed}", "pass a number below 2^63")
    if data is not None and name not in ("mnist", "cifar10"):
        raise InputError("data", f"is given, but {name!r} brings its own", "drop it")
    if boundary_weight is not None and name not in PROBLEMS:
        raise InputError("boundary_weight", f"is given, but {name!r} has no boundary", "drop it")
    if name in PROBLEMS:
        return _operator_task(name, PROBLEMS[name], n_train, n_test, seed, dtype, boundary_weight)
    if name in TARGETS:
        return _function_task(name, TARGETS[name], n_train, n_test, seed, dtype)
    if name == "digits":
        return _image_task(name, digits(seed), n_train, n_test, seed, dtype)
    if name == "cifar10":
        images = cifar10(data)
        wanted = min(_USUAL_TRAIN, len(images.y_train)) if n_train is None else n_train
        return _image_task(name, images, wanted, n_test, seed, dtype)
    try:
        images = mnist(data)
    except OSError as error:
        notice = f"mnist is not at hand: {error}; digits is used in its place"
        images, name = digits(seed), "digits (in place of mnist)"
        # Sizes meant for MNIST are kept where the stand-in has as many.
        n_train = None if n_train is None else min(n_train, len(images.y_train))
        n_test = None if n_test is None else min(n_test, len(images.y_test))
        return _image_task(name, images, n_train, n_test, seed, dtype, notice=notice)
    wanted = min(_USUAL_TRAIN, len(images.y_train)) if n_train is None else n_train
    return _image_task(name, images, wanted, n_test, seed, dtype)


def _function_task(
    name: str,
    target: Target,
    n_train: int | None,
    n_test: int | None,
    seed: int,
    dtype: torch.dtype,
) -> Task:
    """Sample a function on its box."""
    n_points = target.n_train if n_train is None else n_train
    weights = None
    if target.quadrature:
        x, node_weights = gauss_legendre(target.domain, n_points)
        weights = torch.from_numpy(node_weights)
    else:
        x = grid(target.domain, n_points)
    low, high = np.array(target.domain).T
    # 1 and, in `_subset`, 2: streams of one seed that have nothing to do with each other.
    random = np.random.default_rng([seed, 1])
    x_test = random.uniform(low, high, (len(x) if n_test is None else n_test, len(low)))

    def column(points: NDArray[Any]) -> Tensor:
        return torch.from_numpy(target.function(points)[:, None]).to(dtype)

    return Task(
        name=name,
        kind="regression",
        x=torch.from_numpy(x).to(dtype),
        y=column(x),
        x_test=torch.from_numpy(x_test).to(dtype),
        y_test=column(x_test),
        description=target.formula,
        weights=weights,
        measure="volume" if target.quadrature else "mean",
        domain=target.domain,
    )


def _operator_task(
    name: str,
    problem: BoundaryProblem,
    n_train: int | None,
    n_test: int | None,
    seed: int,
    dtype: torch.dtype,
    boundary_weight: float | None,
) -> Task:
    """Put a boundary-value problem on its nodes; the test samples hold its solution."""
    if boundary_weight is not None:
        boundary_weight = as_kappa(boundary_weight, name="boundary_weight")
    system = problem.system(n_train, kappa=boundary_weight, dtype=dtype)
    low, high = np.array(problem.domain).T
    random = np.random.default_rng([seed, 1])
    count = system.n_interior if n_test is None else n_test
    x_test = random.uniform(low, high, (count, len(low)))
    assert problem.solution is not None
    return Task(
        name=name,
        kind="regression",
        x=system.x,
        y=torch.from_numpy(system.target).to(dtype),
        x_test=torch.from_numpy(x_test).to(dtype),
        y_test=torch.from_numpy(problem.solution(x_test)[:, None]).to(dtype),
        description=f"{problem.formula}, boundary weight {system.stacked.kappa:g}",
        weights=torch.from_numpy(system.weights),
        measure=system.measure,
        domain=problem.domain,
        operator=system.stacked,
    )


def _subset(
    images: NDArray[Any], labels: NDArray[Any], n: int | None, argument: str, seed: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Draw n of the images without replacement."""
    if n is None or n == len(labels):
        return images, labels
    if n > len(labels):
        raise InputError(argument, f"is {n}", f"there are {len(labels)} images; ask for fewer")
    chosen = np.random.default_rng([seed, 2]).permutation(len(labels))[:n]
    return images[chosen], labels[chosen]


def _image_task(
    name: str,
    images: LabelledImages,
    n_train: int | None,
    n_test: int | None,
    seed: int,
    dtype: torch.dtype,
    *,
    notice: str | None = None,
) -> Task:
    """Scale images to [0, 1], flatten them and write labels as one-hot rows."""
    x_train, y_train = _subset(images.x_train, images.y_train, n_train, "n_train", seed)
    x_test, y_test = _subset(images.x_test, images.y_test, n_test, "n_test", seed)

    def rows(x: NDArray[Any]) -> Tensor:
        return torch.from_numpy(x.reshape(len(x), -1)).to(dtype).div_(images.white)

    def one_hot(labels: NDArray[Any]) -> Tensor:
        return torch.nn.functional.one_hot(torch.from_numpy(labels), 10).to(dtype)

    height, width = images.x_train.shape[-2:]
    channels = images.x_train.shape[1] if images.x_train.ndim == 4 else 1
    whole = len(images.y_train)
    count = f"{len(y_train)} of {whole}" if len(y_train) < whole else f"all {whole}"
    stead = ", not MNIST" if notice is not None else ""
    return Task(
        name=name,
        kind="classification",
        x=rows(x_train),
        y=one_hot(y_train),
        x_test=rows(x_test),
        y_test=one_hot(y_test),
        description=(
            f"{images.what}{stead}: {count} training images of {height}×{width} pixels "
            f"({images.source}), one-hot targets"
        ),
        image_shape=(int(channels), int(height), int(width)),
        notice=notice,
    )
