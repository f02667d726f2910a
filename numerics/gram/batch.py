"""One batch of features, weights and targets, checked against the layer that it belongs to."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import refuse_tensors_without_numbers


def as_batch(
    features: Any, weights: Any, target: Any, n_features: int, n_outputs: int
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return features (N, n), weights (N,) and target (N, k) as detached tensors, not copied."""
    batch = _as_tensor(features, "features")
    shape = tuple(batch.shape)
    if batch.ndim != 2 or shape[1] != n_features:
        raise InputError(
            "features",
            f"have shape {shape}, expected (N, {n_features})",
            "pass samples × neurons (for a convolution: positions × channels)",
        )
    n_rows = shape[0]
    if n_rows == 0:
        raise InputError("features", f"are empty, shape {shape}", "skip empty batches")
    weight = None if weights is None else _as_tensor(weights, "weights")
    if weight is not None:
        if tuple(weight.shape) not in {(n_rows,), (n_rows, 1)}:
            raise InputError("weights", f"have shape {tuple(weight.shape)}", f"pass ({n_rows},)")
        weight = weight.reshape(n_rows)
    goal = None if target is None else _as_tensor(target, "target")
    if (goal is not None) != (n_outputs > 0):
        problem = "is missing" if goal is None else "was not announced"
        raise InputError(
            "target", problem, f"n_outputs is {n_outputs}: pass a target if and only if it is > 0"
        )
    if goal is not None:
        fits = {(n_rows, n_outputs)} | ({(n_rows,)} if n_outputs == 1 else set())
        if tuple(goal.shape) not in fits:
            raise InputError(
                "target", f"has shape {tuple(goal.shape)}", f"pass ({n_rows}, {n_outputs})"
            )
        goal = goal.reshape(n_rows, n_outputs)
    return batch, weight, goal


def _as_tensor(array: Any, name: str) -> Tensor:
    """Return a detached tensor of a float dtype."""
    if isinstance(array, Tensor):
        refuse_tensors_without_numbers(array, name)
    try:
        tensor = array.detach() if isinstance(array, Tensor) else _from_numpy(array)
    except (TypeError, ValueError) as error:
        line = str(error).splitlines()[0]
        raise InputError(name, f"cannot be read as a tensor ({line})", "pass floats") from None
    if not tensor.is_floating_point():
        kind = str(tensor.dtype).removeprefix("torch.")
        raise InputError(name, f"have dtype {kind}", "convert them to a float dtype")
    return tensor


def _from_numpy(array: Any) -> Tensor:
    """Return a tensor that shares memory with an array where torch can."""
    values = np.asarray(array)
    # torch takes neither negative strides nor a foreign byte order.
    if any(stride < 0 for stride in values.strides) or not values.dtype.isnative:
        values = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
    with warnings.catch_warnings():
        # Torch warns about read-only arrays; nothing here writes to a batch.
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(values)


def diagnosis(batch: Tensor, weight: Tensor | None, goal: Tensor | None) -> tuple[str, str, str]:
    """Say why the sums of a batch are not usable: argument, problem, remedy of an `InputError`."""
    for name, tensor in (("features", batch), ("weights", weight), ("target", goal)):
        if tensor is None:
            continue
        # float8 has no test for NaN of its own.
        bad = ~torch.isfinite(tensor.to(torch.float32) if tensor.element_size() == 1 else tensor)
        count = int(bad.sum())
        if count:
            where = tuple(int(i) for i in bad.nonzero()[0])
            return (
                name,
                f"have {count} NaN or infinite entries, the first at index {where}",
                "drop those samples or fix the layer that made them",
            )
    if weight is not None and bool((weight < 0).any()):
        return ("weights", "have a negative entry", "pass w ≥ 0")
    return ("features", "have squares beyond the range of float64", "rescale them")


def no_sums(device: object, error: Exception) -> InputError:
    """Return what to say of a device on which no sum in float64 can be made."""
    line = str(error).splitlines()[0]
    problem = f"{str(device)!r} holds no float64 sums ({line})"
    return InputError("device", problem, "use device='cpu'")
