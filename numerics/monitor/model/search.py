"""Layers found from the calls of a watched forward pass, and why the others are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import nn

from epsrank.numerics.monitor.model.axes import UNFOLLOWED, from_the_end
from epsrank.numerics.monitor.model.kinds import CLOSED, MEASURED, WEIGHTED, kind_of, why_not
from epsrank.numerics.monitor.model.origins import RAW, UNKNOWN
from epsrank.numerics.monitor.model.structure import Found, blocks
from epsrank.numerics.monitor.model.trace import Call, Trace

# An owner that calls one function more often than this in one pass is a loop over time.
_LOOP = 16

_LINEAR = ("weights", "normalisation")

#: Why a module is skipped that no pass has called.
NOT_CALLED = "not called in the example pass"


class Repeats:
    """How often something is called in a pass, at most, in all passes that were watched."""

    def __init__(self, traces: Sequence[Trace]) -> None:
        #: Calls of a module.
        self.times: Counter[int] = Counter()
        #: Calls of a function, per owner: a loop over time calls it again and again.
        self.loops: Counter[tuple[int, str]] = Counter()
        for trace in traces:
            modules = (call.callee for call in trace.calls if isinstance(call.callee, nn.Module))
            self.times |= Counter(map(id, modules))
            self.loops |= Counter(
                (id(call.owner), call.callee)
                for call in trace.calls
                if isinstance(call.callee, str)
            )


class CallSearch:
    """Walks through the calls of a pass and collects places to measure."""

    def __init__(
        self,
        names: Mapping[str, nn.Module],
        calls: list[Call],
        axes: Mapping[str, int],
        repeats: Repeats,
    ) -> None:
        self.calls = calls
        self._repeats = repeats
        self._axes = axes
        #: Layers whose neurons were lost sight of.
        self.lost: set[str] = set()
        self.name = {id(module): name for name, module in names.items()}
        self.block = {id(module): name for name, module in blocks(names).items()}
        self.inside: dict[int, str] = {}
        for block, module in blocks(names).items():
            self.inside |= {id(part): block for part in module.modules() if part is not module}
        self.found: dict[str, Found] = {}
        self.by_call: dict[int, str] = {}
        self.increments: dict[str, str] = {}
        self.noisy: set[str] = set()
        self.outputs: set[str] = set()
        self.hidden = {
            id(part)
            for module in names.values()
            if kind_of(module) in (*MEASURED, *CLOSED)
            for part in module.modules()
        }

    def collect(self, head: nn.Module | None) -> None:
        """Fill `found`."""
        since: list[int] = []
        looked_at: set[int] = set()
        before: Call | None = None
        for number, call in enumerate(self.calls):
            if self._covered(call):
                continue
            site = self._site(call, number)
            if site is not None and site.name in self._axes:
                site = replace(site, axis=from_the_end(site.name, self._axes[site.name], call.left))
                call = replace(call, trouble=None)
            if site is not None and call.trouble == UNFOLLOWED:
                self.lost.add(site.name)
                since.append(number)
            elif site is not None and call.trouble is None:
                self._add(site, number)
                since.append(number)
            elif call.kind == "weights":
                # The first weights see the raw input, and branches see the same tensor.
                if before is not None and call.given not in looked_at:
                    self._before(call, before, bool(since), call.callee is head)
                looked_at.add(call.given)
                since, before = [], call
        # A loop over time that starts from zeros, and then hands on what is measured.
        for call in self.calls:
            if call.kind == "weights" and any(source in self.by_call for source in call.sources):
                self.found.pop(f"{self.name[id(call.callee)]} (input)", None)

    def _covered(self, call: Call) -> bool:
        """Whether a call is a part of a block, an activation, attention or recurrence."""
        around = id(call.owner) in self.inside or id(call.owner) in self.block
        if isinstance(call.callee, str):
            return around or id(call.owner) in self.hidden
        return around or id(call.callee) in self.inside

    def _site(self, call: Call, number: int) -> Found | None:
        module = call.callee
        if module in ("add", "dropout"):
            return None
        if isinstance(module, str):
            every = self._repeats.loops[id(call.owner), module] > _LOOP
            name = self._after(call, module)
            if every:
                name = f"{self.name[id(call.owner)] or type(call.owner).__name__}:{module}"
            spots = () if every else (call.spot,)
            return Found(name, call.owner, "call", call.axis, callee=module, spots=spots)
        name = self.name[id(module)]
        # With weights of its own it is one layer, wherever it is called.
        if id(module) in self.block or (call.kind in MEASURED and call.kind in WEIGHTED):
            return Found(name, module, "output", call.axis)
        if not (kind_of(module) == "activation" or self._acts(call)):
            return None
        if self._repeats.times[id(module)] == 1:
            return Found(name, module, "output", call.axis, once=True)
        # One activation module in many places: each place is a layer of its own.
        # In a Sequential the name is a number, which says nothing of a place.
        own = name.rpartition(".")[2]
        place = self._after(call, type(module).__name__ if own.isdigit() else own)
        return Found(place, call.owner, "call", call.axis, callee=module, spots=(call.spot,))

    def _acts(self, call: Call) -> bool:
        """Whether a module of the user's acts entrywise on what weights or a norm gave."""
        module = call.callee
        if isinstance(module, str) or type(module).__module__.startswith("torch.nn."):
            return False
        if any(True for _ in module.children()) or any(True for _ in module.parameters()):
            return False
        fed = any(self.calls[source].kind in _LINEAR for source in call.sources)
        return fed and call.changed and call.entered == call.left

    def _after(self, call: Call, what: str) -> str:
        """Return a name such as ``fc1:relu``."""
        for source in call.sources:
            added = self.calls[source].callee == "add"
            operands = self.calls[source].sources if added else (source,)
            terms = [
                self.name[id(callee)]
                for callee in (self.calls[operand].callee for operand in operands)
                if isinstance(callee, nn.Module) and kind_of(callee) in _LINEAR
            ]
            if terms:
                # A sum of one layer and something else: a shortcut.
                terms += ["skip"] * (added and len(terms) == 1)
                return f"{'+'.join(dict.fromkeys(terms))}:{what}"
        owner = self.name[id(call.owner)] or type(call.owner).__name__
        return f"{owner}:{what}" + (f"#{call.index + 1}" if call.index else "")

    def _add(self, site: Found, number: int) -> None:
        known = self.found.get(site.name)
        if known is not None:
            if known.module is site.module and known.callee is site.callee:
                site = replace(known.joined(site), last=known.last)
            else:
                site = replace(site, name=f"{site.name}#{len(self.found)}")
        self.found[site.name] = site
        self.by_call[number] = site.name

    def _before(self, call: Call, earlier: Call, since: bool, is_head: bool) -> None:
        """Measure what enters weights, where that is the only sight of a layer's output."""
        module = call.callee
        assert isinstance(module, nn.Module)
        name = f"{self.name[id(module)]} (input)"
        if any(source in self.by_call for source in call.sources):
            return
        summed = self._summed(call, name)
        # A linear chain such as convolution and normalisation has no activation to be seen.
        chain = any(self.calls[source].kind in _LINEAR for source in call.sources)
        if not (chain or is_head) and self._transformed(call, earlier, since, summed):
            self.found.setdefault(name, Found(name, module, "input", call.axis))

    def _transformed(self, call: Call, earlier: Call, since: bool, summed: bool) -> bool:
        """Whether what enters weights is made of a layer's output that is not measured itself."""
        seen, unseen, marks = self._behind(call)
        if UNKNOWN in marks:
            return (summed or not since) and _fits(earlier, call)
        if unseen and not seen and RAW not in marks:
            return True
        of = unseen | seen if summed else unseen
        return any(_fits(self.calls[number], call) for number in of)

    def _behind(self, call: Call) -> tuple[set[int], set[int], set[int]]:
        """Find the nearest layers that the values entering a call come from.

        They are calls that are measured, calls of weights that are not, and the marks `RAW` and
        `UNKNOWN` where the input of the model or what could not be followed is among them.
        """
        seen: set[int] = set()
        unseen: set[int] = set()
        marks: set[int] = set()
        done: set[int] = set()
        waiting = list(call.behind)
        while waiting:
            number = waiting.pop()
            if number in done:
                continue
            done.add(number)
            if number < 0:
                marks.add(number)
            elif number in self.by_call:
                seen.add(number)
            elif self.calls[number].kind == "weights":
                unseen.add(number)
            else:
                waiting.extend(self.calls[number].within)
        return seen, unseen, marks

    def _summed(self, call: Call, total: str) -> bool:
        """Drop an increment σ(Wy) in favour of the sum y + σ(Wy) that enters the next weights."""
        sums = [source for source in call.sources if self.calls[source].callee == "add"]
        parts = [part for source in sums for part in self.calls[source].sources]
        dropped = False
        for part in parts:
            name = self.by_call.get(part)
            site = self.found.get(name) if name is not None else None
            if name is None or site is None or self.calls[part].left != call.entered:
                continue
            # A site with further calls stays: not all of them need be increments.
            shared = sum(name == other for other in self.by_call.values()) > 1
            # What a layer gave to the next weights, and is now the shortcut, is no increment.
            read = any(
                part in other.sources and other is not call
                for other in self.calls
                if other.kind == "weights"
            )
            if shared or read or id(site.module) in self.block:
                continue
            if kind_of(site.module) == "recurrent":
                continue
            del self.found[name]
            self.increments[name] = total
            dropped = True
        return dropped or bool(parts)


