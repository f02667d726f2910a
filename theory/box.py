"""Boxes [a_1, b_1] × … × [a_d, b_d] as arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from epsrank.theory.errors import InputError
from epsrank.theory.inputs import Array


def as_box(domain: Any, *, name: str = "domain") -> Array:
    """Check a bounded box of positive size.

    Parameters
    ----------
    domain : array_like, shape (d, 2), or (2,) for d = 1
        Intervals [a_k, b_k].
    name : str
        Argument name for the error message.

    Returns
    -------
    ndarray of float64, shape (d, 2)
        The box.

    Raises
    ------
    InputError
        If it is no array of pairs, or a pair is not finite or not a < b.

    Examples
    --------
    >>> as_box((-1, 1)).tolist()
    [[-1.0, 1.0]]
    """
    try:
        box = np.atleast_2d(np.asarray(domain, dtype=np.float64))
    except (TypeError, ValueError):
        raise InputError(name, f"is {domain!r}", "pass (a, b), or one pair per input") from None
    if box.ndim != 2 or box.shape[1] != 2 or len(box) == 0:
        raise InputError(name, f"has shape {box.shape}", "pass (a, b), or one pair per input")
    if not (np.isfinite(box).all() and (box[:, 0] < box[:, 1]).all()):
        raise InputError(name, f"is degenerate, {box.tolist()}", "pass finite a < b")
    return box
