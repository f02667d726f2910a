"""Whether samples of a probe depend on each other, so that it cannot be cut into batches.

So they do with time on the first axis, where batches are normalised or attended over, and on a
graph. Cut, such a probe would be read at another loss than the model has on it.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from epsrank.numerics.monitor.model.features import named_tensors
from epsrank.numerics.monitor.model.habits import look, pass_beside
from epsrank.numerics.monitor.model.passes import as_arguments, take_rows

# Samples of the trial: halves of two, since batches of one cannot be normalised.
_TRIED = 4


def go_together(model: nn.Module, probe: Any, n_samples: int) -> bool:
    """Whether outputs of a sample change with the others, or few samples do not run at all.

    A few are sent through the model together, and in two halves. Noise is no such change.
    """
    count = min(_TRIED, n_samples)
    if count < 2:
        return False
    few, middle = take_rows(probe, slice(count)), count // 2
    try:
        look(model, as_arguments(few))
        both = _outputs(model, few)
    except Exception:
        return _runs(model, probe)
    for half in (slice(middle), slice(middle, count)):
        try:
            alone = _outputs(model, take_rows(probe, half))
        except Exception:
            return False
        if _differ(both, alone, half):
            return not _is_noisy(model, few)
    return False


def _outputs(model: nn.Module, samples: Any) -> dict[str, Tensor]:
    """Return the outputs of one pass, from the state that the model is in."""
    with pass_beside(model) as call:
        return _floating(call(as_arguments(samples)))


def _floating(output: Any) -> dict[str, Tensor]:
    return {
        name: leaf.detach().clone()
        for name, leaf in named_tensors(output)
        if leaf.is_floating_point() and leaf.layout is torch.strided and leaf.ndim
    }


def _runs(model: nn.Module, probe: Any) -> bool:
    """Whether the whole probe runs through the model; why not is said by whoever tries it next."""
    try:
        with pass_beside(model) as call:
            call(as_arguments(probe))
    except Exception:
        return False
    return True


def _differ(both: dict[str, Tensor], alone: dict[str, Tensor], half: slice) -> bool:
    """Whether samples have other outputs beside others than without them."""
    for name, own in alone.items():
        beside = both.get(name)
        # What has no row per sample, such as a loss, says nothing.
        if beside is None or beside[half].shape != own.shape or len(beside) == len(own):
            continue
        one, other = own.double().nan_to_num(), beside[half].double().nan_to_num()
        # Kernels for fewer samples round differently, and depth makes more of it.
        room = math.sqrt(torch.finfo(own.dtype).eps)
        size = max(float(one.abs().max()), float(other.abs().max())) if one.numel() else 0.0
        if size and float((one - other).abs().max()) > room * size:
            return True
    return False


def _is_noisy(model: nn.Module, samples: Any) -> bool:
    """Whether two passes in a row over the same samples differ: by noise, or by a state."""
    with pass_beside(model) as call:
        one, other = (_floating(call(as_arguments(samples))) for _ in range(2))
    return any(
        name not in other or not torch.equal(own.nan_to_num(), other[name].nan_to_num())
        for name, own in one.items()
    )
