"""The trial of kind ``cost``: time and memory of the ε-rank beside a step of training."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from scipy.linalg import svdvals
from torch import nn

from epsrank.numerics.gram.streaming import StreamingGram
from epsrank.numerics.processes.parent import ending_with_us
from epsrank.theory.numbers.arrays import Array, Matrix
from epsrank.theory.rank import epsilon_ranks

#: Ways to come by the count.
ROUTES = ("certified", "streamed", "singular values")
_BATCH = 4096


def layer_features(width: int, samples: int, inputs: int, seed: int) -> Matrix:
    """Return tanh(w·x + b) with w, b uniform on ±√(6/d): a random layer over random inputs.

    `width`, `samples`, `inputs` are n, N and d.
    """
    random = np.random.default_rng([seed, 12])
    bound = (6 / inputs) ** 0.5
    x = random.uniform(-1, 1, (samples, inputs))
    w, b = random.uniform(-bound, bound, (inputs, width)), random.uniform(-bound, bound, width)
    features: Array = np.tanh(x @ w + b)
    return features


def cost_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Measure what one count of the ε-rank costs, and what one step of training does.

    The network is an MLP of the given depth and width; its step is of Adam in float32 on 128
    samples. Memory is the growth of the peak of a process of its own, above what the features take.

    `settings`: ``route`` (of `ROUTES`), ``width``, ``depth``, ``inputs``, ``samples``, ``eps``,
    ``repeats``, ``seed``.
    """
    width, depth, inputs = settings["width"], settings["depth"], settings["inputs"]
    parameters = inputs * width + width + (depth - 1) * (width * width + width) + width + 1
    lower, upper, seconds = _count(settings)
    return {
        "rank_lower": lower,
        "rank_upper": upper,
        "parameters": parameters,
        "seconds_count": seconds,
        "seconds_step": _step_seconds(width, depth, inputs, settings["repeats"]),
        "bytes_peak": _peak(settings),
    }


def _certified(features: Array, eps: float) -> tuple[int, int]:
    (rank,) = epsilon_ranks(features, [eps])
    return rank.lower, rank.upper


def _streamed(features: Array, eps: float) -> tuple[int, int]:
    gram = StreamingGram(features.shape[1])
    for start in range(0, len(features), _BATCH):
        gram.update(features[start : start + _BATCH])
    rank = gram.rank(eps)
    return rank.lower, rank.upper


def _by_singular_values(features: Array, eps: float) -> tuple[int, int]:
    squares = svdvals(features) ** 2 / len(features)
    count = int((squares > eps).sum())
    return count, count


_COUNTS: dict[str, Callable[[Array, float], tuple[int, int]]] = {
    "certified": _certified,
    "streamed": _streamed,
    "singular values": _by_singular_values,
}


def _features(settings: Mapping[str, Any]) -> Array:
    return layer_features(
        settings["width"], settings["samples"], settings["inputs"], settings["seed"]
    )


def _count(settings: Mapping[str, Any]) -> tuple[int, int, float]:
    """Return the count and the median seconds of it."""
    features, count = _features(settings), _COUNTS[settings["route"]]
    taken = []
    lower = upper = 0
    for _ in range(settings["repeats"]):
        begun = time.perf_counter()
        lower, upper = count(features, settings["eps"])
        taken.append(time.perf_counter() - begun)
    return lower, upper, statistics.median(taken)


def _step_seconds(width: int, depth: int, inputs: int, repeats: int) -> float:
    """Return the median seconds of a step of training."""
    layers: list[nn.Module] = []
    for index in range(depth):
        layers += [nn.Linear(width if index else inputs, width), nn.Tanh()]
    model = nn.Sequential(*layers, nn.Linear(width, 1))
    optimizer = torch.optim.Adam(model.parameters())
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(128, inputs, generator=draw)
    y = torch.rand(128, 1, generator=draw)
    taken = []
    for _ in range(repeats + 3):
        begun = time.perf_counter()
        optimizer.zero_grad()
        (model(x) - y).square().mean().backward()
        optimizer.step()
        taken.append(time.perf_counter() - begun)
    # The first steps make the state of Adam and warm up what PyTorch keeps.
    return statistics.median(taken[3:])


def _peak(settings: Mapping[str, Any]) -> int | None:
    """Return the growth of the peak memory over one count, None where it cannot be measured."""
    if sys.platform != "linux":
        return None
    program = f"from {__name__} import print_peak; print_peak()"
    done = subprocess.run(
        ending_with_us([sys.executable, "-c", program]),
        input=json.dumps(dict(settings)),
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return int(done.stdout) if done.returncode == 0 else None  # it may run out of memory


def print_peak() -> None:
    """Print by how many bytes peak memory grows over the count asked for on stdin."""
    settings = json.load(sys.stdin)
    # A tiny count first: libraries load, and buffers of threads are made, before the mark.
    _COUNTS[settings["route"]](_features({**settings, "samples": 8, "width": 4}), settings["eps"])
    features = _features(settings)
    before = _kilobytes("VmRSS")
    # Since Linux 4.0 this resets the peak to the present.
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")
    _COUNTS[settings["route"]](features, settings["eps"])
    print(1024 * (_kilobytes("VmHWM") - before))


def _kilobytes(entry: str) -> int:
    with open("/proc/self/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(entry + ":"):
                return int(line.split()[1])
    return 0
