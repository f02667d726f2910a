"""On which axis a tensor has its neurons, followed through a pass and never guessed from sizes.

Beside every tensor goes one of the same shape that holds the number of the neuron in each entry.
What moves entries (transposes, reshapes, slices) moves these numbers as well; what works entrywise
leaves them; products with weights begin anew. Where they vary along one axis, that is the axis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from epsrank.numerics.monitor.model.features import tensors
from epsrank.numerics.monitor.model.origins import ByTensor
from epsrank.theory.errors import InputError

#: Why a layer is not measured whose neurons were lost sight of.
UNFOLLOWED = "its neurons cannot be followed to here; say on which axis they are: axes={'…': 1}"

# Functions that move entries and compute nothing, by the name of the function.
_MOVES = frozenset(
    (
        *("transpose", "transpose_", "permute", "movedim", "moveaxis", "swapaxes", "swapdims", "t"),
        *("adjoint", "reshape", "view", "view_as", "reshape_as", "flatten", "unflatten", "ravel"),
        *("squeeze", "squeeze_", "unsqueeze", "unsqueeze_", "expand", "expand_as", "contiguous"),
        *("clone", "detach", "chunk", "split", "tensor_split", "unbind", "stack", "cat", "concat"),
        *("concatenate", "hstack", "vstack", "index_select", "__getitem__", "select", "narrow"),
        *("flip", "roll", "repeat", "repeat_interleave", "tile", "gather", "masked_select"),
        *("take_along_dim", "as_strided", "unfold", "broadcast_to", "diagonal"),
    )
)
_PROPERTIES = frozenset(("T", "mT", "H", "mH"))
_PRODUCTS = frozenset(("matmul", "__matmul__", "__rmatmul__", "mm", "bmm"))
#: Functions that multiply by weights.
MULTIPLY = _PRODUCTS | {"linear", "addmm", "einsum"}
#: Functions that weights go through where somebody multiplies by them.
PRODUCTS = MULTIPLY | {"t", "transpose", "T", "mT"}
_REDUCTIONS = frozenset(("mean", "sum", "amax", "amin", "max", "min", "logsumexp", "std", "var"))
_NEW = frozenset(("linear", "bilinear", "embedding"))


class NeuronNumbers:
    """Numbers of neurons, beside the tensors of a pass."""

    def __init__(self, is_weight: Callable[[Tensor], bool]) -> None:
        self._numbers: ByTensor[Tensor] = ByTensor()
        # Whether a tensor is made of parameters alone.
        self._is_weight = is_weight

    def axis(self, tensor: Tensor) -> int | None:
        """Return the axis of the neurons, counted from the end; None where it is not known."""
        numbers = self._numbers.of(tensor)
        if numbers is None or numbers.shape != tensor.shape:
            return None
        varying = [axis for axis in range(numbers.ndim) if _varies(numbers, axis)]
        return varying[0] - numbers.ndim if len(varying) == 1 else None

    def put(self, tensor: Any, axis: int) -> None:
        """Say that a tensor has its neurons on an axis."""
        if not isinstance(tensor, Tensor) or tensor.is_nested or tensor.ndim < -axis:
            return
        shape = [1] * tensor.ndim
        shape[axis] = tensor.shape[axis]
        numbers = torch.arange(tensor.shape[axis], dtype=torch.int32).reshape(shape)
        self._numbers.put(tensor, numbers.expand(tensor.shape))

    def forget(self) -> None:
        """Let go of all numbers."""
        self._numbers.clear()

    def follow(self, func: Any, args: Any, kwargs: Any, output: Any) -> None:
        """Give what a function returned the numbers of its neurons."""
        name = getattr(func, "__name__", "")
        with torch._C.DisableTorchFunction():
            try:
                self._follow(name, func, args, kwargs or {}, output)
            except Exception:  # a call of another form than is known here: nothing is known after
                for tensor in tensors(output):
                    self._numbers.drop(tensor)

    def _follow(self, name: str, func: Any, args: Any, kwargs: Any, output: Any) -> None:
        if name == "__get__":
            name = getattr(getattr(func, "__self__", None), "__name__", "")
            if name in _PROPERTIES:
                self._moved(lambda own: getattr(own, name), args, {}, output)
        elif name in _MOVES:
            self._moved(func, args, kwargs, output)
        elif name in _NEW:
            self.put(output, -1)
        elif name.startswith("conv"):
            self.put(output, 1 - output.ndim if output.ndim > 2 else -2)
        elif name in _PRODUCTS:
            left, right = args[1::-1] if name == "__rmatmul__" else args[:2]
            self._product(left, right, output)
        elif name == "scaled_dot_product_attention":
            self._of_last(args[2] if len(args) > 2 else kwargs["value"], output)
        elif name in _REDUCTIONS and isinstance(output, Tensor):
            self._reduced(args, kwargs, output)
        elif isinstance(output, Tensor) and name not in ("einsum", "tensordot", "addmm", "baddbmm"):
            self._entrywise([*tensors(args), *tensors(kwargs)], output)

    def _moved(self, func: Any, args: Any, kwargs: Any, output: Any) -> None:
        """Move the numbers as the entries are moved."""
        known = [
            self._numbers.of(own) for own in tensors((args, kwargs)) if own.is_floating_point()
        ]
        if not known or any(own is None for own in known):
            return

        def number(leaf: Any) -> Any:
            own = self._numbers.of(leaf) if isinstance(leaf, Tensor) else None
            return leaf if own is None else own

        moved = func(*tree_map(number, tuple(args)), **tree_map(number, dict(kwargs)))
        for tensor, numbers in zip(tensors(output), tensors(moved), strict=True):
            self._numbers.put(tensor, numbers)

    def _product(self, left: Tensor, right: Tensor, output: Tensor) -> None:
        """Find the neurons of a product: those of what is mixed, or new ones by weights."""
        if self._is_weight(right) or self.axis(right) == -1:
            self.put(output, -1)
        elif self._is_weight(left) or self.axis(left) == -2:
            self.put(output, -2)

    def _of_last(self, values: Tensor, output: Tensor) -> None:
        if self.axis(values) == -1:
            self.put(output, -1)

    def _reduced(self, args: Any, kwargs: Any, output: Tensor) -> None:
        """Keep numbers that agree over what is summed up."""
        numbers = self._numbers.of(args[0])
        dims = kwargs.get("dim", args[1] if len(args) > 1 else None)
        if numbers is None or dims is None:
            return
        keep = bool(kwargs.get("keepdim", args[2] if len(args) > 2 else False))
        low, high = numbers.amin(dims, keepdim=keep), numbers.amax(dims, keepdim=keep)
        if torch.equal(low, high):
            self._numbers.put(output, low)

    def _entrywise(self, taken: list[Tensor], output: Tensor) -> None:
        """Keep the numbers of what has the shape of the output, or differs in other axes only."""
        found: Tensor | None = None
        for tensor in taken:
            numbers = self._numbers.of(tensor)
            if numbers is None:
                continue
            spread = _resized(numbers, output.shape)
            if spread is None:
                continue
            if found is not None and not torch.equal(found, spread):
                # Sums of neurons that lie on different axes are no neurons.
                self._numbers.drop(output)
                return
            found = spread
        if found is not None:
            self._numbers.put(output, found)


def _varies(numbers: Tensor, axis: int) -> bool:
    first = numbers.narrow(axis, 0, 1) if numbers.shape[axis] else numbers
    return bool((numbers != first).any())


def _resized(numbers: Tensor, shape: torch.Size) -> Tensor | None:
    """Return numbers in another shape that differs only in axes along which they are the same."""
    if numbers.shape == shape:
        return numbers
    if numbers.ndim != len(shape):
        try:
            return numbers.expand(shape) if numbers.ndim < len(shape) else None
        except RuntimeError:
            return None
    for axis, (own, other) in enumerate(zip(numbers.shape, shape, strict=True)):
        if own != other:
            if _varies(numbers, axis) or own == 0:
                return None
            numbers = numbers.narrow(axis, 0, 1)
    return numbers.expand(shape)


def given_axes(axes: Any) -> dict[str, int]:
    """Return the axes of layers that the caller names."""
    if axes is None:
        return {}
    if not isinstance(axes, Mapping):
        kind = type(axes).__name__
        raise InputError("axes", f"is a {kind}", "pass a mapping of layers to axes: {'conv1': 1}")
    for name, axis in axes.items():
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise InputError("axes", f"has {axis!r} for {name!r}", "pass whole numbers")
    return {str(name): int(axis) for name, axis in axes.items()}


def from_the_end(name: str, axis: int, shape: torch.Size | None) -> int:
    """Return an axis counted from the end, of an output whose shape a pass has shown."""
    if shape is None and axis >= 0:
        remedy = "count from the end: -1 is the last axis"
        raise InputError("axes", f"has {axis} for {name!r}, whose shape no pass has shown", remedy)
    if shape is not None and not -len(shape) <= axis < len(shape):
        problem = f"has {axis} for {name!r}, whose shape is {tuple(shape)}"
        raise InputError("axes", problem, f"pass −{len(shape)} to {len(shape) - 1}")
    return axis if axis < 0 or shape is None else axis - len(shape)
