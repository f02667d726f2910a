"""`load_task`: a task by its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from epsrank.numerics.named import is_name
from epsrank.numerics.operators.problem import PROBLEMS
from epsrank.numerics.tasks.cifar import cifar10
from epsrank.numerics.tasks.data import data_task
from epsrank.numerics.tasks.functions import TARGETS
from epsrank.numerics.tasks.images import LabelledImages, digits, mnist
from epsrank.numerics.tasks.own import own_task
from epsrank.numerics.tasks.posed import Request, as_domain, function_task, operator_task
from epsrank.numerics.tasks.read import Columns, DataFiles
from epsrank.numerics.tasks.task import Task
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural

TASKS: dict[str, str] = {
    **{name: target.formula for name, target in TARGETS.items()},
    **{name: problem.formula for name, problem in PROBLEMS.items()},
    "digits": "scikit-learn's 1797 handwritten digits of 8×8 pixels",
    "mnist": "MNIST, handwritten digits of 28×28 pixels (10 000 of 60 000 by default)",
    "cifar10": "CIFAR-10, colour images of 32×32 pixels (10 000 of 50 000 by default), of the user",
}

#: The task whose samples are files of the user's.
DATA = "data"

# MNIST in float64 takes 376 MB, CIFAR-10 1.2 GB: all of it is there for the asking, not by default.
_USUAL_TRAIN = 10_000


def load_task(
    name: str,
    *,
    n_train: int | None = None,
    n_test: int | None = None,
    data: DataFiles = None,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    boundary_weight: float | None = None,
    domain: Any = None,
    target_columns: Sequence[str] = (),
    input_columns: Sequence[str] = (),
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
    `epsrank.numerics.tasks.cifar`); by default EPSRANK_CIFAR10 names it. It is never fetched. For
    ``data`` it is what `epsrank.numerics.tasks.read` reads; `target_columns` are those of
    a table, and `input_columns` those that they are learned from, by default all others.

    ``module:name`` is a task of the user's: see `epsrank.numerics.tasks.own`. `domain` is the box
    of a function.
    """
    if not isinstance(name, str) or not (name in TASKS or name == DATA or is_name(name)):
        known = ", ".join((*TASKS, DATA))
        raise InputError("task", f"is {name!r}", f"choose one of {known}, or module:name")
    if dtype not in (torch.float32, torch.float64):
        raise InputError("dtype", f"is {dtype}", "choose torch.float64 or torch.float32")
    n_train = None if n_train is None else as_whole(n_train, "n_train")
    n_test = None if n_test is None else as_whole(n_test, "n_test")
    if as_whole(seed, "seed", least=0) >= 2**63:
        raise InputError("seed", f"is {seed}", "pass a number below 2^63")
    for argument, columns in (("target_columns", target_columns), ("input_columns", input_columns)):
        if columns and name != DATA:
            raise InputError(argument, f"are given with {name!r}", f"take the task {DATA!r}")
    if data is not None and name not in ("mnist", "cifar10", DATA):
        remedy = f"drop it, or take the task {DATA!r}"
        raise InputError("data", f"is given, but {name!r} brings its own", remedy)
    asked = Request(n_train, n_test, seed, dtype, boundary_weight, as_domain(domain))
    if is_name(name):
        return own_task(name, asked)
    if name not in PROBLEMS:
        asked.refuse(name, "boundary_weight", "has no boundary")
    asked.refuse(name, "domain", "brings its own")
    if name == DATA:
        return data_task(data, Columns(tuple(target_columns), tuple(input_columns)), asked)
    if name in PROBLEMS:
        return operator_task(name, PROBLEMS[name], asked)
    if name in TARGETS:
        return function_task(name, TARGETS[name], asked)
    if not (data is None or isinstance(data, (str, Path))):
        raise InputError("data", f"are {plural(len(data), 'file')}", f"name the one of {name}")
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
