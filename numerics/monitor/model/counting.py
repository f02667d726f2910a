"""Whether the call under way gives samples of the training, and why not."""

from __future__ import annotations

import sys

import torch
from torch import Tensor

#: Why calls of a layer gave no samples.
WITHOUT_GRADIENTS = (
    "was called without gradients only, as in validation or a rollout, which gives no samples of "
    "the training; pass probe= to RankMonitor, or inputs= to step()"
)
UNDER_TRANSFORMS = (
    "was called under torch.func (vmap, grad, jvp), which gives no samples one can tell apart; "
    "pass probe= to RankMonitor, or inputs= to step()"
)
#: The same inside of a pass that gives samples.
TRANSFORMED_INSIDE = (
    "is called under torch.func (vmap, grad, jvp) inside of the forward pass, where its values are "
    "no plain tensors"
)

# Tensors of a pass that only records what would be computed.
_NO_NUMBERS = frozenset({"FakeTensor", "FunctionalTensor", "ProxyTensor"})


def in_backward() -> bool:
    """Whether a backward pass calls: it recomputes what was checkpointed, and was seen before."""
    # The identifier of the backward pass under way, −1 outside of any.
    return torch._C._current_graph_task_id() != -1


def under_transforms() -> bool:
    """Whether a transform of ``torch.func`` is under way: tensors stand for many, or for none."""
    return torch._C._functorch.maybe_current_level() is not None


def is_recorded() -> bool:
    """Whether ``torch.jit.trace`` records the call."""
    return torch._C._get_tracing_state() is not None


def holds_numbers(tensor: Tensor) -> bool:
    """Whether a tensor has values, and is no stand-in for one."""
    return type(tensor).__name__ not in _NO_NUMBERS and not tensor.is_meta


def gives_samples(*, of_training: bool) -> tuple[bool, str | None]:
    """Return whether a call that begins now gives samples, and why not where that may surprise."""
    if in_backward() or is_recorded():
        return False, None
    if under_transforms():
        return False, UNDER_TRANSFORMS
    if not of_training or torch.is_grad_enabled() or _inside_a_function():
        return True, None
    return False, WITHOUT_GRADIENTS


def _inside_a_function() -> bool:
    """Whether an autograd function calls: gradients are off in it, since it makes its own.

    So does reentrant checkpointing, and so do reversible networks.
    """
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code.co_name == "forward" and code.co_argcount:
            first = frame.f_locals.get(code.co_varnames[0])
            if isinstance(first, torch._C._FunctionBase):
                return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
