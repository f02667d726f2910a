"""Processes of their own for `scaling`: peak memory of a stream, and the members of a group.

``python -m epsrank.benchmarks.worker stream N n ROWS DTYPE EPS SEED`` and
``python -m epsrank.benchmarks.worker member RANK SIZE FOLDER N n ROUNDS SEED`` print JSON.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from epsrank.benchmarks.counts import batched_count
from epsrank.numerics.gram.layer import LayerAccumulator
from epsrank.numerics.monitor import RankMonitor
from epsrank.numerics.processes.parent import ending_with_us
from epsrank.theory.rank.of_gram import GramProblem
from epsrank.theory.rank.problem import Thresholds

# Different batches that a stream goes through in turn: the arithmetic does not see the repetition.
_POOL = 4


def stream(n_samples: int, width: int, rows: int, dtype: str, eps: float, seed: int) -> Any:
    """Sum a stream of batches and count, watching the memory."""
    generator = torch.Generator().manual_seed(seed)
    pool = [
        torch.randn(rows, width, generator=generator).tanh_().to(getattr(torch, dtype))
        for _ in range(_POOL)
    ]
    batched_count(pool[0][: min(rows, 64)], eps)  # imports and buffers of the libraries
    alone = torch.empty(width, width)
    before = _in_use()
    sums = LayerAccumulator(width, eps=eps)
    spent = product = 0.0
    left = n_samples
    turn = 0
    while left > 0:
        batch = pool[turn % _POOL][:left]
        start = time.perf_counter()
        sums.update(batch)
        middle = time.perf_counter()
        torch.mm(batch.float().T, batch.float(), out=alone)
        product += time.perf_counter() - middle
        spent += middle - start
        left -= len(batch)
        turn += 1
    start = time.perf_counter()
    gram = sums.gram()
    found = GramProblem(gram.values, gram.error, counts_only=True).decide(Thresholds((eps,)))[0]
    return {
        "seconds": spent,
        "count_seconds": time.perf_counter() - start,
        "product_seconds": product,
        "memory": _peak() - before,
        "rank": [found.lower, found.upper],
        "error": gram.error,
    }


def _peak() -> int:
    """Return the peak memory of this process in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts in bytes, Linux in kilobytes.
    return int(peak) * (1 if platform.system() == "Darwin" else 1024)


def _in_use() -> int:
    """Return the memory that this process uses now, where the system says; else the peak."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return _peak()
    # statm counts in pages; its second number is what lies in memory.
    return int(pages) * resource.getpagesize()


def member(
    rank: int, size: int, folder: Path, n_samples: int, width: int, rounds: int, seed: int
) -> Any:
    """Measure a share of a probe as one of several processes."""
    dist.init_process_group(
        "gloo", init_method=(folder / "meet").as_uri(), rank=rank, world_size=size
    )
    # Equal weights and samples in every process, of which each takes its share.
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 10))
    samples = torch.randn(n_samples, width)[rank::size]
    monitor = RankMonitor(
        model, probe=samples, every=1, max_samples=n_samples, process_group=dist.group.WORLD
    )
    taken = []
    # The first measurement is left out: it sets up what the others use.
    for _ in range(rounds + 1):
        dist.barrier()
        start = time.perf_counter()
        monitor.step()
        dist.barrier()
        taken.append(time.perf_counter() - start)
    records = list(monitor.latest.values())
    monitor.close()
    dist.barrier()
    dist.destroy_process_group()
    return {
        "seconds": statistics.median(taken[1:]),
        "ranks": [[r.ranks[0].lower, r.ranks[0].upper] for r in records],
        "traces": [None if r.quantities is None else r.quantities.trace for r in records],
        "samples": [r.n_samples for r in records],
    }


def main(words: list[str]) -> None:
    """Run one of the two, and print what it found."""
    if words[0] == "stream":
        n_samples, width, rows = map(int, words[1:4])
        found = stream(n_samples, width, rows, words[4], float(words[5]), int(words[6]))
    else:
        rank, size = map(int, words[1:3])
        found = member(rank, size, Path(words[3]), *map(int, words[4:]))
    print(json.dumps(found), flush=True)
    # Threads of gloo that still end while the interpreter does have aborted the process, now and
    # then, after all was measured.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])


def start_worker(words: list[Any], threads: int) -> subprocess.Popen[str]:
    """Start a worker."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = os.environ | dict.fromkeys(names, str(threads))
    # The same packages as here, installed or not.
    paths = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    if platform.system() == "Linux":
        # gloo may else look for the machine's own name, which need not resolve.
        environment.setdefault("GLOO_SOCKET_IFNAME", "lo")
    command = [sys.executable, "-m", "epsrank.benchmarks.worker", *map(str, words)]
    return subprocess.Popen(
        ending_with_us(command),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def finished(workers: list[subprocess.Popen[str]]) -> list[dict[str, Any]]:
    """Wait for workers, and return what they printed."""
    try:
        found = []
        for worker in workers:
            output, errors = worker.communicate()
            if worker.returncode:
                raise RuntimeError(f"a worker ended with {worker.returncode}: {errors[-2000:]}")
            # Libraries may print before.
            found.append(json.loads(output.splitlines()[-1]))
        return found
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.kill()
                worker.communicate()
