"""CIFAR-10 from files of the user, the binary version or an .npz; never fetched or unpickled."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsrank.numerics.tasks.images import LabelledImages, problem_of_labels, read_archive
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural

_BATCHES = tuple(f"data_batch_{k}.bin" for k in range(1, 6))
_TEST = "test_batch.bin"
_FOLDERS = ("cifar-10-batches-bin", ".")
_SHAPE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32  # the label, then the pixels
_REMEDY = (
    f"pass the folder of the binary version ({_BATCHES[0]} … {_TEST}), or an .npz with uint8 "
    "arrays x_train, y_train, x_test, y_test, N×32×32×3 or N×3×32×32 and N"
)


def cifar10(data: str | Path | None) -> LabelledImages:
    """Return CIFAR-10 from a folder or file, or from the one named by EPSRANK_CIFAR10.

    `data` is a folder with ``data_batch_1.bin`` … ``test_batch.bin``, or one that holds it as
    ``cifar-10-batches-bin``, or ``cifar10.npz``; or an .npz file.
    """
    name = "data" if data is not None else "EPSRANK_CIFAR10"
    place = data if data is not None else os.environ.get("EPSRANK_CIFAR10")
    if not place:
        raise InputError("data", "is not given, and CIFAR-10 is never fetched", _REMEDY)
    path = Path(place).expanduser()
    if path.is_dir():
        for folder in _FOLDERS:
            if (path / folder / _TEST).is_file():
                return _from_binary(path / folder, name)
        path = path / "cifar10.npz"
    return _from_npz(path, name)


def _from_binary(folder: Path, name: str) -> LabelledImages:
    """Read the batches: records of a label and 3072 values, red before green before blue."""
    train = [_read_batch(folder / batch, name) for batch in _BATCHES if (folder / batch).is_file()]
    if not train:
        raise InputError(name, f"names {folder}, which lacks {_BATCHES[0]}", _REMEDY)
    images, labels = (np.concatenate([batch[k] for batch in train]) for k in range(2))
    x_test, y_test = _read_batch(folder / _TEST, name)
    return LabelledImages(images, labels, x_test, y_test, 255.0, folder.name, "CIFAR-10")


def _read_batch(path: Path, name: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Read one file."""
    try:
        values = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise InputError(name, f"names {path}, which cannot be read ({error})", _REMEDY) from None
    if len(values) == 0 or len(values) % _RECORD:
        problem = f"has {plural(len(values), 'byte')}, which are no records of {_RECORD}"
        raise InputError(name, f"names {path}, which {problem}", _REMEDY)
    records = values.reshape(-1, _RECORD)
    labels = records[:, 0].astype(np.int64)
    if labels.max() > 9:
        raise InputError(name, f"names {path}, which has labels beyond 0…9", _REMEDY)
    return records[:, 1:].reshape(-1, *_SHAPE), labels


def _from_npz(path: Path, name: str) -> LabelledImages:
    """Read an .npz file, colours last or first."""
    arrays = read_archive(path, name, _REMEDY)
    parts: list[NDArray[Any]] = []
    for images, labels, part in (
        (arrays[0], arrays[1], "train"),
        (arrays[2], arrays[3], "test"),
    ):
        if images.ndim == 4 and images.shape[1:] == (32, 32, 3):
            images = np.moveaxis(images, 3, 1)
        problem = None
        if images.dtype != np.uint8 or images.shape[1:] != _SHAPE or len(images) == 0:
            problem = f"x_{part} has shape {images.shape} and dtype {images.dtype}"
        else:
            labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
            problem = problem_of_labels(labels, len(images), part)
        if problem is not None:
            raise InputError(name, f"names {path}, whose {problem}", _REMEDY)
        parts += [images, labels.astype(np.int64)]
    return LabelledImages(parts[0], parts[1], parts[2], parts[3], 255.0, path.name, "CIFAR-10")
