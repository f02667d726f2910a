"""Where the values of a tensor come from: from which calls, or from the model's input."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import numpy as np
from torch import Tensor, nn

from epsrank.numerics.monitor.model.features import tensors

#: Mark of the model's own input.
RAW = -1
#: Mark of a tensor that no watched function returned.
UNKNOWN = -2

_NOTHING: frozenset[int] = frozenset()
_LOST = frozenset([UNKNOWN])


class Origins:
    """Marks on tensors, which torch functions hand on from what they take to what they give.

    Numbers that only choose entries carry no values: x[gate(x).argmax(-1) == i] comes from x, and
    not from the gate. So integers and truth values have no origin but the input of the model.
    Tensors are held weakly.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._marks: dict[int, tuple[weakref.ref[Tensor], frozenset[int]]] = {}
        for module in modules:
            for own in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
                self.put(own, _NOTHING)

    def of(self, value: Any) -> frozenset[int]:
        """Return the marks of a tensor."""
        if not isinstance(value, Tensor):
            return _NOTHING
        known = self._marks.get(id(value))
        return known[1] if known is not None and known[0]() is value else _LOST

    def put(self, values: Any, marks: Iterable[int]) -> None:
        """Mark every tensor in a value anew."""
        marks = frozenset(marks)
        for tensor in tensors(values):
            self._marks[id(tensor)] = (weakref.ref(tensor), marks)

    def follow(self, func: Any, args: Any, kwargs: Any, output: Any) -> None:
        """Mark what a function returned, or wrote into, by what it took."""
        taken = list(tensors((args, kwargs)))
        marks = _NOTHING.union(*(self.of(tensor) for tensor in taken if _has_values(tensor)))
        if not marks:
            # Tokens and pixels begin as integers.
            marks = _NOTHING.union(*(self.of(tensor) for tensor in taken))
        if any(isinstance(argument, np.ndarray) for argument in args):
            marks |= _LOST
        written = list(tensors(output))
        if getattr(func, "__name__", "") == "__setitem__":
            target, _, value = args
            written, marks = [target], self.of(target) | self.of(value)
        for tensor in written:
            mine = marks if _has_values(tensor) else marks & {RAW}
            self.put(tensor, mine)
            # Writing into a view writes into what it is a view of.
            if tensor._base is not None and any(tensor is other for other in taken):
                self.put(tensor._base, self.of(tensor._base) | mine)


def _has_values(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()
