"""The layers that are found in several passes of one model, put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import nn

from epsrank.numerics.monitor.model.search import NOT_CALLED, Repeats, discovered
from epsrank.numerics.monitor.model.spots import Spot
from epsrank.numerics.monitor.model.structure import Found
from epsrank.numerics.monitor.model.trace import Trace


def discover_executed(
    names: Mapping[str, nn.Module],
    traces: Sequence[Trace],
    head: nn.Module | None,
    axes: Mapping[str, int],
) -> tuple[list[Found], dict[str, str]]:
    """Find the layers in order of execution, and why other modules are not measured.

    What one of several passes calls is measured, and known again by its spot in the others.
    """
    repeats = Repeats(traces)
    ways = [discovered(names, trace, head, axes, repeats) for trace in traces]
    if len(ways) == 1:
        return list(ways[0][0].values()), ways[0][1]
    enters = [head is None or any(call.callee is head for call in t.calls) for t in traces]
    return list(_united(ways, enters).values()), _skipped_in_all(names, ways)


def _united(
    ways: Sequence[tuple[dict[str, Found], dict[str, str]]], enters: Sequence[bool]
) -> dict[str, Found]:
    """Return what is found in several passes; `enters` says in which of them the head is called."""
    found: dict[str, Found] = {}
    taken: set[tuple[int, object, Spot]] = set()
    for sites, _ in ways:
        for site in sites.values():
            new = tuple(
                spot for spot in site.spots if (id(site.module), site.callee, spot) not in taken
            )
            taken |= {(id(site.module), site.callee, spot) for spot in new}
            known = found.get(site.name)
            if known is not None and (known.module, known.at) == (site.module, site.at):
                found[site.name] = known.joined(replace(site, spots=new))
            elif new or not site.spots:
                name = site.name if known is None else f"{site.name}#{len(found)}"
                found[name] = replace(site, name=name, spots=new)
    last = {
        next((site.name for site in sites.values() if site.last), "")
        for (sites, _), own in zip(ways, enters, strict=True)
        if own
    }
    if len(last) > 1:
        # What enters the head is measured there: it is another layer's output in another pass.
        found = {name: replace(site, last=False) for name, site in found.items()}
    return found


def _skipped_in_all(
    names: Mapping[str, nn.Module], ways: Sequence[tuple[dict[str, Found], dict[str, str]]]
) -> dict[str, str]:
    """Return the reasons of what no pass measures."""
    measured = {name for found, _ in ways for name in found}
    reasons: dict[str, str] = {}
    for name in dict.fromkeys(name for _, skipped in ways for name in skipped):
        own = [skipped[name] for _, skipped in ways if name in skipped]
        if name not in measured and (name not in names or len(own) == len(ways)):
            reasons[name] = next((why for why in own if why != NOT_CALLED), own[0])
    return reasons
