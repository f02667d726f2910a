"""Where layers are seen in a model: what is to be done when which module is called."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn

from epsrank.numerics.monitor.model.plan import LayerPlan, MonitoredLayer


@dataclass(eq=False)
class Place:
    """What is to be done when a module is called."""

    #: The module of the plan; replicas of data parallelism share its place.
    module: nn.Module
    #: Layers that it gives, and layers that enter it.
    outputs: list[MonitoredLayer] = field(default_factory=list)
    inputs: list[MonitoredLayer] = field(default_factory=list)
    #: Whether it is the model, whether its calls are followed, and whether it may be such a call.
    root: bool = False
    owner: bool = False
    callee: bool = False


def places_of(plan: LayerPlan) -> dict[int, Place]:
    """Return what is to be done when a module is called, by its identity."""
    places: dict[int, Place] = {}

    def place(module: nn.Module) -> Place:
        return places.setdefault(id(module), Place(module))

    place(plan.model).root = True
    for layer in plan.layers:
        if layer.at == "input":
            place(layer.module).inputs.append(layer)
        elif layer.at == "output":
            place(layer.module).outputs.append(layer)
        elif isinstance(layer.callee, nn.Module):
            place(layer.callee).callee = True
    if any(layer.at == "call" for layer in plan.layers):
        for owner in plan.callers:
            place(owner).owner = True
    return places
