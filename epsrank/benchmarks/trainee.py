"""A copy of a network in training, block by block, with somebody watching."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import nn

from epsrank.benchmarks.models import Workload, optimizer_of
from epsrank.benchmarks.watchers import Watcher


class TrainingClock:
    """Seconds that one copy has trained: other copies' turns do not count.

    A monitor that spends a share of the training time must be given the time of its own training,
    or it would live on its rivals' time.
    """

    def __init__(self) -> None:
        self._gone = 0.0
        self._since: float | None = None

    def __call__(self) -> float:
        """Return the seconds so far."""
        return self._gone + (0.0 if self._since is None else time.perf_counter() - self._since)

    def start(self) -> None:
        """Let the time run."""
        self._since = time.perf_counter()

    def stop(self) -> float:
        """Halt the time."""
        assert self._since is not None
        taken = time.perf_counter() - self._since
        self._gone += taken
        self._since = None
        return taken


class Spent(NamedTuple):
    """What a block took."""

    #: By the clock on the wall.
    seconds: float
    #: Processor time of all threads of this process, which others on the machine prolong less.
    processor: float


class Trainee:
    """A copy of a workload's model, its optimiser, and a watcher.

    `clock` runs while this copy trains, from 0 after the warm-up; `step_time` is the seconds of an
    unwatched step of the warm-up.
    """

    def __init__(
        self,
        workload: Workload,
        watch: Callable[[nn.Module, TrainingClock], Watcher],
        warm_up: int,
    ) -> None:
        self._workload = workload
        self._model = workload.copy()
        self._optimizer = optimizer_of(self._model)
        self._steps = 0
        self.clock = TrainingClock()
        self.watcher = Watcher()
        self.block(warm_up)
        # The first block warms up, the second is timed; nobody watches either.
        self.step_time = self.block(warm_up) / warm_up
        self.clock = TrainingClock()
        self.watcher = watch(self._model, self.clock)

    def block(self, steps: int) -> float:
        """Train."""
        model, optimizer, batches = self._model, self._optimizer, self._workload.batches
        loss_of, watcher = self._workload.loss, self.watcher
        self.clock.start()
        for step in range(self._steps, self._steps + steps):
            x, y = batches[step % len(batches)]
            watcher.before()
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(model, x, y)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            watcher.after(loss)
        self._steps += steps
        return self.clock.stop()


def block_steps(step_time: float, least: float, every: int = 1) -> int:
    """Return the steps of a block: a multiple of `every` that takes long enough to be timed."""
    # 1e-9 in case that a coarse clock has seen no time pass.
    return every * max(1, math.ceil(least / max(step_time, 1e-9) / every))


def run_blocks(trainees: Sequence[Trainee], steps: int, turn: int) -> list[Spent]:
    """Train one block of every copy, beginning with another one each turn."""
    taken = [Spent(0.0, 0.0)] * len(trainees)
    for index in range(len(trainees)):
        place = (index + turn) % len(trainees)
        began = time.process_time()
        seconds = trainees[place].block(steps)
        taken[place] = Spent(seconds, time.process_time() - began)
    return taken
