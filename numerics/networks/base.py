"""What every network of the suite offers: its hidden layers, and a linear head on the last one."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from epsrank.theory.errors import InputError


class FeatureNetwork(nn.Module, ABC):
    """Network u(x) = φ(x)·W + b whose features φ are the outputs of its last hidden layer.

    Subclasses set `head` (W and b) and implement `hidden` and `first_layer`.

    Parameters
    ----------
    n_features : int
        Number n of neurons of the last hidden layer.
    n_outputs : int
        Number k of outputs.
    """

    def __init__(self, n_features: int, n_outputs: int) -> None:
        super().__init__()
        self.head = nn.Linear(
            as_size(n_features, "width"), as_size(n_outputs, "n_outputs"), bias=True
        )

    @abstractmethod
    def hidden(self, x: Tensor) -> list[Tensor]:
        """Return the post-activation outputs of every hidden layer, first to last.

        Parameters
        ----------
        x : Tensor, shape (N, …)
            Inputs.

        Returns
        -------
        list of Tensor
            Dense layers give N×n, convolutions N×C×H×W; the last entry is φ, N×n.
        """

    @property
    @abstractmethod
    def first_layer(self) -> nn.Module:
        """The layer that a structured initialisation sets (I3)."""

    @property
    def input_layers(self) -> tuple[nn.Module, ...]:
        """All layers that see the inputs themselves, `first_layer` first."""
        return (self.first_layer,)

    def set_others_(self, generator: torch.Generator) -> None:
        """Set parameters that belong to no linear or convolutional layer; there are none as a rule.

        Parameters
        ----------
        generator : torch.Generator
            Source of randomness, on the CPU.
        """

    def forward(self, x: Tensor) -> Tensor:
        """Return u(x) = φ(x)·W + b.

        Parameters
        ----------
        x : Tensor, shape (N, …)
            Inputs.

        Returns
        -------
        Tensor, shape (N, k)
            Outputs.
        """
        outputs: Tensor = self.head(self.hidden(x)[-1])
        return outputs


def as_size(value: Any, name: str, *, least: int = 1) -> int:
    """Check a whole number such as a width.

    Parameters
    ----------
    value : int
        The number.
    name : str
        Argument name for the error message.
    least : int
        Smallest admissible value.

    Returns
    -------
    int
        The number.

    Raises
    ------
    InputError
        If it is not a whole number or is too small.
    """
    try:
        size = operator.index(value)  # NumPy's integers too, but no floats
    except TypeError:
        size = None
    if size is None or isinstance(value, bool) or size < least:
        raise InputError(name, f"is {value!r}", f"pass a whole number ≥ {least}")
    return size


def as_rows(x: Tensor, n_inputs: int) -> Tensor:
    """Check inputs of a dense network and flatten everything behind the sample axis.

    Parameters
    ----------
    x : Tensor, shape (N, …)
        Inputs.
    n_inputs : int
        Number d of inputs per sample.

    Returns
    -------
    Tensor, shape (N, d)
        The inputs as rows.

    Raises
    ------
    InputError
        If a sample does not have d numbers.
    """
    rows = x.reshape(x.shape[0], -1) if x.ndim > 1 else x.reshape(-1, 1)
    if rows.shape[1] != n_inputs:
        raise InputError(
            "x",
            f"has shape {tuple(x.shape)}, but the network takes {n_inputs} inputs",
            f"pass (N, {n_inputs})",
        )
    return rows


def samples_by_neurons(output: Tensor) -> Tensor:
    """Write a layer's output as a matrix: channels are neurons, positions are samples.

    Parameters
    ----------
    output : Tensor, shape (N, n) or (N, C, *positions)
        Output of a dense or convolutional layer.

    Returns
    -------
    Tensor, shape (N, n) or (N·P, C)
        Rows are sample-major: the P positions of one sample follow each other.
    """
    if output.ndim == 2:
        return output
    flat: Tensor = torch.movedim(output, 1, -1).reshape(-1, output.shape[1])
    return flat
