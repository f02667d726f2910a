"""Handwritten digits: scikit-learn's, and MNIST from a file or from OpenML."""

from __future__ import annotations

import importlib.util
import os
import socket
import warnings
import zipfile
from dataclasses import dataclass
from functools import cache, partial
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
from numpy.typing import NDArray

from epsrank.numerics.boundary import parsing
from epsrank.numerics.npy import npz_members, read_npz
from epsrank.theory.errors import InputError
from epsrank.theory.extras import optional_packages

_KEYS = ("x_train", "y_train", "x_test", "y_test")
_REMEDY = "pass an .npz with uint8 arrays x_train, y_train, x_test, y_test"

# Seconds that OpenML may stay silent.
_PATIENCE = 20.0


@dataclass(frozen=True)
class LabelledImages:
    """Images with labels 0…9, as integers."""

    #: Values from 0 to `white`.
    x_train: NDArray[Any]
    #: Labels.
    y_train: NDArray[Any]
    x_test: NDArray[Any]
    y_test: NDArray[Any]
    #: Largest value.
    white: float
    #: Where they come from.
    source: str
    #: What they are.
    what: str


@cache
def _scikit_digits() -> tuple[NDArray[Any], NDArray[Any]]:
    """Return all images and labels; scikit-learn reads them from a text file at every call."""
    with optional_packages():
        from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.images, bunch.target.astype(np.int64)


def digits(seed: int) -> LabelledImages:
    """Return scikit-learn's 1797 images of 8×8 pixels; a fifth, drawn by seed, for tests."""
    images, labels = _scikit_digits()
    order = np.random.default_rng(seed).permutation(len(labels))
    images, labels = images[order], labels[order]
    cut = len(order) - len(order) // 5
    return LabelledImages(
        images[:cut], labels[:cut], images[cut:], labels[cut:], 16.0, "scikit-learn",
        "scikit-learn's digits",
    )  # fmt: skip


def mnist(data: str | Path | None) -> LabelledImages:
    """Return MNIST from a file, from the folder or file named by EPSRANK_DATA, or from OpenML."""
    name = "data" if data is not None else "EPSRANK_DATA"
    place = data if data is not None else os.environ.get("EPSRANK_DATA")
    if not place:
        return _from_openml()
    path = Path(place).expanduser()
    return _from_npz(path / "mnist.npz" if path.is_dir() else path, name)


def read_archive(path: Path, name: str, remedy: str) -> list[NDArray[Any]]:
    """Read x_train, y_train, x_test and y_test of an .npz file without ever unpickling."""
    if not path.is_file():
        raise InputError(name, f"names {path}, which does not exist", remedy)
    try:
        with parsing(str(path), remedy, "cannot be read as an .npz archive"):
            with zipfile.ZipFile(path) as archive:
                members = npz_members(archive)
            missing = [key for key in _KEYS if key not in members]
            if missing:
                raise InputError(str(path), f"lacks {', '.join(missing)}", remedy)
            return [read_npz(path, str(path), partial(_named, key)) for key in _KEYS]
    except InputError as error:
        problem = f"names {error.argument}, which {error.problem}"
        raise InputError(name, problem, remedy) from None


def _named(key: str, members: dict[str, str]) -> str:
    return key


def _from_npz(path: Path, name: str) -> LabelledImages:
    """Read MNIST from an .npz file."""
    arrays = read_archive(path, name, _REMEDY)
    for images, labels, part in (
        (arrays[0], arrays[1], "train"),
        (arrays[2], arrays[3], "test"),
    ):
        _check(images, labels, part, path, name)
    x_train, y_train, x_test, y_test = arrays
    return LabelledImages(
        x_train,
        y_train.astype(np.int64),
        x_test,
        y_test.astype(np.int64),
        255.0,
        path.name,
        "MNIST",
    )


def problem_of_labels(labels: NDArray[Any], n_images: int, part: str) -> str | None:
    """Say what is wrong with the labels of some images."""
    if labels.dtype.kind not in "iu" or labels.shape != (n_images,):
        return f"y_{part} has shape {labels.shape} and dtype {labels.dtype}"
    beyond = int(labels.max()) > 9 or int(labels.min()) < 0
    return f"y_{part} has labels beyond 0…9" if beyond else None


def _check(images: NDArray[Any], labels: NDArray[Any], part: str, path: Path, name: str) -> None:
    """Check one pair of images and labels."""
    problem = None
    if images.dtype != np.uint8 or images.ndim != 3 or images.size == 0:
        problem = f"x_{part} has shape {images.shape} and dtype {images.dtype}"
    else:
        problem = problem_of_labels(labels, len(images), part)
    if problem is not None:
        raise InputError(name, f"names {path}, whose {problem}", _REMEDY + " (N×H×W and N)")


def _from_openml() -> LabelledImages:
    """Fetch MNIST through scikit-learn, which keeps it in its own cache."""
    with optional_packages():
        from sklearn.datasets import fetch_openml

    # The pandas parser is several times faster and smaller; the other one is always there.
    parser = "pandas" if importlib.util.find_spec("pandas") else "liac-arff"
    timeout = socket.getdefaulttimeout()
    # scikit-learn sets none, and a network that swallows packets would hold us for ever.
    socket.setdefaulttimeout(_PATIENCE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # retries are reported as warnings
            bunch = fetch_openml(
                "mnist_784",
                version=1,
                as_frame=False,
                parser=parser,
                n_retries=1,
                delay=0.1,
            )
    except (URLError, TimeoutError, ConnectionError, HTTPException) as error:
        # `load_task` takes an OSError as: not at hand, use `digits`.
        raise OSError(f"OpenML cannot be reached ({error})") from error
    except ValueError as error:  # an error page, or a download cut short
        raise OSError(f"OpenML gave nothing usable ({error})") from error
    finally:
        socket.setdefaulttimeout(timeout)
    images = np.asarray(bunch.data).astype(np.uint8).reshape(-1, 28, 28)
    labels = np.asarray(bunch.target).astype(np.int64)
    return LabelledImages(
        # OpenML has one table: the 60 000 training images, and then those for tests.
        images[:60_000], labels[:60_000], images[60_000:], labels[60_000:], 255.0, "OpenML",
        "MNIST",
    )  # fmt: skip
