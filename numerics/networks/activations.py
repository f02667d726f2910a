"""Activation functions σ by name, acting entrywise: the suite's, any of torch, and a user's own."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from epsrank.numerics.named import find, is_name, user_code
from epsrank.theory.errors import InputError
from epsrank.theory.kernels.catalogue import SIGMAS, Sigma
from epsrank.theory.numbers.arrays import Array

Activation = Callable[[Tensor], Tensor]


def _gaussian(z: Tensor) -> Tensor:
    return torch.exp(-z.square())


ACTIVATIONS: dict[str, Activation] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "elu": torch.nn.functional.elu,
    "cosine": torch.cos,
    "sine": torch.sin,
    "sigmoid": torch.sigmoid,
    "gelu": torch.nn.functional.gelu,
    "gaussian": _gaussian,
    "erf": torch.erf,
}


def _step(z: Tensor) -> Tensor:
    return (torch.sign(z) + 1) / 2  # with a derivative, which torch.heaviside lacks


def _identity(z: Tensor) -> Tensor:
    return z


# Names of the theory that torch has not.
_OF_THEORY: dict[str, Activation] = {"step": _step, "identity": _identity}

# Where a torch name is looked for. Of torch itself only what is a method of tensors as well: `load`
# and `manual_seed` are functions of torch, too.
_PLACES = (torch.nn.functional, torch.special, torch.Tensor)

_LAST_BITS = 1e-13

_SAMPLE = (-2.0, -0.75, 0.0, 0.5, 3.0)


def activation_function(name: str) -> Activation:
    """Return σ: R → R of that name.

    ``gaussian`` is exp(−z²), ``elu`` has α = 1, ``gelu`` is z·Φ(z) with the exact normal
    distribution function. Any other function of torch is known by its name (``softplus``,
    ``silu``), with its defaults, and any of a module as ``module:attribute``.
    """
    # Networks are made on the meta device: what a user's module holds is not to be made there.
    with torch.device("cpu"):
        if isinstance(name, str) and is_name(name):
            return _own(name)
        try:
            return ACTIVATIONS.get(name) or _OF_THEORY.get(name) or _of_torch(name)
        except TypeError:  # no text, nor anything that has a hash
            raise _unknown(name) from None


def check_activation(name: str) -> None:
    """Check the name of σ; one of a module is not imported for that."""
    if not (isinstance(name, str) and is_name(name)):
        activation_function(name)


def theory_activation(name: str) -> str | Sigma:
    """Return σ for kernels and predictions: by name where the theory knows it, else on arrays."""
    return name if isinstance(name, str) and name in SIGMAS else _OnArrays(name)


class _OnArrays:
    """σ on float64 arrays."""

    def __init__(self, name: str) -> None:
        self._sigma = activation_function(name)
        self.__name__ = name

    def __call__(self, z: Array) -> Array:
        with torch.no_grad():
            values: Array = self._sigma(torch.from_numpy(np.array(z, dtype=np.float64))).numpy()
        return values


def is_piecewise_linear(sigma: Activation) -> bool:
    """Tell whether σ″ is 0 wherever it exists, as that of ReLU."""
    z = torch.linspace(-3.1, 3.3, 64, dtype=torch.float64, requires_grad=True)
    try:
        [slope] = torch.autograd.grad(sigma(z).sum(), z, create_graph=True)
        [bend] = torch.autograd.grad(slope.sum(), z, allow_unused=True)
    except RuntimeError:  # a derivative that does not depend on z, or none at all
        return True
    return bend is None or not bool(bend.any())


def _unknown(name: object) -> InputError:
    known = ", ".join(ACTIVATIONS)
    return InputError(
        "activation",
        f"is {name!r}",
        f"choose one of {known}, a function of torch such as softplus, or module:name",
    )


@cache
def _of_torch(name: str) -> Activation:
    if not isinstance(name, str) or name.startswith("_") or name.endswith("_"):
        raise _unknown(name)
    for place in _PLACES:
        found = getattr(place, name, None)
        if callable(found):
            sigma: Activation = getattr(torch, name, found) if place is torch.Tensor else found
            _check_entrywise(name, sigma)
            return sigma
    raise _unknown(name)


def _own(name: str) -> Activation:
    """Return σ of a user's module: a function, or a module of torch without parameters."""
    found: Any = find(name, argument="activation", remedy="name a function σ in it")
    if isinstance(found, type) and issubclass(found, nn.Module):
        with user_code("activation", f"{name}() failed", "make it callable without arguments"):
            found = found()
    if isinstance(found, nn.Module) and next(found.parameters(), None) is not None:
        raise InputError(
            "activation", f"is {name}, which has parameters", "make it a part of a network: --net"
        )
    if not callable(found):
        raise InputError(
            "activation", f"is {name}, a {type(found).__name__}", "name a function σ of tensors"
        )
    sigma: Activation = found
    _check_entrywise(name, sigma)
    return sigma


def _check_entrywise(name: str, sigma: Activation) -> None:
    """Refuse what is no function R → R, such as softmax or dropout, by a few values."""
    row = torch.tensor(_SAMPLE, dtype=torch.float64)
    # Two samples of several neurons: neither may look at the other.
    z = torch.stack([row, row.flip(0)])
    remedy = "choose a function σ that acts entrywise on a tensor"
    with (
        user_code("activation", f"is {name}, which fails on a tensor", remedy),
        torch.no_grad(),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # that a default is to change one day, say
        found = sigma(z.clone())
        alone = [sigma(value.reshape(1, 1)) for value in z.flatten()]
    fits = isinstance(found, Tensor) and found.shape == z.shape and found.dtype == z.dtype
    # Processors compute the last entries of a long tensor with other last bits than the first.
    if not fits or not torch.allclose(
        found, torch.cat(alone).reshape(z.shape), rtol=_LAST_BITS, atol=_LAST_BITS
    ):
        raise InputError("activation", f"is {name}, which does not act entrywise", remedy)
