"""Noise of mini-batch gradients: their covariance K on a fixed measuring batch, and its scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from epsrank.numerics.monitor.quantity.contract import QuantityData
from epsrank.numerics.phenomena.derivatives import (
    beside_training,
    drawn_batches,
    gradient,
    part,
    samples_in,
    whole,
)
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.estimate import Estimate
from epsrank.theory.numbers.arrays import Vector

_SIZE, _BATCHES = 64, 25


@dataclass(frozen=True, eq=False)
class GradientNoise:
    """The covariance K of mini-batch gradients, by its eigenvalues on the sample that was drawn.

    Attributes
    ----------
    eigenvalues : Vector, shape (batches − 1,)
        λ_K¹ ≥ λ_K² ≥ …, of (1/(L − 1)) Σ (g_i − ḡ)(g_i − ḡ)ᵀ; the mean takes one of L directions.
    square : float
        ‖g‖² of the gradient g on all samples.
    batch_size, batches : int
        The measuring batch S, and L.
    """

    eigenvalues: Vector
    square: float
    batch_size: int
    batches: int

    @property
    def top(self) -> float:
        """λ_K¹."""
        return float(self.eigenvalues[0])

    @property
    def trace(self) -> float:
        """Tr K = Tr Σ/S, without bias."""
        return float(self.eigenvalues.sum())

    @property
    def bias(self) -> float:
        """Tr K/(L − 1): about what so few gradients add to λ_K¹ where K has many directions."""
        return self.trace / (self.batches - 1)

    @property
    def scale(self) -> float:
        """S·Tr K/‖g‖² = Tr Σ/‖g‖², the gradient noise scale, in samples."""
        return math.inf if self.square == 0 else self.batch_size * self.trace / self.square


def gradient_noise(
    model: nn.Module,
    loss: Any,
    data: QuantityData,
    *,
    batch_size: int = _SIZE,
    batches: int = _BATCHES,
    centred: bool = True,
    seed: int = 0,
) -> GradientNoise:
    """Covariance K of the gradients of batches of one fixed size, from the Gram matrix of a few.

    K = Σ/S, where Σ is the covariance of the gradients of single samples. S is a *measuring* batch:
    with the batch of each training instead, runs are compared by a factor that is theirs from
    the start and has nothing to do with where they went.

    Parameters
    ----------
    model, loss, data
        As for `Quantity`; the loss is a mean over samples, which have no weights.
    batch_size : int
        S, the same for all runs that are compared.
    batches : int
        L gradients, of which L·n numbers are kept, n the number of parameters.
    centred : bool
        Take the mean of the L gradients off. Without it K is a second moment, the gradient counts
        as noise, and there are L eigenvalues of (1/L) Σ g_i g_iᵀ.
    seed : int
        Of the draw (with replacement), by a generator of its own: the same batches at every call.

    Returns
    -------
    GradientNoise
        Eigenvalues, trace, the bias of the largest, and the noise scale.

    Raises
    ------
    InputError
        If an option cannot be used, samples have weights, or a loss is not finite.

    References
    ----------
    Jastrzębski et al., The break-even point on optimization trajectories of deep neural networks,
    ICLR 2020, arXiv:2002.09572. McCandlish et al., An empirical model of large-batch training,
    arXiv:1812.06162.

    Examples
    --------
    >>> data = QuantityData(torch.ones(8, 1), torch.zeros(8, 1))
    >>> found = gradient_noise(nn.Linear(1, 1, bias=False), nn.functional.mse_loss, data)
    >>> found.trace, found.scale  # identical samples have no noise
    (0.0, 0.0)
    """
    data = whole(data)
    size = as_whole(batch_size, "batch_size")
    draws = as_whole(batches, "batches", least=2)
    drawn = drawn_batches(samples_in(data), size, draws, seed)
    with beside_training(model):
        full = gradient(model, loss, data).double()
        found = torch.stack([gradient(model, loss, part(data, rows)) for rows in drawn]).double()
    if not bool(torch.isfinite(found).all() and torch.isfinite(full).all()):
        raise InputError("model", "has a gradient that is not finite", "measure before it diverges")
    if centred:
        found = found - found.mean(dim=0)
    held = draws - 1 if centred else draws
    spectrum = torch.linalg.eigvalsh(found @ found.T / held).flip(0)[:held].clamp(min=0)
    # Gradients that differ by rounding alone do not differ.
    floor = held * torch.finfo(torch.float64).eps * float(full @ full)
    spectrum = torch.where(spectrum > floor, spectrum, 0.0)
    return GradientNoise(spectrum.cpu().numpy(), float(full @ full), size, draws)


def noise_top(
    model: nn.Module,
    loss: Any,
    data: QuantityData,
    *,
    batch_size: int = _SIZE,
    batches: int = _BATCHES,
    seed: int = 0,
) -> Estimate:
    """λ_K¹, the largest variance of mini-batch gradients along a direction.

    Parameters
    ----------
    model, loss, data, batch_size, batches, seed
        As in `gradient_noise`.

    Returns
    -------
    Estimate
        λ_K¹ with λ_K¹ − Tr K/(L − 1) as its lower end: few gradients in many directions make it too
        large by up to about that.

    Examples
    --------
    >>> data = QuantityData(torch.ones(8, 1), torch.zeros(8, 1))
    >>> noise_top(nn.Linear(1, 1, bias=False), nn.functional.mse_loss, data).value
    0.0
    """
    found = gradient_noise(model, loss, data, batch_size=batch_size, batches=batches, seed=seed)
    return Estimate(found.top, low=max(found.top - found.bias, 0.0), high=found.top)


def noise_directions(
    model: nn.Module,
    loss: Any,
    data: QuantityData,
    *,
    batch_size: int = _SIZE,
    batches: int = _BATCHES,
    seed: int = 0,
) -> float:
    """Tr K/λ_K¹: in how many directions mini-batch gradients vary, from 1 to L − 1.

    Parameters
    ----------
    model, loss, data, batch_size, batches, seed
        As in `gradient_noise`.

    Returns
    -------
    float
        The ratio; NaN where there is no noise.

    Examples
    --------
    >>> data = QuantityData(torch.randn(50, 1), torch.zeros(50, 1))
    >>> noise_directions(nn.Linear(1, 1, bias=False), nn.functional.mse_loss, data)
    1.0
    """
    found = gradient_noise(model, loss, data, batch_size=batch_size, batches=batches, seed=seed)
    return found.trace / found.top if found.top > 0 else math.nan


def noise_scale(
    model: nn.Module,
    loss: Any,
    data: QuantityData,
    *,
    batch_size: int = _SIZE,
    batches: int = _BATCHES,
    seed: int = 0,
) -> float:
    """Tr Σ/‖g‖², the gradient noise scale: the batch whose noise is as large as its gradient.

    Parameters
    ----------
    model, loss, data, batch_size, batches, seed
        As in `gradient_noise`; g is the gradient on all samples, so that ‖g‖² has no bias.

    Returns
    -------
    float
        In samples; ∞ at a stationary point.

    Examples
    --------
    >>> data = QuantityData(torch.ones(8, 1), torch.zeros(8, 1))
    >>> noise_scale(nn.Linear(1, 1, bias=False), nn.functional.mse_loss, data)
    0.0
    """
    return gradient_noise(
        model, loss, data, batch_size=batch_size, batches=batches, seed=seed
    ).scale
