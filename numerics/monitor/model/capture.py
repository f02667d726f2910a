"""Hooks that hand a layer's features on, in a step of the training or in a pass of a probe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from epsrank.numerics.monitor.model.features import first_tensor, samples_by_neurons, trouble
from epsrank.numerics.monitor.model.kinds import fuses
from epsrank.numerics.monitor.model.passes import Arguments, batches, run, untouched
from epsrank.numerics.monitor.model.plan import LayerPlan, MonitoredLayer
from epsrank.numerics.monitor.model.trace import Frames
from epsrank.numerics.monitor.model.wrappers import before_call, eagerly, runnable
from epsrank.theory.errors import InputError

Consume = Callable[[str, Tensor], None]


class Capture:
    """Hands the features of every planned layer to ``consume(name, features)`` as they arise.

    Between `start` and `stop` there are forward hooks on the planned modules; at all other times
    there are none. Nothing is kept: features are detached views, valid during the call only. A
    module that is called several times in a forward pass hands on every call, as further samples;
    calls that recompute a checkpointed segment during the backward pass are not samples again, and
    calls in evaluation mode without gradients (validation between two steps) are none either.

    The pass itself is untouched, bit for bit: hooks return nothing, run without gradients, autocast
    or inference mode, and draw no random numbers. An `InputError` of the consumer (NaN, another
    width) never reaches the pass: it is noted in `problems`. Compiled code cannot be looked into:
    there the batch first runs eagerly, with the same random numbers and without gradients. Layers
    with a fused evaluation path lose it while a hook is on them, so that in models with such layers
    the hooks come and go with every call that counts.
    """

    def __init__(self, plan: LayerPlan, consume: Consume, *, everything: bool = False) -> None:
        self.plan = plan
        #: Calls of each layer since `start`.
        self.calls: Counter[str] = Counter()
        #: Layers since `start`, and why (part of) their features could not be used.
        self.problems: dict[str, str] = {}
        self._consume = consume
        self._everything = everything
        self._widths: dict[str, int] = {}
        self._hooks: ExitStack | None = None
        self._eager: ExitStack | None = None
        self._frames = Frames(self._function)
        # Stacks, since a model may call itself: of following, and of hooks that last for one call.
        self._passes: list[ExitStack] = []
        self._during: list[ExitStack] = []
        # By identity of the caller, since modules are compared by it, and what it calls.
        self._places: dict[tuple[int, Any], list[MonitoredLayer]] = {}
        for layer in plan.layers:
            if layer.at == "call":
                self._places.setdefault((id(layer.module), layer.callee), []).append(layer)

    @property
    def active(self) -> bool:
        """Whether hooks are in place."""
        return self._hooks is not None

    def start(self) -> None:
        """Put the hooks in place; nothing happens if they are."""
        if self._hooks is not None:
            return
        self.calls.clear()
        self.problems.clear()
        self._widths.clear()
        # If one cannot be put in place, those before it are removed again.
        with ExitStack() as hooks:
            root = self.plan.model
            if self._everything or not (self.plan.compiled or fuses(root)):
                self._put(hooks, root.modules())
            elif self.plan.compiled:
                hooks.callback(before_call(self.plan.wrapper, self._beside))
            else:
                hooks.callback(root.register_forward_pre_hook(self._open).remove)
                hooks.callback(root.register_forward_hook(self._close, always_call=True).remove)
                self._put(hooks, [root])
            self._hooks = hooks.pop_all()

    def stop(self) -> None:
        """Remove the hooks; nothing happens if there are none."""
        hooks, self._hooks = self._hooks, None
        if hooks is not None:
            hooks.close()

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

    def _put(self, hooks: ExitStack, modules: Iterable[nn.Module]) -> None:
        """Register the hooks of some modules."""
        chosen = {id(module) for module in modules}
        for layer in self.plan.layers:
            if id(layer.module) not in chosen:
                continue
            if layer.at == "input":
                hook = partial(self._input, layer)
                handle = layer.module.register_forward_pre_hook(hook, with_kwargs=True)
                hooks.callback(handle.remove)
            elif layer.at == "output":
                handle = layer.module.register_forward_hook(partial(self._output, layer))
                hooks.callback(handle.remove)
        if not self._places:
            return
        root = self.plan.model
        if id(root) in chosen:
            hooks.callback(root.register_forward_pre_hook(self._enter).remove)
            hooks.callback(root.register_forward_hook(self._leave, always_call=True).remove)
        callees = {id(callee): callee for _, callee in self._places if not isinstance(callee, str)}
        for number, callee in callees.items():
            if number in chosen:
                hooks.callback(callee.register_forward_hook(self._called).remove)
        for owner in self.plan.callers:
            if id(owner) not in chosen:
                continue
            hooks.callback(owner.register_forward_pre_hook(self._push).remove)
            # Before the callee's own hook, so that an owner that is a callee too is popped first.
            # And also after an exception, from which a training may go on.
            handle = owner.register_forward_hook(self._pop, always_call=True, prepend=True)
            hooks.callback(handle.remove)

    def _open(self, root: nn.Module, args: Any) -> None:
        """Put the other modules' hooks in place for one call of the model, if it counts."""
        with ExitStack() as hooks:
            if self._counts():
                # The root's own hooks are in place from `start` on.
                self._put(hooks, [module for module in root.modules() if module is not root])
            self._during.append(hooks.pop_all())

    def _close(self, root: nn.Module, args: Any, output: Any) -> None:
        if self._during:
            self._during.pop().close()

    def _beside(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Run the batch eagerly just before compiled code does."""
        if self._eager is not None or not self._counts():
            return  # this very call is the eager one, or no sample
        runner = runnable(self.plan.wrapper)
        with (
            untouched(runner),
            eagerly(self.plan.wrapper),
            torch.no_grad(),
            ExitStack() as self._eager,
        ):
            self._eager.callback(setattr, self, "_eager", None)
            self._put(self._eager, self.plan.model.modules())
            run(runner, Arguments(args, kwargs))

    def _enter(self, module: nn.Module, args: Any) -> None:
        with ExitStack() as stack:
            if self._counts():
                stack.enter_context(self._frames)
            self._passes.append(stack.pop_all())

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        if self._passes:
            self._passes.pop().close()
        if not self._passes:
            self._frames.running.clear()

    def _push(self, module: nn.Module, args: Any) -> None:
        self._frames.running.append((module, Counter()))

    def _pop(self, module: nn.Module, args: Any, output: Any) -> None:
        if self._frames.running:
            self._frames.running.pop()

    def _called(self, module: nn.Module, args: Any, output: Any) -> None:
        if self._frames.running:
            owner = self._frames.running[-1][0]
            self._placed(owner, module, self._frames.count(module), output)

    def _function(self, owner: nn.Module, name: str, index: int, args: Any, output: Any) -> None:
        self._placed(owner, name, index, output)

    def _placed(self, owner: nn.Module, callee: Any, index: int, output: Any) -> None:
        for layer in self._places.get((id(owner), callee), ()):
            if not layer.indices or index in layer.indices:
                self._hand_on(layer, output)

    def _output(self, layer: MonitoredLayer, module: nn.Module, args: Any, output: Any) -> None:
        self._hand_on(layer, output)

    def _input(self, layer: MonitoredLayer, module: nn.Module, args: Any, kwargs: Any) -> None:
        self._hand_on(layer, args or kwargs)

    def _counts(self) -> bool:
        """Whether the call under way gives samples."""
        # The identifier of the backward pass under way, −1 outside of any.
        if torch._C._current_graph_task_id() != -1:
            return False
        if self._everything or self._eager is not None:
            return True
        return self.plan.model.training or torch.is_grad_enabled()

    def _hand_on(self, layer: MonitoredLayer, value: Any) -> None:
        if not self._counts():
            return
        tensor = first_tensor(value)
        reason = trouble(tensor)
        if reason is not None or tensor is None:
            self.problems[layer.name] = str(reason)
            return
        self.calls[layer.name] += 1
        with (
            torch.inference_mode(False),
            torch.no_grad(),
            torch.autocast(tensor.device.type, enabled=False),
        ):
            try:
                for rows in samples_by_neurons(tensor, layer.axis):
                    width = self._widths.setdefault(layer.name, rows.shape[1])
                    if rows.shape[1] != width:
                        raise InputError(
                            "features",
                            f"of {layer.name} have {rows.shape[1]} neurons, and had {width}",
                            "give each call a module of its own, or name another layer",
                        )
                    if rows.shape[0]:
                        self._consume(layer.name, rows)
            except InputError as error:
                self.problems[layer.name] = str(error)


def probe_pass(
    plan: LayerPlan,
    probe: Any,
    consume: Consume,
    *,
    batch_size: int = 1024,
) -> Capture:
    """Run a probe set through the model and hand on the features of every planned layer.

    A tensor is the one argument of the model, a tuple its positional and a dict its named
    arguments; their first axis is cut into batches. Any other iterable, such as a list or a loader,
    gives batches as they are (the way for inputs with time on the first axis). They are copied to
    the device of the model, and ``consume(name, features)`` gets rows in the order of the probe.

    Evaluation mode, no gradients, eager code, and Transformer layers without the fused evaluation
    path, which rounds differently and calls nothing that could be looked at. Modes, random number
    generators and buffers are as before afterwards, whatever the model does, and also after an
    exception.
    """
    capture = Capture(plan, consume, everything=True)
    runner = runnable(plan.wrapper)
    ran = False
    with untouched(runner), eagerly(plan.wrapper), torch.no_grad(), capture:
        runner.eval()
        for arguments in batches(probe, batch_size):
            run(runner, arguments)
            ran = True
    if not ran:
        raise InputError("probe", "is empty", "pass at least one sample")
    return capture
