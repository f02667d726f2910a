"""Condensation: in how many directions the input weights of a layer's neurons point."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from epsrank.numerics.monitor.quantity.given import as_model
from epsrank.theory.data.inputs import as_share, as_size
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import (
    Array,
    Matrix,
    Square,
    Vector,
    real_array,
    refuse_non_finite,
)
from epsrank.theory.shown import Shown
from epsrank.theory.words import plural


@dataclass(frozen=True)
class Condensation(Shown):
    """Orientations of the input weights (w_k, b_k) of the neurons of one layer.

    Attributes
    ----------
    count : int
        Number of orientations among the neurons that were kept.
    effective : float
        exp(−Σ s log s) over the shares s of amplitude that the orientations hold: a count in which
        an orientation of no amplitude does not count.
    shares : array, shape (count,)
        These shares, the largest first; their sum is 1.
    labels : array of int, shape (n,)
        Orientation of each neuron, 0 for the one of largest share; −1 where it was set aside.
    set_aside : int
        Neurons below the least amplitude.
    set_aside_share : float
        Their share of the amplitude of all.
    similarity : array, shape (n, n)
        cos of the angle between the input weights of every two neurons; NaN for weights of 0.
    """

    count: int
    effective: float
    shares: Vector
    labels: Array
    set_aside: int
    set_aside_share: float
    similarity: Square = field(repr=False)

    def __str__(self) -> str:
        first = self.shares[0] if len(self.shares) else float("nan")
        return (
            f"{self.count} orientations (effectively {self.effective:.2f}), the first with "
            f"{first:.0%} of the amplitude; {plural(self.set_aside, 'neuron')} set aside"
        )


def condensation(
    weights: ArrayLike,
    amplitudes: ArrayLike | None = None,
    *,
    odd: bool = False,
    cosine: float = 0.95,
    least: float = 0.2,
) -> Condensation:
    r"""Count the orientations of neurons: average linkage of cosines, cut at one.

    .. math:: D_{jk} = 1 - \frac{\langle \omega_j, \omega_k \rangle}
       {\lVert \omega_j \rVert \lVert \omega_k \rVert}, \qquad \omega_k = (w_k, b_k),

    and two groups are one orientation while the mean of D between them is below 1 − `cosine`. With
    an odd activation −ω_k and −a_k make the same neuron, and the modulus of the cosine is taken.

    Parameters
    ----------
    weights : array_like, shape (n, d)
        ω_k, biases included.
    amplitudes : array_like, shape (n,), optional
        How much each neuron counts, such as |a_k|‖ω_k‖; by default ‖ω_k‖.
    odd : bool
        Identify the signs.
    cosine : float
        In (0, 1).
    least : float
        Neurons below this share of the largest amplitude are set aside: the directions of what
        hardly acts say nothing.

    Returns
    -------
    Condensation
        The count, the shares of amplitude, and what was set aside.

    Raises
    ------
    InputError
        If an argument cannot be used, or all amplitudes are 0.

    Notes
    -----
    Source: Zhou et al., arXiv 2105.11686; overview arXiv 2504.09484.

    Examples
    --------
    >>> found = condensation([[1, 0], [2, 0.1], [-1, 0], [0, 3]])
    >>> found.count, condensation([[1, 0], [2, 0.1], [-1, 0], [0, 3]], odd=True).count
    (3, 2)
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    vectors = _finite(weights, "weights", 2)
    sizes = np.linalg.norm(vectors, axis=1)
    heights = sizes if amplitudes is None else _finite(amplitudes, "amplitudes", 1)
    if heights.shape != sizes.shape or (heights < 0).any():
        raise InputError(
            "amplitudes", f"of shape {heights.shape}", f"pass {len(sizes)} that are not negative"
        )
    cosine = as_share(cosine, "cosine")
    if as_size(least, "least") >= 1:
        raise InputError("least", f"is {least!r}", "pass a number below 1")
    if not (heights * sizes).any():
        raise InputError("weights", "have no neuron of any amplitude", "measure another layer")
    with np.errstate(invalid="ignore", divide="ignore"):
        units = vectors / sizes[:, None]
        similarity = np.clip(units @ units.T, -1, 1)
    kept = np.flatnonzero((heights >= least * heights.max()) & (sizes > 0) & (heights > 0))
    cosines = similarity[np.ix_(kept, kept)]
    distances = 1 - (np.abs(cosines) if odd else cosines)
    np.fill_diagonal(distances, 0)
    groups = np.ones(1, dtype=np.int64)
    if len(kept) > 1:
        tree = linkage(squareform(distances, checks=False), "average")
        groups = fcluster(tree, 1 - cosine, "distance")
    totals = np.bincount(groups, heights[kept])[1:]
    order = np.argsort(-totals, kind="stable")
    shares = totals[order] / totals.sum()
    labels = np.full(len(sizes), -1)
    labels[kept] = np.argsort(order)[groups - 1]
    return Condensation(
        count=len(shares),
        effective=float(np.exp(-np.sum(shares * np.log(shares)))),
        shares=shares,
        labels=labels,
        set_aside=len(sizes) - len(kept),
        set_aside_share=float(1 - heights[kept].sum() / heights.sum()),
        similarity=similarity,
    )


