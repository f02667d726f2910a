"""The curve B ↦ V(B) of the squared error, from one decomposition (F3, F6)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from epsrank.theory.floor.decomposed.decomposition import FloorData
from epsrank.theory.floor.decomposed.reachable import reachable_loss, spectral_filter
from epsrank.theory.numbers.scaled import frobenius, times_power_of_two

# Halvings of the bracket of log μ: a factor of 1e40 falls to 1e-9.
_HALVINGS = 44
# Rounds in which the rounding bound at B½ is taken off the level that B½ aims for.
_ROUNDS = 4


@dataclass(frozen=True, eq=False)
class SquaresCurve:
    """V of F3, each value within the derived rounding bound of its decomposition."""

    data: FloorData

    def bounds(self, norm: float) -> tuple[float, float, float]:
        """Return V(B) and what rounding leaves on both sides."""
        found = reachable_loss(self.data, norm)
        slack = self.data.tolerance(norm)
        low = max(0.0, found.dual_norm - slack)
        high = found.norm + slack
        return low * low, found.value, high * high

    def sketch(self, norm: float) -> tuple[float, float]:
        """Return the ends of V(B)."""
        low, _, high = self.bounds(norm)
        return low, high

    @property
    def natural_norm(self) -> float:
        """‖u*‖/√λ_1, 0 for features that are all 0: no head of them matters."""
        data = self.data
        if data.sigma.size == 0:
            return 0.0
        back = data.target_exponent - data.feature_exponent
        return times_power_of_two(data.target_norm / float(data.sigma[0]), back)

    def half_norm(self, least: float, most: float, cap: float) -> float | None:
        """Return the norm at which V meets the level: ‖Z(μ)‖ for the μ with that residual."""
        if self.bounds(cap)[0] > most:
            return math.inf
        goal = math.sqrt(least)
        aim = goal
        for _ in range(_ROUNDS):
            norm = self._norm_at(aim)
            if norm is None or norm > cap:
                return None
            # A little more than the norm found, so that what was rounded off stays inside.
            norm *= 1 + 1e-9
            high = math.sqrt(self.bounds(norm)[2])
            if high <= goal:
                return min(norm, cap)
            aim -= 1.5 * (high - goal) + 1e-12 * goal
            if aim <= 0:
                break
        return None

    def _norm_at(self, level_norm: float) -> float | None:
        """Return the least norm with √V ≤ the level, None where the span does not reach it."""
        data = self.data
        level = times_power_of_two(level_norm, -data.target_exponent)
        if level >= data.target_norm:
            return 0.0
        if not data.outside < level or data.sigma.size == 0:
            return None
        sigma, amplitudes = data.sigma, data.amplitudes

        def residual(root: float) -> float:
            """Return √V at the multiplier root²."""
            return math.hypot(frobenius(amplitudes * spectral_filter(sigma, root)[0]), data.outside)

        # Below the smallest σ by this factor nothing is filtered; above the largest, everything.
        low, high = math.log(float(sigma[-1]) * 1e-10), math.log(float(sigma[0]) * 1e10)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if residual(math.exp(middle)) <= level:
                low = middle
            else:
                high = middle
        gains = spectral_filter(sigma, math.exp(low))[1]
        with np.errstate(over="ignore", under="ignore"):
            norm = frobenius(np.minimum(gains * amplitudes, np.finfo(np.float64).max))
        return times_power_of_two(norm, data.target_exponent - data.feature_exponent)
