"""Quantities of one layer's features, and norms of weights: what a function of arrays becomes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from epsrank.numerics.monitor.model.find import find_layers
from epsrank.numerics.monitor.model.plan import LayerPlan
from epsrank.numerics.monitor.model.probing import learned, probe_pass
from epsrank.numerics.monitor.quantity.contract import Losses, QuantityData
from epsrank.numerics.monitor.quantity.counted import as_probe, counted_targets, even
from epsrank.numerics.monitor.quantity.given import as_model, as_samples, through
from epsrank.theory.dimension.moments import FeatureMoments
from epsrank.theory.errors import InputError
from epsrank.theory.estimate import Estimate


class LayerQuantity:
    """A quantity q = f(Φ) of the features Φ of one layer, for `RankMonitor`'s ``quantities=``.

    At each measurement the samples go through the model once more, and f is called on what the
    layer gives: rows are samples (positions, tokens), columns are neurons, as the monitor has them.

    Parameters
    ----------
    layer : str
        A name of `RankMonitor.layers`, or another module's dotted name.
    function : callable
        f: features of shape (N, n), as a float64 array, → float or `Estimate`; for instance
        `participation_interval`, or ``lambda x: dormant_neurons(x, 0.1).mean()``.
    streamed : bool
        Call f on `FeatureMoments`, summed pass by pass, in place of the features; no N × n is kept.
    with_targets : bool
        Call ``f(features, targets)``, for instance `lidar` with the object of each sample as
        targets.

    Raises
    ------
    InputError
        When called: if the layer is not there or was not reached, or targets are missing.

    Examples
    --------
    >>> from epsrank import rankme
    >>> model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    >>> quantity = LayerQuantity("1", rankme)
    >>> 1 < quantity(model, None, QuantityData(torch.randn(50, 2))) < 9
    True
    """

    def __init__(
        self,
        layer: str,
        function: Callable[..., float | Estimate],
        *,
        streamed: bool = False,
        with_targets: bool = False,
    ) -> None:
        if not isinstance(layer, str):
            raise InputError("layer", f"is a {type(layer).__name__}", "pass its name")
        if not callable(function):
            remedy = "pass a function of features"
            raise InputError("function", f"is a {type(function).__name__}", remedy)
        self.layer, self.function = layer, function
        self.streamed, self.with_targets = streamed, with_targets
        # Found at the first call: which calls and axes are the layer's takes a traced pass.
        self._plan: LayerPlan | None = None

    def __call__(
        self, model: nn.Module, loss: Losses | None, data: QuantityData, /
    ) -> float | Estimate:
        """Return q for the model as it is."""
        model, data = as_model(model), as_samples(data)
        if self.with_targets and data.targets is None:
            raise InputError("targets", "are missing", "pass targets with the samples")
        if isinstance(data.targets, Mapping) and self.with_targets:
            raise InputError(
                "targets", "are those of several heads", "write a quantity of your own"
            )
        if not even(data):
            problem = "let samples count differently, which a function of features cannot see"
            remedy = "pass mask=, or write a quantity of your own with data.weights"
            raise InputError("weights", problem, remedy)
        if self.with_targets and not isinstance(data.targets, Tensor):
            kind = f"are a {type(data.targets).__name__}"
            raise InputError("targets", kind, "pass a tensor, with one target per sample")
        with through(model, data.inputs):
            found = self._features(model, as_probe(data))
        if not self.with_targets:
            return self.function(found)
        return self.function(found, counted_targets(data).detach().cpu().numpy())

    def _features(self, model: nn.Module, inputs: Any) -> Any:
        """Return the features of all samples, or their sums."""
        known = self._plan is not None and self._plan.wrapper is model
        if self._plan is None or not known:
            self._plan = self._found(model, inputs)
        found, why = self._passed(self._plan, inputs)
        if found is None and known:  # the model may have other modules by now
            self._plan = self._found(model, inputs)
            found, why = self._passed(self._plan, inputs)
        if found is None:
            raise InputError("layer", f"is {self.layer!r}, and gave nothing: {why}", "name another")
        return found

    def _passed(self, plan: LayerPlan, inputs: Any) -> tuple[Any, str]:
        """Return what one pass gives, or None and why."""
        sums: list[FeatureMoments] = []
        rows: list[Tensor] = []

        def consume(_: str, features: Tensor, weights: Tensor | None = None) -> None:
            if self.streamed:
                own = FeatureMoments.of(features)
                sums[:] = [sums[0] + own] if sums else [own]
            else:
                rows.append(features.detach().to("cpu", torch.float64, copy=True))

        capture = probe_pass(plan, inputs, consume)
        while (better := learned(plan, capture)) is not None:
            sums.clear()
            rows.clear()
            plan = better
            if better.further is not None:
                plan = self._plan = self._own(better)
            capture = probe_pass(plan, inputs, consume)
        why = capture.problems.get(self.layer, "the forward pass did not reach this layer")
        if not (sums or rows):
            return None, why
        return (sums[0] if self.streamed else torch.cat(rows).numpy()), why

    def _found(self, model: nn.Module, inputs: Any) -> LayerPlan:
        """Return the plan of this layer alone, under the name that the monitor has for it."""
        plan = find_layers(model, example=inputs)
        if self.layer not in plan.names:
            plan = find_layers(model, [self.layer], head=None, example=inputs)
        return self._own(plan)

    def _own(self, plan: LayerPlan) -> LayerPlan:
        return replace(plan, layers=tuple(x for x in plan.layers if x.name == self.layer))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_plan": None}  # which holds the model

    def __repr__(self) -> str:
        name = getattr(self.function, "__name__", repr(self.function))
        return f"LayerQuantity({self.layer!r}, {name})"


def weight_norms(model: nn.Module, *, definition: str = "frobenius") -> dict[str, float]:
    """Norms of a model's weights, by parameter.

    As a quantity of a monitor: ``lambda model, loss, data: weight_norms(model)["2.weight"]``.

    Parameters
    ----------
    model : nn.Module
        Any model; its parameters are read as the optimiser has them, also where a parametrisation
        makes other weights of them.
    definition : {"frobenius", "rms", "spectral"}
        √(Σ w²); √(mean w²), which compares layers of different sizes; or the largest singular value
        of the weights as a matrix outputs × all other axes (a vector is one column).

    Returns
    -------
    dict of str to float
        By the names of `named_parameters`, in float64; of the whole model the Frobenius norm is
        ``math.hypot(*weight_norms(model).values())``.

    Raises
    ------
    InputError
        If an argument cannot be used.

    Examples
    --------
    >>> layer = nn.Linear(3, 4)
    >>> _ = nn.init.ones_(layer.weight), nn.init.zeros_(layer.bias)
    >>> weight_norms(layer, definition="rms")
    {'weight': 1.0, 'bias': 0.0}
    """
    if not isinstance(model, nn.Module):
        raise InputError("model", f"is a {type(model).__name__}", "pass a torch.nn.Module")
    if definition not in ("frobenius", "rms", "spectral"):
        remedy = "choose one of 'frobenius', 'rms', 'spectral'"
        raise InputError("definition", f"is {definition!r}", remedy)
    return {
        name: _norm(parameter.detach().double(), definition)
        for name, parameter in model.named_parameters()
        if parameter.numel()
    }


def _norm(weights: Tensor, definition: str) -> float:
    if definition == "spectral":
        matrix = weights.reshape(weights.shape[0] if weights.ndim else 1, -1)
        return float(torch.linalg.matrix_norm(matrix, 2))
    size = float(torch.linalg.vector_norm(weights))
    return size / math.sqrt(weights.numel()) if definition == "rms" else size
