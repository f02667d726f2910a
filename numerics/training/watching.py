"""Layers of any network, seen while it runs: what it takes to treat it as one of the suite's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import nn

from epsrank.numerics.monitor.model.plan import LayerPlan, MonitoredLayer
from epsrank.numerics.monitor.model.spots import Spot, weights_in
from epsrank.numerics.monitor.model.trace import Frames
from epsrank.numerics.monitor.model.wrappers import clean_name

#: Takes a layer, and its values as the pass has them: with their graph, or as jets.
Take = Callable[[MonitoredLayer, Any], None]


@contextmanager
def watching(plan: LayerPlan, take: Take) -> Iterator[None]:
    """Hand on the values of every planned layer during a block, as they are.

    A monitor's capture gives detached rows of a pass that counts; here the values themselves are
    wanted, also inside of transformations, as the derivatives of a PINN are.
    """
    calls: dict[tuple[int, Any], list[MonitoredLayer]] = {}
    for layer in plan.layers:
        if layer.at == "call":
            calls.setdefault((id(layer.module), layer.callee), []).append(layer)

    def called(
        owner: nn.Module, callee: Any, number: tuple[int, Spot], _: Any, output: Any
    ) -> None:
        for layer in calls.get((id(owner), callee), ()):
            if not layer.spots or number[1] in layer.spots:
                take(layer, output)

    names = {clean_name(name): module for name, module in plan.model.named_modules()}
    frames = Frames(called, weights=weights_in(names))

    def enter(module: nn.Module, args: Any) -> None:
        frames.enter(module)

    def leave(module: nn.Module, args: Any, output: Any) -> None:
        frames.running.pop()

    def give(module: nn.Module, args: Any, output: Any) -> None:
        if frames.running:
            running = frames.running[-1]
            called(running.module, module, running.count(module), args, output)

    with ExitStack() as opened:

        def hook(handle: Any) -> None:
            opened.callback(handle.remove)

        if calls:
            # In this order: an owner that is called itself is not taken for its caller.
            for owner in dict.fromkeys((plan.model, *plan.callers)):
                hook(owner.register_forward_pre_hook(enter))
                hook(owner.register_forward_hook(leave))
            callees = {layer.callee for layer in plan.layers if layer.at == "call"}
            for callee in callees:
                if isinstance(callee, nn.Module):
                    hook(callee.register_forward_hook(give))
            opened.enter_context(frames)
        for layer in plan.layers:
            if layer.at == "output":
                hook(layer.module.register_forward_hook(_output_of(layer, take)))
            elif layer.at == "input":
                hook(layer.module.register_forward_pre_hook(_input_of(layer, take)))
        yield


def _output_of(layer: MonitoredLayer, take: Take) -> Callable[[Any, Any, Any], None]:
    return lambda module, args, output: take(layer, output)


def _input_of(layer: MonitoredLayer, take: Take) -> Callable[[Any, Any], None]:
    return lambda module, args: take(layer, args[0])
