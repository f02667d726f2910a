"""The processes of a distributed training, as an integration finds them."""

from __future__ import annotations

from typing import Any

import torch.distributed as dist


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
