"""Training with `RankMonitor` against training without, with ndtracker, SVD and matrix_rank.

Two questions. What does the monitor cost as it is by default, over a window long enough to pay for
its first measurement? And what does it cost where everybody measures after the same steps? In both,
copies of one model train on the same batches in turn, one block of steps each, and every block is
compared with the unwatched block of its own round.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from epsrank.benchmarks.models import Workload, workloads
from epsrank.benchmarks.result import Column, Table, overhead, seconds
from epsrank.benchmarks.settings import BenchmarkSettings
from epsrank.benchmarks.timing import median_ratio, total_ratio
from epsrank.benchmarks.trainee import Spent, Trainee, TrainingClock, block_steps, run_blocks
from epsrank.benchmarks.watchers import Monitored, Watcher, watchers_at
from epsrank.numerics.monitor.measuring.schedule import OverheadBudget
from epsrank.theory.errors import InputError

SHARE = 0.01

_PROBE = 2048

# Seconds after which a comparison begins no further round: by default all of them take a quarter of
# an hour together.
_DEFAULT_SECONDS = 110.0
_EQUAL_SECONDS = 40.0


def measure(settings: BenchmarkSettings) -> list[Table]:
    """Run the benchmark."""
    threads = torch.get_num_threads()
    loads = workloads(quick=settings.effort == "quick", seed=settings.seed)
    default = [row for load in loads for row in by_default(load, settings)]
    equal: list[dict[str, Any]] = []
    skipped: dict[tuple[str, str], None] = {}
    for load in loads:
        for every in settings.pick((1, 3), (1, 10, 100)):
            rows, left_out = at_equal_frequency(load, every, settings)
            equal += rows
            skipped |= dict.fromkeys(left_out)
    return [
        _default_table(default, threads),
        Table(
            "equal-frequency",
            "Training time at equal frequency, relative to no monitor",
            (
                Column("model", "model"),
                Column("every", "every"),
                Column("who", "who measures"),
                Column("step_seconds", "step", seconds),
                Column("ratio", "added", overhead),
                Column("ratio_processor", "added, processor time", overhead),
                Column("measurements", "measured"),
                Column("layers", "layers", lambda names: str(len(names))),
            ),
            tuple(equal),
            f"medians over rounds of the ratio to the unwatched block of the round; {threads} "
            "threads, whose processor time is added up; each block holds equally many "
            "measurements.",
            tuple(skipped),
        ),
        _measured_table(equal),
    ]


def by_default(load: Workload, settings: BenchmarkSettings) -> list[dict[str, Any]]:
    """Train with default monitors over a long window."""
    settings.say(f"monitor: {load.name}, default settings")
    probe = load.probe(_PROBE)
    makers: dict[str, Callable[[nn.Module, TrainingClock], Watcher]] = {
        "no monitor": lambda model, clock: Watcher(),
        "training batches": lambda model, clock: Monitored(
            model, every=OverheadBudget(SHARE, clock=clock)
        ),
        "probe": lambda model, clock: Monitored(
            model, every=OverheadBudget(SHARE, clock=clock), probe=probe
        ),
    }
    trainees = [Trainee(load, make, settings.pick(1, 10)) for make in makers.values()]
    steps = block_steps(trainees[0].step_time, settings.pick(0.0, 0.5))
    rounds = settings.rounds or settings.pick(3, 120, 600)
    taken: list[list[Spent]] = [[] for _ in trainees]
    made: list[list[int]] = [[0] for _ in trainees]
    for turn in _turns(rounds, 10, _DEFAULT_SECONDS, settings):
        for index, spent in enumerate(run_blocks(trainees, steps, turn)):
            taken[index].append(spent)
            made[index].append(_moments(trainees[index].watcher))
    rounds = len(taken[0])
    rows = []
    for index, samples in enumerate(makers):
        watcher = trainees[index].watcher
        if isinstance(watcher, Monitored):
            rows.append(
                {
                    "model": load.name,
                    "samples": samples,
                    "steps": steps * rounds,
                    "blocks": rounds,
                    "window_seconds": sum(_apart(taken[index])[0]),
                    "step_seconds": sum(_apart(taken[0])[0]) / (steps * rounds),
                    **_figures(watcher, taken[index], taken[0], made[index], settings.seed),
                }
            )
        watcher.close()
    return rows


def _turns(rounds: int, least: int, seconds: float, settings: BenchmarkSettings) -> Iterator[int]:
    """Count the rounds of a comparison; by default until its time is over.

    After `seconds` none is begun, unless a number of rounds or all of them were asked for.
    """
    began = time.perf_counter()
    bounded = settings.rounds is None and settings.effort == "default"
    for turn in range(rounds):
        if bounded and turn >= least and time.perf_counter() - began > seconds:
            return
        yield turn


def _moments(watcher: Watcher) -> int:
    """Return how many measurements a monitor has made."""
    return len(watcher.monitor.history.steps) if isinstance(watcher, Monitored) else 0


def _apart(blocks: list[Spent]) -> tuple[list[float], list[float]]:
    """Return the seconds of all blocks, and their processor times."""
    return [spent.seconds for spent in blocks], [spent.processor for spent in blocks]


def _figures(
    watcher: Monitored, watched: list[Spent], alone: list[Spent], made: list[int], seed: int
) -> dict[str, Any]:
    """Return what a monitor cost, as it sees it itself and as its blocks show it."""
    history = watcher.monitor.history
    # Records are per layer; the cost stands in each of a step.
    costs = list({record.step: record.cost for record in history}.values())
    # Blocks in which no measurement was made: what watching costs by itself.
    idle = [i for i in range(len(watched)) if made[i] == made[i + 1]]
    (with_it, work), (without, work_without) = _apart(watched), _apart(alone)
    between = median_ratio([with_it[i] for i in idle], [without[i] for i in idle]) if idle else None
    return {
        "ratio": total_ratio(with_it, without, seed).to_json(),
        "ratio_processor": total_ratio(work, work_without, seed).to_json(),
        "ratio_between": None if between is None else between.to_json(),
        "share": watcher.monitor.overhead,
        "measurements": len(costs),
        "failures": sum(record.failure is not None for record in history),
        "first_cost": costs[0] if costs else None,
        "median_cost": statistics.median(costs) if costs else None,
        "first_repaid_after": costs[0] / SHARE if costs else None,
        "layers": list(watcher.layers),
        "measures": watcher.measures,
    }


def at_equal_frequency(
    load: Workload, every: int, settings: BenchmarkSettings
) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """Train with everybody measuring after the same steps.

    One row for each, unwatched training first; and who could not, with the reason.
    """
    settings.say(f"monitor: {load.name}, every {every}")
    trainees: dict[str, Trainee] = {}
    skipped = []
    for name, make in watchers_at(every).items():
        try:
            trainees[name] = Trainee(load, lambda model, _, make=make: make(model), 5)  # type: ignore[misc]
        except (ImportError, InputError) as error:
            skipped.append((f"{name}, {load.name}", " ".join(str(error).split())))
    alone = next(iter(trainees.values()))
    steps = block_steps(alone.step_time, settings.pick(0.0, 0.25), every)
    # One block of each warms up what only a measurement uses.
    run_blocks(list(trainees.values()), steps, 0)
    rounds = settings.rounds_of(9 if every < 100 else 7)
    taken: dict[str, list[Spent]] = {name: [] for name in trainees}
    for turn in _turns(rounds, 3, _EQUAL_SECONDS, settings):
        blocks = run_blocks(list(trainees.values()), steps, turn)
        for name, spent in zip(trainees, blocks, strict=True):
            taken[name].append(spent)
    unwatched = next(iter(taken.values()))
    rounds = len(unwatched)
    alone_seconds, alone_processor = _apart(unwatched)
    rows = []
    for name, trainee in trainees.items():
        watcher = trainee.watcher
        counts = watcher.counts
        watcher.close()
        seconds_taken, processor = _apart(taken[name])
        rows.append(
            {
                "model": load.name,
                "every": every,
                "who": name,
                "steps": steps * rounds,
                "step_seconds": statistics.median(seconds_taken) / steps,
                "ratio": median_ratio(seconds_taken, alone_seconds).to_json(),
                "ratio_processor": median_ratio(processor, alone_processor).to_json(),
                "measurements": max(counts.values(), default=0),
                "layers": [layer for layer, count in counts.items() if count],
                "never_measured": [layer for layer, count in counts.items() if not count],
                "measures": watcher.measures,
            }
        )
    return rows, skipped


def _default_table(rows: list[dict[str, Any]], threads: int) -> Table:
    """Return the table of default monitors."""
    return Table(
        "default",
        f"Training time with RankMonitor's default settings (overhead={SHARE:g})",
        (
            Column("model", "model"),
            Column("samples", "measures"),
            Column("step_seconds", "step", seconds),
            Column("window_seconds", "window", seconds),
            Column("ratio", "added, all", overhead),
            Column("ratio_processor", "added, processor time", overhead),
            Column("ratio_between", "added between measurements", overhead),
            Column("share", "own share", "{:.2%}".format),
            Column("measurements", "measured"),
            Column("median_cost", "cost", seconds),
            Column("first_cost", "first", seconds),
            Column("first_repaid_after", "repaid after", seconds),
        ),
        tuple(rows),
        "added, all: total time of the watched blocks to that of the unwatched ones, with a "
        "bootstrap interval, first measurement included; processor time: likewise, of all threads "
        "of this process; between measurements: median over blocks "
        "that hold none; own share: as the monitor itself says. The first measurement is made "
        f"after the first step, and training pays for it at {SHARE:.0%} until `repaid after`; a "
        f"shorter training spends more than its share. {threads} threads; clocks of the copies "
        "run only in their own turns.",
    )


def _measured_table(rows: list[dict[str, Any]]) -> Table:
    """Return what each watcher measured, and where."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        if row["measures"] != "nothing":
            place = ", ".join(row["layers"])
            if row["never_measured"]:
                place += f" (never: {', '.join(row['never_measured'])})"
            found[row["model"], row["who"]] = {
                "model": row["model"],
                "who": row["who"],
                "measures": row["measures"],
                "place": place,
            }
    return Table(
        "measured",
        "What was measured",
        (
            Column("model", "model"),
            Column("who", "who"),
            Column("place", "layers"),
            Column("measures", "what"),
        ),
        tuple(found.values()),
    )
