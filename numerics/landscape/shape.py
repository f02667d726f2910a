"""The shape of a loss along random lines, in numbers that compare networks of different losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Matrix, Vector


@dataclass(frozen=True)
class LineShape:
    """Medians over random lines through θ."""

    #: log₁₀ of L(θ ± r·d)/L(θ), at the largest distance r measured; decades.
    rise: float
    #: log₁₀ of the second difference over h² and L(θ), h the smallest distance; −∞ where the median
    #: line does not curve upwards.
    curvature: float
    #: Share of the second differences along the lines that are negative.
    not_convex: float
    #: Number of lines.
    lines: int

    def to_json(self) -> dict[str, Any]:
        """Return the shape as plain values, with None for −∞."""
        entry = dict(vars(self))
        return {key: value if np.isfinite(value) else None for key, value in entry.items()}


def line_shape(values: Matrix, a: Vector) -> LineShape:
    """Return the shape of a loss along lines."""
    values, a = np.asarray(values, float), np.asarray(a, float)
    middle = len(a) // 2
    steps = np.diff(a)
    symmetric = len(a) % 2 == 1 and len(a) >= 3 and abs(a[middle]) <= 1e-12 * abs(a[-1])
    if not symmetric or not np.allclose(steps, steps[0], rtol=1e-9) or steps[0] <= 0:
        raise InputError("a", f"is {a!r}", "pass equispaced coordinates around 0, an odd number")
    centre = values[:, middle]
    if not (np.isfinite(centre).all() and (centre > 0).all()):
        raise InputError("values", "are not positive at the centre", "pass losses that are")
    ends = np.concatenate([values[:, 0] / centre, values[:, -1] / centre])
    # A quarter of the largest float, since a second difference adds up four of them.
    finite = np.where(np.isfinite(values), values, np.finfo(float).max / 4)
    second = finite[:, 2:] - 2 * finite[:, 1:-1] + finite[:, :-2]
    # second[i] has its middle at i + 1.
    bend = float(np.median(second[:, middle - 1] / (steps[0] ** 2 * centre)))
    return LineShape(
        float(np.median(np.log10(np.maximum(ends, np.finfo(float).tiny)))),
        float(np.log10(bend)) if bend > 0 else -np.inf,
        float((second < 0).mean()),
        len(values),
    )
