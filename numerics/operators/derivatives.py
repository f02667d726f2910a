"""Derivatives of a batch of functions at a batch of points, by forward differentiation.

A function takes points (N, d) to values (N, m), row by row. A tangent that is the same in every row
then differentiates all N points and all m functions in one forward pass.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache, reduce
from operator import add

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]


def partial(function: Function, axis: int) -> Function:
    """Return ∂f/∂x_axis.

    Parameters
    ----------
    function : callable
        f, from points (N, d) to values (N, m), each row from its own point alone.
    axis : int
        Which coordinate.

    Returns
    -------
    callable
        The derivative, a function of the same kind.
    """
    _load_rules()

    def derivative(x: Tensor) -> Tensor:
        """Return the directional derivative of all rows at once."""
        unit = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)[axis]
        tangent: Tensor = torch.func.jvp(function, (x,), (unit.expand_as(x),))[1]
        return tangent

    return derivative


@cache
def _load_rules() -> None:
    """Load PyTorch's rules of forward differentiation once; loading them warns of a deprecation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        zero = torch.zeros(1)
        torch.func.jvp(torch.sin, (zero,), (zero,))


def laplacian(function: Function, axes: tuple[int, ...] | None = None) -> Function:
    """Return Δf = Σ ∂²f/∂x_i².

    Parameters
    ----------
    function : callable
        f.
    axes : tuple of int, optional
        Coordinates to sum over; all by default.

    Returns
    -------
    callable
        Δf, a function of the same kind.
    """

    def total(x: Tensor) -> Tensor:
        """Return the sum of second derivatives."""
        chosen = range(x.shape[1]) if axes is None else axes
        parts = [partial(partial(function, axis), axis)(x) for axis in chosen]
        return reduce(add, parts) if parts else torch.zeros_like(function(x))

    return total
