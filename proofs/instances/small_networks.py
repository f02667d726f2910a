"""Networks of small weights with random data, and descent on them, written out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from epsrank.theory.numbers.arrays import Array, Matrix

#: φ and φ′.
ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "sin": (np.sin, np.cos),
    "relu": (lambda z: np.maximum(z, 0.0), lambda z: (z > 0).astype(np.float64)),
    "linear": (lambda z: z, np.ones_like),
}


@dataclass(frozen=True, eq=False)
class SmallNetwork:
    """Weights at the start, samples, and how they are trained."""

    layers: list[Matrix]
    inputs: Matrix
    target: Matrix
    activation: str
    #: c of c/2 · mean ‖u − y‖².
    factor: float
    rate: float

    def descent(self) -> Iterator[tuple[float, list[Matrix]]]:
        """Yield mean ‖u − y‖² and the weights at each step from 0 on."""
        phi, slope = ACTIVATIONS[self.activation]
        w, x = list(self.layers), self.inputs
        if w[0].shape[1] > x.shape[1]:
            x = np.column_stack([x, np.ones(len(x))])
        while True:
            hidden, inner = [x], []
            for layer in w[:-1]:
                inner.append(hidden[-1] @ layer.T)
                hidden.append(phi(inner[-1]))
            apart = hidden[-1] @ w[-1].T - self.target
            yield float(np.mean(np.sum(apart**2, axis=1))), w
            back = self.factor * apart / len(x)
            gradients = []
            for place in range(len(w) - 1, -1, -1):
                gradients.append(back.T @ hidden[place])
                if place:
                    back = (back @ w[place]) * slope(inner[place - 1])
            w = [a - self.rate * b for a, b in zip(w, reversed(gradients), strict=True)]

    def escape(self, share: float, most: int) -> int | None:
        """Return the first step with a loss of this share of the first, None for not so soon."""
        first = 0.0
        for step, (loss, _) in zip(range(most + 1), self.descent(), strict=False):
            first = loss if step == 0 else first
            if loss <= share * first:
                return step
        return None


def small_network(random: np.random.Generator, depths: tuple[int, ...]) -> SmallNetwork:
    """Draw a network of some depth whose first plateau takes tens to hundreds of steps."""
    depth = int(random.choice(depths))
    d, n = (int(random.integers(low, high)) for low, high in ((1, 4), (4, 30)))
    outputs = int(random.integers(1, 3)) if depth > 2 else 1
    x = random.normal(size=(n, d)) * 10 ** random.uniform(-0.3, 0.3)
    bias = bool(random.random() < 0.5)
    # A part that is linear: else plateaus are as long as one likes.
    y = np.tanh(x @ random.normal(size=(d, outputs))) + 0.3 * random.normal(size=(n, outputs))
    widths = [d + bias, *random.integers(2, 12, depth - 1).tolist(), outputs]
    sigma = 10 ** (random.uniform(-4, -1.5) if depth == 2 else random.uniform(-1.5, -0.7))
    layers = [sigma * random.normal(size=(b, a)) for a, b in pairwise(widths)]
    activation = str(random.choice(list(ACTIVATIONS)))
    factor = float(random.choice([1.0, 2.0]))
    full = np.column_stack([x, np.ones(n)]) if bias else x
    size = float(np.linalg.norm(y.T @ full / n, 2))
    largest = max(float(np.linalg.norm(w, 2)) for w in layers) ** (depth - 2)
    # 2 to 20 % of growth per step at the start.
    rate = 10 ** random.uniform(-1.7, -0.7) / (factor * size * largest)
    stable = 0.2 / (factor * float(np.mean(np.sum(full**2, axis=1))))
    return SmallNetwork(layers, x, y, activation, factor, min(rate, stable))
