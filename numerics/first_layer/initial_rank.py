"""ε-ranks of networks at initialisation, measured over seeds: what the kernels predict (I1–I3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from epsrank.numerics.first_layer.structured import structured_first_layer_
from epsrank.numerics.networks import MLP, capture, initialise_
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.kernels.initialisation import LayerInit
from epsrank.theory.kernels.input_measure import InputMeasure
from epsrank.theory.kernels.placed import Placement
from epsrank.theory.numbers.arrays import Array
from epsrank.theory.rank import epsilon_ranks
from epsrank.theory.shown import Shown
from epsrank.theory.words import plural


@dataclass(frozen=True)
class MeasuredRank(Shown):
    """Certified ε-ranks of one hidden layer over seeds."""

    #: Number of the hidden layer, from 1.
    layer: int
    #: n.
    width: int
    #: ε.
    eps: float
    #: Ends of the ε-rank's interval, one per seed.
    lower: tuple[int, ...]
    upper: tuple[int, ...]
    #: Measure of the inputs.
    measure: str

    @property
    def values(self) -> Array:
        """Middles of the intervals, float64."""
        middle: Array = np.asarray([self.lower, self.upper], dtype=np.float64).mean(axis=0)
        return middle

    @property
    def mean(self) -> float:
        """Mean over seeds."""
        return float(self.values.mean())

    @property
    def standard_error(self) -> float:
        """Standard error of the mean, 0 for one seed."""
        count = len(self.lower)
        return float(self.values.std(ddof=1)) / math.sqrt(count) if count > 1 else 0.0

    def __str__(self) -> str:
        return f"{self.mean:.1f} ± {self.standard_error:.1f} over {plural(len(self.lower), 'seed')}"

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        return {
            "layer": self.layer,
            "width": self.width,
            "eps": self.eps,
            "lower": list(self.lower),
            "upper": list(self.upper),
            "mean": self.mean,
            "standard_error": self.standard_error,
        }


def initial_network(
    inputs: InputMeasure,
    activation: str,
    width: int,
    depth: int,
    *,
    init: str | LayerInit = "default",
    init_scale: float | None = None,
    place: Placement | None = None,
    gamma: float | None = None,
    seed: int = 0,
) -> MLP:
    """Draw a multilayer perceptron before training, in float64.

    `init` is a key of ``epsrank.numerics.networks.INITIALISATIONS``, or one law of independent
    entries.
    """
    # Drawn below: the constructors are not to draw, and not from the global generator.
    with torch.device("meta"):
        bare = MLP(inputs.dimension, width, depth, 1, activation)
    model = bare.double().to_empty(device="cpu")
    rng = torch.Generator().manual_seed(seed)
    if isinstance(init, LayerInit):
        _draw_all(model, init, rng)
    else:
        initialise_(model, init, scale=init_scale, generator=rng)
    if place is not None:
        structured_first_layer_(
            model.first_layer,
            place.box,
            place.rows,
            activation=activation,
            generator=rng,
            gamma=gamma,
        )
    return model


def _draw_all(model: MLP, init: LayerInit, rng: torch.Generator) -> None:
    """Draw independent entries of given variances, weights scaled by fan-in."""
    with torch.no_grad():
        for layer in model.modules():
            if not isinstance(layer, nn.Linear):
                continue
            deviations = (
                (layer.weight, math.sqrt(init.weight_variance / layer.in_features)),
                (layer.bias, math.sqrt(init.bias_variance)),
            )
            for parameter, deviation in deviations:
                if init.distribution == "normal":
                    parameter.normal_(generator=rng).mul_(deviation)
                else:
                    # Uniform on ±√3·s has deviation s.
                    parameter.uniform_(-1.0, 1.0, generator=rng).mul_(deviation * math.sqrt(3))


def measured_ranks(
    inputs: InputMeasure,
    activation: str,
    *,
    width: int,
    depth: int = 1,
    eps: Sequence[float] = (1e-6,),
    init: str | LayerInit = "default",
    init_scale: float | None = None,
    place: Placement | None = None,
    gamma: float | None = None,
    seeds: int = 5,
    seed: int = 0,
) -> list[MeasuredRank]:
    """Measure the ε-rank of every hidden layer at initialisation over seeds."""
    count = as_whole(seeds, "seeds")
    x = torch.as_tensor(np.ascontiguousarray(inputs.points))
    ends: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for index in range(count):
        model = initial_network(
            inputs,
            activation,
            width,
            depth,
            init=init,
            init_scale=init_scale,
            place=place,
            gamma=gamma,
            seed=seed + index,
        )
        for layer, features in enumerate(capture(model, x), start=1):
            for place_eps, rank in enumerate(_ranks(features.numpy(), inputs, eps)):
                ends.setdefault((layer, place_eps), []).append(rank)
    return [
        MeasuredRank(
            layer,
            width,
            float(eps[place_eps]),
            tuple(low for low, _ in found),
            tuple(high for _, high in found),
            inputs.measure.name,
        )
        for (layer, place_eps), found in sorted(ends.items())
    ]


def _ranks(features: Array, inputs: InputMeasure, eps: Sequence[float]) -> list[tuple[int, int]]:
    """Certify the ε-ranks of one layer; of many neurons on few inputs, by the transpose."""
    n_samples, n = features.shape
    if n <= n_samples:
        ranks = epsilon_ranks(features, eps, measure=inputs.measure)
        return [(rank.lower, rank.upper) for rank in ranks]
    # AᵀA and AAᵀ have the same positive eigenvalues; weighting the rows rounds each entry once,
    # so that counts within a hair of ε (1e-15 relative to λ_1) are not certified this way.
    transposed = (inputs.root_weights[:, None] * features).T
    ranks = epsilon_ranks(transposed, eps, measure="raw")
    return [(rank.lower, rank.upper) for rank in ranks]
