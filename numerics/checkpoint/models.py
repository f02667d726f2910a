"""A layer of any network on given inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from epsrank.numerics.checkpoint.layer import CheckpointLayer
from epsrank.numerics.losses import understood
from epsrank.numerics.monitor.heads.gather import HeadReader
from epsrank.numerics.monitor.model.find import find_layers
from epsrank.numerics.monitor.model.plan import LayerPlan
from epsrank.numerics.monitor.model.probing import learned, probe_pass
from epsrank.theory.data.measure import Measure
from epsrank.theory.errors import InputError

_BATCH = 256


def layer_of_model(
    model: nn.Module, inputs: Any, layer: str | None = None, *, label: str = "model"
) -> CheckpointLayer:
    """Return the features of one layer, in evaluation mode and without gradients.

    `inputs` have one row per sample: the one argument of the network, or its named arguments.
    Numbers that are not integers are rounded to the dtype of the network. `layer` is the name of a
    module, whose output is meant, or of a layer as `RankMonitor` names them; by default it is what
    enters the output layer.
    """
    named = isinstance(inputs, Mapping)
    parts = {name: _tensor(value, model) for name, value in inputs.items()} if named else {}
    probe = parts if named else _tensor(inputs, model)
    try:
        plan = _plan(model, layer, probe)
        wanted = plan.layers[0]
        pieces: list[Tensor] = []

        def keep(name: str, features: Tensor) -> None:
            if name == wanted.name:
                # A copy: what a capture hands on is valid during the call only.
                pieces.append(features.detach().cpu().clone())

        capture = probe_pass(plan, probe, keep, batch_size=_BATCH)
        while (better := learned(plan, capture)) is not None:
            pieces.clear()
            plan = better if better.further is None else _of_one(better, wanted.name)
            capture = probe_pass(plan, probe, keep, batch_size=_BATCH)
    except InputError as error:
        # Arguments as the command line calls them.
        own = {"probe": "--data", "layers": "--layer"}.get(error.argument, error.argument)
        raise InputError(own, error.problem, error.remedy) from None
    except Exception as error:
        line = (str(error).splitlines() or [""])[0]
        raise InputError(
            "--data",
            f"does not run through the network ({type(error).__name__}: {line})",
            "pass what its forward takes, one row per sample",
        ) from None
    problem = capture.problems.get(wanted.name)
    if problem is not None or not pieces:
        reason = problem or "the network does not reach it"
        raise InputError("--layer", f"{wanted.name!r} gives no features ({reason})", "name another")
    features = torch.cat(pieces)
    law = Measure("mean", len(features))
    found = CheckpointLayer(f"{label}, layer {wanted.name}", features, law)
    if wanted.role != "last" or not plan.heads:
        return found
    # Without an output φW + b there are ranks all the same, and no floor.
    reader = HeadReader(plan.wrapper, plan.heads[0], understood("mse"), len(features))
    reader.probe(probe, len(features))
    failure = reader.problem
    if failure is None:
        rows = reader.joined()
        if rows.units is None and rows.offset is None and len(rows) == len(features):
            return replace(
                found,
                features=rows.features,
                coefficients=rows.weight,
                bias_value=None if rows.bias is None else rows.bias[0],
                bias=None if rows.bias is None else "feature",
            )
        failure = f"the output is {rows.form}"
    return replace(found, label=f"{found.label} (no head: {failure})")


def _plan(model: nn.Module, layer: str | None, probe: Any) -> LayerPlan:
    """Return a plan of one layer."""
    example = [_first(probe)]
    automatic = find_layers(model, "auto", example=example)
    names = ", ".join(automatic.names)
    chosen = [
        found
        for found in automatic.layers
        if (found.role == "last" if layer is None else found.name == layer)
    ]
    if layer is None and not chosen:
        raise InputError("--layer", "is needed, since no output layer is found", f"one of: {names}")
    if not chosen:
        plan = find_layers(model, layer, head=None, example=example)
        if len(plan.layers) != 1:
            several = ", ".join(plan.names)
            raise InputError("--layer", f"{layer!r} names several: {several}", "name one of them")
        return plan
    return _of_one(automatic, chosen[0].name)


def _of_one(plan: LayerPlan, layer: str) -> LayerPlan:
    return replace(plan, layers=tuple(own for own in plan.layers if own.name == layer))


def _first(probe: Any) -> Any:
    if isinstance(probe, dict):
        return {name: value[:2] if value.ndim else value for name, value in probe.items()}
    return probe[:2]


def _tensor(values: Any, model: nn.Module) -> Tensor:
    """Return inputs as a tensor that the network takes."""
    tensor = values if isinstance(values, Tensor) else torch.from_numpy(values.copy())
    return typed_as(tensor, model)


def typed_as(tensor: Tensor, model: nn.Module) -> Tensor:
    """Return numbers that are no integers in the type of the network."""
    if not tensor.is_floating_point():
        return tensor
    numbers = (p for p in [*model.parameters(), *model.buffers()] if p.is_floating_point())
    like = next(numbers, None)
    return tensor if like is None else tensor.to(like.dtype)
