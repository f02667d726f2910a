"""How thoroughly benchmarks are run."""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import threadpoolctl
import torch

from epsrank.numerics.environment import describe_environment, processor
from epsrank.numerics.processes.cores import usable_cores

Effort = Literal["quick", "default", "full"]
T = TypeVar("T")


def _silence(text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class BenchmarkSettings:
    """Rounds, sizes, threads and seed of a benchmark."""

    #: Rounds of every comparison; None leaves it to the benchmark.
    rounds: int | None = None
    #: ``quick`` runs everything on tiny cases, to see that it works: its figures mean nothing.
    #: ``full`` adds the cases that take long.
    effort: Effort = "default"
    #: Threads of BLAS and PyTorch; None leaves them as they are.
    threads: int | None = None
    #: Of data and initialisations.
    seed: int = 0
    #: Gets one line of progress at a time.
    say: Callable[[str], None] = field(default=_silence, repr=False, compare=False)

    def pick(self, quick: T, default: T, full: T | None = None) -> T:
        """Return the value for the effort."""
        if self.effort == "quick":
            return quick
        return default if self.effort == "default" or full is None else full

    def rounds_of(self, usual: int) -> int:
        """Return the rounds of a comparison."""
        return self.rounds or self.pick(2, usual)

    @property
    def rest(self) -> float:
        """Seconds of rest before each timing.

        NumPy's, SciPy's and PyTorch's threads each spin for a while after their work; without a
        rest, whoever comes second pays.
        """
        return self.pick(0.0, 0.2)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        return {
            "rounds": self.rounds,
            "effort": self.effort,
            "threads": self.threads,
            "seed": self.seed,
        }


def describe_machine() -> dict[str, Any]:
    """Return versions, processor, cores, threads, and how busy the machine was.

    ``load`` is the mean number of running processes over the last minute, None where the system
    does not say.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        **describe_environment("cpu"),
        "processor": processor(),
        "cores": usable_cores(),
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
def torch_threads(count: int) -> Iterator[None]:
    """Compute with so many threads of PyTorch inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Limit BLAS and PyTorch to some threads for a while."""
    if threads is None:
        yield
        return
    # PyTorch has threads of its own beside those of BLAS.
    with threadpoolctl.threadpool_limits(threads), torch_threads(threads):
        yield
