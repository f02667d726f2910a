"""What the ball certificates need to know about min ‖φβ − u*‖², whatever the measure is made of."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Protocol

from flint import arb

from epsrank.theory.dyadic import to_fmpq
from epsrank.theory.floor.interval import Interval


class LeastSquaresData(Protocol):
    """The facts beside the spectrum: exact for a data set, enclosed for an integral."""

    @property
    def target_norm(self) -> Interval:
        """‖u*‖²."""

    @property
    def target_in_span(self) -> bool:
        """Whether u* is known to lie in span φ, so that d_n = 0."""

    def nullity_at(self, eps: Fraction) -> int:
        """Return a number that is at most the multiplicity of ε as an eigenvalue of G.

        Parameters
        ----------
        eps : Fraction
            ε.

        Returns
        -------
        int
            The multiplicity where it is known exactly, 0 where it is not.
        """


def to_ball(interval: Interval) -> Any:
    """Return a ball around an interval at the working precision.

    Parameters
    ----------
    interval : Interval
        The interval.

    Returns
    -------
    arb
        The ball.
    """
    lower = arb(to_fmpq(interval.lower))
    return lower if interval.exact else lower.union(arb(to_fmpq(interval.upper)))
