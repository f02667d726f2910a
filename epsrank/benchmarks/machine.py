"""What a benchmark ran on, threads included, but no names of machines."""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Iterator
from typing import Any

import joblib
import threadpoolctl
import torch

from epsrank.numerics.sweeps.environment import processor
from epsrank.proofs.environment import describe_environment


def describe_machine() -> dict[str, Any]:
    """Return versions, processor, cores, threads, and how busy the machine was.

    Returns
    -------
    dict
        Plain data; ``load`` is the mean number of running processes over the last minute, None
        where the system does not tell.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        **describe_environment("cpu"),
        "processor": processor(),
        "cores": int(joblib.cpu_count()),
        "threads": {
            "torch": torch.get_num_threads(),
            "blas": sorted(
                int(entry["num_threads"])
                for entry in threadpoolctl.threadpool_info()
                if entry["user_api"] == "blas"
            ),
        },
        "load": load,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


@contextlib.contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Limit BLAS and PyTorch to some threads for a while.

    Parameters
    ----------
    threads : int or None
        How many; None changes nothing.

    Yields
    ------
    None
        While the limit holds.
    """
    if threads is None:
        yield
        return
    before = torch.get_num_threads()
    with threadpoolctl.threadpool_limits(threads):
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)
