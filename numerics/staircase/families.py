"""Series whose truth is known: smooth decays with noise, planted steps, ranks, pairs of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter

from epsrank.numerics.staircase.series import Direction
from epsrank.theory.numbers.arrays import Array, Vector

Generator = np.random.Generator


class Planted(NamedTuple):
    """A series and its truth."""

    #: The values, to be read on a linear scale.
    series: Vector
    #: First index beyond each planted step; none under the null.
    steps: tuple[int, ...] = ()
    #: Where steps go.
    direction: Direction = "down"


def autocorrelated(generator: Generator, length: int, correlation: float) -> Vector:
    """Draw stationary Gaussian noise of variance 1 with correlation ρ^k at lag k."""
    before, drawn = generator.standard_normal(), generator.standard_normal(length)
    scale = np.sqrt(1 - correlation**2)
    # Begun with an entry before the first, so that the series is stationary from the start.
    noise, _ = lfilter([scale], [1.0, -correlation], drawn, zi=[correlation * before])
    return np.asarray(noise)


def smooth_decay(name: str, generator: Generator, length: int) -> Vector:
    """Draw a decay from 1 to about 0; of logistic ones and jumps the speed has one mode."""
    u = np.arange(length) / length
    if name == "noise":
        return np.zeros(length)
    if name == "drift":
        return 1 - u
    if name == "exponential":
        return np.exp(-(10 ** generator.uniform(0, 2)) * u)
    if name == "power law":
        scale = 10 ** generator.uniform(0, 2.5)
        return np.asarray((1 + scale * u) ** -generator.uniform(0.3, 2))
    if name == "stretched":
        return np.asarray(np.exp(-((10 ** generator.uniform(0, 1.5) * u) ** 0.5)))
    if name == "jump":
        return np.where(u < generator.uniform(0.25, 0.75), 1.0, 0.0)
    if name == "logistic":
        width, middle = generator.uniform(0.02, 0.3), generator.uniform(0.25, 0.75)
        return _sigmoid(middle - u, width)
    rates, weights = 10 ** generator.uniform(-0.5, 2.5, 5), generator.dirichlet(np.ones(5))
    return np.asarray(weights @ np.exp(-rates[:, None] * u))


def _sigmoid(u: Vector, width: float) -> Vector:
    """Return a logistic curve that takes nine tenths of its rise within a width about 0."""
    # Nine tenths of the rise of a logistic curve take six of its units.
    return np.asarray(1 / (1 + np.exp(np.clip(-6 * u / width, -500, 500))))


DECAYS = (
    "noise",
    "drift",
    "exponential",
    "power law",
    "mixture",
    "stretched",
    "logistic",
    "jump",
)
# Decays with what else happens in training: none has two steps.
TROUBLED = (
    "heavy tails",
    "shrinking noise",
    "random walk",
    "outliers",
    "spikes",
    "transient",
    "transient, logistic",
)
# With a thirtieth of the noise's share or less: a shape that one sees.
CLEAR = ("clear decay", "clear logistic", "clear jump")
NULLS = (*DECAYS, *TROUBLED, *CLEAR)


def null_series(name: str, generator: Generator, length: int, correlation: float = 0.0) -> Planted:
    """Draw a smooth descent, of one step at most, by 3 to 100 standard deviations of its noise.

    `name`: one of `NULLS`: a decay (see `smooth_decay`); Student's t₃ for normal innovations; noise
    in proportion to an exponential; a random walk, whatever the correlation; one to three outliers
    of either sign; bursts upward in 3 % of the entries; a first fall of one or two measurements;
    with "clear" a descent by 30 to 1000 standard deviations.
    """
    # All orders of size equally often.
    size = (30 if name in CLEAR else 3) * 10 ** generator.uniform(0, 1.5)
    if name == "random walk":
        return Planted(np.cumsum(generator.standard_normal(length)))
    if name == "heavy tails":
        # Student's t₃ has the variance 3.
        drawn = generator.standard_t(3, length) / np.sqrt(3)
        noise = lfilter([np.sqrt(1 - correlation**2)], [1.0, -correlation], drawn)
        return Planted(size * smooth_decay("drift", generator, length) + noise)
    noise = autocorrelated(generator, length, correlation)
    if name == "shrinking noise":
        decay = np.exp(-3 * np.arange(length) / length)
        return Planted(decay * (size + noise))
    if name in (*DECAYS, *CLEAR):
        shape = name.removeprefix("clear ")
        if shape == "decay":
            shape = str(generator.choice(DECAYS[1:6]))
        return Planted(size * smooth_decay(shape, generator, length) + noise)
    kind = "logistic" if name == "transient, logistic" else str(generator.choice(DECAYS[1:4]))
    series = size * smooth_decay(kind, generator, length) + noise
    if name == "outliers":
        at = generator.choice(np.arange(1, length - 1), generator.integers(1, 4), replace=False)
        far = generator.choice([-1, 1], at.size) * 10 ** generator.uniform(0.7, 1.7, at.size)
        series[at] += far
    elif name == "spikes":
        series += spikes(generator, length)
    else:
        series += first_points(generator, length, size)
    return Planted(series)


def spikes(generator: Generator, length: int) -> Vector:
    """Draw bursts upward of one to four measurements, of 5 to 100 standard deviations."""
    found = np.zeros(length)
    for at in np.flatnonzero(generator.uniform(size=length) < 0.015):
        last = int(generator.integers(1, 5))
        found[at : at + last] += (
            5 * 20 ** generator.uniform(0, 1) * 0.6 ** np.arange(last)[: length - at]
        )
    return found


def first_points(generator: Generator, length: int, size: float) -> Vector:
    """Draw a first fall of one or two measurements, as large as the rest of the descent or more."""
    found = np.zeros(length)
    last = int(generator.integers(1, 3))
    found[:last] = (1 + 3 * generator.uniform()) * max(size, 10) * 0.4 ** np.arange(last)
    return found


def planted_steps(
    generator: Generator,
    length: int,
    correlation: float,
    count: int,
    size: float = 3.0,
    width: float = 0.0,
    transient: bool = False,
) -> Planted:
    """Plant steps between plateaus, with noise of variance 1."""
    steps = _places(generator, length, count)
    index = np.arange(length)
    curve = np.zeros(length)
    for step in steps:
        # A jump is a ramp of one measurement.
        ramp = (index - step + 0.5) / max(width * length, 1.0) + 0.5
        curve -= size * np.clip(ramp, 0, 1)
    if transient:
        curve += first_points(generator, length, size * count)
    return Planted(curve + autocorrelated(generator, length, correlation), steps)


def _places(generator: Generator, length: int, count: int) -> tuple[int, ...]:
    """Draw places of steps, at least half an equal share apart and off the ends."""
    part = length / (count + 1)
    # Each is moved by at most a quarter of a share.
    places = part * (np.arange(1, count + 1) + generator.uniform(-0.25, 0.25, count))
    return tuple(round(place) for place in places.tolist())


Ends = tuple[float, float]

#: Standard deviation of the noise, as shares of the range, and width of drops, as shares of the
#: length: the ends between which they are drawn, all orders of size equally often.
SHAPES: dict[str, tuple[Ends, Ends]] = {
    "clear jumps": ((0.003, 0.03), (0.0005, 0.003)),
    "clear sigmoids": ((0.003, 0.03), (0.01, 0.1)),
    "noisy sigmoids": ((0.03, 0.06), (0.01, 0.1)),
}


def sigmoids(shape: tuple[Ends, Ends], generator: Generator, length: int, count: int) -> Planted:
    """Draw sigmoidal drops between level plateaus, with noise of variance 1.

    `shape`: one of `SHAPES`. Drops take no more than half of the way to the next one.
    """
    noise, width = (math.exp(generator.uniform(*np.log(ends))) for ends in shape)
    steps = _places(generator, length, count)
    width = min(width, np.diff([0, *steps, length]).min() / length / 2)
    # Each more than a tenth of the range, as a drop has to.
    falls = generator.uniform(0.7, 1.3, count)
    # The first entry beyond the middle of a drop is its step.
    index = np.asarray(np.arange(length) + 0.5, np.float64)
    curve = -sum(
        fall * _sigmoid(index - step, width * length)
        for step, fall in zip(steps, falls / (falls.sum() * noise), strict=True)
    )
    return Planted(np.asarray(curve + autocorrelated(generator, length, 0.0)), steps)


def training_curve(generator: Generator, length: int, count: int) -> Planted:
    """Draw what a loss looks like in log: a first fall, sigmoidal drops, plateaus that slope.

    The drops take 2 to 20 % of the length, but at most half of the way to the next one, and fall by
    10 to 100 standard deviations of the noise, which shrinks by a factor of e; spikes on top. With
    no drops it is a slope after a first fall, with one no staircase.
    """
    u = np.arange(length) / length
    steps = _places(generator, length, count)
    apart = np.diff([0, *steps, length]).min() / length
    size = 10 * 10 ** generator.uniform(0, 1)
    curve = np.zeros(length)
    for step in steps:
        width = min(generator.uniform(0.02, 0.2), apart / 2)
        fall = size * generator.uniform(0.6, 1.4)
        curve -= fall * _sigmoid(u - step / length, width)
    # Plateaus fall together by a fifth of what a drop does.
    curve -= 0.2 * size * u
    noise = np.exp(-u) * autocorrelated(generator, length, 0.0)
    top = first_points(generator, length, size)
    return Planted(curve + noise + spikes(generator, length) + top, steps)


def integer_ranks(name: str, generator: Generator, length: int) -> Planted:
    """Draw whole numbers with long flat runs.

    `name`: A constant with excursions by ±1 in 2 % of the entries; a smooth growth by 3 to 30,
    rounded; a rank that jumps twice by 4 to 10, with excursions; `length` is n.
    """
    flicker = generator.choice([-1.0, 0.0, 1.0], length, p=[0.01, 0.98, 0.01])
    if name == "flickering rank":
        return Planted(generator.integers(3, 40) + flicker, direction="up")
    if name == "growing rank":
        # Without the first family, which is 0 and makes nothing grow.
        shape = 1 - smooth_decay(str(generator.choice(DECAYS[1:])), generator, length)
        return Planted(np.round(5 + generator.uniform(3, 30) * shape), direction="up")
    steps = planted_steps(generator, length, 0.0, 2).steps
    jumps = generator.integers(4, 11, 2)
    level = sum(jump * (np.arange(length) >= step) for jump, step in zip(jumps, steps, strict=True))
    return Planted(np.asarray(10 + level + flicker), steps, "up")


_INTENSITIES: dict[str, Callable[[Array], Array]] = {
    "even": np.ones_like,
    "early": lambda u: np.exp(-5 * u),
    "late": lambda u: 1 / (1 + np.exp(-12 * (u - 0.7))),
    "hump": lambda u: np.exp(-(((u - 0.4) / 0.15) ** 2)),
}
TRENDS = tuple(_INTENSITIES)


def loss_and_rank(
    generator: Generator, length: int, trend: str, coupled: bool, steps: int = 6
) -> tuple[Vector, Vector]:
    """Draw a loss with steps and 1 % of correlated noise, and a rank that grows by 20.

    A coupled rank grows where the loss falls (within 1 % of the length), another one by chance.
    """
    u = np.arange(length) / length
    weight = _INTENSITIES[trend](u)
    weight = weight / weight.sum()
    falls = weight.copy()
    # Drawn with the intensity of the trend: loss and rank are busy at the same times anyhow.
    places = generator.choice(length, max(steps, 1), p=weight)
    if steps:
        np.add.at(falls, places, 8 / steps)
        width = max(1, length // 40)
        falls = np.convolve(falls, np.ones(width) / width, "same")
    else:
        falls *= 8
    noise = 0.01 * autocorrelated(generator, length, 0.5)
    near = max(1, length // 100)
    growth = generator.choice(length, 20, p=weight)
    if coupled:
        growth = generator.choice(places, 20) + generator.integers(-near, near + 1, 20)
    rank = 5 + np.cumsum(np.bincount(np.clip(growth, 0, length - 1), minlength=length))
    return np.exp(5 - np.cumsum(falls) + noise), rank.astype(np.float64)
