"""Layers found from one forward pass: what was called, in which order, and on whose output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import nn

from epsrank.numerics.monitor.call_search import CallSearch
from epsrank.numerics.monitor.kinds import kind_of, why_not
from epsrank.numerics.monitor.structure import Found
from epsrank.numerics.monitor.trace import Trace


def discover_executed(
    names: Mapping[str, nn.Module], trace: Trace, head: nn.Module | None
) -> tuple[list[Found], dict[str, str]]:
    """Find the layers of a model in order of execution.

    Parameters
    ----------
    names : mapping of str to nn.Module
        All modules, by dotted name.
    trace : Trace
        One pass.
    head : nn.Module or None
        Its output layer.

    Returns
    -------
    tuple of (list of Found, dict of str to str)
        Layers, and why every other module without children is not measured.
    """
    search = CallSearch(names, trace.calls)
    search.collect(head)
    found = dict(search.found)
    if head is not None:
        for name in _acting_on(search, head):
            search.outputs.add(name)
            found.pop(name, None)
        entering = [call for call in trace.calls if call.callee is head]
        noisy = {
            search.by_call[source]
            for call in entering
            if any(trace.calls[source].callee == "dropout" for source in call.sources)
            for source in call.sources
            if source in search.by_call
        }
        measured = {
            search.by_call[source]
            for call in entering
            for source in call.sources
            if source in search.by_call
        }
        once = len(entering) == 1 and len(measured) == 1
        name = next(iter(measured)) if once else ""
        if once and sum(name == other for other in search.by_call.values()) == 1:
            if noisy:
                # In training the head sees these features through dropout.
                search.increments[name] = f"{search.name[id(head)]} (input)"
                search.noisy.add(name)
                del found[name]
            else:
                found[name] = replace(found[name], last=True)
    measured_modules = {id(site.module) for site in found.values() if site.at == "output"}
    skipped = _skipped(search, names, measured_modules)
    skipped |= {
        name: f"measured as {total!r}, behind dropout"
        if name in search.noisy
        else f"an increment; the sum with its shortcut is measured as {total!r}"
        for name, total in search.increments.items()
    }
    skipped |= dict.fromkeys(search.outputs, "acts on the head: the model's output, no features")
    if head is not None:
        skipped.pop(next(name for name, module in names.items() if module is head), None)
    return list(found.values()), skipped


def _acting_on(search: CallSearch, head: nn.Module) -> set[str]:
    """Return the activations that make the model's output out of the head's.

    Parameters
    ----------
    search : CallSearch
        After `collect`.
    head : nn.Module
        The output layer.

    Returns
    -------
    set of str
        Names of layers found.
    """
    return {
        name
        for number, name in search.by_call.items()
        if any(search.calls[source].callee is head for source in search.calls[number].sources)
    }


def _skipped(
    search: CallSearch, names: Mapping[str, nn.Module], measured: set[int]
) -> dict[str, str]:
    reasons: dict[str, str] = {}
    for name, module in names.items():
        if next(module.children(), None) is not None or id(module) in measured:
            continue
        calls = [call for call in search.calls if call.callee is module]
        trouble = next((call.trouble for call in calls if call.trouble), None)
        if id(module) in search.inside:
            block = search.inside[id(module)]
            reasons[name] = f"inside the block {block!r}, whose output is measured"
        elif not calls:
            reasons[name] = "not called in the example pass"
        elif trouble is not None:
            reasons[name] = trouble
        elif name in search.increments:
            continue
        elif kind_of(module) == "activation":
            reasons[name] = "called in several places, which are measured one by one"
        else:
            reasons[name] = why_not(module)
    return reasons
