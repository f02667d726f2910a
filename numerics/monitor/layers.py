"""Which layers of a model are measured, and why the others are not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.nn.parameter import is_lazy

from numerics.monitor.named import named_layers, nearest
from numerics.monitor.plan import LayerPlan, MonitoredLayer, Role, SkippedLayer
from numerics.monitor.structure import Found, discover, find_head
from numerics.monitor.wrappers import clean_name, is_compiled, unwrap
from theory.errors import InputError

__all__ = ["LayerPlan", "MonitoredLayer", "SkippedLayer", "find_layers"]


def find_layers(
    model: nn.Module,
    layers: Any = "auto",
    *,
    head: Any = "auto",
    example: Any = None,
) -> LayerPlan:
    """Decide which layers of a model are measured.

    ``auto`` takes outputs of activation modules, outputs of recurrent layers, outputs of the blocks
    of residual networks and Transformers, and always what enters the head: that is φ.

    Parameters
    ----------
    model : nn.Module
        Model; wrappers (``torch.compile``, data parallelism) are looked through.
    layers : "auto", str, nn.Module, iterable of both, or mapping of names to modules
        Which modules' outputs to measure: dotted names with ``*`` and ``?``, or modules.
    head : "auto", str, nn.Module or None
        The output layer; its input is measured too. None measures no such input.
    example : optional
        A batch of inputs; unused where the structure of the model says enough.

    Returns
    -------
    LayerPlan
        Layers, and everything else with the reason.

    Raises
    ------
    InputError
        If the model cannot be measured (no modules, uninitialised lazy layers, quantised or complex
        weights), a name or module does not exist, or nothing is left to measure.
    """
    if not isinstance(model, nn.Module):
        raise InputError("model", f"is {type(model).__name__}", "pass a torch.nn.Module")
    plain = unwrap(model)
    refuse(plain)
    names = {clean_name(name): module for name, module in plain.named_modules()}
    output = _head(names, head)
    if isinstance(layers, str) and layers == "auto":
        found, skipped = discover(plain, output)
    else:
        found, skipped = named_layers(names, layers)
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
    return LayerPlan(
        wrapper=model,
        model=plain,
        layers=tuple(monitored),
        skipped=tuple(SkippedLayer(name, reason) for name, reason in skipped.items()),
        head=output,
        compiled=is_compiled(model),
    )


def refuse(model: nn.Module) -> None:
    """Refuse a model that has no real floating-point features.

    Parameters
    ----------
    model : nn.Module
        Plain model.

    Raises
    ------
    InputError
        With the reason and the remedy.
    """
    for name, module in model.named_modules():
        where = f"layer {clean_name(name)!r}" if name else type(model).__name__
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
    return MonitoredLayer(f"{site.name}{suffix}", site.module, site.at, site.axis, role)


def _head(names: Mapping[str, nn.Module], head: Any) -> nn.Module | None:
    """Return the output layer that is meant.

    Parameters
    ----------
    names : mapping of str to nn.Module
        All modules.
    head : "auto", str, nn.Module or None
        As given.

    Returns
    -------
    nn.Module or None
        The layer.

    Raises
    ------
    InputError
        If it is not part of the model.
    """
    if head is None:
        return None
    if isinstance(head, str) and head == "auto":
        return find_head(names)
    if isinstance(head, str):
        if head not in names:
            raise InputError("head", f"{head!r} is no module of the model", nearest(head, names))
        return names[head]
    if not isinstance(head, nn.Module) or all(head is not module for module in names.values()):
        kind = type(head).__name__
        raise InputError("head", f"is a {kind} outside the model", "pass one of its modules")
    return head
