"""The product of a chain of linear layers, and its effective rank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from epsrank.numerics.phenomena.neurons import module_of
from epsrank.theory.dimension.soft_ranks import effective_rank
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Matrix, refuse_non_finite


class ProductRank:
    r"""The effective rank of the product of linear layers, for `RankMonitor`'s ``quantities=``.

    .. math:: \exp\Bigl(-\sum_k p_k \log p_k\Bigr), \qquad p_k = \sigma_k \Bigm/ \sum_j \sigma_j,

    σ_k the singular values of W_L ⋯ W_1; biases are left out.

    Parameters
    ----------
    layers : sequence of str
        Dotted names of linear layers, in the order in which they are applied.

    Raises
    ------
    InputError
        If there is none; when called: if one is not there or not linear, or shapes do not fit.

    Notes
    -----
    Source: Roy and Vetterli, EUSIPCO 2007; Arora et al., arXiv 1905.13655.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(4, 3, bias=False), nn.Linear(3, 4, bias=False))
    >>> 1 <= ProductRank(["0", "1"])(model, None, None) <= 3
    True
    """

    def __init__(self, layers: Sequence[str]) -> None:
        if isinstance(layers, str) or not layers:
            raise InputError("layers", f"are {layers!r}", "pass a list of names")
        self.layers = tuple(layers)

    def product(self, model: nn.Module) -> Matrix:
        """Return W_L ⋯ W_1 in float64.

        Parameters
        ----------
        model : nn.Module
            With layers of these names.

        Returns
        -------
        array, shape (outputs, inputs)
            The product.
        """
        found: torch.Tensor | None = None
        for name in self.layers:
            layer = module_of(model, name, "layers")
            if not isinstance(layer, nn.Linear):
                problem = f"hold {name!r}, a {type(layer).__name__}"
                raise InputError("layers", problem, "name linear layers")
            weight = layer.weight.detach().double()
            if found is not None and weight.shape[1] != found.shape[0]:
                problem = f"do not fit: {name!r} takes {weight.shape[1]} of {found.shape[0]}"
                raise InputError("layers", problem, "name them in the order of their application")
            found = weight if found is None else weight @ found
        assert found is not None
        product: Matrix = found.cpu().numpy()
        return product

    def __call__(self, model: nn.Module, loss: Any, data: Any, /) -> float:
        """Return the effective rank."""
        product = self.product(model)
        refuse_non_finite(product, "weights")
        return effective_rank(product)
