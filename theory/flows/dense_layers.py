"""Layers of a network as matrices: a sequence of them, or an ``nn.Sequential`` of its modules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Matrix, real_array

# By the names of their classes, since theory does not import torch.
_SIGMA = {"Tanh": "tanh", "ReLU": "relu", "ELU": "elu", "Identity": "linear"}
_FORM = (
    "pass the matrices W_1, …, W_L, or nn.Sequential(nn.Linear(d, n), nn.Tanh(), …, "
    "nn.Linear(n, k, bias=False))"
)


def layer_matrices(layers: Sequence[ArrayLike] | Any, activation: str) -> list[Matrix]:
    """Return W_1, …, W_L, of which W_1 has the biases of the first layer as its last column."""
    if hasattr(layers, "parameters") and type(layers).__name__ != "Sequential":
        raise InputError("layers", f"are a {type(layers).__name__}", _FORM)
    if not isinstance(layers, Iterable):
        raise InputError("layers", f"are {layers!r}", _FORM)
    given = list(layers)
    if not any(hasattr(each, "parameters") for each in given):
        return [real_array(w, "layers") for w in given]
    linear: list[Any] = []
    between: list[str] = []
    for place, module in enumerate(given):
        kind = type(module).__name__
        if kind == "Linear":
            # Two in a row have nothing between them; in a list of Linear alone σ is not said.
            if len(between) < len(linear) and hasattr(layers, "parameters"):
                between.append("linear")
            linear.append(module)
        # ELU has φ′(0) = 1 from both sides where its α is 1.
        elif kind in _SIGMA and len(between) == len(linear) - 1 and _is_usual(module):
            between.append(_SIGMA[kind])
        else:
            raise InputError("layers", f"have {kind} as module {place}", _FORM)
    if len(linear) < 2 or len(between) == len(linear):
        raise InputError("layers", "do not end in their second Linear, or a later one", _FORM)
    if {*between} - {activation}:
        told = " and ".join(dict.fromkeys(between))
        remedy = f"pass activation={told!r}" if len({*between}) == 1 else "use one throughout"
        raise InputError("activation", f"is {activation!r}, and that of the layers {told}", remedy)
    return [_matrix(module, number) for number, module in enumerate(linear, 1)]


def _is_usual(module: Any) -> bool:
    return bool(getattr(module, "alpha", 1.0) == 1)


def _matrix(module: Any, number: int) -> Matrix:
    """Return the weights of a Linear, and beside those of the first one its biases."""
    weight = real_array(module.weight, f"layer {number}")
    if module.bias is None:
        return weight
    if number == 1:
        return np.column_stack([weight, real_array(module.bias, "the first bias")])
    raise InputError(
        "layers", f"have a bias in Linear {number}, which the theorems do not cover",
        "build it with bias=False: only the first layer may have one",
    )  # fmt: skip
