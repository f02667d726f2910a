"""Features of every hidden layer over a data set, in batches and without a graph."""

from __future__ import annotations

import torch
from torch import Tensor

from epsrank.numerics.networks.base import FeatureNetwork, evaluating, samples_by_neurons
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError


def capture(model: FeatureNetwork, x: Tensor, batch_size: int = 1024) -> list[Tensor]:
    """Return Φ_k ∈ R^{N×n} of every hidden layer k, Φ_ij = φ_j(x_i).

    No graph is built and nothing is kept on the model; the mode of every module (training or
    evaluation) is as before afterwards.

    `batch_size` inputs go through the network at a time: features can differ in the last bit
    between batch sizes.
    """
    as_whole(batch_size, "batch_size")
    if x.shape[0] == 0:
        raise InputError("x", f"is empty, shape {tuple(x.shape)}", "pass at least one sample")
    with evaluating(model), torch.no_grad():
        batches = [
            [samples_by_neurons(output) for output in model.hidden(part)]
            for part in torch.split(x, batch_size)
        ]
    return [torch.cat(parts) for parts in zip(*batches, strict=True)]
