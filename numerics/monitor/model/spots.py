"""Which call of a function is meant, in passes that need not all go the same way.

A module that calls ``relu`` twice may call it three times in another pass: a branch, an expert, a
longer loop. So a call is known by what came before it, not by its number: by the weights that its
module used last, and by how often it has called the same function since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from epsrank.numerics.monitor.model.features import tensors
from epsrank.numerics.monitor.model.kinds import kind_of
from epsrank.numerics.monitor.model.wrappers import clean_name

#: Name of the weights used last (empty before the first), and the number of such calls since.
Spot = tuple[str, int]


class Running:
    """A module whose forward is under way, and what it has called so far."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self._calls: Counter[Any] = Counter()
        self._weights = ""
        self._since: Counter[Any] = Counter()

    def count(self, callee: Any) -> tuple[int, Spot]:
        """Count a call; return how many of the same came before it, and its spot."""
        number, since = self._calls[callee], self._since[callee]
        self._calls[callee] += 1
        self._since[callee] += 1
        return number, (self._weights, since)

    def uses(self, weights: str) -> None:
        """Take note that these weights are used now."""
        self._weights = weights
        self._since.clear()


def weights_in(names: Mapping[str, nn.Module]) -> dict[int, str]:
    """Return the names of modules that have weights, and of parameters, by their identity.

    An activation with weights of its own is none: it is what is to be told apart.
    """
    found: dict[int, str] = {}
    for name, module in names.items():
        if kind_of(module) != "activation" and next(module.parameters(), None) is not None:
            found.setdefault(id(module), name)
        for key, value in module.named_parameters(recurse=False):
            found.setdefault(id(value), f"{name}.{key}".lstrip("."))
    return found


def parts_of(model: nn.Module, *, weights: bool) -> tuple[dict[int, str], dict[int, str]]:
    """Return the names of all modules, and of weights where they are wanted, by their identity."""
    names = {clean_name(name): module for name, module in model.named_modules()}
    own = weights_in(names) if weights else {}
    return {id(module): name for name, module in names.items()}, own


def used(weights: Mapping[int, str], args: Any, kwargs: Any) -> Iterator[str]:
    """Yield the parameters among the arguments of a function."""
    for value in (*args, *(kwargs or {}).values()):
        for tensor in (value,) if isinstance(value, Tensor) else tensors(value):
            name = weights.get(id(tensor))
            if name is not None:
                yield name
