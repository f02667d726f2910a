"""Directions in the space of weights: random ones at the scale of the network, and of a path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from epsrank.theory.errors import InputError

State = Mapping[str, Tensor]


def filter_normalised(state: State, generator: torch.Generator) -> dict[str, Tensor]:
    """Return a Gaussian direction d with ‖d_f‖ = ‖θ_f‖ for every filter f of the weights.

    A filter is all that enters one neuron: a row of a matrix, an output channel of a convolution.
    Scaling a neuron's weights then scales the direction as well, so that networks of different
    weight norms can be compared. Biases and other vectors are scaled as a whole.

    `state` is θ, by name. Source: H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein,
    Visualizing the loss landscape of neural nets, 2018.
    """
    direction = {}
    for name, value in state.items():
        # Counters, such as the number of batches that a norm has seen, do not move.
        if not value.is_floating_point():
            direction[name] = torch.zeros_like(value)
            continue
        # In float64 on the CPU: the same direction in every dtype and on every device.
        drawn = torch.randn(value.shape, generator=generator, dtype=torch.float64)
        rows = drawn.reshape(len(value), -1) if value.ndim > 1 else drawn.reshape(1, -1)
        held = value.detach().to("cpu", torch.float64).reshape(rows.shape)
        lengths = rows.norm(dim=1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
        scaled = rows * (held.norm(dim=1, keepdim=True) / lengths)
        direction[name] = scaled.reshape(value.shape).to(value)
    return direction


def path_directions(
    states: Sequence[State],
) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor, float]:
    """Return the plane closest to a training path, and the path within it.

    The first two principal components of θ_t − θ_T, T the last state; the plane goes through θ_T.

    It comes as two orthonormal directions, the coordinates of every state, and the share of
    Σ‖θ_t − θ_T‖² that it holds. Source: H. Li et al., 2018, section 7.
    """
    if len(states) < 3:
        raise InputError("states", f"are {len(states)}", "pass at least three checkpoints")
    shapes = [
        (name, value.shape) for name, value in states[-1].items() if value.is_floating_point()
    ]
    flat = torch.stack(
        [
            torch.cat(
                [state[name].detach().to("cpu", torch.float64).reshape(-1) for name, _ in shapes]
            )
            for state in states
        ]
    )
    offsets = flat - flat[-1]
    _, lengths, axes = torch.linalg.svd(offsets, full_matrices=False)
    if not bool(lengths[1] > 0):
        raise InputError("states", "lie on a line", "pass checkpoints of a longer training")
    # A sign that does not depend on the library: the first checkpoint lies on the positive side.
    signs = torch.where(offsets[0] @ axes[:2].T < 0, -1.0, 1.0)
    plane = axes[:2] * signs[:, None].to(axes)
    share = float((lengths[:2] ** 2).sum() / (lengths**2).sum())

    def named(vector: Tensor) -> dict[str, Tensor]:
        parts = torch.split(vector, [shape.numel() for _, shape in shapes])
        pairs = zip(shapes, parts, strict=True)
        found = {name: part.reshape(shape).to(states[-1][name]) for (name, shape), part in pairs}
        rest = {name: torch.zeros_like(value) for name, value in states[-1].items()}
        return rest | found

    return named(plane[0]), named(plane[1]), offsets @ plane.T, share
