"""Which layers give the output: the heads that a reading can be about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import nn

from epsrank.numerics.monitor.model.convolutions import is_readable
from epsrank.numerics.monitor.model.effective import effective_weight
from epsrank.numerics.monitor.model.kinds import CLOSED, WEIGHTED, kind_of
from epsrank.numerics.monitor.model.named import nearest
from epsrank.numerics.monitor.model.origins import PRODUCT, UNKNOWN
from epsrank.numerics.monitor.model.structure import blocks, find_head, hidden_parts
from epsrank.numerics.monitor.model.trace import Call, Trace
from epsrank.theory.errors import InputError


@dataclass(frozen=True, eq=False)
class Heads:
    """The output layers that are meant."""

    #: By name; several where several were asked for.
    chosen: dict[str, nn.Module] = field(default_factory=dict)
    #: Names of layers that give outputs side by side, where nothing says which is meant.
    candidates: tuple[str, ...] = ()
    #: Where there is none: why, and what helps; of candidates where these do not say it all.
    why: tuple[str, str] | None = None

    @property
    def first(self) -> nn.Module | None:
        """The head that layers are found by."""
        return next(iter(self.chosen.values()), None)


def find_heads(
    names: Mapping[str, nn.Module],
    head: Any,
    trace: Trace | None,
    output: str | None = None,
    *,
    reads: bool = False,
) -> Heads:
    """Return the output layers that are meant: those named, or the only one that a pass shows.

    Where a reading is wanted (`reads`), convolutions and affine modules of the user's are heads,
    and it is said why there is none.
    """
    if head is None:
        return Heads()
    if isinstance(head, str) and head == "auto":
        if trace is not None:
            found = _executed(names, trace, output, reads)
            if found.chosen or found.candidates or not reads:
                return found
            return without_linear(names, trace, output)
        guess = find_head(names)
        return Heads() if guess is None else Heads({_name(names, guess): guess})
    given = [head] if isinstance(head, (str, nn.Module)) else head
    if not isinstance(given, Iterable):
        kind = type(head).__name__
        raise InputError("head", f"is a {kind}", "pass a name or a module, or heads=[…] of them")
    chosen: dict[str, nn.Module] = {}
    for one in given:
        if isinstance(one, str):
            if one not in names or not one:
                raise InputError("head", f"{one!r} is no module of the model", nearest(one, names))
            chosen[one] = names[one]
            continue
        if not isinstance(one, nn.Module) or all(one is not module for module in names.values()):
            kind = type(one).__name__
            raise InputError("head", f"is a {kind} outside the model", "pass one of its modules")
        chosen[_name(names, one)] = one
    if not chosen:
        raise InputError("heads", "are none", "name at least one, or leave it out")
    return Heads(chosen)


def _name(names: Mapping[str, nn.Module], module: nn.Module) -> str:
    return next(name for name, known in names.items() if known is module)


def _executed(
    names: Mapping[str, nn.Module], trace: Trace, output: str | None, reads: bool
) -> Heads:
    """Return the ``Linear`` that gives the output of a pass, or all that do."""
    if output is not None and output not in trace.outputs:
        given = ", ".join(map(repr, trace.outputs))
        raise InputError("output", f"is {output!r}", f"the model gives {given}")
    wanted = _wanted(trace, output)
    linear: dict[int, Call] = {}
    products: set[int] = set()
    for marks in wanted.values():
        found = _last_weights(trace, marks, reads)
        if found is None:
            return _last_called(names, trace)
        linear |= found.weights
        products |= found.products
    inside = hidden_parts(names)
    modules = {
        id(call.callee): call.callee
        for call in linear.values()
        if call.kind == "weights" or (reads and call.kind == "other")
    }
    # What a block gives is no output of its own: hidden states that are handed out as well.
    heads = [
        module
        for key, module in modules.items()
        if isinstance(module, nn.Module) and key not in inside
    ]
    known = [_name(names, module) for module in heads]
    if not any(
        isinstance(module, nn.Linear)
        or (reads and (is_readable(module) or kind_of(module) == "other"))
        for module in heads
    ):
        return Heads()
    if len(heads) == 1:
        return _alone(known[0], heads[0], trace, products if reads else set())
    around = _around(names, known, trace)
    if around is not None:
        return Heads({around: names[around]})
    return Heads(candidates=tuple(known))


def _wanted(trace: Trace, output: str | None) -> dict[str, frozenset[int]]:
    return trace.outputs if output is None else {output: trace.outputs[output]}


def without_linear(names: Mapping[str, nn.Module], trace: Trace, output: str | None) -> Heads:
    """Return the affine module of the user's that gives the output; or say why no layer does."""
    done: set[int] = set()
    waiting = sorted(
        (mark for own in _wanted(trace, output).values() for mark in own), reverse=True
    )
    while waiting:
        number = waiting.pop(0)
        if number == UNKNOWN:
            problem = "is not known: the output is made by what cannot be followed, such as NumPy"
            return Heads(why=(problem, "name the layer that gives it: head='…'"))
        if number < 0 or number in done:
            continue
        done.add(number)
        call = trace.calls[number]
        if call.kind in ("activation", "probabilities") or (
            isinstance(call.callee, str) and _acts(call.callee)
        ):
            if any(calls > number for calls, _ in trace.products):
                break  # what it gives is multiplied by a parameter
            return Heads(why=_after_activation(names, call))
        module = call.callee
        if isinstance(module, nn.Module) and call.entered is not None and _is_affine(module, call):
            found = _last_weights(trace, frozenset().union(*_wanted(trace, output).values()), False)
            products = set() if found is None else found.products
            return _alone(_name(names, module), module, trace, products)
        if call.kind == "weights" and isinstance(module, nn.Module):
            what = f"is a {type(module).__name__} ({_name(names, module)!r})"
            problem = f"{what}, and readings know nn.Linear and convolutions without groups"
            return Heads(why=(problem, "leave loss= and targets out: ranks need none"))
        waiting += sorted(call.within, reverse=True)
    if trace.products:
        # Of one call the weight comes before the bias.
        last = trace.products[-1][0]
        weight = next(name for number, name in trace.products if number == last)
        remedy = (
            f"make it a module, self.head = nn.Linear(…) with self.head.weight = "
            f"self.{weight}, and call self.head(…) there"
        )
        return Heads(why=(f"is no module: the output is a product with {weight!r}", remedy))
    return Heads(why=("is not known: no layer of weights gives the output", "name it: head='…'"))


