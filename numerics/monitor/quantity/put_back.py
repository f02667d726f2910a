"""A model as it was: what a quantity changed is found bit by bit, put back, and named."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

# Parameters, submodules, hooks: the tables that torch itself keeps in every module.
_TABLES = tuple(name for name, value in vars(nn.Module()).items() if isinstance(value, dict))

# Whole numbers by their bytes; complex numbers of 16 bytes are two of eight.
_WHOLE = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}

# Names in one line.
_SHOWN = 3


class AsItWas:
    """Parameters, gradients, flags, submodules and hooks of a model as they are now, in copies."""

    def __init__(self, model: nn.Module) -> None:
        self._tables = [
            (name, own, dict(own))
            for module in model.modules()
            for name in _TABLES
            if isinstance(own := module.__dict__.get(name), dict)
        ]
        self._flags = [(t, t.requires_grad) for t in [*model.parameters(), *model.buffers()]]
        self._parameters = [(name, p, _Copy(p)) for name, p in model.named_parameters()]
        self._gradients = [
            (name, p, p.grad, None if p.grad is None else _Copy(p.grad))
            for name, p, _ in self._parameters
        ]

    def put_back(self) -> str | None:
        """Put everything back; say which parameters and gradients were not as they were."""
        replaced = self._put_tables_back()
        changed = [name for name, _, copy in self._parameters if copy.put_back()]
        for tensor, flag in self._flags:
            if tensor.requires_grad != flag:
                tensor.requires_grad_(flag)
        # After the parameters, whose dtype and device a gradient has to share.
        graded = [entry[0] for entry in self._gradients if _put_gradient_back(*entry[1:])]
        said = []
        if changed or replaced:
            said.append(f"parameters ({_some(changed or replaced)})")
        if graded:
            said.append(f".grad ({_some(graded)})")
        if not said:
            return None
        remedy = "take torch.autograd.grad" if graded and not changed else "work on a copy"
        return f"it changed {' and '.join(said)}, which were put back; {remedy}"

    def _put_tables_back(self) -> list[str]:
        """Put parameters, submodules and hooks back; name the parameters that were others."""
        replaced = []
        for table, own, before in self._tables:
            if own.keys() == before.keys() and all(own[key] is before[key] for key in before):
                continue
            if table == "_parameters":
                keys = {**before, **own}
                replaced += [key for key in keys if own.get(key) is not before.get(key)]
            own.clear()
            own.update(before)
        return replaced


def _put_gradient_back(parameter: Tensor, before: Tensor | None, copy: _Copy | None) -> bool:
    changed = parameter.grad is not before
    if copy is not None:
        changed |= copy.put_back()
    if parameter.grad is not before:
        parameter.grad = before
    return changed


class _Copy:
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


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
