"""A dense network as plain numbers: weights, biases and the name of σ."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from epsrank.theory.dense.activations import BALL_ACTIVATIONS
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import (
    Array,
    Matrix,
    Vector,
    real_array,
    refuse_non_finite,
)
from epsrank.theory.words import plural


@dataclass(frozen=True, eq=False)
class DenseNetwork:
    """Features φ = y_L of the network y_0 = x, y_k = σ(W_k y_{k−1} + b_k), u = φ·β + b.

    The float64 numbers are taken as exact, so what is proved about the network is a statement about
    these numbers and the real function σ, not about any program that evaluates it.

    Attributes
    ----------
    activation : str
        Name of σ, a key of `BALL_ACTIVATIONS`.
    weights : tuple of ndarray of float64
        W_k, shape (n_k, n_{k−1}).
    biases : tuple of ndarray of float64
        b_k, shape (n_k,).
    head : ndarray of float64, shape (n, k), or None
        β, one row per neuron of the last hidden layer.
    offset : ndarray of float64, shape (k,), or None
        b, the bias of the output layer.
    """

    activation: str
    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    head: Matrix | None = None
    offset: Vector | None = None

    def __post_init__(self) -> None:
        if self.activation not in BALL_ACTIVATIONS:
            known = ", ".join(BALL_ACTIVATIONS)
            raise InputError("activation", f"is {self.activation!r}", f"choose one of {known}")
        if not self.weights or len(self.weights) != len(self.biases):
            raise InputError(
                "weights",
                f"are {len(self.weights)} matrices for {len(self.biases)} biases",
                "pass one matrix and one vector per hidden layer",
            )
        weights = tuple(_checked(w, 2, f"weights[{k}]") for k, w in enumerate(self.weights))
        biases = tuple(_checked(b, 1, f"biases[{k}]") for k, b in enumerate(self.biases))
        # What was checked, in float64, takes the place of what was given.
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "biases", biases)
        for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
            if len(b) != len(w):
                raise InputError(f"biases[{k}]", f"has {plural(len(b), 'entry')}", f"pass {len(w)}")
        for k, (first, second) in enumerate(pairwise(weights)):
            if second.shape[1] != first.shape[0]:
                raise InputError(
                    f"weights[{k + 1}]",
                    f"takes {plural(second.shape[1], 'input')}, but "
                    f"the layer before has {len(first)}",
                    "list the layers from the input on",
                )
        if self.head is not None:
            # A vector is the column of one output.
            head = _checked(np.atleast_2d(np.asarray(self.head).T).T, 2, "head")
            if head.shape[0] != self.n_features:
                raise InputError("head", f"has shape {head.shape}", f"pass ({self.n_features}, k)")
            object.__setattr__(self, "head", head)
        if self.offset is not None:
            offset = _checked(np.atleast_1d(self.offset), 1, "offset")
            if self.head is None or len(offset) != self.head.shape[1]:
                raise InputError(
                    "offset", f"has {plural(len(offset), 'entry')}", "pass one per output"
                )
            object.__setattr__(self, "offset", offset)

    @property
    def n_inputs(self) -> int:
        """Dimension d of x."""
        return int(self.weights[0].shape[1])

    @property
    def n_features(self) -> int:
        """Number n of neurons of the last hidden layer."""
        return int(self.weights[-1].shape[0])

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return len(self.weights)

    def layer(self, depth: int) -> DenseNetwork:
        """Return the network that ends at a hidden layer, without an output layer.

        Parameters
        ----------
        depth : int
            Number of hidden layers to keep, from 1 on.

        Returns
        -------
        DenseNetwork
            Its features are y_depth.

        Raises
        ------
        InputError
            If there is no such layer.
        """
        if not 1 <= depth <= self.depth:
            raise InputError("layer", f"is {depth}", f"choose 1 to {self.depth}")
        return DenseNetwork(self.activation, self.weights[:depth], self.biases[:depth])

    def to_json(self) -> dict[str, Any]:
        """Return the network as plain numbers, complete enough to repeat a computation.

        Returns
        -------
        dict
            Keys ``activation``, ``weights``, ``biases``, ``head``, ``offset``.
        """
        return {
            "activation": self.activation,
            "weights": [w.tolist() for w in self.weights],
            "biases": [b.tolist() for b in self.biases],
            "head": None if self.head is None else self.head.tolist(),
            "offset": None if self.offset is None else self.offset.tolist(),
        }

    def features(self, x: Matrix) -> Matrix:
        """Return φ at some points in float64, rounded as float64 rounds.

        Parameters
        ----------
        x : ndarray of float64, shape (N, d)
            Points; a vector where d = 1.

        Returns
        -------
        ndarray of float64, shape (N, n)
            Φ.
        """
        y = np.asarray(x, dtype=np.float64).reshape(-1, self.n_inputs)
        sigma = BALL_ACTIVATIONS[self.activation].float64
        for w, b in zip(self.weights, self.biases, strict=True):
            y = sigma(y @ w.T + b)
        return y


def _checked(value: Any, ndim: int, name: str) -> Array:
    """Return an array of float64 of the given dimension."""
    values = real_array(value, name)
    if values.ndim != ndim or values.size == 0:
        raise InputError(name, f"has shape {values.shape}", f"pass {ndim} non-empty dimensions")
    refuse_non_finite(values, name)
    return values
