"""Copies of tensors that can be put back bit by bit: values, and the memory that they lie in."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

# Whole numbers by their bytes; complex numbers of 16 bytes are two of eight.
_WHOLE = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class Copied:
    """The values of a tensor, and the memory that they lie in, which others may share."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor
        self._place = tensor.data
        self._values = tensor.detach().clone()

    def put_back(self) -> bool:
        """Put memory and values back, without a mark in a graph; say whether they were others."""
        if self._values.layout != torch.strided:  # sparse: other entries lie elsewhere
            if same_bits(self._tensor.detach(), self._values):
                return False
            self._tensor.data = self._values.clone()
            return True
        moved = _place(self._tensor.data) != _place(self._place)
        if moved:
            self._tensor.data = self._place
        changed = not same_bits(self._place, self._values)
        if changed:
            # Not in the tensor itself: a graph that holds it would find it changed.
            self._place.copy_(self._values)
        return moved or changed


def _place(tensor: Tensor) -> tuple[Any, ...]:
    """Return what tells where the numbers of a tensor lie, and how they are read."""
    if tensor.layout != torch.strided:
        return (tensor.layout,)
    return tensor.device, tensor.dtype, tensor.shape, tensor.stride(), tensor.data_ptr()


def same_bits(left: Tensor, right: Tensor) -> bool:
    """Whether two tensors agree bit by bit: NaN with itself, and 0 not with −0."""
    if left.layout == torch.strided and right.layout == torch.strided:
        alike = (left.dtype, left.shape) == (right.dtype, right.shape)
        return alike and torch.equal(_bits(left), _bits(right))
    left, right = left.coalesce(), right.coalesce()
    parts = ((left.indices(), right.indices()), (left.values(), right.values()))
    return left.shape == right.shape and all(same_bits(a, b) for a, b in parts)


def _bits(tensor: Tensor) -> Tensor:
    """Read numbers as whole ones of their size: a comparison byte by byte takes longer."""
    return tensor.reshape(-1).view(_WHOLE.get(tensor.element_size(), torch.int64))
