"""One forward pass, watched: which modules and activation functions were called, and on what."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from epsrank.numerics.monitor.model.axes import MULTIPLY, PRODUCTS, UNFOLLOWED, NeuronNumbers
from epsrank.numerics.monitor.model.features import (
    first_tensor,
    named_tensors,
    tensors,
    trouble,
)
from epsrank.numerics.monitor.model.kinds import Kind, kind_of, neurons_axis
from epsrank.numerics.monitor.model.origins import PRODUCT, RAW, UNKNOWN, ByTensor, Origins
from epsrank.numerics.monitor.model.spots import Running, Spot, used, weights_in

_NAMES = (
    *("celu", "elu", "gelu", "glu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu"),
    *("logsigmoid", "mish", "prelu", "relu", "relu6", "rrelu", "selu", "sigmoid", "silu"),
    *("softplus", "softsign", "tanh", "tanhshrink", "threshold"),
)

#: Activation functions, however they are spelled, by the function that the interpreter calls.
ACTIVATION_FUNCTIONS: dict[Any, str] = {
    getattr(place, name + suffix): name
    for name in _NAMES
    for place in (functional, torch, Tensor)
    for suffix in ("", "_")
    if hasattr(place, name + suffix)
}

# What a trace needs besides: sums with a shortcut, and noise between features and head.
_WATCHED = (
    ACTIVATION_FUNCTIONS
    | {getattr(Tensor, name): "add" for name in ("add", "add_", "__add__", "__radd__", "__iadd__")}
    | {torch.add: "add"}
    | {
        getattr(functional, name): "dropout"
        for name in ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout")
    }
)


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a module or an activation function inside a forward pass."""

    #: The module whose forward made the call.
    owner: nn.Module
    #: Module, or name of the function (``"add"`` and ``"dropout"`` are no activations).
    callee: nn.Module | str
    #: How many times this owner, in this call of it, had called the same before.
    index: int
    #: The same in a way that holds in other passes, too.
    spot: Spot
    #: Numbers of the earlier calls that returned the very tensor that entered (of a sum, any of the
    #: two); empty if none did.
    sources: tuple[int, ...]
    #: A number for the tensor that entered, the same for the same tensor.
    given: int
    #: Shapes of the tensors.
    entered: torch.Size | None
    left: torch.Size | None
    #: Negative axis of the neurons in what left.
    axis: int
    #: Why what left is no matrix of features.
    trouble: str | None
    #: Whether what left is another tensor than what entered, or an activation in place.
    changed: bool
    #: The calls from which the values of what entered come with no other call in between, and `RAW`
    #: and `UNKNOWN` from `epsrank.numerics.monitor.model.origins`.
    behind: frozenset[int]
    #: Likewise for what left: calls inside this one, or what entered.
    within: frozenset[int]

    @property
    def kind(self) -> Kind | None:
        """What was called, where that is a module."""
        return None if isinstance(self.callee, str) else kind_of(self.callee)


