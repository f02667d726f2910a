"""Parameters of K networks in one buffer, and their gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor


class ParameterStack:
    """Parameters of K networks in one flat buffer, so that an update is one elementwise pass.

    Parameter i of all networks is one block of the buffer, seen as (K, …).
    """

    def __init__(self, states: Sequence[Mapping[str, Tensor]]) -> None:
        self.names = list(states[0])
        self.shapes = [states[0][name].shape for name in self.names]
        blocks = [torch.stack([state[name].detach() for state in states]) for name in self.names]
        self._adopt(blocks)

    def _adopt(self, blocks: Sequence[Tensor]) -> None:
        self.count = blocks[0].shape[0]
        self.flat = torch.cat([block.reshape(-1) for block in blocks])
        ends = [0]
        for block in blocks:
            ends.append(ends[-1] + block.numel())
        self._ends = ends
        # Views of the buffer: whoever updates it updates what the forward pass sees.
        self.leaves = [block.requires_grad_() for block in self.blocks(self.flat)]

    def blocks(self, flat: Tensor) -> list[Tensor]:
        """See a buffer of the same layout as blocks (K, …), one per parameter."""
        return [
            flat.detach()[start:end].view(self.count, *shape)
            for (start, end), shape in zip(pairwise(self._ends), self.shapes, strict=True)
        ]

    def named(self) -> dict[str, Tensor]:
        """Return the parameters by name, to be differentiated by."""
        return dict(zip(self.names, self.leaves, strict=True))

    def gradient(self, losses: Tensor) -> Tensor:
        """Return the gradients of K losses, each by its own network's parameters.

        The loss of one network does not depend on another's parameters: the gradient of the sum
        has them all, unmixed.
        """
        grads = torch.autograd.grad(losses, self.leaves, torch.ones_like(losses))
        return torch.cat([grad.reshape(-1) for grad in grads])

    def owners(self) -> Tensor:
        """Return to which network each entry of the buffer belongs."""
        numbers = torch.arange(self.count, device=self.flat.device)
        return torch.cat([numbers.repeat_interleave(shape.numel()) for shape in self.shapes])

    def selected(self, kept: Tensor, flat: Tensor) -> Tensor:
        """Return a buffer of this layout without the networks that are dropped."""
        return torch.cat([block[kept].reshape(-1) for block in self.blocks(flat)])

    def keep(self, kept: Tensor) -> None:
        """Drop all but some networks."""
        self._adopt([block[kept] for block in self.blocks(self.flat)])

    def state_of(self, position: int, flat: Tensor | None = None) -> dict[str, Tensor]:
        """Return the parameters of one network, or the like entries of another buffer."""
        blocks = self.blocks(self.flat if flat is None else flat)
        return {name: block[position] for name, block in zip(self.names, blocks, strict=True)}
