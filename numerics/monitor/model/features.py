"""What a module gives, as samples × neurons."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

# Numbers per piece in which convolutional features are handed on: 32 MiB of float64.
_PIECE = 2**22


def first_tensor(output: Any) -> Tensor | None:
    """Return the features in whatever a module returns.

    Of a tuple or list it is the first tensor (a recurrent layer's output sequence, not its state),
    of a mapping the entry ``last_hidden_state`` or else the first tensor, likewise of a dataclass;
    of a packed sequence its data.
    """
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Mapping) and isinstance(output.get("last_hidden_state"), Tensor):
        return output["last_hidden_state"]  # type: ignore[no-any-return]
    found = (first_tensor(part) for part in _parts(output))
    return next((tensor for tensor in found if tensor is not None), None)


def named_tensors(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a nest with their places, such as ``cls`` or ``0.logits``."""
    if isinstance(value, Tensor):
        yield name, value
        return
    parts: Any = ()
    if isinstance(value, Mapping):
        parts = value.items()
    elif isinstance(value, (tuple, list)):
        parts = zip(getattr(value, "_fields", range(len(value))), value, strict=True)
    elif dataclasses.is_dataclass(value):
        parts = [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    for key, part in parts:
        yield from named_tensors(part, f"{name}.{key}" if name else str(key))


def tensors(value: Any) -> Iterator[Tensor]:
    """Yield all tensors in a nest of tuples, lists, mappings and dataclasses."""
    if isinstance(value, Tensor):
        yield value
    for part in _parts(value):
        yield from tensors(part)


def _parts(value: Any) -> Iterable[Any]:
    """Return what a mapping, tuple, list or dataclass consists of; nothing of anything else."""
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, (tuple, list)):
        return value
    if dataclasses.is_dataclass(value):
        return [getattr(value, field.name) for field in dataclasses.fields(value)]
    return ()


def trouble(tensor: Tensor | None) -> str | None:
    """Say why an output cannot be measured, and None if it can."""
    if tensor is None:
        return "gives no tensor"
    if tensor.is_complex():
        return "complex-valued: ε-rank is defined here for real features"
    if tensor.is_quantized:
        return "quantised: measure the model before quantisation"
    if not tensor.is_floating_point():
        return f"gives {str(tensor.dtype).removeprefix('torch.')}, not features"
    if tensor.layout is not torch.strided and not tensor.is_nested:
        return f"gives a tensor of layout {tensor.layout}"
    if not tensor.is_nested and tensor.ndim == 0:
        return "gives one number, no neurons"
    return None


def sample_shape(tensor: Tensor, axis: int) -> tuple[int, ...]:
    """Return the axes of samples of an output, in the order of the rows of `samples_by_neurons`."""
    if tensor.is_nested:
        return (sum(len(part) for part in tensor.unbind()),)
    if axis == -1 or tensor.ndim < -axis or tensor.ndim <= 2:
        return tuple(tensor.shape[:-1])
    shape = list(tensor.shape)
    del shape[axis]
    return tuple(shape) if len(shape) >= -axis else (1, *shape)


def samples_by_neurons(tensor: Tensor, axis: int) -> Iterator[Tensor]:
    """Yield the rows φ(x_i) of an output, in order, detached and in bounded pieces.

    The neurons are on the axis, counted from the end; all other axes are samples. A tensor with too
    few axes for it was flattened on the way: its neurons are on the last one.
    """
    tensor = tensor.detach()
    if tensor.is_nested:
        flat = tensor.values() if tensor.layout is torch.jagged else torch.cat(tensor.unbind())
        yield flat.reshape(-1, flat.shape[-1])
        return
    if axis == -1 or tensor.ndim < -axis or tensor.ndim <= 2:
        yield tensor.reshape(-1, tensor.shape[-1])
        return
    last = torch.movedim(tensor, axis, -1)
    if last.ndim == -axis:  # no sample axis
        last = last[None]
    per_sample = max(1, last[0].numel()) if last.shape[0] else 1
    for piece in torch.split(last, max(1, _PIECE // per_sample)):
        yield piece.reshape(-1, piece.shape[-1])


@contextmanager
def apart(tensor: Tensor) -> Iterator[None]:
    """Compute something of a tensor, apart from all modes that the training is in."""
    with (
        # Such as a counter of operations, or of memory.
        _disable_current_modes(),
        torch._C.DisableTorchFunction(),
        torch.inference_mode(False),
        torch.no_grad(),
        torch.autocast(tensor.device.type, enabled=False),
    ):
        yield
