"""What a pass may change in a model beside its parameters, remembered and put back.

That is modes, tables of parameters, buffers, submodules and hooks, values of buffers (resized ones
too), ``requires_grad`` flags, and Python attributes: numbers, containers, arrays, generators, and
objects of classes that come from where the model's own classes come from. Out of reach is what lies
in closures, globals and class attributes.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from epsrank.numerics.monitor.model.copies import Copied
from epsrank.numerics.monitor.model.wrappers import has_shards

# Parameters, submodules, hooks: the tables that torch itself keeps in every module.
TABLES = tuple(name for name, value in vars(nn.Module()).items() if isinstance(value, dict))

# Nothing in them can change.
_FIXED = (bool, int, float, complex, str, bytes, type(None), type, torch.dtype, torch.device)

# Bytes of the largest tensor or array that is copied out of an object that is no module: such an
# object may hold a data set.
_LARGEST = 2**20

_Undo = Callable[[], object]


class State:
    """The state of a module and all below it; `put_back` restores it."""

    def __init__(self, model: nn.Module) -> None:
        self._undo: list[_Undo] = []
        # Objects are held as long as their numbers are used to recognise them.
        self._seen: dict[int, object] = {}
        modules = list(model.modules())
        # What the libraries around a model keep in it (trainers, sharding) is theirs.
        self._homes = {type(module).__module__.partition(".")[0] for module in modules} - {"torch"}
        self._sharded = has_shards(model)
        for module in modules:
            self._module(module)

    def put_back(self) -> None:
        """Put everything back; what cannot be does not keep the rest from it."""
        first: Exception | None = None
        with torch.no_grad():
            for undo in self._undo:
                try:
                    undo()
                except Exception as error:
                    first = first or error
        if first is not None:
            raise first

    def _module(self, module: nn.Module) -> None:
        if id(module) in self._seen:
            return
        self._seen[id(module)] = module
        own = vars(module)
        if self._sharded:
            # Sharding counts on what its own passes leave in the modules, so that only plain
            # attributes of the user's own are put back.
            self._undo.append(partial(own.update, _plain(own)))
            for value in _plain(own).values():
                self._value(value, inside=False)
        else:
            self._undo.append(_mapping(own))
            for name, value in list(own.items()):
                if name in TABLES:
                    self._undo.append(_mapping(value))
                elif name != "training":
                    self._value(value, inside=False)
        for parameter in module._parameters.values():
            if parameter is not None:
                self._flag(parameter)
        for buffer in module._buffers.values():
            if buffer is not None:
                self._flag(buffer)
                self._tensor(buffer)

    def _value(self, value: Any, *, inside: bool) -> None:
        """Remember a value that an attribute holds, `inside` of an object that is no module."""
        if isinstance(value, _FIXED) or id(value) in self._seen:
            return
        if isinstance(value, nn.Module):
            for module in value.modules():
                self._module(module)
            return
        self._seen[id(value)] = value
        if isinstance(value, nn.Parameter):
            self._flag(value)
        elif isinstance(value, Tensor):
            # What has a graph is the result of a pass, and is replaced and not written into.
            if value.grad_fn is None and not (inside and value.nbytes > _LARGEST):
                self._tensor(value)
        elif isinstance(value, np.ndarray):
            if not (inside and value.nbytes > _LARGEST):
                self._undo.append(_array(value))
        elif isinstance(value, dict):
            self._undo.append(_mapping(value))
            self._values(value.values(), inside)
        elif isinstance(value, (list, set, deque)):
            self._undo.append(_collection(value))
            self._values(value, inside)
        elif isinstance(value, (tuple, frozenset)):
            self._values(value, inside)
        elif (undo := _generator(value)) is not None:
            self._undo.append(undo)
        elif self._is_of_the_model(value):
            own = getattr(value, "__dict__", None)
            if isinstance(own, dict):
                self._undo.append(_mapping(own))
                self._values(own.values(), inside=True)

    def _is_of_the_model(self, value: Any) -> bool:
        """Whether a value is an object with attributes of the user's own."""
        home = type(value).__module__.partition(".")[0]
        # A callable is a function, a partial or a logger rather than something that holds state.
        return isinstance(value, SimpleNamespace) or (home in self._homes and not callable(value))

    def _values(self, values: Iterable[Any], inside: bool) -> None:
        for value in list(values):
            self._value(value, inside=inside)

    def _tensor(self, tensor: Tensor) -> None:
        if not tensor.is_meta:
            self._undo.append(Copied(tensor).put_back)

    def _flag(self, tensor: Tensor) -> None:
        before = tensor.requires_grad

        def undo() -> None:
            if tensor.requires_grad != before:
                tensor.requires_grad_(before)

        self._undo.append(undo)


def _plain(own: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes that are neither tensors nor from torch, and no tables of it."""
    return {
        name: value
        for name, value in own.items()
        if name not in TABLES
        and not isinstance(value, (Tensor, nn.Module))
        and not type(value).__module__.startswith("torch")
        and (name == "training" or not name.startswith("_"))
    }


def _mapping(own: dict[Any, Any]) -> _Undo:
    """Remember which objects a mapping holds, and in which order."""
    before = dict(own)

    def undo() -> None:
        # In the same order too, which matters for modules; where it is the same, no moment without.
        if list(own) != list(before):
            own.clear()
            own.update(before)
            return
        for key, value in before.items():
            if own[key] is not value:
                own[key] = value

    return undo


def _collection(own: Any) -> _Undo:
    """Remember which objects a list, set or deque holds."""
    before = list(own)

    def undo() -> None:
        now = list(own)
        if len(now) == len(before) and all(a is b for a, b in zip(now, before, strict=True)):
            return
        own.clear()
        (own.update if isinstance(own, set) else own.extend)(before)

    return undo


def _array(array: np.ndarray[Any, Any]) -> _Undo:
    """Remember the values of an array."""
    before = array.copy()

    def undo() -> None:
        if array.tobytes() != before.tobytes():
            array[...] = before

    return undo


def _generator(value: Any) -> _Undo | None:
    """Remember the state of a generator of random numbers."""
    if isinstance(value, torch.Generator):
        state = value.get_state()
        return lambda: value.set_state(state)
    if isinstance(value, np.random.Generator):
        bits = value.bit_generator
        before = bits.state
        return lambda: setattr(bits, "state", before)
    if isinstance(value, np.random.RandomState):
        legacy = value.get_state()
        return lambda: value.set_state(legacy)
    if isinstance(value, random.Random):
        own = value.getstate()
        return lambda: value.setstate(own)
    return None
