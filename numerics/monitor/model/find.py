"""Which layers of a model are measured, and why not the others; its head where a pass shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from epsrank.numerics.monitor.model.habits import look, pass_beside
from epsrank.numerics.monitor.model.kinds import kind_of
from epsrank.numerics.monitor.model.named import named_layers, nearest
from epsrank.numerics.monitor.model.passes import Arguments, first_batch
from epsrank.numerics.monitor.model.plan import LayerPlan, MonitoredLayer, Role, SkippedLayer
from epsrank.numerics.monitor.model.search import discover_executed
from epsrank.numerics.monitor.model.structure import Found, blocks, discover, find_head
from epsrank.numerics.monitor.model.trace import Call, Trace
from epsrank.numerics.monitor.model.wrappers import (
    before_call,
    clean_name,
    is_compiled,
    unwrap,
)
from epsrank.theory.errors import InputError


def head_executed(names: Mapping[str, nn.Module], trace: Trace) -> nn.Module | None:
    """Return the ``Linear`` that was called last, unless weights or an activation came after it."""
    inside = {id(part) for block in blocks(names).values() for part in block.modules()}
    for call in reversed(trace.calls):
        module = call.callee
        if isinstance(module, str):
            continue
        if id(module) in inside or kind_of(module) in ("attention", "recurrent"):
            return None
        if kind_of(module) == "weights":
            linear = isinstance(module, nn.Linear) and gives_the_output(trace, module)
            return module if linear else None
    return None


def gives_the_output(trace: Trace, head: nn.Module) -> bool:
    """Whether no activation acts on the head, so that u = φ·W + b is what the model gives."""
    return not any(
        trace.calls[source].callee is head
        for call in trace.calls
        if call.callee not in ("add", "dropout")
        and (isinstance(call.callee, str) or kind_of(call.callee) == "activation")
        for source in call.sources
    )


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
    example: Any = None,
) -> LayerPlan:
    """Decide which layers of a model are measured.

    ``auto`` takes outputs of activation modules, outputs of recurrent layers, outputs of the blocks
    of residual networks and Transformers, and always what enters the head: that is φ. Else `layers`
    are dotted names with ``*`` and ``?``, or modules.

    The input of the `head`, the output layer, is measured too. None measures no such input, and
    ``auto`` finds none where an activation acts on the last ``Linear``.

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
    output = _head(names, head, trace)
    if not automatic:
        found, skipped = named_layers(names, layers, trace)
    elif trace is not None:
        found, skipped = discover_executed(names, trace, output)
    else:
        found, skipped = discover(plain, output)
    monitored = [_monitored(site) for site in found]
    if output is not None and not any(layer.role == "last" for layer in monitored):
        name = next(name for name, module in names.items() if module is output)
        last = MonitoredLayer(f"{name} (input)".strip(), output, "input", -1, "last")
        monitored.append(last)
        skipped = {key: why for key, why in skipped.items() if key != name}
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
        head=output,
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


def _monitored(site: Found) -> MonitoredLayer:
    suffix = " (input)" if site.at == "input" else ""
    role: Role = "last" if site.last else "hidden"
    name = site.name if site.name.endswith(suffix) else f"{site.name}{suffix}"
    return MonitoredLayer(name, site.module, site.at, site.axis, role, site.callee, site.indices)


def _head(names: Mapping[str, nn.Module], head: Any, trace: Trace | None) -> nn.Module | None:
    """Return the output layer that is meant."""
    if head is None:
        return None
    if isinstance(head, str) and head == "auto":
        return find_head(names) if trace is None else head_executed(names, trace)
    if isinstance(head, str):
        if head not in names:
            raise InputError("head", f"{head!r} is no module of the model", nearest(head, names))
        return names[head]
    if not isinstance(head, nn.Module) or all(head is not module for module in names.values()):
        kind = type(head).__name__
        raise InputError("head", f"is a {kind} outside the model", "pass one of its modules")
    return head
