"""Where weights go: signs changed, distance from the start, turns, and the path of features."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from epsrank.numerics.monitor.quantity.given import as_model
from epsrank.numerics.monitor.quantity.of_layer import LayerQuantity
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Matrix, refuse_non_finite


class _Watched:
    """A model's parameters as they were when the object was made."""

    def __init__(self, model: nn.Module) -> None:
        self._first = _copies(model)
        if not any(w.numel() for w in self._first.values()):
            raise InputError("model", "has no parameters", "pass one that has")

    def _pairs(self, model: nn.Module) -> list[tuple[Tensor, Tensor]]:
        """Return what parameters were and are, in float64 on the CPU."""
        return _matched(self._first, _copies(model))


def _copies(model: nn.Module) -> dict[str, Tensor]:
    return {
        name: w.detach().to("cpu", torch.float64, copy=True)
        for name, w in as_model(model).named_parameters()
    }


def _matched(before: dict[str, Tensor], now: dict[str, Tensor]) -> list[tuple[Tensor, Tensor]]:
    shapes = [{name: w.shape for name, w in each.items()} for each in (before, now)]
    if shapes[0] != shapes[1]:
        raise InputError(
            "model", "has other parameters than before", "watch one and the same model"
        )
    return [(before[name], now[name]) for name in before]


class SignChanges(_Watched):
    r"""The share of weights whose sign is not that of the start.

    .. math:: \#\{j : \mathrm{sign}\,\theta_j(t) \ne \mathrm{sign}\,\theta_j(0)\} / \#\{j\},

    over all parameters; a weight that is 0 has the sign 0.

    Parameters
    ----------
    model : nn.Module
        As it is at the start; its parameters are copied.

    Raises
    ------
    InputError
        If it is no model, or has no parameters; when called: if these have other names or shapes.

    Notes
    -----
    Source: Frankle, Schwab, Morcos, arXiv 2002.10365.

    Examples
    --------
    >>> model = nn.Linear(2, 2)
    >>> changes = SignChanges(model)
    >>> with torch.no_grad():
    ...     _ = model.weight.neg_()
    >>> changes(model, None, None) == 4 / 6
    True
    """

    def __call__(self, model: nn.Module, loss: Any, data: Any, /) -> float:
        """Return the share."""
        pairs = self._pairs(model)
        changed = sum(int((was.sign() != now.sign()).sum()) for was, now in pairs)
        return changed / sum(now.numel() for _, now in pairs)


class InitialDistance(_Watched):
    r"""How far the weights are from the start, ‖θ(t) − θ(0)‖₂.

    Parameters
    ----------
    model : nn.Module
        As it is at the start; its parameters are copied.
    relative : bool
        Divide by ‖θ(0)‖₂; ∞ where that is 0 and θ(t) is not.

    Raises
    ------
    InputError
        If it is no model, or has no parameters; when called: if these have other names or shapes.

    Examples
    --------
    >>> model = nn.Linear(2, 2)
    >>> InitialDistance(model)(model, None, None)
    0.0
    """

    def __init__(self, model: nn.Module, *, relative: bool = False) -> None:
        super().__init__(model)
        self.relative = relative

    def __call__(self, model: nn.Module, loss: Any, data: Any, /) -> float:
        """Return the distance."""
        pairs = self._pairs(model)
        moved = math.hypot(*(float((now - was).norm()) for was, now in pairs))
        if not self.relative:
            return moved
        size = math.hypot(*(float(was.norm()) for was, _ in pairs))
        return moved / size if size else (math.inf if moved else 0.0)


class UpdateCosine(_Watched):
    r"""The cosine between the last two updates of the weights, from measurement to measurement.

    .. math:: \frac{\langle \theta_t - \theta_s,\; \theta_s - \theta_r \rangle}
       {\lVert \theta_t - \theta_s \rVert\,\lVert \theta_s - \theta_r \rVert}

    for three measurements r < s < t in a row. NaN before there are two updates, and where one of
    them is 0. The first measurement is compared with the model as it was when the object was made.

    Parameters
    ----------
    model : nn.Module
        As it is at the start; its parameters are copied at each measurement.

    Raises
    ------
    InputError
        If it is no model, or has no parameters; when called: if these have other names or shapes.

    Examples
    --------
    >>> model = nn.Linear(2, 2)
    >>> cosine = UpdateCosine(model)
    >>> with torch.no_grad():
    ...     for _ in range(2):
    ...         _ = model.weight.add_(1.0)
    ...         value = cosine(model, None, None)
    >>> round(value, 6)
    1.0
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self._last = self._first
        self._update: list[Tensor] | None = None

    def __call__(self, model: nn.Module, loss: Any, data: Any, /) -> float:
        """Return the cosine, and keep the weights of now."""
        now = _copies(model)
        update = [after - before for before, after in _matched(self._last, now)]
        self._last, before, self._update = now, self._update, update
        if before is None:
            return math.nan
        inner = sum(float((a * b).sum()) for a, b in zip(before, update, strict=True))
        sizes = [math.hypot(*(float(u.norm()) for u in each)) for each in (before, update)]
        return inner / (sizes[0] * sizes[1]) if all(sizes) else math.nan


class PathLength:
    r"""The way of a layer's features so far, Σ‖ΔA‖ over the measurements (F9).

    A = Φ/√N, the features under the mean measure. σ_k(A) moves by at most ‖ΔA‖₂ (Weyl): while the
    path is shorter than √ε − σ_q at its first measurement, the ε-rank stays below q. What lies
    between two measurements does not matter to that.

    Parameters
    ----------
    layer : str
        As in `LayerQuantity`.
    norm : {"spectral", "frobenius"}
        Of ΔA; the Frobenius norm is larger and needs no singular values.

    Raises
    ------
    InputError
        If `norm` is neither; when called: if the layer is not there, or the number of samples or
        neurons changes.

    Examples
    --------
    >>> from epsrank import QuantityData
    >>> model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    >>> PathLength("1")(model, None, QuantityData(torch.randn(20, 2)))
    0.0
    """

    def __init__(self, layer: str, *, norm: str = "spectral") -> None:
        if norm not in ("spectral", "frobenius"):
            raise InputError("norm", f"is {norm!r}", "choose 'spectral' or 'frobenius'")
        self.layer, self.norm = layer, norm
        self._features = LayerQuantity(layer, self._advance)
        self._last: Matrix | None = None
        self._path = 0.0

    def _advance(self, features: Matrix) -> float:
        """Add the distance to the features before."""
        refuse_non_finite(features, "features")
        now = features / math.sqrt(len(features))
        last, self._last = self._last, now
        if last is not None:
            if last.shape != now.shape:
                self._last = last
                problem = f"have shape {now.shape} after {last.shape}"
                raise InputError("features", problem, "measure the same samples and layer")
            moved = now - last
            spectral = self.norm == "spectral"
            self._path += float(np.linalg.norm(moved, 2) if spectral else np.linalg.norm(moved))
        return self._path

    def __call__(self, model: nn.Module, loss: Any, data: Any, /) -> float:
        """Return the length so far."""
        found = self._features(model, loss, data)
        assert isinstance(found, float)
        return found
