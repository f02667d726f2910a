"""Several processes, one measurement: sums added over a process group, times agreed on."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch

from epsrank.numerics.gram.layer import LayerAccumulator
from epsrank.numerics.monitor.heads.share import Gathered
from epsrank.numerics.monitor.measuring.schedule import OverheadBudget, Schedule
from epsrank.numerics.monitor.measuring.seen import Seen, nothing_summed
from epsrank.numerics.monitor.measuring.settings import Settings
from epsrank.numerics.monitor.model.plan import LayerPlan
from epsrank.theory.errors import InputError

# Longest time, in steps, until the processes compare their accounts again.
_LONGEST = 1000


class Processes:
    """The processes of a group, or this one alone."""

    def __init__(self, group: Any, plan: LayerPlan, settings: Settings) -> None:
        self._group = group
        self._settings = settings
        self._cuda = next((p.device for p in plan.model.parameters() if p.is_cuda), None)
        self.first = True
        if group is not None:
            import torch.distributed as dist

            if not (dist.is_available() and dist.is_initialized()):
                raise InputError(
                    "process_group",
                    "is given, but torch.distributed is not initialised",
                    "call init_process_group first, or leave it out",
                )
            rank = dist.get_rank(group)
            if rank < 0:
                raise InputError(
                    "process_group", "does not contain this process", "pass one that does"
                )
            self.first = rank == 0

    @property
    def on_cpu(self) -> bool:
        """Whether the model has no parameters on a GPU."""
        return self._cuda is None

    @property
    def grouped(self) -> bool:
        """Whether there is a group."""
        return self._group is not None

    @property
    def size(self) -> int:
        """Number of processes."""
        if self._group is None:
            return 1
        import torch.distributed as dist

        return dist.get_world_size(self._group)

    def settle(self) -> None:
        """Wait for the device, so that training is not taken for measuring."""
        if self._cuda is not None:
            torch.cuda.synchronize(self._cuda)

    def schedule(self, own: Schedule) -> Schedule:
        """Return a schedule that is due at the same steps in every process."""
        if self._group is None or not isinstance(own, OverheadBudget):
            return own
        return AgreedBudget(own, self)

    def highest(self, *numbers: float) -> list[float]:
        """Return the maximum of each number over the processes."""
        if self._group is None:
            return list(numbers)
        import torch.distributed as dist

        # NCCL reduces nothing that lies on the CPU.
        place = self._cuda if dist.get_backend(self._group) == "nccl" else None
        values = torch.tensor(numbers, dtype=torch.float64, device=place)
        dist.all_reduce(values, op=dist.ReduceOp.MAX, group=self._group)
        return [float(value) for value in values]

    def union(self, mine: Seen) -> Seen:
        """Add what every process has seen; each has to call it, whatever happened there."""
        if self._group is None:
            return mine
        import torch.distributed as dist

        # Words, widths and the rows of a reading first: they say which sums every process adds.
        gathered: list[Any] = [None] * self.size
        widths = {name: own.n_features for name, own in mine.sums.items()}
        dist.all_gather_object(gathered, (widths, replace(mine, sums={})), group=self._group)
        every = [seen for _, seen in gathered]
        causes = [seen.cause for seen in every if seen.cause is not None]
        if causes:
            return Seen(cause=causes[0])
        bad = {name: why for seen in every for name, why in seen.problems.items()}
        lost = {name: why for seen in every for name, why in seen.lost.items()}
        total: dict[str, LayerAccumulator] = {}
        # In the order of the first process, by which all have to add.
        for name in dict.fromkeys(name for theirs, _ in gathered for name in theirs):
            found = {theirs[name] for theirs, _ in gathered if name in theirs}
            if name in bad or not found:
                continue
            if len(found) > 1:
                bad[name] = f"has {sorted(found)} neurons in different processes"
                continue
            place = "cpu" if self._cuda is None else self._cuda
            # A process that saw nothing of this layer adds zeros: all have to take part.
            own = mine.sums.get(name) or nothing_summed(self._settings, found.pop(), place)
            total[name] = own.all_reduce(self._group)
        readings = Gathered.of_all([seen.gathered for seen in every])
        return Seen(total, bad, lost=lost, gathered=readings)


class AgreedBudget:
    """An overhead budget that the slowest account of a group decides.

    Accounts are compared at steps on which all processes agree: after a measurement, and then when
    the largest debt is expected to be paid for. So a process group costs no communication at other
    steps.
    """

    def __init__(self, own: OverheadBudget, processes: Processes) -> None:
        self._own = own
        self._processes = processes
        # Not those of `own`, which may have been used before: processes have to agree on these.
        self._steps = 0
        self._next = 1

    @property
    def overhead(self) -> float:
        """Share of the training time that this process spent."""
        return self._own.overhead

    def spent(self, seconds: float) -> None:
        """Book measuring time of this process."""
        self._own.spent(seconds)

    def step(self) -> bool:
        """Count one step."""
        self._own.step()
        self._steps += 1
        if self._steps < self._next:
            return False
        debt, wait = self._processes.highest(self._own.debt, self._own.steps_to_pay)
        if debt <= 0:
            self._next = self._steps + 1
            return True
        self._next = self._steps + min(max(1, math.ceil(wait)), _LONGEST)
        return False
