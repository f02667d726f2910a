"""Activation functions in ball arithmetic: σ and σ′ on real balls, σ on complex ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb
from scipy.special import erf, expit

from epsrank.theory.numbers.arrays import Array

_HALF = arb(1) / 2


@dataclass(frozen=True)
class BallActivation:
    """σ: R → R as functions of balls."""

    #: σ and σ′ of an ``arb``, enclosing the range over the ball; where σ has a kink, `derivative`
    #: encloses every slope of a chord.
    value: Callable[[Any], Any]
    derivative: Callable[[Any], Any]
    #: σ of an array.
    float64: Callable[[Array], Array]
    #: The analytic continuation of σ as a function of an ``acb``; a ball that holds a pole is
    #: answered by a ball that is not finite. None where σ is not analytic.
    continuation: Callable[[Any], Any] | None = None


# Balls narrower than this go to FLINT as they are; wider ones are enclosed by their ends, which is
# the true range at the price of a second evaluation.
_NARROW_RADIUS = arb(2) ** -16


def _monotone(sigma: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the enclosure of a monotone function: the hull of its values at both ends."""

    def enclosure(z: Any) -> Any:
        if z.rad() < _NARROW_RADIUS:
            return sigma(z)
        return sigma(z.lower()).union(sigma(z.upper()))

    return enclosure


def _bump(sigma: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the enclosure of an even function that decreases in |z|."""

    def enclosure(z: Any) -> Any:
        if z.rad() < _NARROW_RADIUS:
            return sigma(z)
        return sigma(arb(z.abs_lower())).union(sigma(arb(z.abs_upper())))

    return enclosure


def _sech_squared(z: Any) -> Any:
    """tanh′ = 1 − tanh²."""
    t = z.tanh()
    return 1 - t * t


def _erf_density(z: Any) -> Any:
    """erf′(z) = 2/√π · exp(−z²)."""
    return 2 * (-z * z).exp() / arb.pi().sqrt()


_tanh_slope = _bump(_sech_squared)


def _relu(z: Any) -> Any:
    return z.nonnegative_part()


def _relu_slope(z: Any) -> Any:
    """1, 0, or [0, 1] on a ball that holds the kink: the slope of every chord."""
    if z > 0:
        return arb(1)
    return arb(0) if z < 0 else arb(_HALF, _HALF)


def _sigmoid(z: Any) -> Any:
    """1/(1 + e^(−z)) = (tanh(z/2) + 1)/2, in which z stands once."""
    return ((z * _HALF).tanh() + 1) * _HALF


def _sigmoid_slope(z: Any) -> Any:
    """tanh′(z/2)/4."""
    return _tanh_slope(z * _HALF) * _HALF * _HALF


def _gaussian(z: Any) -> Any:
    return (-z * z).exp()


_gaussian_ball = _bump(_gaussian)


#: By name: σ and its derivatives on balls, and whether σ continues analytically.
BALL_ACTIVATIONS: dict[str, BallActivation] = {
    "tanh": BallActivation(_monotone(lambda z: z.tanh()), _tanh_slope, np.tanh, lambda z: z.tanh()),
    "erf": BallActivation(
        _monotone(lambda z: z.erf()), _bump(_erf_density), erf, lambda z: z.erf()
    ),
    "sine": BallActivation(lambda z: z.sin(), lambda z: z.cos(), np.sin, lambda z: z.sin()),
    "cosine": BallActivation(lambda z: z.cos(), lambda z: -z.sin(), np.cos, lambda z: z.cos()),
    "sigmoid": BallActivation(_monotone(_sigmoid), _sigmoid_slope, expit, _sigmoid),
    "gaussian": BallActivation(
        _gaussian_ball, lambda z: -2 * z * _gaussian_ball(z), lambda z: np.exp(-(z**2)), _gaussian
    ),
    "relu": BallActivation(_relu, _relu_slope, lambda z: np.maximum(z, 0.0)),
}

#: Names of the activations that are analytic.
ANALYTIC = tuple(name for name, sigma in BALL_ACTIVATIONS.items() if sigma.continuation)
