"""The trial of kind ``pretraining``: a training run, ranks of φ itself, and what the run costs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from epsrank.numerics.networks import capture
from epsrank.numerics.sweeps.settings import config_of
from epsrank.numerics.sweeps.training import history_of
from epsrank.numerics.training.build import build_network, build_task, resolve_device
from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.loop import train
from epsrank.numerics.training.run import Run
from epsrank.theory.rank import epsilon_ranks

# Times the network is built; the least of them is its cost.
_BUILDS = 3


def pretraining_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train a network, and return its history, ε-ranks of φ, and seconds."""
    config = config_of(settings)
    # Time of the processor is not disturbed by what runs beside; a GPU's work is not in it.
    now = time.perf_counter if resolve_device(config.device).type == "cuda" else time.process_time
    clock = _Clock(now)
    run = train(config, progress=clock)
    result = history_of(run)
    if run.task.operator is not None:
        result["feature_ranks"] = _feature_ranks(run)
    result["seconds"] = {"initialise": _initialising(config, now), "update": clock.median()}
    return result


class _Clock:
    """Times of updates alone: those of steps with a measurement are left out."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._before: float | None = None
        self._times: list[float] = []

    def __call__(self, step: int, total: int, record: Any) -> None:
        then, self._before = self._before, self._now()
        if record is None and then is not None:
            self._times.append(self._before - then)

    def median(self) -> float | None:
        """Return the median time of an update; None where every step was measured."""
        return statistics.median(self._times) if self._times else None


def _initialising(config: RunConfig, now: Callable[[], float]) -> float:
    """Return the seconds that building and initialising the network takes."""
    task = build_task(config)
    times = []
    for _ in range(_BUILDS):
        begun = now()
        build_network(config, task)
        times.append(now() - begun)
    # What else the machine does can only add.
    return min(times)


def _feature_ranks(run: Run) -> dict[str, dict[str, list[int]]]:
    """Return the ε-ranks of φ in L²(Ω), Ω without its boundary, per measurement."""
    operator, task = run.task.operator, run.task
    assert operator is not None
    inside = operator.inside
    law = task.law.at(inside.numpy())
    found: dict[str, dict[str, list[int]]] = {
        end: {str(eps): [] for eps in run.config.eps} for end in ("lower", "upper")
    }
    for index in range(len(run.records)):
        features = capture(run.network(index), task.x[inside])[-1].double().numpy()
        for rank in epsilon_ranks(features, run.config.eps, measure=law):
            found["lower"][str(rank.eps)].append(rank.lower)
            found["upper"][str(rank.eps)].append(rank.upper)
    return found
