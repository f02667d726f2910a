"""L1 on small networks: automatic features against closed forms, the PINN loss, and its chain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from flint import arb
from hypothesis import strategies as st
from torch import Tensor

from epsrank.numerics.networks import ACTIVATIONS
from epsrank.numerics.operators import (
    BoundaryProblem,
    LinearOperator,
    OperatorSystem,
    constant,
    heat,
    helmholtz,
    images,
    poisson,
)
from epsrank.proofs.strategies.dense import dense_networks, small_boxes
from epsrank.proofs.testing.search import Tally, refute, states
from epsrank.theory.dense import DenseNetwork
from epsrank.theory.dense.second_order import FeatureJets, enclosed_features
from epsrank.theory.floor.certified.certificate import certify_chain
from epsrank.theory.floor.chain import check_chain
from epsrank.theory.floor.loss_floor import loss_floor
from epsrank.theory.numbers.arrays import Array, Matrix, Vector

# What float64 may lose in second derivatives of networks with weights up to 6, relative to the
# largest feature of the case.
_AGREEMENT = 1e-11


def on_jets(operator: LinearOperator, parameter: float) -> Callable[..., list[Any]]:
    """Return 𝓛 as a combination of exact derivatives at a point."""

    def combine(jets: FeatureJets, point: Sequence[float]) -> list[Any]:
        """Return 𝓛φ."""
        neurons, d = range(len(jets.value)), len(point)
        laplace = [sum((jets.second[i][j] for i in range(d)), arb(0)) for j in neurons]
        if operator.name == "poisson":
            return [-value for value in laplace]
        if operator.name == "helmholtz":
            square = arb(parameter) ** 2
            return [value + square * y for value, y in zip(laplace, jets.value, strict=True)]
        if operator.name == "heat":
            space = [sum((jets.second[i][j] for i in range(d - 1)), arb(0)) for j in neurons]
            nu = arb(parameter)
            return [t - nu * x for t, x in zip(jets.first[d - 1], space, strict=True)]
        return list(jets.value)

    return combine


def closed_form_features(
    system: OperatorSystem, network: DenseNetwork, parameter: float
) -> tuple[Matrix, Matrix]:
    """Return (𝓛φ, √κ φ) by closed forms of σ″ in ball arithmetic: middles and radii.

    The radii leave out that of √κ.
    """
    points, inside = system.x.double().numpy(), system.stacked.inside.numpy()
    operator = system.stacked.operator
    assert isinstance(operator, LinearOperator)  # the floor is that of linear problems (L1)
    first = enclosed_features(network, points[inside], on_jets(operator, parameter))
    second = enclosed_features(network, points[~inside], on_jets(system.stacked.boundary, 0.0))
    root = np.sqrt(system.stacked.kappa)
    return (
        np.concatenate([first[0], root * second[0]]),
        np.concatenate([first[1], root * second[1]]),
    )


@dataclass(frozen=True, eq=False)
class OperatorCase:
    """A network, a linear operator, a box, κ and targets."""

    #: φ with its output layer.
    network: DenseNetwork
    #: ``"poisson"``, ``"helmholtz"`` or ``"heat"``.
    name: str
    #: k or ν.
    parameter: float
    #: Ω.
    domain: list[tuple[float, float]]
    #: κ.
    kappa: float
    #: Amplitudes of f and g.
    data: Vector
    #: Interior points wanted.
    count: int

    def operator(self) -> LinearOperator:
        """Return 𝓛."""
        if self.name == "poisson":
            return poisson()
        return helmholtz(self.parameter) if self.name == "helmholtz" else heat(self.parameter)

    def system(self) -> OperatorSystem:
        """Return the problem at its nodes."""
        f, g = self.data[:4], self.data[4:]

        def values(amplitudes: Array) -> Callable[[Array], Array]:
            """Return Σ_k a_k cos(k Σ_i x_i)."""
            return lambda x: np.cos(np.outer(x.sum(axis=1), np.arange(4.0))) @ amplitudes

        problem = BoundaryProblem(
            "", self.operator(), tuple(self.domain), values(f), values(g), kappa=self.kappa
        )
        return problem.system(self.count)

    def features(self, x: Tensor) -> Tensor:
        """Return φ, evaluated by torch."""
        sigma = ACTIVATIONS[self.network.activation]
        for weight, bias in zip(self.network.weights, self.network.biases, strict=True):
            x = sigma(x @ torch.from_numpy(weight).T + torch.from_numpy(bias))
        return x

    def output(self, x: Tensor) -> Tensor:
        """Return u = φβ + b."""
        assert self.network.head is not None
        assert self.network.offset is not None
        return self.features(x) @ torch.from_numpy(self.network.head) + float(
            self.network.offset[0]
        )


@st.composite
def operator_cases(draw: st.DrawFn) -> OperatorCase:
    """Draw a case in one or two dimensions."""
    network = draw(dense_networks(max_inputs=2))
    # The heat equation has an axis of time and one of space at least.
    names = ("poisson", "helmholtz", "heat")[: 2 + (network.n_inputs > 1)]
    numbers = st.integers(-8, 8).map(lambda k: k / 4.0)
    return OperatorCase(
        network,
        draw(st.sampled_from(names)),
        draw(numbers),
        draw(small_boxes(network.n_inputs)),
        2.0 ** draw(st.integers(-4, 8)),
        np.array(draw(st.lists(numbers, min_size=8, max_size=8))),
        draw(st.integers(1, 9)),
    )


def _joined(case: OperatorCase, system: OperatorSystem) -> tuple[Array, Array]:
    """Return the features with the image of the constant, and the coefficients with the bias."""
    features = np.hstack(
        [system.features(case.features), images(system.stacked, constant, system.x)]
    )
    assert case.network.head is not None
    assert case.network.offset is not None
    return features, np.vstack([case.network.head, case.network.offset[None]])


@states("operator-floor", share=0.5, case=operator_cases())
def operator_features_are_the_closed_forms(tally: Tally, case: OperatorCase) -> None:
    """Automatic features (𝓛φ, √κ 𝓑φ) agree with closed forms of σ″ in ball arithmetic (L1)."""
    system = case.system()
    found = system.features(case.features)
    middle, radius = closed_form_features(system, case.network, case.parameter)
    # The terms of one feature cancel: rounding follows the weights, squared for each derivative.
    steep = 1.0
    for weight in case.network.weights:
        steep *= max(1.0, float(np.abs(weight).sum(axis=1).max())) ** 2
    allowed = radius + _AGREEMENT * (steep + np.abs(middle)) * max(1.0, case.kappa)
    if (np.abs(found - middle) > allowed).any():
        worst = np.unravel_index(np.argmax(np.abs(found - middle) - allowed), found.shape)
        refute(f"feature {worst}: {found[worst]!r} against {middle[worst]!r}")
    tally.count(True)


@states("operator-floor", case=operator_cases())
def operator_loss_is_a_norm_above_its_floor(tally: Tally, case: OperatorCase) -> None:
    """‖𝓛u − f‖² + κ‖𝓑u − g‖² is the squared norm of L1, and F1–F3 hold for it in float64."""
    system = case.system()
    features, coefficients = _joined(case, system)
    floor = loss_floor(
        features, system.target, eps=1e-4, coefficients=coefficients, weights=system.weights,
        measure=system.measure, losses=(),
    )  # fmt: skip
    assert floor.loss is not None
    direct = system.loss(case.output)
    terms = np.abs(features) @ np.abs(coefficients) + np.abs(system.target)
    scale = float(system.weights @ np.square(terms[:, 0]))
    if abs(direct - floor.loss) > 1e-9 * scale:
        refute(f"the loss is {direct!r}, the squared norm {floor.loss!r}")
    for link in check_chain(floor).links:
        if link.state == "violated":
            refute(f"{link.name}: {link.smaller!r} > {link.larger!r} + {link.tolerance!r}")
        tally.count(link.state == "strict")


@states("operator-floor", share=0.1, case=operator_cases(), exponent=st.integers(-10, 0))
def operator_chain_holds_in_balls(tally: Tally, case: OperatorCase, exponent: int) -> None:
    """floor² ≤ envelope² ≤ V(‖β‖) ≤ loss of a PINN, decided by ball arithmetic (F2, F3, L1)."""
    system = case.system()
    features, coefficients = _joined(case, system)
    found = certify_chain(
        features, system.target, coefficients, 10.0**exponent, weights=system.weights,
        measure=system.measure, max_precision=1024,
    )  # fmt: skip
    for verdict in found.verdicts:
        if verdict.state == "violated":
            refute(str(verdict))
        tally.count(verdict.holds)
