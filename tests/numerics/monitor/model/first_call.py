"""Layers found inside the first pass of a training, as a capture without a probe has to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from epsrank.numerics.monitor.model.calls import watch_calls
from epsrank.numerics.monitor.model.find import find_layers
from epsrank.numerics.monitor.model.passes import Arguments
from epsrank.numerics.monitor.model.plan import LayerPlan


def plan_at_first_call(model: nn.Module, ready: Callable[[LayerPlan], None]) -> Callable[[], None]:
    """Find the layers when the model is called next, with what it is called on as the example."""

    def look(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if module is model:
            # First of all, since the example pass calls the model again.
            cancel()
            ready(find_layers(model, example=[Arguments(args, kwargs)]))

    cancel = watch_calls(look)
    return cancel
