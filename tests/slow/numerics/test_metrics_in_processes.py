"""Metrics over two real processes: what gloo gathers is the number of all samples."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

import epsrank


def features() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(90, 5, generator=generator, dtype=torch.float64)


def _process(rank: int, folder: str) -> None:
    from epsrank.metrics import EpsilonRank, RankMe

    os.environ["OMP_NUM_THREADS"] = "1"
    where = f"file://{folder}/meeting"
    dist.init_process_group("gloo", init_method=where, rank=rank, world_size=2)
    share = features()[:30] if rank == 0 else features()[30:]
    rankme, ends = RankMe(5), EpsilonRank(5, 0.9)
    for batch in share.split(20):
        rankme(batch)
        ends.update(batch)
    found = [rankme.compute(), *ends.compute().values()]
    torch.save(torch.stack([value.double() for value in found]), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_two_processes(tmp_path: Path) -> None:
    mp.spawn(_process, args=(str(tmp_path),), nprocs=2)
    rank = epsrank.epsilon_rank(features(), 0.9)
    wanted = [epsrank.rankme(features()), rank.lower, rank.upper]
    for process in (0, 1):
        found = torch.load(tmp_path / f"{process}.pt").tolist()
        assert found == pytest.approx(wanted, rel=1e-9)
