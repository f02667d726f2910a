"""The trial of kind ``factorisation``: matrix completion by a product W_L ⋯ W_1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from epsrank.numerics.experiments.trials.many_seeds import update


def factorisation_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Fit observed entries of matrices of low rank, and look at the product at fixed losses.

    `settings`: ``size`` n, ``rank``, ``observed`` (number of entries), ``pattern`` (``"random"``,
    or ``"blocks"``: in two blocks that share no row and no column), ``depth`` L, ``scale`` of
    the *product*, of whose L-th root times n^−½ the factors are; ``optimizer`` (``"descent"`` or
    ``"adam"``), ``learning_rate``, ``losses`` (descending: the product is looked at where its mean
    square error on the observed entries is first as small), ``steps``, ``seed``, ``count``.
    """
    seeds = range(settings["seed"], settings["seed"] + settings["count"])
    drawn = [_draw(settings, seed) for seed in seeds]
    target, seen = (
        torch.stack([each[0] for each in drawn]),
        torch.stack([each[1] for each in drawn]),
    )
    factors = [torch.stack(group) for group in zip(*(each[2] for each in drawn), strict=True)]
    losses: list[float] = settings["losses"]
    found: list[dict[str, list[Any]]] = [
        {"step": [None] * len(seeds), "rank": [None] * len(seeds), "unseen": [None] * len(seeds)}
        for _ in losses
    ]
    reached = torch.zeros(len(seeds), dtype=torch.long)
    moments = [(torch.zeros_like(w), torch.zeros_like(w)) for w in factors]
    loss = torch.full((len(seeds),), torch.inf)
    for step in range(settings["steps"] + 1):
        below = [torch.eye(settings["size"], dtype=torch.float64).expand_as(target)]
        for w in factors:
            below.append(w @ below[-1])
        residual = (below[-1] - target) * seen
        loss = residual.square().sum(dim=(1, 2)) / settings["observed"]
        for place in torch.nonzero(reached < len(losses))[:, 0].tolist():
            while reached[place] < len(losses) and loss[place] <= losses[reached[place]]:
                entry = found[int(reached[place])]
                entry["step"][place] = step
                entry["rank"][place] = effective_rank_of(below[-1][place])
                entry["unseen"][place] = _unseen(below[-1][place], target[place], seen[place])
                reached[place] += 1
        # A seed that has diverged ends no other one.
        if bool(((reached == len(losses)) | ~torch.isfinite(loss)).all()):
            break
        pull = 2 * residual / settings["observed"]
        for place in range(len(factors) - 1, -1, -1):
            gradient = pull @ below[place].mT
            pull = factors[place].mT @ pull
            update(factors[place], gradient, moments[place], step + 1, settings)
    return {
        "at": [{"loss": level} | entry for level, entry in zip(losses, found, strict=True)],
        "final": [float(f"{value:.6g}") for value in loss.nan_to_num(1e300, 1e300).tolist()],
        "true": [effective_rank_of(each) for each in target],
        "connected": [_connected(each) for each in seen],
    }


def effective_rank_of(product: Tensor) -> float:
    """Return exp of the entropy of the singular values' shares."""
    values = torch.linalg.svdvals(product)
    shares = values / values.sum()
    return float(torch.exp(torch.special.entr(shares).sum()))


def _draw(settings: Mapping[str, Any], seed: int) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Return a matrix of mean square 1, which entries are seen, and the factors, of a seed."""
    n, rank = settings["size"], settings["rank"]
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    target = normal(n, rank) @ normal(rank, n)
    target = target * (n / target.norm())
    seen = torch.zeros(n, n, dtype=torch.float64)
    # Two blocks on the diagonal tell nothing of how their rows and columns hang together.
    rows, columns = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
    apart = (rows < n // 2) != (columns < n // 2)
    order = torch.randperm(n * n, generator=random)
    if settings["pattern"] == "blocks":
        order = order[~apart.flatten()[order]]
    seen.view(-1)[order[: settings["observed"]]] = 1
    size = settings["scale"] ** (1 / settings["depth"]) * n**-0.5
    return target, seen, [size * normal(n, n) for _ in range(settings["depth"])]


def _unseen(product: Tensor, target: Tensor, seen: Tensor) -> float:
    """Return the relative error on the entries that were not seen."""
    hidden = seen == 0
    return float((product - target)[hidden].norm() / target[hidden].norm())


def _connected(seen: Tensor) -> bool:
    """Whether rows and columns hang together through the observed entries."""
    n = len(seen)
    graph = np.zeros((2 * n, 2 * n))
    graph[:n, n:] = seen.numpy()
    return bool(connected_components(graph, directed=False)[0] == 1)
