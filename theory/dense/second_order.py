"""φ, ∂φ/∂x_i and ∂²φ/∂x_i² of a dense network in ball arithmetic, by closed forms of σ′ and σ″.

The jet (y, y′, y″) along a coordinate passes an affine layer linearly, and a neuron by

    y = σ(z),   y′ = σ′(z) z′,   y″ = σ″(z) z′² + σ′(z) z″.

Nothing here is shared with automatic differentiation, so it is a check on that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, arb_mat, ctx

from epsrank.theory.dense.network import DenseNetwork
from epsrank.theory.errors import InputError
from epsrank.theory.floor.certified.ball_matrix import from_array
from epsrank.theory.numbers.arrays import Matrix

#: σ, σ′ and σ″ of a ball.
Jet = tuple[Any, Any, Any]


def _tanh(z: Any) -> Jet:
    t = z.tanh()
    slope = 1 - t * t
    return t, slope, -2 * t * slope


def _sine(z: Any) -> Jet:
    s, c = z.sin(), z.cos()
    return s, c, -s


def _cosine(z: Any) -> Jet:
    s, c = z.sin(), z.cos()
    return c, -s, -c


def _erf(z: Any) -> Jet:
    density = 2 * (-z * z).exp() / arb.pi().sqrt()
    return z.erf(), density, -2 * z * density


def _sigmoid(z: Any) -> Jet:
    s = 1 / (1 + (-z).exp())
    slope = s * (1 - s)
    return s, slope, slope * (1 - 2 * s)


def _gaussian(z: Any) -> Jet:
    e = (-z * z).exp()
    return e, -2 * z * e, (4 * z * z - 2) * e


JETS: dict[str, Callable[[Any], Jet]] = {
    "tanh": _tanh,
    "sine": _sine,
    "cosine": _cosine,
    "erf": _erf,
    "sigmoid": _sigmoid,
    "gaussian": _gaussian,
}


@dataclass(frozen=True, eq=False)
class FeatureJets:
    """Enclosures of φ and of its first two derivatives along every coordinate, at one point."""

    #: φ_j.
    value: list[Any]
    #: ∂φ_j/∂x_i and ∂²φ_j/∂x_i².
    first: list[list[Any]]
    second: list[list[Any]]


def feature_jets(network: DenseNetwork, point: Sequence[float], *, bits: int = 128) -> FeatureJets:
    """Enclose φ, ∂φ/∂x_i and ∂²φ/∂x_i² of the last hidden layer at a point, taken as exact."""
    if network.activation not in JETS:
        known = ", ".join(JETS)
        raise InputError("activation", f"is {network.activation!r}", f"choose one of {known}")
    if len(point) != network.n_inputs:
        raise InputError("point", f"has {len(point)} coordinates", f"pass {network.n_inputs}")
    sigma = JETS[network.activation]
    d = network.n_inputs
    with ctx.workprec(bits):
        value = arb_mat([[arb(float(x))] for x in point])
        first = from_array(np.eye(d))
        second = arb_mat(d, d)
        for weight, bias in zip(network.weights, network.biases, strict=True):
            matrix = from_array(weight)
            z = matrix * value + from_array(bias[:, None])
            dz, ddz = matrix * first, matrix * second
            jets = [sigma(z[j, 0]) for j in range(len(bias))]
            value = arb_mat([[jet[0]] for jet in jets])
            first = arb_mat([[jet[1] * dz[j, i] for i in range(d)] for j, jet in enumerate(jets)])
            second = arb_mat(
                [
                    [jet[2] * dz[j, i] ** 2 + jet[1] * ddz[j, i] for i in range(d)]
                    for j, jet in enumerate(jets)
                ]
            )
    n = network.n_features
    return FeatureJets(
        [value[j, 0] for j in range(n)],
        [[first[j, i] for j in range(n)] for i in range(d)],
        [[second[j, i] for j in range(n)] for i in range(d)],
    )


def enclosed_features(
    network: DenseNetwork,
    points: Matrix,
    combine: Callable[[FeatureJets, Sequence[float]], list[Any]],
    *,
    bits: int = 128,
) -> tuple[Matrix, Matrix]:
    """Return the middle and the radius of combinations of jets, such as −Δφ, at several points.

    The radii contain the rounding of the middles.
    """
    middles, radii = [], []
    for point in points.tolist():
        with ctx.workprec(bits):
            balls = combine(feature_jets(network, point, bits=bits), point)
        # Radii have 30 bits, so that float() takes them exactly; middles round by 2^-53 at most.
        row = [float(ball.mid()) for ball in balls]
        middles.append(row)
        radii.append(
            [float(ball.rad()) + abs(m) * 2.0**-52 for ball, m in zip(balls, row, strict=True)]
        )
    return np.array(middles), np.array(radii)
