"""Plateaus whose cause is known by construction, and the word that each must read (F6).

Features are ≥ 0, so that a ReLU passes them unchanged and a monitor can be shown the very head.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from epsrank.theory.floor.reading import ReadingName
from epsrank.theory.numbers.arrays import Array, Matrix, Vector
from epsrank.theory.words import plural

_SAMPLES, _NEURONS = 120, 12


@dataclass(frozen=True, eq=False)
class Plateau:
    """A head on its features, with the reason why its loss is what it is."""

    name: str
    #: The reading that the cause calls for.
    word: ReadingName
    #: Why.
    cause: str
    #: φ, N × n.
    features: Matrix = field(repr=False)
    #: u*, N × k.
    target: Matrix = field(repr=False)
    #: W and b.
    weight: Matrix = field(repr=False)
    bias: Vector = field(repr=False)

    def shifted(self, shift: float) -> Plateau:
        """Return the same plateau with target and bias moved: nothing about its cause changes."""
        return replace(
            self,
            name=f"{self.name}, target + {shift:g}",
            target=self.target + shift,
            bias=self.bias + shift,
        )


@cache
def known_plateaus() -> tuple[Plateau, ...]:
    """Return the table, each case once as it is and once with its target shifted by 100."""
    cases = [*_head_alone(), _zero_head(), _tiny_rate(), _decayed(), _few_neurons(), _bad_steps()]
    return tuple(case for plain in cases for case in (plain, plain.shifted(100.0)))


def _random_layer(rng: np.random.Generator, neurons: int = _NEURONS) -> Array:
    """Return frozen random ReLU features of points in the plane."""
    points = rng.uniform(-1, 1, (_SAMPLES, 2))
    return np.maximum(points @ rng.normal(size=(2, neurons)) + rng.uniform(-1, 1, neurons), 0.0)


def _realisable(seed: int) -> tuple[Array, Array, Array]:
    """Return features, a target in their span of which strong directions hold most, and its W*."""
    rng = np.random.default_rng(seed)
    features = _random_layer(rng)
    weight = rng.normal(size=(_NEURONS, 1))
    target = features @ weight
    return features, target - target.mean(), weight


def _fitted(features: Array, target: Array, weight: Array) -> Array:
    """Return the best bias for a head."""
    return np.asarray((target - features @ weight).mean(axis=0))


def _descended(features: Array, target: Array, steps: int, rate: float, weight: Array) -> Array:
    """Return the head after gradient steps at a rate relative to 1/λ_1, the bias fitted."""
    centred = features - features.mean(axis=0)
    goal = target - target.mean(axis=0)
    gram = centred.T @ centred / len(features)
    step = rate / float(np.linalg.eigvalsh(gram)[-1])
    for _ in range(steps):
        weight = weight - step * (gram @ weight - centred.T @ goal / len(features))
    return weight


def _head_alone() -> list[Plateau]:
    """Return moments of training the head alone, from 0: it follows V(B) as its norm grows."""
    features, target, _ = _realisable(1)
    found = []
    for steps in (4, 12, 40):
        weight = _descended(features, target, steps, 1.0, np.zeros((_NEURONS, 1)))
        found.append(
            Plateau(
                f"frozen features, head after {plural(steps, 'step')}", "norm-limited",
                "only the head is trained, and it has not grown yet",
                features, target, weight, _fitted(features, target, weight),
            )
        )  # fmt: skip
    return found


def _zero_head() -> Plateau:
    """Return a head that starts at 0 on features that could fit the target exactly."""
    features, target, _ = _realisable(2)
    return Plateau(
        "zero head on perfect features", "norm-limited", "the head starts at 0, and is too small",
        features, target, np.zeros((_NEURONS, 1)), np.zeros(1),
    )  # fmt: skip


def _tiny_rate() -> Plateau:
    """Return a random head of ample norm that 50 steps of a tiny rate have hardly moved."""
    features, target, ideal = _realisable(3)
    start = np.random.default_rng(30).normal(size=ideal.shape)
    start *= 2 * np.linalg.norm(ideal) / np.linalg.norm(start)
    weight = _descended(features, target, 50, 1e-5, start)
    return Plateau(
        "tiny rate", "optimiser-limited", "the head is as large as needed, and hardly trained",
        features, target, weight, _fitted(features, target, weight),
    )  # fmt: skip


def _decayed() -> Plateau:
    """Return the minimiser under strong weight decay."""
    features, target, _ = _realisable(4)
    centred = features - features.mean(axis=0)
    gram = centred.T @ centred / _SAMPLES
    decay = 0.5 * float(np.linalg.eigvalsh(gram)[-1])
    weight = np.linalg.solve(gram + decay * np.eye(_NEURONS), centred.T @ target / _SAMPLES)
    return Plateau(
        "strong weight decay", "norm-limited", "weight decay holds the head small",
        features, target, weight, _fitted(features, target, weight),
    )  # fmt: skip


def _few_neurons() -> Plateau:
    """Return the best head on two neurons, for a target that they cannot follow."""
    rng = np.random.default_rng(5)
    x = rng.uniform(-1, 1, (_SAMPLES, 1))
    features = np.maximum(x * np.array([[1.0, -1.0]]) + 0.3, 0.0)
    target = np.sin(9 * x)
    centred = features - features.mean(axis=0)
    weight = np.linalg.lstsq(centred, target - target.mean(axis=0), rcond=None)[0]
    return Plateau(
        "too few neurons", "feature-limited", "two neurons cannot follow the target",
        features, target, weight, _fitted(features, target, weight),
    )  # fmt: skip


def _bad_steps() -> Plateau:
    """Return a head that steps twice too long throw to and fro along the strongest direction."""
    features, target, ideal = _realisable(6)
    weight = _descended(features, target, 6, 2.2, ideal * np.linspace(0.2, 1.8, _NEURONS)[:, None])
    return Plateau(
        "steps too long", "optimiser-limited", "the optimiser oscillates",
        features, target, weight, _fitted(features, target, weight),
    )  # fmt: skip
