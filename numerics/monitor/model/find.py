"""Which layers of a model are measured, and why not the others; its head where a pass shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from epsrank.numerics.monitor.model.axes import UNFOLLOWED, from_the_end, given_axes
from epsrank.numerics.monitor.model.habits import look, pass_beside
from epsrank.numerics.monitor.model.heads import Heads, find_heads
from epsrank.numerics.monitor.model.named import named_layers, nearest
from epsrank.numerics.monitor.model.passes import Arguments, first_batch
from epsrank.numerics.monitor.model.plan import (
    LayerPlan,
    MonitoredLayer,
    PlannedHead,
    Role,
    SkippedLayer,
)
from epsrank.numerics.monitor.model.search import Repeats
from epsrank.numerics.monitor.model.structure import Found, discover
from epsrank.numerics.monitor.model.trace import ACTIVATION_FUNCTIONS, Call, Trace
from epsrank.numerics.monitor.model.ways import discover_executed
from epsrank.numerics.monitor.model.wrappers import (
    clean_name,
    is_compiled,
    unwrap,
)
from epsrank.theory.errors import InputError


def called(trace: Trace, names: Mapping[str, nn.Module]) -> Iterator[Any]:
    """Yield the names of the modules that a pass called, and its calls of functions.

    The latter as (name of the caller, function, spot): what `Capture` sees of a pass as well.
    """
    name = {id(module): own for own, module in names.items()}
    for call in trace.calls:
        if isinstance(call.callee, nn.Module):
            yield name[id(call.callee)]
        elif call.callee in _ACTIVATIONS:
            yield name[id(call.owner)], call.callee, call.spot


_ACTIVATIONS = frozenset(ACTIVATION_FUNCTIONS.values())

# Most passes that are looked at again: experts chosen by chance have ever new combinations.
_MOST_PASSES = 16


class _Planner:
    """Plans a model from its passes."""

    def __init__(
        self,
        model: nn.Module,
        layers: Any,
        head: Any,
        output: Any,
        axes: dict[str, int],
        reads: bool,
    ) -> None:
        self._model, self._layers, self._head, self._axes = model, layers, head, axes
        self._reads = reads
        self._plain = unwrap(model)
        refuse(self._plain)
        self._places = as_outputs(output)
        self._names = self._now()
        self._traces: list[Trace] = []
        self._left = _MOST_PASSES
        self._heads = Heads()

    def _now(self) -> dict[str, nn.Module]:
        return {clean_name(name): module for name, module in self._plain.named_modules()}

    def first(self, example: Any) -> LayerPlan:
        """Return the plan by one pass; by the modules alone without an example."""
        if example is not None:
            self._traces.append(_traced(self._plain, self._model, self._names, example))
        trace = self._traces[0] if self._traces else None
        self._heads = find_heads(
            self._names, self._head, trace, self._places.get(""), reads=self._reads
        )
        return self._plan()

    def further(self, arguments: Arguments) -> LayerPlan | None:
        """Return the plan with one more pass; None where there are enough, or it fails."""
        now, before = self._now(), self._traces
        same = now.keys() == self._names.keys() and all(
            now[name] is own for name, own in self._names.items()
        )
        if not same or self._left == 0:
            return None
        self._left -= 1
        try:
            trace = _traced(self._plain, self._model, self._names, [arguments])
            self._traces = [*before, trace]
            if self._seen(before) != self._seen(self._traces):
                return self._plan()
        except InputError:  # the model does not do it again, or what is new cannot be measured
            pass
        self._traces = before
        return None

    def _seen(self, traces: Sequence[Trace]) -> tuple[object, ...]:
        """Return what passes called, and how often."""
        repeats = Repeats(traces)
        what = {call for trace in traces for call in called(trace, self._names)}
        return what, repeats.times, repeats.loops

    def _plan(self) -> LayerPlan:
        names, heads, layers = self._names, self._heads, self._layers
        trace = self._traces[0] if self._traces else None
        calls = [call for own in self._traces for call in own.calls]
        automatic = isinstance(layers, str) and layers == "auto"
        if not automatic:
            found, skipped = named_layers(names, layers, calls)
            _refuse_lost(found, calls, self._axes)
        elif trace is not None:
            found, skipped = discover_executed(names, self._traces, heads.first, self._axes)
        else:
            found, skipped = discover(self._plain, heads.first)
        monitored = [_monitored(site) for site in found]
        monitored = _with_axes(monitored, self._axes, calls)
        planned: list[PlannedHead] = []
        guessed = trace is None and isinstance(self._head, str) and self._head == "auto"
        for name, module in heads.chosen.items():
            layer = next((own.name for own in monitored if own.role == "last"), None)
            if layer is None or planned:
                layer = f"{name} (input)".strip()
                monitored = [own for own in monitored if own.name != layer]
                monitored.append(MonitoredLayer(layer, module, "input", -1, "last"))
            skipped.pop(name, None)
            place = self._places.get(name, self._places.get(""))
            planned.append(PlannedHead(name, module, layer, place, guessed=guessed))
        for name in heads.candidates:
            skipped[name] = f"gives an output, as others do: head={name!r} reads it"
        if not monitored:
            raise InputError(
                "layers",
                f"{layers!r} finds nothing to measure in {type(self._plain).__name__}",
                "name the modules to measure: layers=['encoder.*'] or layers=[model.encoder]",
            )
        seen = {what for own in self._traces for what in called(own, names)}
        if not automatic:  # others need not be known
            asked = {id(own.module) for own in monitored}
            seen |= {name for name, module in names.items() if id(module) not in asked}
        followed = trace is not None and any(own.at == "call" for own in monitored)
        return LayerPlan(
            wrapper=self._model,
            model=self._plain,
            layers=tuple(monitored),
            skipped=tuple(SkippedLayer(name, reason) for name, reason in skipped.items()),
            head=heads.first,
            heads=tuple(planned),
            candidates=heads.candidates,
            no_head=heads.why,
            compiled=is_compiled(self._model),
            callers=tuple(names.values()) if followed else (),
            called=None if trace is None else frozenset(seen),
            further=None if trace is None else self.further,
        )


def find_layers(
    model: nn.Module,
    layers: Any = "auto",
    *,
    head: Any = "auto",
    output: Any = None,
    axes: Any = None,
    example: Any = None,
    reads: bool = False,
) -> LayerPlan:
    """Decide which layers of a model are measured.

    ``auto`` takes outputs of activation modules, outputs of recurrent layers, outputs of the blocks
    of residual networks and Transformers, and always what enters the head: that is φ. Else `layers`
    are dotted names with ``*`` and ``?``, or modules.

    The input of the `head`, the output layer, is measured too; of several heads, every input. None
    measures no such input. ``auto`` takes the ``Linear`` whose output is the model's; where several
    are, or an activation acts on the last one, it takes none, and the plan names them. `output` is
    the entry of a tuple or dict output that is meant, of several heads a mapping by their names.
    Where a reading is wanted (`reads`), convolutions and affine modules of the user's are heads.

    The axis of the neurons is followed through the pass, whatever moves it. A layer where it is
    lost (of three axes or more) is left out with that reason, unless `axes` says it:
    ``{"name": 1}``.

    One pass of the `example`, inputs as in `probe_pass`, shows functional activations, the order of
    layers and the head (evaluation mode, no gradients); `LayerPlan.further` takes in a pass that
    goes another way. Without it they are guessed from the modules alone, and a functional
    activation is only seen where it enters the head.
    """
    if not isinstance(model, nn.Module):
        raise InputError("model", f"is {type(model).__name__}", "pass a torch.nn.Module")
    return _Planner(model, layers, head, output, given_axes(axes), reads).first(example)


def heads_in(model: nn.Module, arguments: Arguments, output: str | None) -> Heads:
    """Return the layers that give the output of a pass."""
    plain = unwrap(model)
    names = {clean_name(name): module for name, module in plain.named_modules()}
    trace = _traced(plain, model, names, [arguments])
    return find_heads(names, "auto", trace, output, reads=True)


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


def _refuse_lost(found: list[Found], calls: Sequence[Call], axes: dict[str, int]) -> None:
    """Refuse layers that were asked for and whose neurons cannot be followed."""
    lost = [call.callee for call in calls if call.trouble == UNFOLLOWED]
    for site in found:
        if site.name not in axes and any(site.module is module for module in lost):
            remedy = f"say on which axis they are: axes={{{site.name!r}: 1}}"
            raise InputError("layers", f"has {site.name!r}, whose neurons were lost", remedy)


def _with_axes(
    layers: list[MonitoredLayer], axes: dict[str, int], calls: Sequence[Call]
) -> list[MonitoredLayer]:
    """Return layers with the axes that the caller names."""
    known = {layer.name for layer in layers}
    for name in axes:
        if name not in known:
            raise InputError("axes", f"name {name!r}, which is not measured", nearest(name, known))
    shapes = {id(call.callee): call.left for call in calls}
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
    return MonitoredLayer(
        name, site.module, site.at, site.axis, role, site.callee, site.spots, site.once
    )