def neuron_weights(layer: nn.Module) -> Matrix:
    """Return ω_k = (w_k, b_k), one row per neuron or channel, in float64."""
    weight = getattr(layer, "weight", None)
    if not isinstance(weight, torch.Tensor) or weight.ndim < 2:
        problem = f"is a {type(layer).__name__}"
        raise InputError("layer", problem, "name a linear or convolutional layer")
    parts = [weight.detach().double().flatten(1)]
    bias = getattr(layer, "bias", None)
    if isinstance(bias, torch.Tensor):
        parts.append(bias.detach().double()[:, None])
    found: Matrix = torch.cat(parts, dim=1).cpu().numpy()
    return found


def neuron_amplitudes(layer: nn.Module, following: nn.Module) -> Vector:
    """Return |a_k| ‖ω_k‖, a_k the weights with which the layer behind reads neuron k."""
    own = neuron_weights(layer)
    weight = getattr(following, "weight", None)
    if not isinstance(weight, torch.Tensor) or weight.ndim < 2 or weight.shape[1] != len(own):
        shape = None if not isinstance(weight, torch.Tensor) else tuple(weight.shape)
        problem = f"has weights of shape {shape}"
        raise InputError(
            "following", problem, f"name the layer that reads these {plural(len(own), 'neuron')}"
        )
    outgoing = weight.detach().double().transpose(0, 1).flatten(1).cpu().numpy()
    found: Vector = np.linalg.norm(outgoing, axis=1) * np.linalg.norm(own, axis=1)
    return found


def module_of(model: nn.Module, name: str, argument: str) -> nn.Module:
    """Return a module by its dotted name."""
    as_model(model)
    try:
        return model.get_submodule(name)
    except (AttributeError, TypeError):
        known = [each for each, m in model.named_modules() if hasattr(m, "weight")]
        remedy = f"choose one of {', '.join(known)}" if known else "pass a model with layers"
        raise InputError(argument, f"is {name!r}", remedy) from None


class Orientations:
    """The number of orientations of one layer's neurons, for `RankMonitor`'s ``quantities=``.

    `condensation` of the input weights (w_k, b_k) as they are.

    Parameters
    ----------
    layer : str
        Dotted name of a linear or convolutional layer.
    following : str, optional
        Of the layer that reads its neurons: amplitudes are |a_k|‖(w_k, b_k)‖ then, else without a.
    effective : bool
        Give the amplitude-weighted count in place of the plain one.
    odd, cosine, least
        As in `condensation`.

    Raises
    ------
    InputError
        When called: if a layer is not there, or has no weights of that shape.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(1, 50), nn.Tanh(), nn.Linear(50, 1))
    >>> 1 <= Orientations("0", "2", odd=True)(model, None, None) <= 50
    True
    """

    def __init__(
        self,
        layer: str,
        following: str | None = None,
        *,
        effective: bool = False,
        odd: bool = False,
        cosine: float = 0.95,
        least: float = 0.2,
    ) -> None:
        self.layer, self.following, self.effective = layer, following, effective
        self.odd, self.cosine, self.least = odd, cosine, least

    def measure(self, model: nn.Module) -> Condensation:
        """Return all that is known of the layer's orientations.

        Parameters
        ----------
        model : nn.Module
            With a layer of that name.

        Returns
        -------
        Condensation
            Counts, shares and similarities.
        """
        layer = module_of(model, self.layer, "layer")
        heights = None
        if self.following is not None:
            heights = neuron_amplitudes(layer, module_of(model, self.following, "following"))
        return condensation(
            neuron_weights(layer), heights, odd=self.odd, cosine=self.cosine, least=self.least
        )

    def __call__(self, model: nn.Module, loss: Any, data: Any, /) -> float:
        """Return the count."""
        found = self.measure(model)
        return found.effective if self.effective else float(found.count)


def _finite(given: ArrayLike, name: str, axes: int) -> Array:
    values = real_array(given, name)
    if values.ndim != axes or not values.size:
        raise InputError(
            name,
            f"have shape {values.shape}",
            f"pass {plural(axes, 'axis', 'axes')}, none of them empty",
        )
    refuse_non_finite(values, name)
    return values
