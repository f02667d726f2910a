"""Many networks as one batched program against a loop over them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch

from epsrank.benchmarks.result import Column, Table, ratio, seconds
from epsrank.benchmarks.settings import BenchmarkSettings, torch_threads
from epsrank.benchmarks.timing import Action, interleaved
from epsrank.numerics.ensemble.ensemble import Ensemble
from epsrank.numerics.ensemble.loop import load_tasks, train_many
from epsrank.numerics.processes.memory import keep_freed_memory
from epsrank.numerics.tasks import Task
from epsrank.numerics.training import Run, RunConfig, train
from epsrank.numerics.training.build import build_network, build_optimizer
from epsrank.numerics.training.objective import Objective
from epsrank.numerics.training.seeds import epoch_order

_SAMPLES, _LONG = 1024, 64


def measure(settings: BenchmarkSettings) -> list[Table]:
    """Run the benchmark."""
    return [updates(settings), whole_runs(settings)]


class SingleLoop:
    """The updates of `epsrank.numerics.training.train`, one network after another."""

    def __init__(
        self, configs: Sequence[RunConfig], tasks: Sequence[Task], device: torch.device
    ) -> None:
        self._runs = []
        for config, task in zip(configs, tasks, strict=True):
            model = build_network(config, task).to(device)
            objective = Objective(config.loss, task.x.to(device), task.y.to(device), None)
            self._runs.append((config, model, build_optimizer(config, model), objective))
        self._orders: dict[tuple[int, int], torch.Tensor] = {}
        self.device = device

    def update(self, step: int) -> None:
        """Make one update of every network."""
        for config, model, optimizer, objective in self._runs:
            index = self._batch(config, step)
            # As `train` does it: zero, evaluate, differentiate, step, and read the loss.
            optimizer.zero_grad(set_to_none=True)
            loss = objective(model, index)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            loss.detach().item()

    def _batch(self, config: RunConfig, step: int) -> torch.Tensor:
        assert config.batch_size is not None
        epoch, position = divmod(step, -(-_SAMPLES // config.batch_size))
        key = (config.seed, epoch)
        if key not in self._orders:
            # Only the present epoch's: those before are not asked for again.
            self._orders = {old: order for old, order in self._orders.items() if old[1] == epoch}
            self._orders[key] = epoch_order(config.seed, _SAMPLES, epoch).to(self.device)
        return self._orders[key][position * config.batch_size : (position + 1) * config.batch_size]

    def weights(self, position: int) -> dict[str, torch.Tensor]:
        """Return the weights of a network."""
        return dict(self._runs[position][1].state_dict())


class Stepper:
    """Updates with a given number of threads, a block at a time."""

    def __init__(self, update: Callable[[int], None], threads: int, steps: int) -> None:
        self._update, self._threads, self._steps = update, threads, steps
        self.done = 0

    def __call__(self) -> None:
        """Make the updates of a block."""
        with torch_threads(self._threads):
            for _ in range(self._steps):
                self._update(self.done)
                self.done += 1


def updates(settings: BenchmarkSettings) -> Table:
    """Time updates alone, for up to 128 networks of width 50 with batches of 128."""
    keep_freed_memory()  # as training does it, batched or not
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    width, batch = settings.pick((6, 16), (50, 128))
    rows = []
    for depth in settings.pick((2,), (2, 3)):
        for dtype in ("float32", "float64"):
            for count in settings.pick((1, 2), (1, 2, 8, 32, 128)):
                settings.say(f"ensemble: {count} networks, depth {depth}, {dtype}")
                shape = {"width": width, "depth": depth, "dtype": dtype, "batch_size": batch}
                rows.append(_row(settings, count, shape, device))
    threads = torch.get_num_threads()
    return Table(
        "updates",
        f"Updates of K networks (width {width}, batch {batch}, Adam) on {device.type}",
        (
            Column("networks", "K"),
            Column("depth", "depth"),
            Column("dtype", "dtype"),
            Column("loop", "loop, per update of one", seconds),
            Column("batched", "batched, 1 thread", seconds),
            Column("threaded", f"batched, {threads} threads", seconds),
            Column("ratio", "throughput, 1 thread", ratio),
            Column("threaded_ratio", f"throughput, {threads} threads", ratio),
            Column("difference", "weights differ by", "{:.1e}".format),
        ),
        tuple(rows),
        "The loop has one thread, its best for layers of this size; a second process could run "
        "another loop on a second core. Weights: relative, after the updates of the rounds, "
        "both with one thread.",
    )


def _row(
    settings: BenchmarkSettings, count: int, shape: Mapping[str, Any], device: torch.device
) -> dict[str, Any]:
    """Time one K."""
    configs = [
        RunConfig(
            **shape,
            n_train=_SAMPLES,
            steps=10**6,
            seed=settings.seed + place,
            learning_rate=1e-3 * (1 + place % 3),
            device=device.type,
        )
        for place in range(count)
    ]
    tasks = load_tasks(configs)
    steps = settings.pick(2, max(2, _LONG // count))
    loop = SingleLoop(configs, tasks, device)
    # Two: the weights of the first are compared with the loop's, after as many updates.
    one, other = Ensemble(configs, tasks, device), Ensemble(configs, tasks, device)
    actions: dict[str, Action] = {
        "loop": Stepper(loop.update, 1, steps),
        "batched": Stepper(one.update, 1, steps),
        "threaded": Stepper(other.update, torch.get_num_threads(), steps),
    }
    timings = interleaved(actions, settings.rounds_of(9), rest=settings.rest)
    made = steps * count
    return {
        "networks": count,
        **shape,
        **{name: timings.median(name) / made for name in actions},
        "updates_per_second": {name: made / timings.median(name) for name in actions},
        "ratio": timings.ratio("loop", "batched").to_json(),
        "threaded_ratio": timings.ratio("loop", "threaded").to_json(),
        "difference": max(
            _difference(loop.weights(place), dict(one.network(place).state_dict()))
            for place in range(count)
        ),
    }


def _difference(weights: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> float:
    """Return the largest difference relative to its tensor's largest entry."""
    gaps = [
        float((weights[name] - others[name]).abs().max() / weights[name].abs().max())
        for name in weights
    ]
    return math.nan if any(map(math.isnan, gaps)) else max(gaps)