def _after_activation(names: Mapping[str, nn.Module], call: Call) -> tuple[str, str]:
    """Say that an activation makes the output, and what to do."""
    if isinstance(call.callee, str):
        what, kind = f"{call.callee}()", call.callee
    else:
        kind = type(call.callee).__name__
        what = f"{kind} ({_name(names, call.callee)!r})"
    instead = {
        "sigmoid": "nn.BCEWithLogitsLoss()",
        "softmax": "nn.CrossEntropyLoss()",
        "logsoftmax": "nn.CrossEntropyLoss()",
        "logsigmoid": "nn.BCEWithLogitsLoss()",
    }.get(kind.lower())
    problem = f"is not the end: {what} makes the output of what it gives"
    if instead is not None:
        return problem, f"return what comes before, and train with {instead} as loss="
    return problem, "leave loss= and targets out: ranks need none, and of this no floor is known"


def _is_affine(module: nn.Module, call: Call) -> bool:
    """Whether calls of a module show that it is one map φW + b."""
    assert call.entered is not None
    if not any(True for _ in module.parameters()):
        return False
    try:
        effective_weight(module, int(call.entered[-1]))
    except InputError:
        return False
    return True


@dataclass(frozen=True, eq=False)
class _Last:
    """What gives an output, with no activation in between."""

    #: Calls of weights, and of affine modules of the user's, by their numbers.
    weights: dict[int, Call]
    #: Numbers of products with parameters.
    products: set[int]


