"""Transport of amplitudes: W₁ between the distributions of |a_k|‖(w_k, b_k)‖ at two moments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from epsrank.numerics.phenomena.neurons import module_of, neuron_amplitudes
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Vector


class AmplitudeTransport:
    r"""How far the amplitudes of a layer's neurons have moved since the measurement before.

    .. math:: W_1(\rho_s, \rho_t), \qquad \rho_t = \frac1n \sum_k \delta_{|a_k|\,
       \lVert (w_k, b_k) \rVert}

    at the last two moments s < t, by SciPy; divided by t − s where a clock is given. The moment
    before the first one is that at which the object was made.

    Parameters
    ----------
    model : nn.Module
        As it is now; its amplitudes are kept, not the model.
    layer, following : str
        Dotted names of a linear or convolutional layer, and of the one that reads its neurons.
    clock : callable, optional
        Returns the time: ``lambda: step * rate``, for instance.

    Raises
    ------
    InputError
        If a layer is not there or does not fit, or a clock has not advanced between two moments
        of different amplitudes.

    Notes
    -----
    Source: Chen, Luo, Wang, arXiv 2410.20119.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(1, 5), nn.Tanh(), nn.Linear(5, 1))
    >>> AmplitudeTransport(model, "0", "2")(model, None, None)
    0.0
    """

    def __init__(
        self,
        model: nn.Module,
        layer: str,
        following: str,
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.layer, self.following, self.clock = layer, following, clock
        self._amplitudes = self._of(model)
        self._time = None if clock is None else float(clock())

    def __call__(self, model: nn.Module, loss: Any, data: Any, /) -> float:
        """Return the distance, and keep the amplitudes of now."""
        from scipy.stats import wasserstein_distance

        now = self._of(model)
        moved = float(wasserstein_distance(self._amplitudes, now))
        self._amplitudes = now
        if self.clock is None or self._time is None:
            return moved
        before, self._time = self._time, float(self.clock())
        if moved and self._time <= before:
            problem = f"says {self._time!r} after {before!r}"
            raise InputError("clock", problem, "advance it between measurements")
        return moved / (self._time - before) if moved else 0.0

    def _of(self, model: nn.Module) -> Vector:
        layer = module_of(model, self.layer, "layer")
        return neuron_amplitudes(layer, module_of(model, self.following, "following"))
