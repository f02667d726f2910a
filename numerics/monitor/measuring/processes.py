"""Several processes, one measurement: sums added over a process group, times agreed on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from epsrank.numerics.gram.layer import LayerAccumulator
from epsrank.numerics.monitor.measuring.schedule import OverheadBudget, Schedule
from epsrank.numerics.monitor.measuring.settings import Settings
from epsrank.numerics.monitor.model.plan import LayerPlan
from epsrank.theory.errors import InputError

Share = tuple[Tensor, Tensor]

# Longest time, in steps, until the processes compare their accounts again.
_LONGEST = 1000


@dataclass(frozen=True, eq=False)
class Union:
    """What all processes saw together."""

    #: Per layer.
    sums: dict[str, LayerAccumulator]
    #: Layers that one of them could not sum.
    problems: dict[str, str]
    #: Why the measurement failed as a whole, in one of them.
    cause: str | None
    #: Features and targets of the last layer.
    share: Share | None
    #: Why there are none.
    share_problem: str | None


class Processes:
    """The processes of a group, or this one alone."""

    def __init__(self, group: Any, plan: LayerPlan, settings: Settings) -> None:
        self._group = group
        self._plan = plan
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

        place = self._cuda if dist.get_backend(self._group) == "nccl" else None
        values = torch.tensor(numbers, dtype=torch.float64, device=place)
        dist.all_reduce(values, op=dist.ReduceOp.MAX, group=self._group)
        return [float(value) for value in values]

    def union(
        self,
        sums: Mapping[str, LayerAccumulator],
        problems: Mapping[str, str],
        cause: str | None,
        share: Share | None,
        share_problem: str | None,
    ) -> Union:
        """Add what every process has seen; each has to call it, whatever happened there."""
        if self._group is None:
            return Union(dict(sums), dict(problems), cause, share, share_problem)
        import torch.distributed as dist

        widths = {name: own.n_features for name, own in sums.items()}
        gathered: list[Any] = [None] * dist.get_world_size(self._group)
        mine = (widths, dict(problems), cause, share, share_problem)
        dist.all_gather_object(gathered, mine, group=self._group)
        causes = [entry[2] for entry in gathered if entry[2] is not None]
        if causes:
            return Union({}, {}, causes[0], None, None)
        bad = {name: why for entry in gathered for name, why in entry[1].items()}
        total: dict[str, LayerAccumulator] = {}
        for name in self._plan.names:
            found = {entry[0][name] for entry in gathered if name in entry[0]}
            if name in bad or not found:
                continue
            if len(found) > 1:
                bad[name] = f"has {sorted(found)} neurons in different processes"
                continue
            own = sums.get(name) or self._empty(found.pop())
            total[name] = own.all_reduce(self._group)
        shares = [entry[3] for entry in gathered if entry[3] is not None]
        reasons = [entry[4] for entry in gathered if entry[4] is not None]
        together = None
        if shares and not reasons:
            features, targets = zip(*shares, strict=True)
            together = (torch.cat(features), torch.cat(targets))
        return Union(total, bad, None, together, reasons[0] if reasons else None)

    def _empty(self, n_features: int) -> LayerAccumulator:
        """Return the sums of a process that saw no sample of a layer."""
        return LayerAccumulator(
            n_features,
            device="cpu" if self._cuda is None else self._cuda,
            measure=self._settings.measure,
        )


class AgreedBudget:
    """An overhead budget that the slowest account of a group decides.

    Accounts are compared at steps on which all processes agree: after a measurement, and then when
    the largest debt is expected to be paid for. So a process group costs no communication at other
    steps.
    """

    def __init__(self, own: OverheadBudget, processes: Processes) -> None:
        self._own = own
        self._processes = processes
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
