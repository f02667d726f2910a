"""Where the values of a tensor come from: from which calls, or from the model's input."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

import numpy as np
from torch import Tensor, nn

from epsrank.numerics.monitor.model.features import tensors

#: Mark of the model's own input.
RAW = -1
#: Mark of a tensor that no watched function returned.
UNKNOWN = -2
#: Marks from here down are of products with parameters, by their numbers: −3, −4, …
PRODUCT = -3

_NOTHING: frozenset[int] = frozenset()
_LOST = frozenset([UNKNOWN])

_Note = TypeVar("_Note")


class ByTensor(Generic[_Note]):
    """Notes on tensors, found by identity, that keep none of them alive."""

    def __init__(self) -> None:
        self._notes: dict[int, tuple[weakref.ref[Tensor], _Note]] = {}

    def of(self, value: Any) -> _Note | None:
        """Return the note on a tensor; None without one, and for anything else."""
        known = self._notes.get(id(value))
        # Another tensor may lie by now where one with a note was let go of.
        return known[1] if known is not None and known[0]() is value else None

    def put(self, tensor: Tensor, note: _Note) -> None:
        """Write a note on a tensor, in place of an earlier one."""
        self._notes[id(tensor)] = (weakref.ref(tensor), note)

    def drop(self, tensor: Tensor) -> None:
        """Forget the note on a tensor."""
        self._notes.pop(id(tensor), None)

    def clear(self) -> None:
        """Forget all notes."""
        self._notes.clear()


class Origins:
    """Marks on tensors, which torch functions hand on from what they take to what they give.

    Numbers that only choose entries carry no values: x[gate(x).argmax(-1) == i] comes from x, and
    not from the gate. So integers and truth values have no origin but the input of the model.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._marks: ByTensor[frozenset[int]] = ByTensor()
        for module in modules:
            for own in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
                self.put(own, _NOTHING)

    def of(self, value: Any) -> frozenset[int]:
        """Return the marks of a tensor."""
        if not isinstance(value, Tensor):
            return _NOTHING
        marks = self._marks.of(value)
        return _LOST if marks is None else marks

    def put(self, values: Any, marks: Iterable[int]) -> None:
        """Mark every tensor in a value anew."""
        marks = frozenset(marks)
        for tensor in tensors(values):
            self._marks.put(tensor, marks)

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
