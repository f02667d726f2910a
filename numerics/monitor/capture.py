"""Hooks that hand a layer's features on while a measurement is under way, and leave no trace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from numerics.monitor.features import first_tensor, samples_by_neurons, trouble
from numerics.monitor.layers import LayerPlan, MonitoredLayer
from theory.errors import InputError

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
    width) never reaches the pass: it is noted in `problems`.

    Parameters
    ----------
    plan : LayerPlan
        From `find_layers`.
    consume : callable
        ``consume(name, features)`` with features of shape (N, n), on the device and in the dtype of
        the layer, rows in order of the batch. A dense layer's call is one piece; a large
        convolutional output comes in several.
    everything : bool
        Hand on calls in evaluation mode without gradients too, as a probe pass needs.

    Attributes
    ----------
    calls : Counter
        Calls of each layer since `start`.
    problems : dict of str to str
        Layer and why (part of) its features could not be used, since `start`.
    """

    def __init__(self, plan: LayerPlan, consume: Consume, *, everything: bool = False) -> None:
        self.plan = plan
        self.calls: Counter[str] = Counter()
        self.problems: dict[str, str] = {}
        self._consume = consume
        self._everything = everything
        self._handles: list[RemovableHandle] = []

    @property
    def active(self) -> bool:
        """Whether hooks are in place."""
        return bool(self._handles)

    def start(self) -> None:
        """Put the hooks in place; nothing happens if they are."""
        if self.active:
            return
        self.calls.clear()
        self.problems.clear()
        for layer in self.plan.layers:
            if layer.at == "input":
                hook = layer.module.register_forward_pre_hook(
                    partial(self._input, layer), with_kwargs=True
                )
            else:
                hook = layer.module.register_forward_hook(partial(self._output, layer))
            self._handles.append(hook)

    def stop(self) -> None:
        """Remove the hooks; nothing happens if there are none."""
        while self._handles:
            self._handles.pop().remove()

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

    def _output(self, layer: MonitoredLayer, module: nn.Module, args: Any, output: Any) -> None:
        if self._counts():
            self._hand_on(layer, output)

    def _input(self, layer: MonitoredLayer, module: nn.Module, args: Any, kwargs: Any) -> None:
        if self._counts():
            self._hand_on(layer, args or kwargs)

    def _counts(self) -> bool:
        """Whether the call under way gives samples.

        Returns
        -------
        bool
            False in a recomputation and in validation.
        """
        if torch._C._current_graph_task_id() != -1:
            return False
        return self._everything or self.plan.model.training or torch.is_grad_enabled()

    def _hand_on(self, layer: MonitoredLayer, value: Any) -> None:
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
                    self._consume(layer.name, rows)
            except InputError as error:
                self.problems[layer.name] = str(error)