class Frames(TorchFunctionMode):
    """Follows which module is running, and reports calls of activation functions in it."""

    def __init__(
        self,
        on_call: Callable[[nn.Module, str, tuple[int, Spot], Any, Any], None],
        watched: Mapping[Any, str] = ACTIVATION_FUNCTIONS,
        origins: Origins | None = None,
        on_change: Callable[[Tensor], None] | None = None,
        neurons: NeuronNumbers | None = None,
        weights: Mapping[int, str] | None = None,
        on_use: Callable[[nn.Module, Any, str], None] | None = None,
        on_function: Callable[[nn.Module, Any, list[Tensor], Any], None] | None = None,
    ) -> None:
        super().__init__()
        self._on_function = on_function
        self._weights = weights or {}
        self._on_use = on_use
        self._watched = watched
        self._on_change = on_change
        self._neurons = neurons
        self._origins = origins
        self.running: list[Running] = []
        self._on_call = on_call

    def enter(self, module: nn.Module) -> None:
        """Follow a module that is called by the one that is running."""
        name = self._weights.get(id(module))
        if name is not None and self.running:
            self.running[-1].uses(name)
        self.running.append(Running(module))

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run any torch function, and report it if it is an activation."""
        name = self._watched.get(func)
        # What is written into by anything else is no longer what a layer gave.
        taken = [] if name is not None or self._on_change is None else list(tensors(args))
        before = [_version(tensor) for tensor in taken]
        output = func(*args, **(kwargs or {}))
        if self._on_change is not None:
            for tensor, version in zip(taken, before, strict=True):
                if _version(tensor) != version:
                    self._on_change(tensor)
        if self._origins is not None:
            self._origins.follow(func, args, kwargs, output)
        if self._neurons is not None:
            self._neurons.follow(func, args, kwargs, output)
        if self._on_function is not None and self.running:
            taken = list(tensors((args, kwargs or {})))
            self._on_function(self.running[-1].module, func, taken, output)
        if self.running and func not in ACTIVATION_FUNCTIONS:
            for weights in used(self._weights, args, kwargs):
                self.running[-1].uses(weights)
                if self._on_use is not None:
                    self._on_use(self.running[-1].module, func, weights)
        if name is not None and self.running:
            # The input may be given by name, as in relu(input=x).
            given = args or tuple((kwargs or {}).values())
            running = self.running[-1]
            self._on_call(running.module, name, running.count(name), given, output)
        return output


class Trace:
    """Watches forward passes of a model: `calls` in the order in which they ended.

    No tensor is kept alive, and the hooks go away at exit.
    """

    def __init__(self, names: Mapping[str, nn.Module]) -> None:
        self.calls: list[Call] = []
        #: Where the values of every output of the model come from, by its place in the output.
        self.outputs: dict[str, frozenset[int]] = {}
        #: Parameters that the user's modules multiply by, and how many calls came before.
        self.products: list[tuple[int, str]] = []
        #: Products of data and parameters, whatever these went through before: a parameter, and
        #: where the data came from. Their marks are in `outputs` and `Call.within`.
        self.weighed: list[tuple[str, frozenset[int]]] = []
        self._made_of: ByTensor[str] = ByTensor()
        for name, module in names.items():
            for key, own in module.named_parameters(recurse=False):
                self._made_of.put(own, f"{name}.{key}".lstrip("."))
        self._modules = list(names.values())
        self._origins = Origins(self._modules)
        self._neurons = NeuronNumbers(lambda tensor: not self._origins.of(tensor))
        self._frames = Frames(
            self._function, _WATCHED, self._origins, self._overwritten, self._neurons,
            weights_in(names), self._used, self._weigh,
        )  # fmt: skip
        self._entered: list[Any] = []
        # The calls that returned a tensor, and a number of its own for one that entered a call.
        self._returned: ByTensor[tuple[int, ...]] = ByTensor()
        self._numbers: ByTensor[int] = ByTensor()
        self._fresh = itertools.count()
        self._handles: list[RemovableHandle] = []
        self._stack = ExitStack()

    def __enter__(self) -> Trace:
        for module in self._modules:
            self._handles += [
                module.register_forward_pre_hook(self._before, with_kwargs=True),
                module.register_forward_hook(self._after),
            ]
        self._stack.enter_context(self._frames)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
        while self._handles:
            self._handles.pop().remove()
        self._entered.clear()
        self._returned.clear()
        self._neurons.forget()
        self._numbers.clear()
        self._frames.running.clear()

    def _before(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        outermost = not self._frames.running
        if outermost:
            self._origins.put((args, kwargs), [RAW])
        around = Running(module) if outermost else self._frames.running[-1]
        owner, number = around.module, around.count(module)
        tensor = first_tensor(args) if args else first_tensor(kwargs)
        shape = None if tensor is None else tensor.shape
        # Looked up now, since the module may overwrite what enters.
        given, behind = self._number(tensor), self._origins.of(tensor)
        sources = self._producers(tensor)
        self._entered.append((owner, number, sources, given, shape, id(tensor), behind))
        self._frames.enter(module)

    def _after(self, module: nn.Module, args: Any, output: Any) -> None:
        self._frames.running.pop()
        owner, (index, spot), sources, given, entered, identity, behind = self._entered.pop()
        tensor = first_tensor(output)
        own = neurons_axis(module)
        # A layer of the library says where it has its neurons, whatever it computes them by.
        if (
            own is not None
            and tensor is not None
            and (kind_of(module) != "normalisation" or self._neurons.axis(tensor) is None)
        ):
            self._neurons.put(tensor, own)
        axis, lost = self._place(tensor)
        changed = id(tensor) != identity or kind_of(module) == "activation"
        within = self._origins.of(tensor)
        # Made of something that is not watched: what entered may be behind it.
        if UNKNOWN in within:
            within = (within - {UNKNOWN}) | behind
        left, why = _shape(tensor), trouble(tensor) or lost
        end = (left, axis, why, changed, behind, within)
        if not self._frames.running:
            self.outputs = {
                name: self._origins.of(leaf)
                for name, leaf in named_tensors(output)
                if leaf.is_floating_point() and leaf.ndim
            }
        call = Call(owner, module, index, spot, sources, given, entered, *end)
        self._add(call, tensor, output)

    def _function(
        self, owner: nn.Module, name: str, number: tuple[int, Spot], args: Any, output: Any
    ) -> None:
        given, tensor = first_tensor(args), first_tensor(output)
        operands = args[:2] if name == "add" else (given,)
        sources = tuple(source for part in operands for source in self._producers(part))
        index, spot = number
        shape = None if given is None else given.shape
        axis, lost = self._place(tensor)
        own, behind = self._number(given), self._origins.of(tensor)
        end = (_shape(tensor), axis, trouble(tensor) or lost, True, behind, behind)
        self._add(Call(owner, name, index, spot, sources, own, shape, *end), tensor, output)

    def _add(self, call: Call, tensor: Tensor | None, output: Any) -> None:
        number = len(self.calls)
        self.calls.append(call)
        self._origins.put(output, [number])
        if tensor is not None:
            # What works in place returns a tensor that earlier calls returned as well.
            self._returned.put(tensor, (*self._producers(tensor), number))

    def _used(self, owner: nn.Module, func: Any, weights: str) -> None:
        name = getattr(func, "__name__", "")
        if name == "__get__":
            name = getattr(getattr(func, "__self__", None), "__name__", "")
        if name in PRODUCTS and not _of_torch(owner):
            self.products.append((len(self.calls), weights))

    def _weigh(self, owner: nn.Module, func: Any, taken: list[Tensor], output: Any) -> None:
        """Follow what is made of parameters alone, and number products of it with data."""
        made = [name for own in taken if (name := self._made_of.of(own)) is not None]
        if not made:
            return
        behind = frozenset[int]().union(*(self._origins.of(own) for own in taken))
        if not behind:
            for own in tensors(output):
                self._made_of.put(own, made[0])
        elif getattr(func, "__name__", "") in MULTIPLY and not _of_torch(owner):
            mark = PRODUCT - len(self.weighed)
            self.weighed.append((made[0], behind))
            self._origins.put(output, behind | {mark})

    def _overwritten(self, tensor: Tensor) -> None:
        """Forget which calls returned a tensor, and what it is a view of."""
        self._returned.drop(tensor)
        if tensor._base is not None:
            self._returned.drop(tensor._base)

    def _number(self, tensor: Any) -> int:
        if not isinstance(tensor, Tensor):
            return -1
        known = self._numbers.of(tensor)
        if known is None:
            known = next(self._fresh)
            self._numbers.put(tensor, known)
        return known

    def _producers(self, tensor: Any) -> tuple[int, ...]:
        return self._returned.of(tensor) or ()

    def _place(self, tensor: Tensor | None) -> tuple[int, str | None]:
        """Return the axis of the neurons, and why it is not known where there are several."""
        if tensor is None or tensor.is_nested or tensor.ndim <= 2:
            return -1, None
        axis = self._neurons.axis(tensor)
        return (-1, UNFOLLOWED) if axis is None else (axis, None)


def _of_torch(module: nn.Module) -> bool:
    """Whether a module is one of PyTorch's, whose products are its own."""
    return type(module).__module__.startswith("torch.nn.")


def _version(tensor: Tensor) -> int:
    """Return how often a tensor was written into; 0 where nothing counts that."""
    return 0 if tensor.is_inference() else tensor._version


def _shape(tensor: Tensor | None) -> torch.Size | None:
    """Return the shape of a tensor, None where it has no single one."""
    return None if tensor is None or tensor.is_nested else tensor.shape
