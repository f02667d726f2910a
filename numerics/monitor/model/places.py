"""Where layers are seen in a model: what is to be done when which module is called, and when."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

from torch import Tensor, nn

from epsrank.numerics.monitor.model.plan import LayerPlan, MonitoredLayer
from epsrank.numerics.monitor.model.trace import Frames


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


class UnderWay(threading.local):
    """What is under way in one thread."""

    #: Watched calls, one inside the other.
    depth = 0
    #: Whether the outermost of them gives samples, and why not.
    counts = False
    why: str | None = None
    #: Whether a pass beside compiled code is under way, and how many calls it stands for.
    eager = False
    muted = 0
    #: Follows functions while the model runs.
    frames: Frames | None = None

    def __init__(self) -> None:
        #: Calls of every layer in the outermost call.
        self.times: Counter[str] = Counter()

    #: How much the samples of the outermost call count.
    weights: Tensor | None = None
    #: The place of a module whose wrapper was called instead, and which may call it in turn.
    wrapped: Place | None = None
