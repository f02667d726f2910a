"""The trial of kind ``condensing``: orientations of small networks before their loss falls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from epsrank.numerics.experiments.trials.many_seeds import rounded, update
from epsrank.numerics.phenomena.neurons import condensation

#: φ and φ′, with the order p of φ at 0: φ(z) = z^p + …
ACTIVATIONS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor], int]] = {
    "tanh": (torch.tanh, lambda z: 1 - torch.tanh(z) ** 2, 1),
    "x·tanh": (
        lambda z: z * torch.tanh(z),
        lambda z: torch.tanh(z) + z * (1 - torch.tanh(z) ** 2),
        2,
    ),
    "x²·tanh": (
        lambda z: z**2 * torch.tanh(z),
        lambda z: 2 * z * torch.tanh(z) + z**2 * (1 - torch.tanh(z) ** 2),
        3,
    ),
}
#: Losses, as shares of the first, at the end of the window; the second and third are other views.
WINDOWS = {"usual": 0.98, "early": 0.99, "late": 0.95}


def condensing_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train networks of several seeds, and count orientations of (w, b) per layer at moments.

    The moments: the start; the last step before the loss has fallen by 2 % (1 %, 5 %), or the last
    one of all where it never does; the ``epochs``. Full-batch training in float64 on
    Σ_k 3.5 sin(5x_k + 1) over inputs uniform on [−4, 2]^d.

    `settings`: ``inputs`` d, ``samples``, ``width``, ``hidden`` layers (1 or 2), ``activation``
    (`ACTIVATIONS`), ``std`` of all weights and biases (None: each layer's fan_in^−½),
    ``optimizer`` (``"adam"`` or ``"descent"``), ``learning_rate``, ``epochs``, ``seed``, ``count``.
    """
    seeds = range(settings["seed"], settings["seed"] + settings["count"])
    drawn = [_draw(settings, seed) for seed in seeds]
    x = torch.stack([each[0] for each in drawn])
    y = torch.stack([each[1] for each in drawn])
    weights = [torch.stack(group) for group in zip(*(each[2] for each in drawn), strict=True)]
    moments = [(torch.zeros_like(w), torch.zeros_like(w)) for w in weights]
    kept: dict[str, list[Any]] = {view: [None] * len(seeds) for view in WINDOWS}
    at: dict[int, list[Any]] = {}
    first = torch.zeros(len(seeds), dtype=torch.float64)
    before: list[Tensor] = []
    losses = []
    last = max(settings["epochs"])
    for step in range(last + 1):
        loss, gradients = _gradients(weights, x, y, settings["activation"])
        known = torch.isfinite(loss)
        if not bool(known.any()):
            break  # what is not kept yet stays None, also of one seed that diverges
        losses.append(rounded(loss))
        first = loss if step == 0 else first
        for view, share in WINDOWS.items():
            ended = known & ((loss <= share * first) | (step == last))
            for place in torch.nonzero(ended)[:, 0].tolist():
                if kept[view][place] is None:
                    fallen = bool(loss[place] <= share * first[place])
                    # The window ends before the loss has fallen.
                    inside = [w[place] for w in (before if fallen and before else weights)]
                    kept[view][place] = {
                        "step": step - 1 if fallen else step,
                        "fallen": fallen,
                        "layers": _counts(inside, settings),
                    }
        if step == 0 or step in settings["epochs"]:
            at[step] = [
                _counts([w[k] for w in weights], settings) if known[k] else None
                for k in range(len(seeds))
            ]
        before = [w.clone() for w in weights]
        for weight, gradient, moment in zip(weights, gradients, moments, strict=True):
            update(weight, gradient, moment, step + 1, settings)
    return {"window": kept, "at": {str(step): found for step, found in at.items()}, "loss": losses}


def _draw(settings: Mapping[str, Any], seed: int) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Return samples, targets and weights of a seed; biases are the last rows of the weights."""
    random = torch.Generator().manual_seed(seed)
    d, width = settings["inputs"], settings["width"]
    uniform = torch.rand(settings["samples"], d, generator=random, dtype=torch.float64)
    x = 6 * uniform - 4
    y = 3.5 * torch.sin(5 * x + 1).sum(dim=1, keepdim=True)
    sizes = [(d + 1, width), *[(width + 1, width)] * (settings["hidden"] - 1), (width, 1)]
    weights = []
    for rows, columns in sizes:
        std = rows**-0.5 if settings["std"] is None else settings["std"]
        weights.append(std * torch.randn(rows, columns, generator=random, dtype=torch.float64))
    return x, y, weights


def _with_ones(h: Tensor) -> Tensor:
    return torch.cat([h, torch.ones_like(h[..., :1])], dim=-1)


def _gradients(
    weights: list[Tensor], x: Tensor, y: Tensor, activation: str
) -> tuple[Tensor, list[Tensor]]:
    """Return mean (u − y)² per seed, and its derivatives."""
    function, slope, _ = ACTIVATIONS[activation]
    inputs, inner = [_with_ones(x)], []
    for weight in weights[:-1]:
        inner.append(inputs[-1] @ weight)
        inputs.append(_with_ones(function(inner[-1])))
    # The output has no bias.
    hidden = inputs[-1][..., :-1]
    residual = hidden @ weights[-1] - y
    pull = 2 * residual / x.shape[1]
    found = [hidden.mT @ pull]
    for place in range(len(weights) - 2, -1, -1):
        back = pull @ weights[place + 1].mT
        back = back if place == len(weights) - 2 else back[..., :-1]
        pull = back * slope(inner[place])
        found.append(inputs[place].mT @ pull)
    return residual.square().mean(dim=(1, 2)), found[::-1]


def _counts(weights: list[Tensor], settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the orientations of every hidden layer, with and without signs identified."""
    found = []
    for own, following in pairwise(weights):
        vectors = own.T.numpy()
        outgoing = following[: own.shape[1]].norm(dim=1).numpy()
        heights = outgoing * own.norm(dim=0).numpy()
        odd = ACTIVATIONS[settings["activation"]][2] % 2 == 1
        same, signed = (condensation(vectors, heights, odd=sign) for sign in (True, False))
        found.append(
            {
                "count": same.count,
                "signed": signed.count,
                # Of an even activation ω and −ω are one neuron with the same a; also identified.
                "odd": odd,
                "share": float(same.shares[0]),
                "effective": same.effective,
                "aside": same.set_aside,
                "aside_share": same.set_aside_share,
            }
        )
    return found
