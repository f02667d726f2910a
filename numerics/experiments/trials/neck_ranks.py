"""The trial of kind ``neck``: a training whose ε-rank is measured over data and over a box."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy.stats import qmc

from epsrank.numerics.networks import BottleneckMLP
from epsrank.numerics.networks.bottleneck import NECK
from epsrank.numerics.sweeps.settings import config_of
from epsrank.numerics.sweeps.training import history_of
from epsrank.numerics.training.loop import train
from epsrank.theory.errors import InputError
from epsrank.theory.rank import epsilon_ranks


def neck_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train a `BottleneckMLP`, and count the ε-ranks of φ as functions of the narrow layer as well.

    The Gram matrix is taken in the mean measure of 2^m scrambled Sobol points of [−1, 1]^10, the
    range of tanh, in place of data.

    `settings`: ``train``, entries of `RunConfig` with network ``bottleneck`` and activation
    ``tanh``; and ``log2_points`` m.
    """
    config = config_of(settings["train"])
    if config.network != "bottleneck" or config.activation != "tanh":
        raise InputError(
            "network", f"is {config.network} of {config.activation}", "take a bottleneck of tanh"
        )
    run = train(config)
    # The second number gives every purpose a stream of its own.
    sobol = qmc.Sobol(NECK, rng=np.random.default_rng([config.seed, 4]))
    points = torch.from_numpy(2 * sobol.random_base2(settings["log2_points"]) - 1)
    found: dict[str, dict[str, list[int]]] = {
        end: {str(eps): [] for eps in config.eps} for end in ("lower", "upper")
    }
    for index in range(len(run.records)):
        model = run.network(index)
        assert isinstance(model, BottleneckMLP)
        with torch.no_grad():
            # Trained in float32, counted in float64: else rounding of the outputs would count.
            features = model.double().features_of_neck(points).numpy()
        for rank in epsilon_ranks(features, config.eps):
            found["lower"][str(rank.eps)].append(rank.lower)
            found["upper"][str(rank.eps)].append(rank.upper)
    return history_of(run) | {"box_lower": found["lower"], "box_upper": found["upper"]}
