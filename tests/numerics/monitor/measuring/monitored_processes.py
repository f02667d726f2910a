"""What each of two monitored processes does; importable by a fresh process."""

from __future__ import annotations

import os
import time
import warnings

import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from epsrank.numerics.monitor import RankMonitor, RankWarning
from epsrank.numerics.monitor.measuring import probe_parts
from epsrank.numerics.monitor.measuring.probe_set import ProbeSet
from epsrank.numerics.monitor.measuring.schedule import OverheadBudget

ROWS = (70, 30)  # samples of each process


def network():
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3))


def data(process=None):
    """Return one process's samples and labels, or all."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(sum(ROWS), 5, generator=generator)
    y = torch.randint(0, 3, (sum(ROWS),), generator=generator)
    if process is None:
        return x, y
    rows = slice(0, ROWS[0]) if process == 0 else slice(ROWS[0], None)
    return x[rows], y[rows]


def probed(model, x, y, kind, group):
    targets = y if kind == "cross_entropy" else F.one_hot(y, 3).float()
    with RankMonitor(
        model, probe=x, targets=targets, loss=kind, every=2, process_group=group, warn=False
    ) as monitor:
        for _ in range(4):
            monitor.step(1.0)
    return monitor.history


def watched(model, x, y, group):
    with RankMonitor(
        model, loss="cross_entropy", every=1, forgetting=0.5, process_group=group, warn=False
    ) as monitor:
        monitor.step()
        for _ in range(3):
            model(x)
            monitor.step(targets=y)
    return monitor.history


def budgeted(model, x, process, group):
    """Return the steps measured under a budget, with processes of unequal speed."""
    measured = []
    with RankMonitor(model, probe=x, overhead=0.5, process_group=group, warn=False) as monitor:
        for step in range(1, 60):
            time.sleep(0.001 * (1 + 2 * process))
            before = monitor._schedule._own._measuring
            monitor.step()
            if monitor._schedule._own._measuring > before:
                measured.append(step)
    return measured


def shard(process):
    """Return one process's share of a larger probe, and its labels."""
    generator = torch.Generator().manual_seed(process)
    count = 10 * ROWS[process]
    x = torch.randn(count, 5, generator=generator)
    return x, torch.randint(0, 3, (count,), generator=generator)


class Eager(OverheadBudget):
    """Is due after every step, in every process, and pays for every reading."""

    def affords(self, seconds):
        return True

    @property
    def debt(self):
        return 0.0


def parted(process, group):
    """Measure parts of a probe that grow; one process fails first. Returns history and failures."""
    probe_parts.REPAID, probe_parts.SERIES = 0.0, 2
    x, y = shard(process)
    model = network()
    with RankMonitor(
        model, probe=x, targets=y, loss="cross_entropy", every=Eager(0.01), process_group=group,
        warn=False, seed=process,
    ) as monitor:  # fmt: skip
        if process == 1:
            handle = model[0].register_forward_hook(lambda *_: 1 / 0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RankWarning)
            monitor.step()
        if process == 1:
            handle.remove()
        for _ in range(5):
            monitor.step()
    return monitor.history


def broken(model, x, process, group):
    """Return the failures where one process has a probe of NaN."""
    bad = x * float("nan") if process == 1 else x
    with RankMonitor(model, probe=x, every=1, process_group=group, warn=False) as monitor:
        monitor._parts.probe = ProbeSet(bad, None, len(bad))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RankWarning)
            monitor.step()
        monitor._parts.probe = ProbeSet(x, None, len(x))
        monitor.step()
    return [str(record.failure) for record in monitor.history]


def raising(model, x, process, group):
    """Return the failures where the pass of one process raises."""

    class Moody(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.angry = model, False

        def forward(self, x):
            if self.angry:
                raise RuntimeError("one process is out of memory")
            return self.body(x)

    moody = Moody()
    with RankMonitor(moody, probe=x, every=1, process_group=group, warn=False) as monitor:
        moody.angry = process == 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RankWarning)
            monitor.step()
    return [str(record.failure) for record in monitor.history]


def work(process, folder):
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"  # not looked for by the machine's name
    dist.init_process_group("gloo", init_method=f"file://{folder}/init", rank=process, world_size=2)
    group = dist.group.WORLD
    x, y = data(process)
    model = DistributedDataParallel(network())
    for kind in ("cross_entropy", "mse"):
        probed(model, x, y, kind, group).to_json(folder / f"{kind}{process}.json")
    parted(process, group).to_json(folder / f"parted{process}.json")
    watched(model, x, y, group).to_json(folder / f"watched{process}.json")
    result = {
        "budget": budgeted(model, x, process, group),
        "broken": broken(model, x, process, group),
        "raising": raising(network(), x, process, group),
    }
    torch.save(result, folder / f"result{process}")
    dist.destroy_process_group()
