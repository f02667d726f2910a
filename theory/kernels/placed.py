"""The law of the structured first layer (I3): σ(γ(a·x − r)) with directions a and offsets r.

The same rules as `first_layer.structured.structured_first_layer_`, as a law: [S1] eq. 4.3 (uniform
grid of an interval), [S2] and [S6] (uniform density in a box, or over data).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from epsrank.theory.data.inputs import as_box, as_features, as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.kernels.catalogue import SIGMAS, Sigma
from epsrank.theory.kernels.input_measure import InputMeasure
from epsrank.theory.kernels.neurons import NeuronLaw, ParameterNeurons, Parameters
from epsrank.theory.numbers.arrays import Array, Matrix

# Directions normal as drawn, not of length 1 ([S2], cosine variant); always placed at random.
_UNNORMALISED = ("cosine", "sine")
# Least width of the data's projections in units of 1/γ, as in the layer itself.
_DATA_SPREAD = 4.0
_SOBOL_POINTS = 4096


@dataclass(frozen=True, eq=False)
class Placement:
    """Where the neurons of a structured first layer may lie."""

    #: Name of σ.
    activation: str
    #: Number n of neurons, which sets the slope of the rule.
    width: int
    #: σ itself.
    sigma: Sigma = field(repr=False)
    #: The box Ω.
    box: Matrix | None = field(default=None, repr=False)
    #: Data, in place of a box.
    rows: Matrix | None = field(default=None, repr=False)

    @property
    def on_grid(self) -> bool:
        """Whether the neurons lie on a grid, with nothing random."""
        interval = self.box is not None and len(self.box) == 1
        return interval and self.activation not in {*_UNNORMALISED, "gaussian"}

    @property
    def dimension(self) -> int:
        """Number d of inputs."""
        source = self.rows.T if self.rows is not None else self.box
        assert source is not None
        return len(source)

    def rule_slope(self) -> float:
        """Return the slope γ of the rule: for data that of the median direction."""
        n, d = self.width, self.dimension
        if self.rows is not None:
            directions, _ = self._split(_cube(d + 1, 0)[:256])
            return self._spread() / float(np.median(self._ranges(directions)))
        assert self.box is not None
        length = self.box[:, 1] - self.box[:, 0]
        if self.on_grid:
            return n / float(length[0])
        side = math.exp(float(np.log(length).mean()))
        return (n ** (1 / d) - 1 if n > 1 else 1.0) / side

    def _spread(self) -> float:
        """γ times the range of the data along a direction: n^(1/d), 4 at least."""
        return float(max(self.width ** (1 / self.dimension), _DATA_SPREAD))

    def _split(self, cube: Array) -> tuple[Array, Array]:
        """Turn points of the unit cube into directions and fractions of the offsets' range."""
        # The normal quantiles of 0 and 1 are infinite.
        normal = ndtri(np.clip(cube[:, :-1], 1e-16, 1 - 1e-16))
        if self.activation not in _UNNORMALISED:
            length = np.linalg.norm(normal, axis=1, keepdims=True)
            normal = normal / np.where(length > 0, length, 1.0)
        return normal, cube[:, -1]

    def _reach(self, directions: Array) -> tuple[Array, Array]:
        """Return the interval of the offsets for each direction."""
        if self.box is not None:
            half, middle = (self.box[:, 1] - self.box[:, 0]) / 2, self.box.mean(axis=1)
            reach, centre = np.abs(directions) @ half, directions @ middle
            return centre - reach, centre + reach
        assert self.rows is not None
        low, high = np.empty(len(directions)), np.empty(len(directions))
        for start in range(0, len(directions), 256):  # N × 256 projections at a time
            projections = self.rows @ directions[start : start + 256].T
            low[start : start + 256] = projections.min(axis=0)
            high[start : start + 256] = projections.max(axis=0)
        return low, high

    def _ranges(self, directions: Array) -> Array:
        """Return the length of the interval of the offsets for each direction."""
        low, high = self._reach(directions)
        # Not 0, by which slopes are divided, where the data do not vary along a direction.
        return np.maximum(high - low, np.finfo(float).tiny)

    def from_cube(self, cube: Matrix, gamma: float | None) -> tuple[Array, Array]:
        """Return weights and biases from points of the unit cube of R^{d+1}.

        Weights are γa, of shape (Q, d); biases are −γr, of shape (Q,).
        """
        directions, fraction = self._split(cube)
        low, high = self._reach(directions)
        if gamma is not None:
            slope = np.full(len(cube), gamma)
        elif self.rows is not None:
            slope = self._spread() / self._ranges(directions)
        else:
            slope = np.full(len(cube), self.rule_slope())
        return slope[:, None] * directions, -slope * (low + fraction * (high - low))

    def grid(self, count: int, gamma: float | None) -> tuple[Array, Array]:
        """Return weights and biases of the uniform grid with both ends.

        Shapes: weights (count, 1), biases (count,).
        """
        assert self.box is not None
        low, high = self.box[0].tolist()
        centres = np.linspace(low, high, count) if count > 1 else np.array([(low + high) / 2])
        slope = self.rule_slope() if gamma is None else gamma
        return np.full((count, 1), slope), -slope * centres

    def neurons(self, inputs: InputMeasure, gamma: float | None = None) -> NeuronLaw:
        """Return the law of a neuron on the inputs of a measure."""
        if inputs.dimension != self.dimension:
            raise InputError(
                "inputs",
                f"have dimension {inputs.dimension}, the layer takes {self.dimension}",
                "pass inputs of that dimension",
            )
        sigma = self.sigma
        name = f"γ = {self.rule_slope() if gamma is None else gamma:.4g}"
        if self.on_grid:
            rule = partial(self._grid_rule, gamma)
            sampler = partial(self._grid_sampler, gamma)
            text = f"{self.activation}(γ(x − x_j)) on a uniform grid, {name}"
            return ParameterNeurons(inputs, sigma, (rule,), sampler, text, deterministic=True)
        rules = tuple(partial(self._scattered, gamma, seed) for seed in (0, 1))
        text = f"{self.activation}(γ(a·x − r)), uniform density, {name}"
        return ParameterNeurons(inputs, sigma, rules, partial(self._sampler, gamma), text)

    def _grid_rule(self, gamma: float | None) -> Parameters:
        """Return the n neurons of the grid themselves, with probability 1/n each."""
        return (*self.grid(self.width, gamma), np.full(self.width, 1 / self.width))

    def _grid_sampler(
        self, gamma: float | None, count: int, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """Return the grid, whatever the generator is: nothing is random."""
        return self.grid(count, gamma)

    def _scattered(self, gamma: float | None, seed: int) -> Parameters:
        """Sobol points of directions and offsets, with equal probabilities."""
        count = 2 ** math.ceil(math.log2(max(_SOBOL_POINTS, 8 * self.width)))
        cube = _cube(self.dimension + 1, seed, count)
        return (*self.from_cube(cube, gamma), np.full(count, 1 / count))

    def _sampler(
        self, gamma: float | None, count: int, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """Draw directions and offsets independently."""
        return self.from_cube(rng.random((count, self.dimension + 1)), gamma)


def _cube(dimension: int, seed: int, count: int = _SOBOL_POINTS) -> Array:
    """Return a scrambled Sobol set."""
    sobol = qmc.Sobol(dimension, scramble=True, rng=np.random.default_rng(seed))
    return np.asarray(sobol.random(count))


def placement(
    activation: str | Sigma, width: int, *, domain: Any = None, data: Any = None
) -> Placement:
    """Check where a structured first layer is placed."""
    if callable(activation):
        name, sigma = getattr(activation, "__name__", "σ"), activation
    elif activation in SIGMAS:
        name, sigma = activation, SIGMAS[activation]
    else:
        raise InputError("activation", f"is {activation!r}", f"choose one of {', '.join(SIGMAS)}")
    n = as_whole(width, "width")
    if (domain is None) == (data is None):
        raise InputError("domain and data", "exclude each other", "pass exactly one")
    if data is not None:
        rows = as_features(
            np.asarray(data)[:, None] if np.ndim(data) == 1 else data, name="data"
        ).values
        if bool((rows == rows[0]).all()):
            raise InputError("data", "are constant, so no offset can be placed", "vary them")
        if rows.shape[1] > 1:
            return Placement(name, n, sigma, rows=rows)
        domain = (float(rows.min()), float(rows.max()))
    return Placement(name, n, sigma, box=as_box(domain))
