"""Tables of pre-training: arms, speed over the targets, and costs, which differ from run to run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from epsrank.numerics.experiments.analysis import Table
from epsrank.numerics.experiments.pretraining.claims import Comparison, power
from epsrank.numerics.experiments.pretraining.runs import PretrainingRun
from epsrank.numerics.experiments.pretraining.speed import (
    SpeedPoint,
    in_seconds,
    scores,
    speed_curve,
)
from epsrank.theory.statistics import median_interval
from epsrank.theory.strict_json import worded


def tables(comparisons: Sequence[Comparison]) -> tuple[Table, ...]:
    """Return the tables behind the findings; those named ``cost-…`` differ from run to run."""
    if not comparisons:
        return ()
    rows = [_row(item, arm) for item in comparisons for arm in ("plain", "pretrained")]
    speed = [_point(item, point) for item in comparisons for point in item.curve]
    found = [
        Table("pretraining", "Pre-training by arm, medians over seeds", rows),
        Table("speed", "Ratio of steps to an error τ, pre-trained / plain, over τ", speed),
    ]
    costs = [cost for item in comparisons if (cost := _cost(item)) is not None]
    if costs:
        title = "Time with the initialisation's own (of one thread), medians over seeds and targets"
        found.append(Table("cost-pretraining", title, [row for row, _ in costs]))
        title = "Ratio of seconds to an error τ, initialisation included, over τ"
        found.append(Table("cost-speed", title, [row for _, curve in costs for row in curve]))
    return tuple(found)


def _row(item: Comparison, arm: str) -> dict[str, Any]:
    runs = list((item.plain if arm == "plain" else item.pretrained).values())
    return {
        "comparison": item.name,
        "arm": arm,
        "seeds": len(runs),
        "initial rank": _median([sum(run.first_rank) / 2 for run in runs]),
        "final rank": _median([sum(run.last_rank) / 2 for run in runs]),
        "final error": _median([run.final_error for run in runs]),
        "completed": sum(run.status == "complete" for run in runs),
    }


def _point(item: Comparison, point: SpeedPoint) -> dict[str, Any]:
    interval = point.interval
    return {
        "comparison": item.name,
        "target": point.target,
        "seeds": len(point.ratios),
        "arrive, plain": point.plain_arrive,
        "arrive, pre-trained": point.pretrained_arrive,
        "ratio": "" if interval is None else power(interval.value),
        "ratio, low": "" if interval is None else power(interval.low),
        "ratio, high": "" if interval is None else power(interval.high),
    }


def _median(values: Sequence[float]) -> float | str:
    value: float | str = worded(median_interval(values).value)
    return value


def _cost(item: Comparison) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
    """Return what pre-training saves in seconds, over all targets and target by target."""
    arms = {"plain": item.plain, "pre-trained": item.pretrained}
    # Without times of every run the medians would be of other seeds.
    if not all(_timed(run) for runs in arms.values() for run in runs.values()):
        return None
    targets = [point.target for point in item.curve]
    curve = speed_curve(item.plain, item.pretrained, targets, in_seconds)
    values = scores(curve)
    if not values:
        return None
    ratio = median_interval(list(values.values()))
    seconds = {
        f"{what}, {name}": _median([float(getattr(run, attribute)) for run in runs.values()])
        for name, runs in arms.items()
        for what, attribute in (
            ("s to initialise", "seconds_first"),
            ("s per update", "seconds_update"),
        )
    }
    row = {"comparison": item.name} | seconds
    row |= {
        "ratio": power(ratio.value),
        "ratio, low": power(ratio.low),
        "ratio, high": power(ratio.high),
        "pays": "yes" if ratio.high < 0 else "no" if ratio.low > 0 else "undecided",
    }
    return row, [_point(item, point) for point in curve]


def _timed(run: PretrainingRun) -> bool:
    return run.seconds_first is not None and run.seconds_update is not None