def whole_runs(settings: BenchmarkSettings) -> Table:
    """Time whole runs with their measurements, which are made network by network."""
    width, batch, count, steps = settings.pick((6, 16, 2, 4), (50, 128, 16, 200))
    rows = []
    for measured in settings.pick((2,), (2, 11, 21)):
        settings.say(f"ensemble: whole runs, {measured} measurements")
        configs = [
            RunConfig(
                width=width,
                batch_size=batch,
                n_train=_SAMPLES,
                steps=steps,
                measure_every=max(1, steps // (measured - 1)),
                seed=settings.seed + place,
                device="auto",
            )
            for place in range(count)
        ]
        actions: dict[str, Action] = {
            "loop": partial(_one_by_one, configs),
            "batched": partial(train_many, configs),
        }
        timings = interleaved(actions, settings.rounds_of(3), warm_up=0)
        rows.append(
            {
                "networks": count,
                "steps": steps,
                "measurements": len(timings.answers["batched"][0].records),
                **{name: timings.median(name) for name in actions},
                "ratio": timings.ratio("loop", "batched").to_json(),
            }
        )
    return Table(
        "runs",
        f"Whole runs of {count} networks (depth 2, float64), measurements included, 1 thread",
        (
            Column("steps", "updates"),
            Column("measurements", "measurements"),
            Column("loop", "train, one by one", seconds),
            Column("batched", "train_many", seconds),
            Column("ratio", "throughput", ratio),
        ),
        tuple(rows),
        "A measurement counts ranks and floors of one network; it is the same work either way.",
    )


def _one_by_one(configs: Sequence[RunConfig]) -> list[Run]:
    return [train(config) for config in configs]
