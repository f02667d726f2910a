"""The processes of a distributed training, as an integration finds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch.distributed as dist
from torch import Tensor


def world(size: int) -> Any:
    """Return the group of all processes, if there are several.

    Parameters
    ----------
    size : int
        How many the trainer speaks of.

    Returns
    -------
    ProcessGroup or None
        The group; None for one process.
    """
    if size > 1 and dist.is_available() and dist.is_initialized():
        return dist.group.WORLD
    return None


def shared(settings: dict[str, Any], size: int) -> dict[str, Any]:
    """Return the settings of this process's monitor: in a group of all, with its share of a probe.

    Parameters
    ----------
    settings : dict
        Of `RankMonitor`; one that names a ``process_group`` stays as it is.
    size : int
        Processes that the trainer speaks of.

    Returns
    -------
    dict
        Every size-th sample, or batch, of probe and targets.
    """
    group = world(size)
    if group is None or "process_group" in settings:
        return dict(settings)
    own = {**settings, "process_group": group}
    rank, count = dist.get_rank(), dist.get_world_size()
    for name in ("probe", "targets"):
        if name in own:
            own[name] = _share(own[name], rank, count)
    return own


def _share(values: Any, rank: int, count: int) -> Any:
    """Return every count-th sample or batch; all where there are fewer than that."""
    if isinstance(values, Mapping):
        return {name: _share(value, rank, count) for name, value in values.items()}
    if isinstance(values, tuple):
        return tuple(_share(value, rank, count) for value in values)
    sized = isinstance(values, list) or (isinstance(values, Tensor) and values.ndim > 0)
    return values[rank::count] if sized and len(values) >= count else values
