"""Which layers of a model are measured, and why not the others; its head where a pass shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from epsrank.numerics.monitor.model.axes import UNFOLLOWED, from_the_end, given_axes
from epsrank.numerics.monitor.model.habits import look, pass_beside
from epsrank.numerics.monitor.model.heads import Heads, find_heads
from epsrank.numerics.monitor.model.kinds import kind_of
from epsrank.numerics.monitor.model.named import named_layers, nearest
from epsrank.numerics.monitor.model.passes import Arguments, first_batch
from epsrank.numerics.monitor.model.plan import (
    LayerPlan,
    MonitoredLayer,
    PlannedHead,
    Role,
    SkippedLayer,
)
from epsrank.numerics.monitor.model.search import discover_executed
from epsrank.numerics.monitor.model.structure import Found, discover
from epsrank.numerics.monitor.model.trace import Call, Trace
from epsrank.numerics.monitor.model.wrappers import (
    before_call,
    clean_name,
    is_compiled,
    unwrap,
)
from epsrank.theory.errors import InputError


def callers(calls: list[Call]) -> tuple[nn.Module, ...]:
    """Return the modules that have to be followed for the call of an activation to be known."""
    owners = {
        id(call.owner): call.owner
        for call in calls
        if isinstance(call.callee, str) or kind_of(call.callee) in ("activation", "other")
    }
    return tuple(owners.values())


def find_layers(
    model: nn.Module,
    layers: Any = "auto",
    *,
    head: Any = "auto",
    output: Any = None,
    axes: Any = None,
    example: Any = None,
) -> LayerPlan:
    """Decide which layers of a model are measured.

    ``auto`` takes outputs of activation modules, outputs of recurrent layers, outputs of the blocks
    of residual networks and Transformers, and always what enters the head: that is φ. Else `layers`
    are dotted names with ``*`` and ``?``, or modules.

    The input of the `head`, the output layer, is measured too; of several heads, every input. None
    measures no such input. ``auto`` takes the ``Linear`` whose output is the model's; where several
    are, or an activation acts on the last one, it takes none, and the plan names them. `output` is
    the entry of a tuple or dict output that is meant, of several heads a mapping by their names.

    The axis of the neurons is followed through the pass, whatever moves it. A layer where it is
    lost (of three axes or more) is left out with that reason, unless `axes` says it:
    ``{"name": 1}``.

    One pass of the `example`, inputs as in `probe_pass`, shows functional activations, the order of
    layers and the head (evaluation mode, no gradients). Without it they are guessed from the
    modules alone, and a functional activation is only seen where it enters the head.
    """
    if not isinstance(model, nn.Module):
        raise InputError("model", f"is {type(model).__name__}", "pass a torch.nn.Module")
    plain = unwrap(model)
    refuse(plain)
    names = {clean_name(name): module for name, module in plain.named_modules()}
    automatic = isinstance(layers, str) and layers == "auto"
    trace = _traced(plain, model, names, example) if example is not None else None
    places, own_axes = as_outputs(output), given_axes(axes)
    heads = find_heads(names, head, trace, places.get(""))
    if not automatic:
        found, skipped = named_layers(names, layers, trace)
        _refuse_lost(found, trace, own_axes)
    elif trace is not None:
        found, skipped = discover_executed(names, trace, heads.first, own_axes)
    else:
        found, skipped = discover(plain, heads.first)
    monitored = [_monitored(site) for site in found]
    monitored = _with_axes(monitored, own_axes, trace)
    planned: list[PlannedHead] = []
    guessed = trace is None and isinstance(head, str) and head == "auto"
    for name, module in heads.chosen.items():
        layer = next((own.name for own in monitored if own.role == "last"), None)
        if layer is None or planned:
            layer = f"{name} (input)".strip()
            monitored = [own for own in monitored if own.name != layer]
            monitored.append(MonitoredLayer(layer, module, "input", -1, "last"))
        skipped.pop(name, None)
        planned.append(
            PlannedHead(name, module, layer, places.get(name, places.get("")), guessed=guessed)
        )
    for name in heads.candidates:
        skipped[name] = f"gives an output, as others do: head={name!r} reads it"
    if not monitored:
        raise InputError(
            "layers",
            f"{layers!r} finds nothing to measure in {type(plain).__name__}",
            "name the modules to measure: layers=['encoder.*'] or layers=[model.encoder]",
        )
    followed = trace is not None and any(layer.at == "call" for layer in monitored)
    return LayerPlan(
        wrapper=model,
        model=plain,
        layers=tuple(monitored),
        skipped=tuple(SkippedLayer(name, reason) for name, reason in skipped.items()),
        head=heads.first,
        heads=tuple(planned),
        candidates=heads.candidates,
        compiled=is_compiled(model),
        callers=callers(trace.calls) if followed and trace is not None else (),
    )


def plan_at_first_call(
    model: nn.Module,
    ready: Callable[[LayerPlan], None],
    layers: Any = "auto",
    *,
    head: Any = "auto",
) -> Callable[[], None]:
    """Find the layers when the model is called next, with what it is called on as the example."""

    def look(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        # First of all, since the example pass calls the model again.
        cancel()
        ready(find_layers(model, layers, head=head, example=[Arguments(args, kwargs)]))

    cancel = before_call(model, look)
    return cancel


def heads_in(model: nn.Module, arguments: Arguments, output: str | None) -> Heads:
    """Return the layers that give the output of a pass."""
    plain = unwrap(model)
    names = {clean_name(name): module for name, module in plain.named_modules()}
    return find_heads(names, "auto", _traced(plain, model, names, [arguments]), output)


def _traced(
    plain: nn.Module, model: nn.Module, names: Mapping[str, nn.Module], example: Any
) -> Trace:
    """Watch one forward pass in evaluation mode."""
    arguments = first_batch(example)
    trace = Trace(names)
    try:
        look(model, arguments)
        with pass_beside(model) as call, trace:
            call(arguments)
    except Exception as error:
        line = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(
            "probe",
            f"does not run through {type(plain).__name__} ({line})",
            "pass the model's inputs, without targets: a tensor, a tuple of them, or a dict",
        ) from error
    return trace


def refuse(model: nn.Module) -> None:
    """Refuse a model that has no real floating-point features."""
    for name, module in model.named_modules():
        where = f"layer {clean_name(name)!r}" if name else type(model).__name__
        if isinstance(module, torch.jit.ScriptModule):
            raise InputError("model", f"is TorchScript ({where})", "measure the model it came from")
        if "quantized" in type(module).__module__.split("."):
            raise InputError(
                "model", f"is quantised ({where})", "measure the model before quantisation"
            )
        for parameter in module.parameters(recurse=False):
            if is_lazy(parameter):
                raise InputError(
                    "model",
                    f"has uninitialised lazy weights ({where})",
                    "run one batch through it first: model(x)",
                )
            if parameter.is_complex():
                raise InputError(
                    "model",
                    f"has complex weights ({where})",
                    "ε-rank is defined here for real features: measure real and imaginary parts",
                )


def _refuse_lost(found: list[Found], trace: Trace | None, axes: dict[str, int]) -> None:
    """Refuse layers that were asked for and whose neurons cannot be followed."""
    lost = [] if trace is None else [c.callee for c in trace.calls if c.trouble == UNFOLLOWED]
    for site in found:
        if site.name not in axes and any(site.module is module for module in lost):
            remedy = f"say on which axis they are: axes={{{site.name!r}: 1}}"
            raise InputError("layers", f"has {site.name!r}, whose neurons were lost", remedy)


def _with_axes(
    layers: list[MonitoredLayer], axes: dict[str, int], trace: Trace | None
) -> list[MonitoredLayer]:
    """Return layers with the axes that the caller names."""
    known = {layer.name for layer in layers}
    for name in axes:
        if name not in known:
            raise InputError("axes", f"name {name!r}, which is not measured", nearest(name, known))
    shapes = {} if trace is None else {id(call.callee): call.left for call in trace.calls}
    return [
        layer
        if layer.name not in axes or layer.at == "call"
        else replace(
            layer, axis=from_the_end(layer.name, axes[layer.name], shapes.get(id(layer.module)))
        )
        for layer in layers
    ]


def as_outputs(output: Any) -> dict[str, str]:
    """Return the places of outputs by heads; of all heads under the empty name."""
    given = output if isinstance(output, Mapping) else {"": output}
    places: dict[str, str] = {}
    for head, place in given.items():
        if place is None:
            continue
        if isinstance(place, bool) or not isinstance(place, (str, int)):
            remedy = "pass the key or index of an entry, such as 'logits' or 0"
            raise InputError("output", f"is {place!r}", remedy)
        places[str(head)] = str(place)
    return places


def _monitored(site: Found) -> MonitoredLayer:
    suffix = " (input)" if site.at == "input" else ""
    role: Role = "last" if site.last else "hidden"
    name = site.name if site.name.endswith(suffix) else f"{site.name}{suffix}"
    return MonitoredLayer(name, site.module, site.at, site.axis, role, site.callee, site.indices)
