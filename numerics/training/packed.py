"""Several inputs as the columns of one matrix, and a network of them as one of that matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from epsrank.numerics.training.own_names import OwnNames
from epsrank.theory.errors import InputError


class Unpacked(OwnNames):
    """A network of several inputs, which are handed to it as columns of one matrix."""

    def __init__(self, model: nn.Module, parts: Sequence[Tensor], names: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self._names = tuple(names)
        self._shapes = [tuple(part.shape[1:]) for part in parts]
        self._types = [None if part.is_floating_point() else part.dtype for part in parts]

    def forward(self, rows: Tensor) -> Any:
        """Return u(x₁, x₂, …)."""
        sizes = [math.prod(shape) for shape in self._shapes]
        parts = [
            (part if dtype is None else part.round().to(dtype)).reshape(len(rows), *shape)
            for part, shape, dtype in zip(
                torch.split(rows, sizes, dim=1), self._shapes, self._types, strict=True
            )
        ]
        if self._names:
            return self.model(**dict(zip(self._names, parts, strict=True)))
        return self.model(*parts)


def packed(parts: Sequence[Tensor], argument: str) -> Tensor:
    """Return inputs (N, …) as one matrix of the widest type of floats among them."""
    counts = {len(part) for part in parts}
    if len(counts) > 1:
        raise InputError(argument, f"has parts of {sorted(counts)} samples", "pass as many of each")
    kinds = [part.dtype for part in parts if part.is_floating_point()] or [torch.float64]
    dtype = torch.float64 if torch.float64 in kinds else kinds[0]
    exact = 2.0 / torch.finfo(dtype).eps
    for part in parts:
        if not part.is_floating_point() and part.numel() and float(part.abs().max()) > exact:
            problem = f"has whole numbers up to {int(part.abs().max())} beside {dtype}"
            raise InputError(argument, problem, "number them from 0")
    return torch.cat([part.reshape(len(part), -1).to(dtype) for part in parts], dim=1)
