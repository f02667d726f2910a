"""Ranks of data that lie in shares: each process watches its own, process 0 has the history.

torchrun --nproc-per-node 2 torchrun_program.py OUT
"""

from __future__ import annotations

import os
import sys

import torch
import torch.distributed as dist
from torch import nn

from epsrank import RankMonitor


def network() -> nn.Sequential:
    """Return the model, the same in every process."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(3, 24), nn.Tanh(), nn.Linear(24, 16), nn.Tanh(), nn.Linear(16, 1)
    )


def main(out: str) -> None:
    """Train by the gradients of all shares, and write the history of process 0."""
    alone = "RANK" not in os.environ  # not started by torchrun
    if not alone:
        dist.init_process_group("gloo")
    rank, size = (0, 1) if alone else (dist.get_rank(), dist.get_world_size())
    torch.set_num_threads(1)
    x = torch.randn(200, 3, generator=torch.Generator().manual_seed(1))
    # Shares of different sizes: the first third, and the rest.
    share = x if alone else (x[:70] if rank == 0 else x[70:])
    assert alone or size == 2
    targets = share.sin().sum(dim=1, keepdim=True)
    model = network()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05)
    with RankMonitor(
        model, probe=share, targets=targets, loss="mse", every=2, eps=(1e-6,), warn=False,
        process_group=None if alone else dist.group.WORLD,
    ) as monitor:  # fmt: skip
        for _ in range(6):
            optimiser.zero_grad()
            # Of all 200 samples: the sum of the shares' sums.
            loss = ((model(share) - targets) ** 2).sum() / len(x)
            loss.backward()
            if not alone:
                for parameter in model.parameters():
                    dist.all_reduce(parameter.grad)
            optimiser.step()
            monitor.step(loss=loss)
    if rank == 0:
        monitor.history.to_json(out)
    if not alone:
        dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
