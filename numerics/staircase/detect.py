"""`detect_staircase`: steps in a series, and whether they go with growth of the rank."""

from __future__ import annotations

from typing import Any

import numpy as np

from epsrank.numerics.staircase.calibration import LENGTHS, p_value
from epsrank.numerics.staircase.coupling import Coupling, coupling
from epsrank.numerics.staircase.evidence import Evidence, evidence
from epsrank.numerics.staircase.result import Plateau, Staircase, Step
from epsrank.numerics.staircase.series import Direction, Scale, Series, as_series
from epsrank.numerics.staircase.shape import Drop, drops, least_fall

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
    """Find plateaus and drops in a series, tested against smooth decay with noise.

    *Steps.* The null is y_i = g(t_i) + e_i with g convex or concave — as are drift, exponentials,
    power laws, their mixtures, and the logarithms of these — and noise e_i = ρ e_{i−1} + η_i. The
    alternative is a curve of plateaus and drops through change points, in which a drop falls three
    times as fast as either plateau beside it and further than they do. The statistic is the
    likelihood ratio of the two, each with its own ρ; its null distribution is simulated, and the
    p-value is that of the worst ρ the series admits. *Coupling.* See `coupling`.

    Parameters
    ----------
    series : array_like, shape (n,)
        Losses at the measurements. Entries that are not finite, or not positive under ``"log"``,
        are left out.
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
        Steps, plateaus and p-values. A series that is too short, constant, or without usable
        entries is no staircase, and ``reason`` says why.

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
    if data.index.size < LENGTHS[0]:
        usable = "" if data.index.size == data.length else f" usable of {data.length}"
        problem = f"{data.index.size}{usable} measurements are too few, {LENGTHS[0]} are needed"
        return _nothing(data, scale, direction, problem, linked)
    found = evidence(data.coarse_time, data.coarse, data.resolution)
    if found.pieces is None:
        return _nothing(data, scale, direction, "the series is constant", linked)
    # Of the averages, as those are what is described.
    least = least_fall(float(np.ptp(data.coarse)), data.resolution)
    steps = drops(data.coarse_time, found.pieces, found.noise, least)
    if not steps:
        reason = "nothing falls much faster than what is before and after it"
        return _nothing(data, scale, direction, reason, linked, found)
    # By the ρ that the smooth curve leaves, as in the simulations of the table.
    p = p_value(found.statistic, data.coarse.size, found.smooth_noise.correlation)
    if p > LEVEL:
        reason = "smooth decay with autocorrelated noise explains it as well"
        return _nothing(data, scale, direction, reason, linked, found, p)
    placed = tuple(_place(data, drop) for drop in steps)
    count = f"{len(placed)} steps" if len(placed) > 1 else "1 step"
    reason = f"{count} between plateaus, beyond smooth decay with autocorrelated noise"
    return _result(
        data, scale, direction, reason, linked, found, p, placed, _plateaus(data, steps, scale)
    )


def _place(data: Series, drop: Drop) -> Step:
    """Return the step of a drop: the split of the best two levels, among all measurements."""
    block, y = data.block, data.values
    last = y.size - 1
    start, end = (min(b * block + block // 2, last) for b in (drop.start, drop.end))
    reach = 2 * (end - start) + 8 * block
    low = max(drop.left * block, start - reach)
    high = min((drop.right + 1) * block, end + reach + 1, y.size)
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


def _plateaus(data: Series, steps: list[Drop], scale: Scale) -> tuple[Plateau, ...]:
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
    first, last = start * data.block, min((end + 1) * data.block, data.values.size) - 1
    # A shorter last block was joined to this one.
    if end == data.coarse.size - 1:
        last = data.values.size - 1
    # Upward series are read with their sign turned.
    level = float(data.sign * data.values[first : last + 1].mean())
    if scale == "log":
        level = float(np.exp(level))
    return Plateau(int(data.index[first]), int(data.index[last]), level)


def _nothing(
    data: Series,
    scale: Scale,
    direction: Direction,
    reason: str,
    linked: Coupling | None,
    found: Evidence | None = None,
    p: float = 1.0,
) -> Staircase:
    """Return a series without steps."""
    return _result(data, scale, direction, reason, linked, found, p, (), ())


def _result(
    data: Series,
    scale: Scale,
    direction: Direction,
    reason: str,
    linked: Coupling | None,
    found: Evidence | None,
    p: float,
    steps: tuple[Step, ...],
    plateaus: tuple[Plateau, ...],
) -> Staircase:
    """Put the parts together."""
    # Of the model that is reported.
    noise = None if found is None else (found.noise if steps else found.smooth_noise)
    return Staircase(
        is_staircase=bool(steps),
        found=steps,
        plateaus=plateaus,
        steps_pvalue=p,
        coupling_pvalue=None if linked is None else linked.p_value,
        coupling_lift=None if linked is None else linked.lift,
        noise=0.0 if noise is None else noise.sigma,
        correlation=0.0 if noise is None else noise.correlation,
        scale=scale,
        direction=direction,
        length=data.length,
        used=int(data.index.size),
        reason=reason,
        coupling_reason="no rank was given" if linked is None else linked.reason,
    )
