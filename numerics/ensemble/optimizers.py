"""The optimisers of a training on stacked parameters, each network with its own rate.

The updates are PyTorch's to the letter, and in its order of operations, so that each network gets
the bits that its own optimiser would give it. (L-BFGS chooses its steps by a search along a line,
network by network: nothing there is common to K of them.)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from epsrank.numerics.ensemble.parameters import ParameterStack
from epsrank.theory.errors import InputError

#: Optimisers that work entry by entry.
ELEMENTWISE = ("sgd", "momentum", "adam", "adamw")

# PyTorch's constants, and our momentum.
_BETAS, _EPS, _DECAY, _MOMENTUM = (0.9, 0.999), 1e-8, 1e-2, 0.9


class StackedOptimizer(ABC):
    """Updates θ_k of K networks, each with its own rate."""

    def __init__(self, stack: ParameterStack, rates: Sequence[float]) -> None:
        self.stack = stack
        self.rates = list(rates)
        self.steps = 0
        self._owners: Tensor | None = None

    @abstractmethod
    def step(self, grad: Tensor) -> None:
        """Make one update."""

    @abstractmethod
    def keep(self, kept: Tensor) -> None:
        """Drop all but some networks, parameters and state alike."""

    @abstractmethod
    def state_of(self, position: int) -> list[dict[str, Any]]:
        """Return what PyTorch's optimiser of one network would remember."""

    def _per_entry(self, values: Sequence[float]) -> float | Tensor:
        """Spread a number per network over the buffer; one number where all are the same."""
        if len(set(values)) == 1:
            return values[0]
        if self._owners is None:
            self._owners = self.stack.owners()
        flat = self.stack.flat
        # Formed in float64 and then rounded, as a Python number is where PyTorch takes one.
        return torch.tensor(values, dtype=flat.dtype, device=flat.device)[self._owners]

    def _reduced(self, kept: Tensor, *buffers: Tensor) -> tuple[Tensor, ...]:
        """Drop networks from parameters, rates and further buffers."""
        self.rates = [self.rates[index] for index in kept.tolist()]
        self._owners = None
        reduced = tuple(self.stack.selected(kept, buffer) for buffer in buffers)
        self.stack.keep(kept)
        return reduced


class StackedSGD(StackedOptimizer):
    """v ← m v + g, θ ← θ − η v  (v = g at first, and always where the momentum m is 0)."""

    def __init__(self, stack: ParameterStack, rates: Sequence[float], momentum: float) -> None:
        super().__init__(stack, rates)
        self.momentum = momentum
        self.velocity: Tensor | None = None

    def step(self, grad: Tensor) -> None:
        """Make one update."""
        self.steps += 1
        if self.momentum:
            if self.velocity is None:
                self.velocity = grad.clone()
            else:
                self.velocity.mul_(self.momentum).add_(grad)
            grad = self.velocity
        rate = self._per_entry([-rate for rate in self.rates])
        if isinstance(rate, Tensor):
            self.stack.flat.addcmul_(grad, rate)
        else:
            self.stack.flat.add_(grad, alpha=rate)

    def keep(self, kept: Tensor) -> None:
        """Drop all but some networks."""
        if self.velocity is None:
            self._reduced(kept)
        else:
            (self.velocity,) = self._reduced(kept, self.velocity)

    def state_of(self, position: int) -> list[dict[str, Any]]:
        """Return what ``torch.optim.SGD`` would remember."""
        if not self.momentum:
            return []
        if self.velocity is None:
            return [{"momentum_buffer": None} for _ in self.stack.names]
        state = self.stack.state_of(position, self.velocity)
        return [{"momentum_buffer": state[name].clone()} for name in self.stack.names]


class StackedAdam(StackedOptimizer):
    """m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², θ ← θ − η m̂ / (√v̂ + ε), after θ ← (1 − ηλ)θ.

    m̂ = m/(1 − β₁ᵗ) and v̂ = v/(1 − β₂ᵗ) at update t.
    """

    def __init__(self, stack: ParameterStack, rates: Sequence[float], decay: float) -> None:
        super().__init__(stack, rates)
        self.decay = decay
        self.mean = torch.zeros_like(stack.flat)
        self.square = torch.zeros_like(stack.flat)

    def step(self, grad: Tensor) -> None:
        """Make one update."""
        self.steps += 1
        flat, (beta1, beta2) = self.stack.flat, _BETAS
        if self.decay:
            flat.mul_(self._per_entry([1 - rate * self.decay for rate in self.rates]))
        self.mean.lerp_(grad, 1 - beta1)
        self.square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        first, second = 1 - beta1**self.steps, 1 - beta2**self.steps
        scale = (self.square.sqrt() / second**0.5).add_(_EPS)
        size = self._per_entry([-(rate / first) for rate in self.rates])
        if isinstance(size, Tensor):
            flat.addcdiv_(self.mean * size, scale)
        else:
            flat.addcdiv_(self.mean, scale, value=size)

    def keep(self, kept: Tensor) -> None:
        """Drop all but some networks."""
        self.mean, self.square = self._reduced(kept, self.mean, self.square)

    def state_of(self, position: int) -> list[dict[str, Any]]:
        """Return what ``torch.optim.Adam`` would remember."""
        if not self.steps:
            return []
        mean = self.stack.state_of(position, self.mean)
        square = self.stack.state_of(position, self.square)
        return [
            {
                # PyTorch counts updates in a float32 tensor.
                "step": torch.tensor(float(self.steps), dtype=torch.float32),
                "exp_avg": mean[name].clone(),
                "exp_avg_sq": square[name].clone(),
            }
            for name in self.stack.names
        ]


def stacked_optimizer(name: str, stack: ParameterStack, rates: Sequence[float]) -> StackedOptimizer:
    """Return the optimiser of a run, for many."""
    if name in ("adam", "adamw"):
        return StackedAdam(stack, rates, _DECAY if name == "adamw" else 0.0)
    if name in ("sgd", "momentum"):
        return StackedSGD(stack, rates, _MOMENTUM if name == "momentum" else 0.0)
    raise InputError(
        "optimizer",
        f"is {name!r}, which searches along a line, network by network",
        f"choose one of {', '.join(ELEMENTWISE)}, or train one by one",
    )
