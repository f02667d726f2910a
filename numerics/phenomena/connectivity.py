"""Linear mode connectivity: the barrier of the loss on the segment between two sets of weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from epsrank.numerics.monitor.model.passes import as_arguments
from epsrank.numerics.monitor.quantity.contract import QuantityData
from epsrank.numerics.monitor.quantity.given import as_loss, as_model, blamed, through
from epsrank.numerics.phenomena.derivatives import beside_training, whole
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Vector


def losses_between(
    model: nn.Module,
    other: Mapping[str, Tensor],
    loss: Any,
    data: QuantityData,
    *,
    points: int = 11,
) -> Vector:
    """L((1 − α)θ + αθ′) at equispaced α from 0 to 1.

    Parameters
    ----------
    model : nn.Module
        θ; running means and other floating buffers go along with the weights, others stay.
    other : mapping of str to Tensor
        θ′, a `state_dict` of the same model.
    loss, data
        As for `Quantity`.
    points : int
        How many α, both ends included.

    Returns
    -------
    Vector
        Losses.

    Raises
    ------
    InputError
        If names or shapes differ, or as `Quantity`.

    Examples
    --------
    >>> model = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.ones_(model.weight)
    >>> data = QuantityData(torch.ones(1, 1), torch.zeros(1, 1))
    >>> other = {"weight": -torch.ones(1, 1)}
    >>> losses_between(model, other, nn.functional.mse_loss, data, points=3).tolist()
    [1.0, 0.0, 1.0]
    """
    count, own = as_whole(points, "points", least=2), as_model(model).state_dict()
    if sorted(own) != sorted(other) or any(own[n].shape != other[n].shape for n in own):
        odd = sorted(set(own) ^ set(other)) or [n for n in own if own[n].shape != other[n].shape]
        raise InputError("other", f"has other weights ({odd[0]})", "pass a state_dict of the model")
    data, function = whole(data), as_loss(loss)
    given = as_arguments(data.inputs)
    found = []
    with beside_training(model), torch.no_grad():
        for alpha in np.linspace(0, 1, count):
            # Clones: a pass may write into buffers.
            held = {
                n: torch.lerp(v, other[n].to(v), float(alpha))
                if v.is_floating_point()
                else v.clone()
                for n, v in own.items()
            }
            with through(model, data.inputs):
                outputs = functional_call(model, held, given.args, given.kwargs)
            found.append(float(function(outputs, data.targets)))
            # At θ itself: further on the segment a loss may well be infinite.
            if alpha == 0 and not math.isfinite(found[0]):
                raise blamed(model, data, found[0])
    return np.array(found)


def barrier_of(losses: Vector) -> float:
    """Return  max_α [L(α) − ((1 − α)L(0) + αL(1))]  of losses at equispaced α, at least 0."""
    chord = np.linspace(losses[0], losses[-1], len(losses))
    return float(max((losses - chord).max(), 0.0))


class BarrierTo:
    """Barrier max_α [L((1 − α)θ + αθ′) − ((1 − α)L(θ) + αL(θ′))] to kept weights θ′.

    Zero where the segment holds no loss above its chord: the two are linearly connected.

    Parameters
    ----------
    state : mapping of str to Tensor
        θ′, a `state_dict`, for instance of another training or of an earlier step; copied.
    points : int
        As in `losses_between`.

    Raises
    ------
    InputError
        If it is no mapping of tensors; when called, as `losses_between`.

    References
    ----------
    Frankle, Dziugaite, Roy, Carbin, Linear mode connectivity and the lottery ticket hypothesis,
    arXiv:1912.05671.

    Examples
    --------
    >>> model = nn.Linear(2, 1)
    >>> data = QuantityData(torch.ones(3, 2), torch.zeros(3, 1))
    >>> BarrierTo(model.state_dict())(model, nn.functional.mse_loss, data)
    0.0
    """

    def __init__(self, state: Mapping[str, Tensor], *, points: int = 11) -> None:
        if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
            raise InputError("state", f"is a {type(state).__name__}", "pass a state_dict")
        self.state = {name: value.detach().clone() for name, value in state.items()}
        self.points = as_whole(points, "points", least=2)

    def __call__(self, model: nn.Module, loss: Any, data: QuantityData, /) -> float:
        """Return the barrier."""
        return barrier_of(losses_between(model, self.state, loss, data, points=self.points))
