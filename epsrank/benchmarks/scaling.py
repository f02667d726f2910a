"""How costs grow: counts over width, sums over samples, monitors over layers and processes."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import nn

from epsrank.benchmarks.counts import KINDS, layer_features, singular
from epsrank.benchmarks.rank import EPS
from epsrank.benchmarks.result import Column, Table, ratio, seconds
from epsrank.benchmarks.settings import BenchmarkSettings
from epsrank.benchmarks.timing import Action, interleaved
from epsrank.benchmarks.worker import finished, start_worker
from epsrank.numerics.monitor import RankMonitor
from epsrank.numerics.processes.scratch import scratch
from epsrank.theory.rank import epsilon_rank
from epsrank.theory.rank.bounds import rank_text

_MEGABYTE = 1e6


def measure(settings: BenchmarkSettings) -> list[Table]:
    """Run the benchmark."""
    return [
        over_width(settings),
        over_samples(settings),
        over_layers(settings),
        over_processes(settings),
    ]


def over_width(settings: BenchmarkSettings) -> Table:
    """Time one count at widths from 64 to 8192, with N = max(2048, 2n) samples."""
    widths = settings.pick((8, 16), (64, 128, 256, 512, 1024, 2048, 4096, 8192))
    widest_svd = settings.pick(16, 2048, 8192)
    rows = []
    skipped = []
    for width in widths:
        n_samples = settings.pick(64, max(2048, 2 * width))
        for kind in ("gaussian", "tanh"):
            settings.say(f"scaling: width {width}, {KINDS[kind]}")
            features = layer_features(kind, n_samples, width, settings.seed)
            actions: dict[str, Action] = {"epsilon_rank": partial(epsilon_rank, features, EPS)}
            if width <= widest_svd:
                other = singular(torch.from_numpy(features), EPS)["singular values (torch)"]
                actions["singular values"] = other
            timings = interleaved(
                actions, settings.rounds_of(9 if width <= 1024 else 3), rest=settings.rest
            )
            found = timings.answers["epsilon_rank"]
            rows.append(
                {
                    "width": width,
                    "n_samples": n_samples,
                    "features": KINDS[kind],
                    "rank": [found.lower, found.upper],
                    "route": found.route,
                    "seconds": timings.median("epsilon_rank"),
                    "per_cubic": timings.median("epsilon_rank") / (n_samples * width**2),
                    "svd_seconds": timings.median("singular values")
                    if "singular values" in actions
                    else None,
                    "ratio": timings.ratio("singular values", "epsilon_rank").to_json()
                    if "singular values" in actions
                    else None,
                }
            )
        if width > widest_svd:
            skipped.append((f"singular values at width {width}", "minutes each; see --full"))
    return Table(
        "width",
        f"One ε-rank over the width (float64, ε = {EPS:g})",
        (
            Column("width", "n"),
            Column("n_samples", "N"),
            Column("features", "features"),
            Column("rank", "ε-rank", _interval),
            Column("route", "route"),
            Column("seconds", "median", seconds),
            Column("per_cubic", "per N·n²", seconds),
            Column("svd_seconds", "singular values", seconds),
            Column("ratio", "ratio", ratio),
        ),
        tuple(rows),
        "ratio = singular values (torch) / epsilon_rank, medians of paired rounds.",
        tuple(skipped),
    )


def over_samples(settings: BenchmarkSettings) -> Table:
    """Stream batches of 1024 float32 neurons into sums, each length in a process of its own."""
    width, rows = settings.pick((16, 32), (1024, 8192))
    lengths = settings.pick(
        (1000,),
        (10_000, 100_000, 1_000_000, 2_000_000),
        (10_000, 100_000, 1_000_000, 10_000_000),
    )
    found = []
    for n_samples in lengths:
        settings.say(f"scaling: {n_samples} samples")
        words = ["stream", n_samples, width, rows, "float32", EPS, settings.seed]
        # A process of its own, as the peak of memory never falls again.
        result = finished([start_worker(words, torch.get_num_threads())])[0]
        total = result["seconds"] + result["count_seconds"]
        found.append(
            {
                "n_samples": n_samples,
                "width": width,
                **result,
                "total_seconds": total,
                "per_sample": result["seconds"] / n_samples,
                "ratio": result["seconds"] / result["product_seconds"],
            }
        )
    return Table(
        "samples",
        f"Streaming batches of {rows} × {width} float32 features",
        (
            Column("n_samples", "samples", "{:,}".format),
            Column("rank", f"ε-rank at {EPS:g}", _interval),
            Column("total_seconds", "time", seconds),
            Column("per_sample", "per sample", seconds),
            Column("ratio", "to float32 products alone", "{:.3g}".format),
            Column("memory", "memory above the batches", _megabytes),
        ),
        tuple(found),
        "Memory: peak of the process above what was in use when the batches were in place. "
        "The products ΦᵀΦ of the same batches in float32, which no bound goes with, are timed in "
        "turn with the sums." + ("" if settings.effort == "full" else " 10⁷ samples: --full."),
    )


def over_layers(settings: BenchmarkSettings) -> Table:
    """Time one measurement of a probe over the number of layers."""
    width, samples = settings.pick((8, 32), (256, 2048))
    depths = settings.pick((1, 2), (1, 2, 4, 8, 16, 32))
    rows = []
    for depth in depths:
        settings.say(f"scaling: {depth} layers")
        # Layers draw from PyTorch's own generator, which stays as the caller has it.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            hidden = [part for _ in range(depth) for part in (nn.Linear(width, width), nn.Tanh())]
            model = nn.Sequential(*hidden, nn.Linear(width, 10))
            probe = torch.randn(samples, width)
        with (
            RankMonitor(model, probe=probe, warn=False) as monitor,
            RankMonitor(model, probe=probe, quantities="ranks", warn=False) as counting,
        ):
            timings = interleaved(
                {
                    "forward": partial(_forward, model, probe),
                    "measure": monitor.measure,
                    "counts": counting.measure,
                },
                settings.rounds_of(9),
                rest=settings.rest,
            )
        rows.append(
            {
                "layers": depth,
                "width": width,
                "samples": samples,
                "forward_seconds": timings.median("forward"),
                "seconds": timings.median("measure"),
                "per_layer": timings.median("measure") / depth,
                "counts_seconds": timings.median("counts"),
                "ratio": timings.ratio("measure", "forward").to_json(),
            }
        )
    return Table(
        "layers",
        f"One measurement over the layers (width {width}, probe of {samples})",
        (
            Column("layers", "layers"),
            Column("forward_seconds", "forward pass alone", seconds),
            Column("seconds", "measurement", seconds),
            Column("per_layer", "per layer", seconds),
            Column("counts_seconds", "counts only", seconds),
            Column("ratio", "measurement / forward pass", ratio),
        ),
        tuple(rows),
    )


def over_processes(settings: BenchmarkSettings) -> Table:
    """Time one measurement of a probe that several processes share."""
    import torch.distributed as dist

    title = "One measurement over processes (gloo, one thread each)"
    if not (dist.is_available() and dist.is_gloo_available()):
        left_out = (("processes", "PyTorch was built without gloo"),)
        return Table("processes", title, (), (), skipped=left_out)
    width, samples = settings.pick((8, 64), (512, 32_768))
    rounds = settings.rounds_of(9)
    rows: list[dict[str, Any]] = []
    for size in settings.pick((1, 2), (1, 2, 4)):
        settings.say(f"scaling: {size} processes")
        with scratch("meeting") as folder:
            words = [samples, width, rounds, settings.seed]
            found = finished(
                [start_worker(["member", i, size, folder, *words], 1) for i in range(size)]
            )
        first = rows[0] if rows else None
        own = found[0]
        rows.append(
            {
                "processes": size,
                "samples": samples,
                "width": width,
                "seconds": own["seconds"],
                "ratio": 1.0 if first is None else own["seconds"] / first["seconds"],
                "ranks": own["ranks"],
                "traces": own["traces"],
                "rank": own["ranks"][0],
                "difference": 0.0
                if first is None
                else max(
                    abs(a - b) / abs(b) for a, b in zip(own["traces"], first["traces"], strict=True)
                ),
            }
        )
    return Table(
        "processes",
        title,
        (
            Column("processes", "processes"),
            Column("seconds", "measurement", seconds),
            Column("ratio", "to one process", "{:.3g}".format),
            Column("rank", "ε-rank", _interval),
            Column("difference", "trace differs by", "{:.1e}".format),
        ),
        tuple(rows),
        f"{samples} samples in all, width {width}; each process sums its share. Runs one after "
        "another: load moves these ratios.",
    )


def _forward(model: nn.Module, x: torch.Tensor) -> None:
    with torch.no_grad():
        model(x)


def _interval(ends: list[int]) -> str:
    return rank_text(*ends)


def _megabytes(value: float) -> str:
    return f"{math.ceil(value / _MEGABYTE):,} MB"
