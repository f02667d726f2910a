"""The functions that are integrated: features of a network, the constant, the target."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flint import acb, acb_mat, arb, arb_mat

from epsrank.theory.continuous.targets import AnalyticTarget
from epsrank.theory.dense.activations import BALL_ACTIVATIONS
from epsrank.theory.dense.network import DenseNetwork
from epsrank.theory.dense.ranges import ball_matrix
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural


@dataclass(frozen=True, eq=False)
class AnalyticSystem:
    """f = (φ_1 … φ_n, 1?, u*?) of one real variable, with its continuation to complex balls."""

    #: φ, with one input and an analytic σ.
    network: DenseNetwork
    #: Whether the constant 1 is one of the functions.
    constant: bool = False
    #: u*.
    target: AnalyticTarget | None = None
    #: Subtracted from u*.
    shift: float = 0.0

    def __post_init__(self) -> None:
        if self.network.n_inputs != 1:
            raise InputError(
                "network",
                f"takes {plural(self.network.n_inputs, 'input')}",
                "pass one with a single input",
            )
        if BALL_ACTIVATIONS[self.network.activation].continuation is None:
            raise InputError(
                "activation",
                f"is {self.network.activation!r}, which is not analytic",
                "count on a data set, or use tanh, erf, sine, cosine, sigmoid or gaussian",
            )

    @property
    def n_features(self) -> int:
        """Number of functions before the target."""
        return self.network.n_features + self.constant

    @property
    def size(self) -> int:
        """Number of functions."""
        return self.n_features + (self.target is not None)

    @cached_property
    def _weights(self) -> list[Any]:
        return [ball_matrix(w) for w in self.network.weights]

    @cached_property
    def _biases(self) -> list[list[Any]]:
        return [[arb(b) for b in bias.tolist()] for bias in self.network.biases]

    def on_reals(self, points: list[Any], inside: float) -> Any:
        """Enclose f at real balls."""
        sigma = BALL_ACTIVATIONS[self.network.activation].value
        y = arb_mat([points])
        for w, b in zip(self._weights, self._biases, strict=True):
            rows = (w * y).tolist()
            y = arb_mat([[sigma(z + c) for z in row] for row, c in zip(rows, b, strict=True)])
        rows = y.tolist()
        if self.constant:
            rows.append([arb(1)] * len(points))
        if self.target is not None:
            values = [self.target.function(acb(x), inside).real - self.shift for x in points]
            rows.append(values)
        return arb_mat(rows)

    def on_balls(self, boxes: list[Any], inside: float) -> list[list[Any]] | None:
        """Enclose f on complex balls; None where a range is infinite: f may have a pole."""
        sigma = BALL_ACTIVATIONS[self.network.activation].continuation
        assert sigma is not None
        y = acb_mat([boxes])
        for w, b in zip(self._weights, self._biases, strict=True):
            rows = (acb_mat(w) * y).tolist()
            table = [[sigma(z + c) for z in row] for row, c in zip(rows, b, strict=True)]
            if not all(z.is_finite() for row in table for z in row):
                return None
            y = acb_mat(table)
        rows = y.tolist()
        if self.constant:
            rows.append([acb(1)] * len(boxes))
        if self.target is not None:
            values = [self.target.function(z, inside) - self.shift for z in boxes]
            if not all(z.is_finite() for z in values):
                return None
            rows.append(values)
        return rows
