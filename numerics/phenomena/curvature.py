"""Curvature of a loss: eigenvalues of its Hessian, their density, 2/η, and batch sharpness."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from epsrank.numerics.boundary import refuse_working_set
from epsrank.numerics.monitor.quantity.contract import QuantityData
from epsrank.numerics.phenomena.derivatives import (
    HessianProducts,
    beside_training,
    drawn_batches,
    part,
    samples_in,
    whole,
)
from epsrank.numerics.phenomena.lanczos import Ritz, lanczos
from epsrank.theory.data.inputs import as_positive, as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.estimate import Estimate
from epsrank.theory.numbers.arrays import Array, Vector
from epsrank.theory.words import plural

_STEPS = 60


def hessian_eigenvalues(
    model: nn.Module,
    loss: Any,
    data: QuantityData,
    *,
    count: int = 1,
    steps: int = _STEPS,
    tolerance: float = 1e-3,
    seed: int = 0,
) -> tuple[Vector, Vector]:
    """Largest eigenvalues λ¹ ≥ λ² ≥ … of H = ∇²L(θ), by Lanczos.

    Krylov spaces are made of products H·v (two passes backwards) and reorthogonalised in full, in
    float64. Attention runs in the mathematical kernel, which alone has second derivatives.

    Parameters
    ----------
    model, loss, data
        As for `Quantity`; parameters that do not require gradients are constants.
    count : int
        How many eigenvalues.
    steps : int
        Most products. The Lanczos vectors take 8·steps·n bytes for n parameters.
    tolerance : float
        Residuals to stop at, in shares of the eigenvalue of largest modulus.
    seed : int
        Of the random start, which is drawn from a generator of its own.

    Returns
    -------
    values, residuals : Vector
        Ritz values θ, descending, each at most the eigenvalue of its place (up to the rounding of
        products), and ‖Hy − θy‖ of their unit vectors: an eigenvalue lies as close to θ.

    Raises
    ------
    InputError
        If loss or products are not finite, no parameter is trained, or an option cannot be used.

    References
    ----------
    Ghorbani, Krishnan, Xiao, An investigation into neural net optimization via Hessian eigenvalue
    density, ICML 2019, arXiv:1901.10159.

    Examples
    --------
    >>> model = nn.Linear(2, 1, bias=False)
    >>> data = QuantityData(torch.diag(torch.tensor([3.0, 1.0])), torch.zeros(2, 1))
    >>> values, _ = hessian_eigenvalues(model, nn.functional.mse_loss, data, count=2)
    >>> [round(float(value), 4) for value in values]
    [9.0, 1.0]
    """
    wanted = as_whole(count, "count", least=1)
    steps = as_whole(steps, "steps", least=wanted)
    tolerance = as_positive(tolerance, "tolerance")
    with beside_training(model):
        found = _ritz(HessianProducts(model, loss, data), steps, seed, wanted, tolerance)
    return found.values[::-1][:wanted].copy(), found.residuals[::-1][:wanted].copy()


def _ritz(
    products: HessianProducts,
    steps: int,
    seed: int,
    wanted: int = 0,
    tolerance: float = 0.0,
    vectors: bool = False,
) -> Ritz:
    draw = torch.Generator().manual_seed(seed)
    start = torch.randn(products.size, generator=draw, dtype=torch.float64)
    start = start.to(products.gradient.device)
    return lanczos(
        products, start, steps=steps, wanted=wanted, tolerance=tolerance, vectors=vectors
    )


def hessian_top(
    model: nn.Module,
    loss: Any,
    data: QuantityData,
    *,
    steps: int = _STEPS,
    tolerance: float = 1e-3,
    seed: int = 0,
) -> Estimate:
    """λ_H¹, the largest eigenvalue of the Hessian ∇²L(θ): the sharpness.

    Parameters
    ----------
    model, loss, data
        As for `Quantity`.
    steps, tolerance, seed
        As in `hessian_eigenvalues`.

    Returns
    -------
    Estimate
        θ with θ ± ‖Hy − θy‖: an eigenvalue lies in there. That it is the largest is not certified,
        though a random start misses it with probability 0.

    Examples
    --------
    >>> model = nn.Linear(1, 1, bias=False)
    >>> data = QuantityData(torch.full((4, 1), 2.0), torch.zeros(4, 1))
    >>> round(hessian_top(model, nn.functional.mse_loss, data).value, 5)
    8.0
    """
    values, residuals = hessian_eigenvalues(
        model, loss, data, steps=steps, tolerance=tolerance, seed=seed
    )
    value, residual = float(values[0]), float(residuals[0])
    return Estimate(value, low=value - residual, high=value + residual)


@dataclass(frozen=True, eq=False)
class SpectralDensity:
    """Density of the eigenvalues of a Hessian, as nodes with weights.

    Attributes
    ----------
    nodes, weights : Array, shape (probes, steps)
        Gauss quadrature of every random start: Σ_i w_i f(θ_i) estimates tr f(H)/n, exactly for
        polynomials of degree up to 2k − 1 in expectation. Rows that ended early have weight 0.
    size : int
        n, the number of parameters.
    """

    #: θ.
    nodes: Array
    #: Each row adds up to 1.
    weights: Array
    #: n.
    size: int

    def density(self, grid: Vector, width: float) -> Vector:
        """Return the density on a grid, each node a Gaussian of this standard deviation."""
        width = as_positive(width, "width")
        refuse_working_set("grid", np.size(grid), "numbers for each node", 16 * self.nodes.size)
        z = (np.asarray(grid, float)[:, None] - self.nodes.ravel()) / width
        bells = np.exp(-0.5 * z**2) / (width * math.sqrt(2 * math.pi))
        found: Vector = bells @ self.weights.ravel() / len(self.nodes)
        return found

    def share(self, low: float = -math.inf, high: float = math.inf) -> Estimate:
        """Return the share of eigenvalues in [low, high), with the range over the starts."""
        inside = (self.nodes >= low) & (self.nodes < high)
        each = np.clip((self.weights * inside).sum(axis=1), 0.0, 1.0)
        return Estimate(float(each.mean()), low=float(each.min()), high=float(each.max()))

    @property
    def trace(self) -> float:
        """Tr H."""
        return float(self.size * (self.weights * self.nodes).sum(axis=1).mean())


def hessian_density(
    model: nn.Module,
    loss: Any,
    data: QuantityData,
    *,
    probes: int = 4,
    steps: int = 40,
    seed: int = 0,
) -> SpectralDensity:
    """Density of the eigenvalues of H = ∇²L(θ), by stochastic Lanczos quadrature.

    (1/n) tr f(H) = E vᵀf(H)v/‖v‖² for Gaussian v, and a Lanczos run from v is the Gauss quadrature
    of vᵀf(H)v.

    Parameters
    ----------
    model, loss, data
        As for `Quantity`.
    probes : int
        Random starts.
    steps : int
        Products for each.
    seed : int
        Of the starts.

    Returns
    -------
    SpectralDensity
        Nodes and weights; ``share(high=0)`` is the share of negative curvature.

    Raises
    ------
    InputError
        As `hessian_eigenvalues`.

    References
    ----------
    Ghorbani, Krishnan, Xiao, arXiv:1901.10159, section 2.

    Examples
    --------
    >>> data = QuantityData(torch.eye(3), torch.zeros(3, 1))
    >>> found = hessian_density(nn.Linear(3, 1, bias=False), nn.functional.mse_loss, data)
    >>> round(found.trace, 3)
    2.0
    """
    probes = as_whole(probes, "probes", least=1)
    steps = as_whole(steps, "steps", least=1)
    with beside_training(model):
        products = HessianProducts(model, loss, data)
        found = [_ritz(products, steps, seed + index) for index in range(probes)]
    longest = max(len(ritz.values) for ritz in found)
    nodes, weights = np.zeros((2, probes, longest))
    for row, ritz in enumerate(found):
        nodes[row, : len(ritz.values)] = ritz.values
        weights[row, : len(ritz.values)] = ritz.weights
    return SpectralDensity(nodes, weights, products.size)


def negative_curvature(
    model: nn.Module,
    loss: Any,
    data: QuantityData,
    *,
    below: float = 0.0,
    probes: int = 4,
    steps: int = 40,
    seed: int = 0,
) -> Estimate:
    """Share of the Hessian's eigenvalues below a number.

    Parameters
    ----------
    model, loss, data
        As for `Quantity`.
    below : float
        Eigenvalues that round to zero have either sign: pass a small negative number to leave them
        out.
    probes, steps, seed
        As in `hessian_density`.

    Returns
    -------
    Estimate
        Mean over the random starts with their range.

    Examples
    --------
    >>> data = QuantityData(torch.eye(2), torch.zeros(2, 1))
    >>> model = nn.Linear(2, 1, bias=False)
    >>> negative_curvature(model, nn.functional.mse_loss, data).value
    0.0
    """
    found = hessian_density(model, loss, data, probes=probes, steps=steps, seed=seed)
    return found.share(high=below)


def top_space_share(
    model: nn.Module,
    loss: Any,
    data: QuantityData,
    *,
    count: int = 10,
    steps: int = _STEPS,
    tolerance: float = 1e-3,
    seed: int = 0,
) -> Estimate:
    r"""Share of the gradient that lies in the space of the Hessian's leading eigenvectors.

    .. math:: \frac{\lVert P_k \nabla L \rVert^2}{\lVert \nabla L \rVert^2},

    P_k the projection onto the eigenvectors of the k largest eigenvalues of ∇²L(θ). A direction
    drawn at random has k/n of its square in there, n the number of parameters. For classifiers with
    k classes the share is reported to be near 1 soon after the start.

    Parameters
    ----------
    model, loss, data
        As for `Quantity`.
    count : int
        k, at most n; of a classifier its number of classes.
    steps, tolerance, seed
        As in `hessian_eigenvalues`.

    Returns
    -------
    Estimate
        The share for the Ritz vectors, and that ± ‖HQ − QΘ‖/(θ_k − θ_{k+1}) within 0 and 1, by
        which the space of eigenvectors may differ (Davis and Kahan), θ_{k+1} with its residual. As
        the next eigenvalue is one of Lanczos, that is not certified: of an eigenvalue that is there
        twice one vector is seen, which the start chooses. Without a gap it is 0 to 1.

    Raises
    ------
    InputError
        If the gradient is zero, `count` is more than there are parameters, loss or products are
        not finite, or no parameter is trained.

    References
    ----------
    Gur-Ari, Roberts, Dyer, Gradient descent happens in a tiny subspace, arXiv:1812.04754.

    Examples
    --------
    The Hessian is diag(9, 1) and the gradient (9, 1) at θ = (1, 1): 81/82 along the first.

    >>> model = nn.Linear(2, 1, bias=False)
    >>> _ = nn.init.ones_(model.weight)
    >>> data = QuantityData(torch.diag(torch.tensor([3.0, 1.0])), torch.zeros(2, 1))
    >>> round(top_space_share(model, nn.functional.mse_loss, data, count=1).value, 4)
    0.9878
    """
    wanted = as_whole(count, "count", least=1)
    steps = as_whole(steps, "steps", least=wanted)
    tolerance = as_positive(tolerance, "tolerance")
    with beside_training(model):
        products = HessianProducts(model, loss, data)
        if wanted > products.size:
            problem = f"is {wanted}, and the model has {plural(products.size, 'parameter')}"
            raise InputError("count", problem, f"pass at most {products.size}")
        g = products.gradient.double()
        square = float(g @ g)
        if not square:
            raise InputError("model", "has no gradient", "measure before it has converged")
        # One more than the space has: the gap above the rest says how well it is known.
        found = _ritz(products, steps, seed, min(wanted + 1, products.size), tolerance, True)
    share = min(float((found.vectors[-wanted:] @ g).square().sum()) / square, 1.0)
    apart = _apart(found, wanted, products.size)
    return Estimate(share, low=max(share - apart, 0.0), high=min(share + apart, 1.0))


def _apart(found: Ritz, count: int, size: int) -> float:
    """Return ‖sin Θ‖ between the space of Ritz vectors and that of eigenvectors, at most 1."""
    if count == size:
        return 0.0
    if len(found.values) <= count:
        return 1.0
    gap = found.values[-count] - found.values[-count - 1] - found.residuals[-count - 1]
    # All residuals lie along one vector, so that their norm is that of the matrix.
    off = float(np.linalg.norm(found.residuals[-count:]))
    return min(off / gap, 1.0) if gap > 0 else 1.0


class StabilityLimit:
    """2(1 + μ)/η of an optimiser as it is now: above it steps of this size diverge on a quadratic.

    η is the rate and μ the momentum (heavy ball); 2/η without momentum. Dampening d makes it
    2(1 + μ)/(η(1 − d)), and weight decay takes its own curvature off. A quantity like others, for a
    line beside `hessian_top`.

    Parameters
    ----------
    optimizer : torch.optim.SGD or float
        Read at each call, so that schedules are followed; of several groups the largest rate
        counts. A number is a rate without momentum.

    Raises
    ------
    InputError
        If it is another optimiser, whose steps are scaled by what it has seen, or a number that is
        no rate; when called, if the rate is 0 or momentum is Nesterov's.

    Examples
    --------
    >>> model = nn.Linear(1, 1)
    >>> limit = StabilityLimit(torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5))
    >>> round(limit(model, None, None), 6)
    30.0
    """

    def __init__(self, optimizer: torch.optim.Optimizer | float) -> None:
        if isinstance(optimizer, torch.optim.Optimizer):
            if not isinstance(optimizer, torch.optim.SGD):
                name = type(optimizer).__name__
                remedy = "pass a torch.optim.SGD or a rate"
                raise InputError("optimizer", f"is {name}, which scales its steps", remedy)
        else:
            as_positive(optimizer, "optimizer", "pass a torch.optim.SGD or a positive rate")
        self.optimizer = optimizer

    def __call__(self, model: nn.Module, loss: Any, data: Any, /) -> float:
        """Return the least limit of the groups of parameters."""
        if not isinstance(self.optimizer, torch.optim.Optimizer):
            return 2.0 / float(self.optimizer)
        limits = []
        for group in self.optimizer.param_groups:
            rate = as_positive(group["lr"], "optimizer", "wait until its rate is positive")
            if group["nesterov"]:
                raise InputError("optimizer", "has Nesterov's momentum", "pass a rate of your own")
            momentum = float(group["momentum"])
            # Of a gradient the velocity takes 1 − d; without momentum there is no velocity.
            taken = rate * (1.0 - float(group["dampening"])) if momentum else rate
            limit = 2.0 * (1.0 + momentum) / taken if taken else math.inf
            limits.append(limit - float(group["weight_decay"]))
        return min(limits)


def batch_sharpness(
    model: nn.Module,
    loss: Any,
    data: QuantityData,
    *,
    batch_size: int = 32,
    batches: int = 25,
    seed: int = 0,
) -> Estimate:
    """E_B [g_Bᵀ H_B g_B/‖g_B‖²]: curvature of mini-batch losses along their own gradients.

    B are batches of equal size, drawn with replacement. Where plain stochastic descent is at the
    edge of what is stable, it is this number that is reported to settle at 2/η, and not λ_H¹.

    Parameters
    ----------
    model, loss, data
        As for `Quantity`; the loss is a mean over samples, which have no weights.
    batch_size : int
        S, the batch of the training.
    batches : int
        How many are drawn.
    seed : int
        Of the draw, by a generator of its own.

    Returns
    -------
    Estimate
        The mean and twice its standard error on both sides; batches with zero gradient are left
        out.

    Raises
    ------
    InputError
        If all gradients are zero, samples have weights, or loss or products are not finite.

    References
    ----------
    Andreyev, Beneventano, Edge of stochastic stability, arXiv:2412.20553.

    Examples
    --------
    >>> data = QuantityData(torch.ones(8, 1), torch.zeros(8, 1))
    >>> model = nn.Linear(1, 1, bias=False)
    >>> round(batch_sharpness(model, nn.functional.mse_loss, data, batch_size=2).value, 5)
    2.0
    """
    data = whole(data)
    size = as_whole(batch_size, "batch_size", least=1)
    draws = as_whole(batches, "batches", least=1)
    found = []
    with beside_training(model):
        for rows in drawn_batches(samples_in(data), size, draws, seed):
            products = HessianProducts(model, loss, part(data, rows), data)
            g = products.gradient.double()
            square = float(g @ g)
            if square > 0:
                found.append(float(g @ products(g)) / square)
    if not found:
        raise InputError("model", "has no gradient on any batch", "measure before it has converged")
    value = float(np.mean(found))
    error = 2 * float(np.std(found, ddof=1)) / math.sqrt(len(found)) if len(found) > 1 else math.inf
    return Estimate(value, low=value - error, high=value + error)
