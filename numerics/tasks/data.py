"""Samples of a user's as a task: regression, or classification where targets are labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from epsrank.numerics.named import call_named, find, is_name
from epsrank.numerics.tasks.posed import Request
from epsrank.numerics.tasks.read import (
    Columns,
    DataFiles,
    Samples,
    as_samples,
    is_dataset,
    read_files,
)
from epsrank.numerics.tasks.task import Task
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural

# More classes than this, or than half the samples where there are more than a few, are taken for
# numbers that should have been floats.
_MOST_CLASSES, _FEW_CLASSES = 1000, 10


def data_task(data: DataFiles, columns: Columns, asked: Request) -> Task:
    """Return the task of files, or of a data set that is named."""
    if data is None or not data:
        raise InputError("data", "is not given", "name the files, or module:dataset")
    paths = [str(data)] if isinstance(data, (str, Path)) else [str(path) for path in data]
    if is_name(paths[0]):
        if len(paths) > 1 or any(columns):
            raise InputError("data", f"is {' '.join(paths)}", "give one name, and no columns")
        return task_of_object(paths[0], "data", asked)
    found = read_files(paths, columns)
    return task_of_samples("data", " and ".join(Path(path).name for path in paths), found, asked)


def task_of_object(spec: str, argument: str, asked: Request) -> Task:
    """Return the task of a data set, of a pair of arrays, or of a factory of these."""
    found = find(spec, argument=argument)
    if not is_dataset(found) and callable(found):
        found = call_named(spec, found, offered(asked), argument=argument, seed=asked.seed)
    if not is_data(found):
        problem = f"{spec} gives a {type(found).__name__}"
        raise InputError(argument, problem, "give a Dataset, or arrays x, y")
    return task_of_data(spec, found, argument, asked)


def offered(asked: Request) -> dict[str, Any]:
    """Return the arguments that a factory of a task may name."""
    return {"seed": asked.seed, "n_train": asked.n_train, "n_test": asked.n_test}


def is_data(found: Any) -> bool:
    """Tell whether a value holds samples."""
    return is_dataset(found) or isinstance(found, (tuple, list))


def task_of_data(spec: str, found: Any, argument: str, asked: Request) -> Task:
    """Return the task of a data set, or of a tuple of arrays or data sets."""
    asked.refuse(spec, "domain", "holds data")
    asked.refuse(spec, "boundary_weight", "has no boundary")
    parts = [found] if is_dataset(found) else list(found)
    return task_of_samples(spec, spec, as_samples(parts, argument, spec), asked, argument)


def task_of_samples(
    name: str, source: str, found: Sequence[Samples], asked: Request, argument: str = "data"
) -> Task:
    """Return a task with test samples: those given, or a fifth that is drawn by the seed."""
    train = found[0].checked(argument, source)
    if len(found) > 1:
        test = found[1].checked(argument, f"{source}, test")
        if test.x.shape[1:] != train.x.shape[1:] or test.y.shape[1:] != train.y.shape[1:]:
            problem = f"{source} has x of shape {train.x.shape}, and {test.x.shape} for tests"
            raise InputError(argument, problem, "make training and test samples alike")
        labels, said = _labels(train.y, argument, source), "given test samples"
        if labels is not None and len(unknown := np.setdiff1d(test.y, labels)):
            problem = f"{source} has the label {unknown[0]} among its test samples alone"
            raise InputError(argument, problem, "give training samples of it, or drop it")
    else:
        labels, said = _labels(train.y, argument, source), "a fifth of them drawn for tests"
        train, test = _split(train, asked.seed)
    count = len(train.x)
    train = _subset(train, asked.n_train, "n_train", asked.seed)
    test = _subset(test, asked.n_test, "n_test", asked.seed)

    def rows(x: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(x.reshape(len(x), -1))).to(asked.dtype)

    def targets(y: NDArray[Any]) -> Tensor:
        if labels is None:
            return rows(y)
        numbers = torch.from_numpy(np.searchsorted(labels, y.reshape(len(y))))
        return torch.nn.functional.one_hot(numbers, len(labels)).to(asked.dtype)

    images = train.x.shape[1:]
    shape = (1, *images) if len(images) == 2 else images
    kind = "numbers" if labels is None else f"{plural(len(labels), 'class')}, one-hot targets"
    many = f"{len(train.x)} of {count}" if len(train.x) < count else f"{count}"
    return Task(
        name=name,
        kind="regression" if labels is None else "classification",
        x=rows(train.x),
        y=targets(train.y),
        x_test=rows(test.x),
        y_test=targets(test.y),
        description=f"{source}: {many} training samples, {said}; {kind}",
        image_shape=(int(shape[0]), int(shape[1]), int(shape[2])) if len(shape) == 3 else None,
    )


def _split(samples: Samples, seed: int) -> tuple[Samples, Samples]:
    """Draw a fifth for tests; of fewer than five samples all serve both."""
    count = len(samples.x)
    cut = count - count // 5
    if cut == count:
        return samples, samples
    # A stream of its own, beside 1 and 2 of `posed` and `load`, and 5 of boundary points.
    order = np.random.default_rng([seed, 3]).permutation(count)
    first, rest = np.sort(order[:cut]), np.sort(order[cut:])
    return Samples(samples.x[first], samples.y[first]), Samples(samples.x[rest], samples.y[rest])


def _subset(samples: Samples, n: int | None, argument: str, seed: int) -> Samples:
    """Draw n of the samples without replacement."""
    count = len(samples.x)
    if n is None or n == count:
        return samples
    if n > count:
        raise InputError(argument, f"is {n}", f"there are {plural(count, 'sample')}; ask for fewer")
    chosen = np.sort(np.random.default_rng([seed, 2]).permutation(count)[:n])
    return Samples(samples.x[chosen], samples.y[chosen])


def _labels(y: NDArray[Any], argument: str, source: str) -> NDArray[Any] | None:
    """Return the different labels, sorted; None where the targets are numbers.

    Whole numbers, truth values and texts of one column are labels, as torch and scikit-learn take
    them; floats are numbers, whatever their values.
    """
    one = y.ndim == 1 or y.shape[1] == 1
    if y.dtype.kind == "f" or (y.dtype.kind in "biu" and not one):
        return None
    if y.dtype.kind not in "biuUS" or not one:
        problem = f"{source} has y of dtype {y.dtype}"
        raise InputError(argument, problem, "make them numbers, or one label per sample")
    labels = np.unique(y)
    if len(labels) > min(_MOST_CLASSES, max(_FEW_CLASSES, len(y) // 2)):
        problem = f"{source} has {len(labels)} different labels for {plural(len(y), 'sample')}"
        raise InputError(argument, problem, "write y as floats if these are numbers to be fitted")
    return labels
