"""`detect_staircase`: steps in a series, and whether they go with growth of the rank."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from epsrank.numerics.staircase.calibration import p_value
from epsrank.numerics.staircase.coupling import Coupling, coupling
from epsrank.numerics.staircase.evidence import Evidence, evidence
from epsrank.numerics.staircase.result import Plateau, Staircase, Step
from epsrank.numerics.staircase.series import LEAST_LENGTH, Direction, Scale, Series, as_series
from epsrank.numerics.staircase.shape import Drop

# Level of the test of steps.
LEVEL = 0.05


def detect_staircase(
    series: Any,
    rank: Any = None,
    *,
    scale: Scale = "log",
    times: Any = None,
    direction: Direction = "down",
) -> Staircase:
    """Find plateaus and drops in a series, tested against smooth descent with noise.

    *Steps.* Let y_i = g(t_i) + e_i with noise e_i = ρ e_{i−1} + η_i. Where the speed of descent −g′
    has a mode, g drops between two plateaus. Decays of every kind (drift, exponentials, power laws,
    mixtures) have none, also after a first fall; one sigmoid has one; a *staircase* has two or
    more. Each number is tested against the best curve with fewer modes, and the p-value is that of
    the worst family of nulls that were simulated. A drop is three times as fast as the plateaus
    beside it, and a tenth of the range. Outliers of either sign and a first fall of one or two
    measurements are left out. *Coupling.* See `coupling`.

    Parameters
    ----------
    series : array_like, shape (n,)
        Losses at the measurements. Entries that are not finite, or not positive under ``"log"``,
        are left out. Integers beyond 2⁵³ that float64 would round are refused.
    rank : array_like of shape (n,) or (n, 2), or a pair of lower and upper ends, optional
        ε-ranks at the same measurements, or the ends of their intervals.
    scale : {"log", "linear"}
        Whether falls are ratios or differences.
    times : array_like, shape (n,), optional
        Training steps of the measurements. Give them where measurements are not evenly spaced:
        what is convex in time is not so in the number of the measurement.
    direction : {"down", "up"}
        ``"up"`` finds steps of a growing series, such as a rank (with ``scale="linear"``).

    Returns
    -------
    Staircase
        Steps, plateaus and p-values; ``is_staircase`` where there are two steps or more. A series
        that is too short, constant, or without usable entries has none, and ``reason`` says why.

    Raises
    ------
    InputError
        If the series, times or ranks have a wrong shape, or a choice is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(size=100)
    >>> loss = np.where(np.arange(100) < 60, 5.0, 0.0) + noise
    >>> detect_staircase(loss, scale="linear").steps
    (60,)
    """
    data = as_series(series, times, scale, direction)
    # Coupling is a claim of its own: it is tested whether or not there are steps.
    linked = coupling(data, rank) if rank is not None else None
    made = partial(_result, data, scale, direction, linked)
    if data.coarse.size < LEAST_LENGTH:
        usable = "" if data.index.size == data.length else f" usable of {data.length}"
        problem = f"{data.index.size}{usable} measurements are too few, {LEAST_LENGTH} are needed"
        return made(problem)
    found = evidence(data.coarse_time, data.coarse, data.resolution)
    if found is None:
        return made("the series is constant")
    levels = [p_value(found, count, data.coarse.size) for count in (1, 2)]
    # A staircase has steps: what shows two shows one as well.
    p_one, p_two = min(levels), levels[1]
    steps: tuple[Drop, ...] = ()
    reason = "nothing falls much faster than what is before and after it"
    if p_two <= LEVEL:
        steps = found.steps[1]
        reason = f"{len(steps)} steps between plateaus, beyond one smooth drop with noise"
    elif p_one <= LEVEL:
        # Of the description that shows one step best; should it have more, the largest.
        steps = (max(found.steps[0], key=lambda drop: drop.fall),)
        reason = "1 step between plateaus, beyond smooth decay with noise"
    elif found.steps[0]:
        reason = "smooth decay with autocorrelated noise explains it as well"
    return made(reason, found, (p_one, p_two), steps)


def _place(data: Series, drop: Drop) -> Step:
    """Return the step of a drop: the split of the best two levels, among all measurements."""
    block, y = data.block, data.values
    last, first = y.size - 1, data.transient
    start, end = (min(first + b * block + block // 2, last) for b in (drop.start, drop.end))
    reach = 2 * (end - start) + 8 * block
    low = max(first + drop.left * block, start - reach)
    high = min(first + (drop.right + 1) * block, end + reach + 1, y.size)
    # A few points beside the drop, so that noise at its edge does not hide the best split.
    near = range(max(low + 1, start - block), min(high - 1, end + block) + 1)
    sums = np.concatenate([[0.0], np.cumsum(y[low:high])])
    split = np.array(near) - low
    left = sums[split] / split
    right = (sums[-1] - sums[split]) / (high - low - split)
    # What two levels explain of the squares, n₁n₂(l − r)²/n, with its sign: rises lose.
    gain = split * (high - low - split) * (left - right) * np.abs(left - right)
    index = int(split[np.argmax(gain)]) + low
    start, end = min(start, index - 1), max(end, index)
    # A jump between neighbours goes where the split is; wider drops keep their ends.
    if block == 1 and end - start == 1:
        start, end = index - 1, index
    at = data.index
    return Step(int(at[index]), int(at[start]), int(at[end]), drop.fall)


def _plateaus(data: Series, steps: tuple[Drop, ...], scale: Scale) -> tuple[Plateau, ...]:
    """Return the stretches beside the drops, each once."""
    stretches: list[tuple[int, int]] = []
    for drop in steps:
        if stretches and drop.left <= stretches[-1][1]:
            stretches[-1] = (stretches[-1][0], drop.start)
        else:
            stretches.append((drop.left, drop.start))
        stretches.append((drop.end, drop.right))
    return tuple(_plateau(data, start, end, scale) for start, end in stretches)


def _plateau(data: Series, start: int, end: int, scale: Scale) -> Plateau:
    """Return one plateau by its measurements."""
    first = data.transient + start * data.block
    last = min(data.transient + (end + 1) * data.block, data.values.size) - 1
    # A shorter last block was joined to this one.
    if end == data.coarse.size - 1:
        last = data.values.size - 1
    # Upward series are read with their sign turned.
    level = float(data.sign * data.values[first : last + 1].mean())
    if scale == "log":
        level = float(np.exp(level))
    return Plateau(int(data.index[first]), int(data.index[last]), level)


def _result(
    data: Series,
    scale: Scale,
    direction: Direction,
    linked: Coupling | None,
    reason: str,
    found: Evidence | None = None,
    levels: tuple[float, float] = (1.0, 1.0),
    steps: tuple[Drop, ...] = (),
) -> Staircase:
    """Put the parts together."""
    noise = None if found is None else found.noise[min(len(steps), 1)]
    return Staircase(
        is_staircase=len(steps) > 1,
        found=tuple(_place(data, drop) for drop in steps),
        plateaus=_plateaus(data, steps, scale),
        steps_pvalue=levels[1],
        step_pvalue=levels[0],
        transient=data.transient,
        outliers=data.outliers,
        coupling_pvalue=None if linked is None else linked.p_value,
        coupling_lift=None if linked is None else linked.lift,
        noise=0.0 if noise is None or found is None else noise.sigma * found.scale,
        correlation=0.0 if noise is None else noise.correlation,
        scale=scale,
        direction=direction,
        length=data.length,
        used=int(data.index.size),
        reason=reason,
        coupling_reason="no rank was given" if linked is None else linked.reason,
    )