def _fits(before: Call, call: Call) -> bool:
    """Whether a tensor that enters weights can be the transformed output of the ones before."""
    given, entered = before.left, call.entered
    if given is None or entered is None or len(entered) < -call.axis or len(given) < -before.axis:
        return False
    same = given[before.axis] == entered[call.axis]
    return same or given.numel() == entered.numel()


def discovered(
    names: Mapping[str, nn.Module],
    trace: Trace,
    head: nn.Module | None,
    axes: Mapping[str, int],
    repeats: Repeats,
) -> tuple[dict[str, Found], dict[str, str]]:
    """Find the layers that one pass calls."""
    search = CallSearch(names, trace.calls, axes, repeats)
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
        # With further calls, what is measured there is more than what enters the head.
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
    skipped |= {name: UNFOLLOWED.replace("…", name) for name in search.lost}
    skipped |= dict.fromkeys(search.outputs, "acts on the head: the model's output, no features")
    if head is not None:
        skipped.pop(next(name for name, module in names.items() if module is head), None)
    return found, skipped


def _acting_on(search: CallSearch, head: nn.Module) -> set[str]:
    """Return the activations that make the model's output out of the head's."""
    return {
        name
        for number, name in search.by_call.items()
        # A cell that is given the output at the next time is a layer like any other.
        if search.calls[number].kind != "recurrent"
        and any(search.calls[source].callee is head for source in search.calls[number].sources)
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
            reasons[name] = NOT_CALLED
        elif trouble is not None:
            reasons[name] = trouble
        elif name in search.increments:
            continue
        elif kind_of(module) == "activation":
            reasons[name] = "called in several places, which are measured one by one"
        else:
            reasons[name] = why_not(module)
    return reasons
