"""Features handed on as they arise, in a step of the training or in a pass of a probe."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any

from torch import Tensor, nn

from epsrank.numerics.monitor.model.calls import (
    After,
    beside_training,
    has_compiled_call,
    watch_calls,
)
from epsrank.numerics.monitor.model.counting import (
    TRANSFORMED_INSIDE,
    UNDER_TRANSFORMS,
    gives_samples,
    holds_numbers,
    in_backward,
    under_transforms,
)
from epsrank.numerics.monitor.model.features import (
    apart,
    first_tensor,
    samples_by_neurons,
    trouble,
)
from epsrank.numerics.monitor.model.habits import look, pass_beside
from epsrank.numerics.monitor.model.passes import Arguments
from epsrank.numerics.monitor.model.places import Place, UnderWay, places_of
from epsrank.numerics.monitor.model.plan import LayerPlan, MonitoredLayer
from epsrank.numerics.monitor.model.samples import Weigh, spread
from epsrank.numerics.monitor.model.spots import Spot, parts_of
from epsrank.numerics.monitor.model.trace import Frames
from epsrank.numerics.monitor.model.wrappers import is_compiled
from epsrank.theory.errors import InputError, described
from epsrank.theory.words import plural

_ALL_MASKED = "mask or weights leave out every sample"

#: Takes the name of a layer and rows of features; and their weights, where there are any.
Consume = Callable[..., None]


class Capture:
    """Hands the features of every planned layer to ``consume(name, features)`` as they arise.

    Between `start` and `stop` the calls of all modules are watched from outside (`calls`); nothing
    is ever written on the model. Nothing is kept: features are detached views, valid during the
    call only. A module that is called several times in a forward pass hands on every call, as
    further samples. What gives no samples is in `counting`.

    The pass itself is untouched, bit for bit: what is done here runs without gradients, autocast or
    inference mode, and draws no random numbers. Nothing that goes wrong here reaches it: whatever
    the consumer raises is noted in `problems`. Compiled code cannot be looked into: there the batch
    first runs eagerly, with the same random numbers and without gradients.
    """

    def __init__(
        self,
        plan: LayerPlan,
        consume: Consume,
        *,
        everything: bool = False,
        before: Callable[[Arguments], None] | None = None,
        weigh: Weigh | None = None,
    ) -> None:
        self.plan = plan
        # Is called with what the model is called with, before a call that gives samples.
        self._before = before
        self._weigh = weigh
        #: Calls of each layer since `start`.
        self.calls: Counter[str] = Counter()
        # Layers of which some sample counted, and of which some did not.
        self._kept: set[str] = set()
        self._masked: set[str] = set()
        #: Layers since `start`, and why (part of) their features could not be used.
        self.problems: dict[str, str] = {}
        #: Layers since `start`, and why some of their calls gave no samples.
        self.passed_over: dict[str, str] = {}
        self._consume = consume
        self._everything = everything
        #: What is called and was not when the plan was made, and what else it does not know.
        self.fresh: set[Any] = set()
        #: The batch of a probe in which that is.
        self.fresh_in: Arguments | None = None
        self._names: dict[int, str] = {}
        self._weights: dict[int, str] = {}
        self._widths: dict[str, int] = {}
        self._stop: Callable[[], None] | None = None
        self._thread = UnderWay()
        # Replicas of data parallelism run in threads of their own.
        self._lock = threading.RLock()
        self._places = places_of(plan)
        self._hooks = {id(place.module._forward_hooks): place for place in self._places.values()}
        # By identity of the caller, since modules are compared by it, and what it calls.
        self._calls: dict[tuple[int, Any], list[MonitoredLayer]] = {}
        for layer in plan.layers:
            if layer.at == "call":
                self._calls.setdefault((id(layer.module), layer.callee), []).append(layer)

    @property
    def active(self) -> bool:
        """Whether calls are watched."""
        return self._stop is not None

    def start(self) -> None:
        """Watch from now on; nothing happens if it does."""
        if self._stop is not None:
            return
        for noted in (self.calls, self.problems, self.passed_over, self._widths, self.fresh):
            noted.clear()
        self._kept.clear()
        self._masked.clear()
        self.fresh_in = None
        if self.plan.called is not None:
            self._names, self._weights = parts_of(self.plan.model, weights=bool(self._calls))
        self._thread = UnderWay()
        self._stop = watch_calls(self._watch)

    def stop(self) -> None:
        """Watch no longer; nothing happens if it does not."""
        stop, self._stop = self._stop, None
        if stop is not None:
            stop()

    def __enter__(self) -> Capture:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def missing(self) -> dict[str, str]:
        """Return the layers that were called and gave no sample at all, and why."""
        missing = {name: why for name, why in self.passed_over.items() if not self.calls[name]}
        return missing | dict.fromkeys(self._masked - self._kept, _ALL_MASKED)

    def partial(self) -> dict[str, str]:
        """Return the layers of which some samples were lost, and why."""
        found = self.passed_over.items()
        # Validation between two steps is no loss.
        return {name: why for name, why in found if self.calls[name] and why == UNDER_TRANSFORMS}

    def _watch(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> After | None:
        """Take note of a call that begins; trouble is noted, and raises nothing."""
        place, here = self._place(module), self._thread
        if self._everything:
            self._know(self._names.get(id(module)))
        if place is None and not has_compiled_call(module):
            return None
        own = self._everything or here.eager
        if here.muted or beside_training() != own:
            return None
        try:
            if not own and self._runs_compiled(module, place):
                self._beside(here, module, Arguments(args, kwargs))
                here.muted += 1
                return partial(_unmute, here)
        except Exception as error:
            self._refuse_all(error)
            return partial(_unmute, here)
        if place is None:
            return None
        if here.wrapped is place:
            here.wrapped = None
            return None
        if module is not place.module and type(module).__name__ == "OptimizedModule":
            here.wrapped = place
        here.depth += 1
        remove = frames = None
        try:
            if here.depth == 1:
                here.times.clear()
                here.counts, here.why = gives_samples(of_training=not own)
                here.weights = None
                if self._weigh is not None and here.counts and place.root:
                    here.weights = self._weigh(Arguments(args, kwargs))
                if self._before is not None and here.counts and place.root and not own:
                    self._before(Arguments(args, kwargs))
            frames = self._follow(here, place)
            remove = self._entered(here, place, module, args, kwargs)
        except Exception as error:
            self._refuse_all(error)
        return partial(self._left, here, place, frames, remove)

    def _know(self, what: Any) -> None:
        """Take note of something that the plan does not know."""
        known = self.plan.called
        if known is not None and what is not None and what not in known:
            self.fresh.add(what)

    def _left(
        self,
        here: UnderWay,
        place: Place,
        frames: Frames | None,
        remove: Callable[[], None] | None,
        output: Any,
        failed: bool,
    ) -> None:
        """Take note of a call that ends; trouble is noted, and raises nothing."""
        try:
            if remove is not None:
                remove()
            # First of all, so that an owner that is called itself is not taken for its caller.
            if place.owner and here.frames is not None and here.frames.running:
                here.frames.running.pop()
            if not failed:
                if place.callee and here.frames is not None and here.frames.running:
                    running = here.frames.running[-1]
                    number = running.count(place.module)
                    self._called(running.module, place.module, number, output)
                for layer in place.outputs:
                    here.times[layer.name] += 1
                    if layer.once and here.times[layer.name] > 1:
                        self.fresh.add(layer.name)
                    self._hand_on(layer, output)
        except Exception as error:
            self._refuse_all(error)
        finally:
            here.depth -= 1
            here.wrapped = None
            if frames is not None:
                here.frames = None
                frames.__exit__(None, None, None)  # type: ignore[no-untyped-call]

    def _place(self, module: nn.Module) -> Place | None:
        place = self._places.get(id(module))
        if place is None and type(module).__name__ == "OptimizedModule":
            # In a pass without compilation it calls what it wraps by a way of its own.
            place = self._places.get(id(module.__dict__["_modules"].get("_orig_mod")))
        if place is None and module.__dict__.get("_is_replica"):
            # A replica has attributes of its own, and the tables of hooks of its original.
            place = self._hooks.get(id(module.__dict__.get("_forward_hooks")))
        return place

    def _runs_compiled(self, module: nn.Module, place: Place | None) -> bool:
        """Whether layers of the plan are called in compiled code inside of this call."""
        if has_compiled_call(module):
            return any(id(part) in self._places for part in module.modules())
        return place is not None and place.root and is_compiled(self.plan.model)

    def _beside(self, here: UnderWay, module: nn.Module, arguments: Arguments) -> None:
        """Run the batch eagerly just before compiled code does."""
        counts, why = gives_samples(of_training=True)
        if not counts:
            for layer in self.plan.layers:
                self._pass_over(layer, why)
            return
        if self._before is not None:
            self._before(arguments)
        look(module, arguments, evaluate=False)
        outside = here.depth, here.counts, here.frames
        here.depth, here.frames, here.eager = 0, None, True
        try:
            with pass_beside(module, evaluate=False) as call:
                call(arguments)
        finally:
            here.depth, here.counts, here.frames = outside
            here.eager = False

    def _follow(self, here: UnderWay, place: Place) -> Frames | None:
        """Follow the functions that the model calls, where some of them are measured."""
        frames = None
        if place.root and self._calls and here.counts and here.frames is None:
            frames = here.frames = Frames(self._called, weights=self._weights)
            frames.__enter__()  # type: ignore[no-untyped-call]
        if place.owner and here.frames is not None:
            here.frames.enter(place.module)
        return frames

    def _entered(
        self,
        here: UnderWay,
        place: Place,
        module: nn.Module,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Callable[[], None] | None:
        """Hand on what enters a module: what its own hooks make of it, where it has some."""
        if not place.inputs:
            return None

        def hand_on(_: nn.Module, args: Any, kwargs: Any) -> None:
            for layer in place.inputs:
                self._hand_on(layer, args or kwargs)

        if not module._forward_pre_hooks:
            hand_on(module, args, kwargs)
            return None
        # For this one call, since nothing else sees what the hooks before it return.
        return module.register_forward_pre_hook(hand_on, with_kwargs=True).remove

    def _called(self, owner: nn.Module, callee: Any, number: tuple[int, Spot], *call: Any) -> None:
        """Hand on what a function or module returned to its caller; the last argument is that."""
        _, spot = number
        if self._everything and isinstance(callee, str):
            self._know((self._names.get(id(owner)), callee, spot))
        for layer in self._calls.get((id(owner), callee), ()):
            if not layer.spots or spot in layer.spots:
                self._hand_on(layer, call[-1])

    def _hand_on(self, layer: MonitoredLayer, value: Any) -> None:
        """Hand on the features of a layer; trouble is noted, and raises nothing."""
        here = self._thread
        if not here.counts:
            self._pass_over(layer, here.why)
        elif in_backward():
            return
        elif under_transforms():
            self._pass_over(layer, TRANSFORMED_INSIDE)
        else:
            try:
                with self._lock:
                    self._take(layer, first_tensor(value))
            except Exception as error:
                self.problems.setdefault(layer.name, described(error))

    def _take(self, layer: MonitoredLayer, tensor: Tensor | None) -> None:
        if tensor is not None and not holds_numbers(tensor):
            return
        reason = trouble(tensor)
        if reason is not None or tensor is None:
            self.problems[layer.name] = str(reason)
            return
        self.calls[layer.name] += 1
        with apart(tensor):
            weights, done = spread(self._thread.weights, tensor, layer.axis, layer.name), 0
            for rows in samples_by_neurons(tensor, layer.axis):
                width = self._widths.setdefault(layer.name, rows.shape[1])
                if rows.shape[1] != width:
                    raise InputError(
                        "features",
                        f"of {layer.name} have {plural(rows.shape[1], 'neuron')}, and had {width}",
                        "give each call a module of its own, or name another layer",
                    )
                if weights is not None:
                    own = weights[done : done + len(rows)]
                    done += len(rows)
                    rows, own = rows[own > 0], own[own > 0]
                    self._masked.add(layer.name)
                    if own.is_floating_point() and rows.shape[0]:
                        self._kept.add(layer.name)
                        self._consume(layer.name, rows, own)
                        continue
                if rows.shape[0]:
                    self._kept.add(layer.name)
                    self._consume(layer.name, rows)

    def _pass_over(self, layer: MonitoredLayer, why: str | None) -> None:
        # That samples were lost is said rather than that there was a validation.
        if why is not None and self.passed_over.get(layer.name) != UNDER_TRANSFORMS:
            self.passed_over[layer.name] = why

    def _refuse_all(self, error: Exception) -> None:
        for layer in self.plan.layers:
            self.problems.setdefault(layer.name, described(error))


def _unmute(here: UnderWay, output: Any, failed: bool) -> None:
    here.muted -= 1