def _last_weights(trace: Trace, marks: Iterable[int], reads: bool) -> _Last | None:
    """Return what gives an output; None where the values cannot be followed."""
    found: dict[int, Call] = {}
    products: set[int] = set()
    done: set[int] = set()
    waiting = list(marks)
    while waiting:
        number = waiting.pop()
        if number == UNKNOWN:
            return None
        if number <= PRODUCT:
            products.add(PRODUCT - number)
        if number < 0 or number in done:
            continue
        done.add(number)
        call = trace.calls[number]
        if call.kind in WEIGHTED or (reads and _is_head(call)):
            found[number] = call
        elif call.kind == "activation" or (isinstance(call.callee, str) and _acts(call.callee)):
            continue
        else:
            waiting.extend(call.within)
    return _Last(found, products)


def _is_head(call: Call) -> bool:
    """Whether a module of the user's multiplies what enters by weights, as a head does.

    One that scales every entry by itself acts on a head.
    """
    module = call.callee
    if isinstance(module, str) or call.entered is None or min(call.within, default=0) > PRODUCT:
        return False
    if call.kind != "other" or not _is_affine(module, call):
        return False
    weight, _ = effective_weight(module, int(call.entered[-1]))
    square = weight.shape[0] == weight.shape[1]
    return not (square and bool((weight == np.diag(np.diag(weight))).all()))


def _alone(name: str, module: nn.Module, trace: Trace, products: set[int]) -> Heads:
    """Return a head, unless products with weights give a part of the output past it."""
    for number in sorted(products, reverse=True):
        weights, behind = trace.weighed[number]
        if weights.startswith(f"{name}."):
            continue
        seen = _last_weights(trace, behind, True)
        if seen is not None and all(call.callee is not module for call in seen.weights.values()):
            problem = f"is not clear: {name!r} and a product with {weights!r} both give the output"
            remedy = f"say head={name!r} to read it alone, with the rest held fixed"
            return Heads(candidates=(name,), why=(problem, remedy))
    return Heads({name: module})


def _acts(function: str) -> bool:
    return function not in ("add", "dropout")


def _around(names: Mapping[str, nn.Module], heads: list[str], trace: Trace) -> str | None:
    """Return the module around several layers that is one affine map: a layer with adapters."""
    parts = [name.split(".") for name in heads]
    common = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        common.append(level[0])
    name = ".".join(common)
    if not name or name in heads or name not in names:
        return None
    calls = [call for call in trace.calls if call.callee is names[name]]
    if len(calls) != 1 or calls[0].entered is None or calls[0].left is None:
        return None
    try:
        effective_weight(names[name], int(calls[0].entered[-1]))
    except InputError:
        return None
    return name


def _last_called(names: Mapping[str, nn.Module], trace: Trace) -> Heads:
    """Return the ``Linear`` that was called last, unless weights or an activation came after it."""
    inside = {id(part) for block in blocks(names).values() for part in block.modules()}
    for call in reversed(trace.calls):
        module = call.callee
        if isinstance(module, str):
            continue
        if id(module) in inside or kind_of(module) in CLOSED:
            return Heads()
        if kind_of(module) == "weights":
            if isinstance(module, nn.Linear) and _gives_the_output(trace, module):
                return Heads({_name(names, module): module})
            return Heads()
    return Heads()


def _gives_the_output(trace: Trace, head: nn.Module) -> bool:
    """Whether no activation acts on the head, so that u = φ·W + b is what the model gives."""
    return not any(
        trace.calls[source].callee is head
        for call in trace.calls
        if call.callee not in ("add", "dropout")
        and (isinstance(call.callee, str) or kind_of(call.callee) == "activation")
        for source in call.sources
    )
