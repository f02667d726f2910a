"""A monitor on Transformers of millions of parameters: what it adds in time and in memory."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from epsrank.benchmarks.models import TokenClassifier
from epsrank.benchmarks.result import Column, Table, seconds
from epsrank.benchmarks.settings import BenchmarkSettings
from epsrank.numerics.monitor.monitor import RankMonitor

_TOKENS, _LENGTH, _BATCH = 10_000, 64, 8

# Width, depth and vocabulary of the networks: about 11 and 50 million parameters.
_QUICK = ((32, 1, 100),)
_SHAPES = ((384, 4, _TOKENS), (768, 6, _TOKENS))

_MEBIBYTE = 2**20


def measure(settings: BenchmarkSettings) -> list[Table]:
    """Run the benchmark."""
    rows = []
    for shape in _QUICK if settings.effort == "quick" else _SHAPES:
        settings.say(f"large: width {shape[0]}, depth {shape[1]}")
        rows += _watched(shape, settings)
    return [
        Table(
            "large",
            "A monitor on a Transformer",
            (
                Column("parameters", "parameters", lambda count: f"{count / 1e6:.1f} M"),
                Column("samples", "samples"),
                Column("step_seconds", "training step", seconds),
                Column("measure_seconds", "measurement", seconds),
                Column("memory", "memory added", lambda size: f"{size / _MEBIBYTE:.0f} MiB"),
                Column("resident", "of the training", lambda size: f"{size / _MEBIBYTE:.0f} MiB"),
            ),
            tuple(rows),
            f"medians of wall-clock time on {torch.get_num_threads()} threads; memory is what the "
            "peak of the process rises by when the training is watched.",
        )
    ]


def _watched(shape: tuple[int, int, int], settings: BenchmarkSettings) -> list[dict[str, Any]]:
    """Train alone, and then with a monitor that measures after every step."""
    width, depth, tokens = shape
    torch.manual_seed(settings.seed)
    model = TokenClassifier(tokens, _LENGTH, width, depth)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-4)
    x, y = torch.randint(tokens, (_BATCH, _LENGTH)), torch.randint(10, (_BATCH,))
    probe = torch.randint(tokens, (settings.pick(8, 64), _LENGTH))

    def update() -> None:
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    rounds = settings.pick(1, 3)
    steps = [_timed(update) for _ in range(rounds + 1)][1:]
    alone = _peak()
    parameters = sum(parameter.numel() for parameter in model.parameters())
    found = []
    for samples, given in (("training batches", None), ("probe", probe)):
        before = _peak()
        with RankMonitor(model, every=1, warn=False, at_exit=False, probe=given) as monitor:
            for _ in range(rounds + 1):
                update()
                monitor.step()
            taken = list({record.step: record.cost for record in monitor.history}.values())
        found.append(
            {
                "parameters": parameters,
                "samples": f"{len(x if given is None else given)} × {_LENGTH} tokens, {samples}",
                "step_seconds": statistics.median(steps),
                "measure_seconds": statistics.median(taken),
                "memory": _peak() - before,
                "resident": alone,
            }
        )
    return found


def _timed(action: Callable[[], None]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def _peak() -> int:
    """Return the most memory that this process has used, in bytes."""
    import resource  # not on Windows

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else 1024 * used
