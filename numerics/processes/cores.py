"""How many processes are worth starting: what the system lends this one, and no more."""

from __future__ import annotations

import math
import os
from pathlib import Path

from epsrank.theory.data.inputs import as_whole

# Quota and period of the control group in which a container runs, of versions 2 and 1.
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_QUOTA_BEFORE = tuple(
    Path("/sys/fs/cgroup/cpu") / f"cpu.cfs_{name}_us" for name in ("quota", "period")
)


def usable_cores() -> int:
    """Return the cores that this process may use: by its affinity and by its container's quota."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:  # macOS, Windows
        cores = os.cpu_count() or 1
    quota = _quota()
    return cores if quota is None else max(1, min(cores, quota))


def _quota() -> int | None:
    """Return the cores that the control group pays for, None where it sets no limit."""
    try:
        words = _QUOTA.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        try:
            words = [path.read_text(encoding="ascii") for path in _QUOTA_BEFORE]
        except (OSError, ValueError):
            return None
    try:
        quota, period = (int(word) for word in words)
    except ValueError:  # "max"
        return None
    return math.ceil(quota / period) if quota > 0 and period > 0 else None


def asked_for(jobs: int | None) -> int:
    """Return a number of processes that was asked for; None asks for one per core."""
    if jobs is None:
        return usable_cores()
    return as_whole(jobs, "jobs", remedy="pass a number of processes ≥ 1")


def workers_for(jobs: int | None, tasks: int) -> int:
    """Return how many processes to start: as asked for, but no more than tasks and cores."""
    return max(1, min(asked_for(jobs), tasks, usable_cores()))
