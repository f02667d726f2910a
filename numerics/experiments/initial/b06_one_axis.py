"""B6: every quantity beside the ε-rank, and in which order they first pass their levels.

Settings: tanh 1-50-1 (and one of two hidden layers) on sums of sin x, sin 2x, sin 4x with equal,
falling and rising amplitudes, 64 points of [−π, π), mean of squares, heavy-ball descent on all
samples in float64, from PyTorch's weights and from small ones, σ N(0, 1); all of it ours.
Measurements are even in the logarithm of steps, ε = 1e-6.

Rule. The anchor is the first passage of half of the growth of the last layer's ε-rank. Two parts.
*before* it come condensation (fewest orientations of the first layer), the first descent (loss ≤
0.9 L₀) and the largest W₁ of amplitudes, as the stages of source 002 have it; *after* it come a
tenth of the first loss and the highest frequency, as floors have it, since the loss that is left
needs directions. Per event the median over seeds of log₁₀ of the ratio of steps lies on that side
of 0, by an interval that takes passages as what is known of them: between two measurements, or
beyond the last one. A seed whose rank does not grow, or whose event is none, says nothing and
counts as unknown. A part holds in a setting where all its events do, and fails there where one is
established on the other side; a seed votes for it where all are. Supported where it holds in all
settings, a regime where in some, refuted where it fails in all. Events, sides and anchor were
written down before any run was seen; the two parts after the first exploratory ones, since levels
0.9 and 0.1 of one loss cannot both lie on the other side. All other events are shown beside them
with two-sided sign tests, and nothing is claimed of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from epsrank.numerics.experiments.analysis import (
    Analysis,
    Effect,
    Finding,
    Picture,
    Table,
    effect,
    family_pvalue,
    sign,
)
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.initial.judged import (
    UNKNOWN,
    Span,
    censored,
    judge,
    log_ratio,
    vote,
)
from epsrank.numerics.experiments.robustness import Measured, with_panel
from epsrank.numerics.experiments.rules import experiment_rules
from epsrank.numerics.stages.axis import RunAxis, axis_of
from epsrank.numerics.stages.order import EventTimes, pairs_of, times_of
from epsrank.numerics.stages.passages import Passage, passages
from epsrank.numerics.sweeps.trial import Outcome, Trial
from epsrank.theory.numbers.arrays import Vector
from epsrank.theory.statistics import detectable_share

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLAIM = "stages-and-rank"
#: The event that all others are held against, of the last layer.
ANCHOR = "at half of its growth"
#: Results of trials of kind ``one-axis``.
SERIES = Measured(("series",), table="series", planned=True)
# Thresholds whose ranks the trials keep; the first is the one judged.
_EPS = ("1e-06", "0.0001", "0.01")


@dataclass(frozen=True)
class Group:
    """The runs of one setting."""

    #: Words, such as ``equal, small, 1 hidden layer``.
    name: str
    settings: Mapping[str, Any]
    runs: tuple[RunAxis, ...]

    @property
    def layer(self) -> str:
        """`Track.name` of the last layer's rank."""
        return f"rank:{self.settings['hidden']}"

    def times(self) -> tuple[EventTimes, ...]:
        """Return all events with their passages by run."""
        return times_of([passages(run) for run in self.runs])


def plan(request: Request) -> list[Trial]:
    """Return one trial per target, start, depth and seed."""
    rules = experiment_rules("B6", request.size)
    return [
        Trial(
            "one-axis",
            {
                "target": target,
                "hidden": hidden,
                "width": rules["width"],
                "sigma": None if start == "default" else rules["sigma"],
                "learning_rate": rules["rates"][start],
                "momentum": rules["momentum"],
                "steps": rules["steps"],
                "measurements": rules["measurements"],
                "seed": seed,
            },
        )
        for target, hidden in rules["networks"]
        for start in ("default", "small")
        for seed in request.seed_range(rules["seeds"])
    ]


def read(outcomes: Sequence[Outcome]) -> tuple[list[Group], tuple[str, ...]]:
    """Return the runs by setting, and a note on what is missing."""
    held: dict[tuple[str, int, bool], list[Outcome]] = {}
    lost = diverged = 0
    for outcome in outcomes:
        if outcome.status != "done" or len(outcome.result["series"].get("step", ())) < 2:
            lost += 1
            continue
        diverged += bool(outcome.result["diverged"])
        own = outcome.settings
        held.setdefault((own["target"], own["hidden"], own["sigma"] is None), []).append(outcome)
    groups = []
    for (target, hidden, default), mine in held.items():
        start = "PyTorch's weights" if default else f"σ = {mine[0].settings['sigma']:g}"
        name = f"{target}, {start}, {hidden} hidden layer{'s' * (hidden > 1)}"
        groups.append(Group(name, mine[0].settings, tuple(map(_axis, mine))))
    notes = [f"{lost} of {len(outcomes)} trials failed"] * bool(lost)
    notes += [f"{diverged} runs diverged: they are judged up to there"] * bool(diverged)
    return groups, tuple(notes)


def _axis(outcome: Outcome) -> RunAxis:
    columns = {
        name: np.array([np.nan if value is None else value for value in values], dtype=np.float64)
        for name, values in outcome.result["series"].items()
    }
    columns["limit"] = np.full(len(columns["step"]), outcome.result["limit"])
    seed = outcome.settings["seed"]
    return axis_of(columns, name=f"seed {seed}", seed=seed, settings={}, eps=float(_EPS[0]))


def span(passage: Passage | None) -> Span | None:
    """Return what is known of the step of a passage; None where there is no such event."""
    return None if passage is None else (max(passage.after, 0.0), passage.by)


def apart(row: EventTimes, anchor: EventTimes) -> list[Span]:
    """Return what is known of log₁₀ of the ratio of steps, by run."""
    ends = [(span(a), span(b)) for a, b in zip(row.passages, anchor.passages, strict=True)]
    return [UNKNOWN if a is None or b is None else log_ratio(a, b) for a, b in ends]


def findings(groups: Sequence[Group], rules: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Judge both parts: what comes before half of the rank's growth, and what after it."""
    return (_part(groups, "before", rules["before"], -1), _part(groups, "after", rules["after"], 1))


def _part(groups: Sequence[Group], part: str, events: Sequence[str], side: int) -> Finding:
    """Judge whether all of some events come on one side of the anchor, in every setting."""
    effects: list[Effect] = []
    votes, holds, against, words = [], [], [], []
    for group in groups:
        rows = {row.event.name: row for row in group.times()}
        anchor = _anchor(group, rows)
        found: list[tuple[str, int]] = []
        sides: list[list[float]] = []
        for name in events:
            row = rows.get(name)
            if anchor is None or row is None:
                continue
            spans = apart(row, anchor)
            item = censored(f"log₁₀ of {name} / {anchor.event.name}, {group.name}", spans,
                            unit="decades")  # fmt: skip
            assert item is not None
            effects.append(item)
            found.append((name, side * sign(item)))
            sides.append([side * vote(span) for span in spans])
        if not found:
            continue
        holds.append(len(found) == len(events) and all(way > 0 for _, way in found))
        against.append(any(way < 0 for _, way in found))
        # The conjunction of a seed is as sure as its least sure event.
        each = zip(group.runs, zip(*sides, strict=True), strict=True)
        votes.append({int(str(run.seed)): min(ways) for run, ways in each})
        told = ", ".join(
            f"{name}{' on the other side' if way < 0 else ''}" for name, way in found if way <= 0
        )
        words += [f"{group.name}: not {told}"] * bool(told)
    count = max((len(own) for own in votes), default=0)
    power = ""
    if count:
        power = f" Of {count} seeds a share of {detectable_share(count):.2f} is found 4 times in 5."
    return Finding(
        CLAIM,
        judge(holds, against),
        f"{', '.join(events)} come {part} half of the growth of the last layer's ε-rank in "
        f"{sum(holds)} of {len(holds)} settings{'; ' * bool(words)}{'; '.join(words)}."
        f"{power}",
        effects,
        tried=len(effects),
        witness=dict(groups[0].settings) if against and all(against) else None,
        part=part,
        pvalue=family_pvalue(votes) if votes else None,
    )


def _anchor(group: Group, rows: Mapping[str, EventTimes]) -> EventTimes | None:
    return next(
        (r for n, r in rows.items() if r.event.track == group.layer and n.endswith(ANCHOR)), None
    )


def passage_rows(groups: Sequence[Group]) -> Table:
    """Return every event in every setting."""
    rows: list[dict[str, Any]] = []
    for group in groups:
        for row in group.times():
            median = row.median
            rows.append(
                {
                    "setting": group.name,
                    "event": row.event.name,
                    "seeds": len(row.known),
                    "reached": row.reached,
                    "step, median": median and median.value,
                    "step, low": median and median.low,
                    "step, high": median and median.high,
                }
            )
    return Table("passages", "First passages, medians over seeds with intervals", rows)


def order_rows(groups: Sequence[Group]) -> Table:
    """Return the order against the ranks, by sign tests with Holm's correction per setting."""
    rows: list[dict[str, Any]] = []
    for group in groups:
        for pair in pairs_of(group.times(), [group.layer]):
            share = pair.share
            rows.append(
                {
                    "setting": group.name,
                    "first": pair.first,
                    "second": pair.second,
                    "before": pair.before,
                    "after": pair.after,
                    "tied": pair.tied,
                    "neither": pair.neither,
                    "share, low": share and share.low,
                    "share, high": share and share.high,
                    "p": pair.pvalue,
                    "p, Holm": pair.adjusted,
                }
            )
    return Table("order", "In how many seeds one event came before the other", rows)


def condensation_rows(groups: Sequence[Group]) -> Table:
    """Return condensation and low rank of the same weights: what goes with the orientations."""
    rows: list[dict[str, Any]] = []
    for group in groups:
        for layer in range(1, group.settings["hidden"] + 1):
            own = "orientations" if layer == 1 else f"orientations:{layer}"
            held = [
                (run.tracks[own].values, run.tracks[f"weight_rank:{layer}"].values)
                for run in group.runs
                if own in run.tracks and f"weight_rank:{layer}" in run.tracks
            ]
            if not held:
                continue
            fewest = [(counts.min(), ranks[int(np.argmin(counts))]) for counts, ranks in held]
            # NaN of a run whose number of orientations never changes.
            found = effect("", [_tau(counts, ranks) for counts, ranks in held])
            rows.append(
                {
                    "setting": group.name,
                    "layer": layer,
                    "seeds": len(held),
                    "fewest orientations": float(np.median([count for count, _ in fewest])),
                    "effective rank then": float(np.median([rank for _, rank in fewest])),
                    "at the start": float(np.median([ranks[0] for _, ranks in held])),
                    "at the end": float(np.median([ranks[-1] for _, ranks in held])),
                    "Kendall's τ of both": found and found.interval.value,
                    "τ, low": found and found.interval.low,
                    "τ, high": found and found.interval.high,
                }
            )
    title = "Orientations and effective rank of the same input weights, medians over seeds"
    return Table("condensation", title, rows)


def _tau(a: Vector, b: Vector) -> float:
    """Return Kendall's τ along a run, NaN where one never changes."""
    from scipy.stats import kendalltau

    return math.nan if np.ptp(a) == 0 or np.ptp(b) == 0 else float(kendalltau(a, b).statistic)


def judged(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge the claim."""
    rules = experiment_rules("B6", "standard")
    groups, notes = read(outcomes)
    pictures = tuple(
        Picture(f"axis-{place}", f"B6: every run on one axis, {group.name} (claim {CLAIM})",
                partial(_draw, group))
        for place, group in enumerate(groups, 1)
    )  # fmt: skip
    tables = (passage_rows(groups), order_rows(groups), condensation_rows(groups))
    return Analysis(findings(groups, rules), tables, pictures, notes)


def views(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, list[Outcome]]]:
    """Give outcomes with other measurements, in half of the budget, and at other thresholds."""
    yield from SERIES.views(outcomes)
    for other in _EPS[1:]:
        yield f"at ε = {other}", [_at(outcome, other) for outcome in outcomes]


def _at(outcome: Outcome, other: str) -> Outcome:
    """Return an outcome whose ranks at the first ε are those at another one."""
    if outcome.status != "done":
        return outcome
    series = dict(outcome.result["series"])
    for name in [name for name in series if name.endswith(f"_{_EPS[0]}")]:
        series[name] = series[name.removesuffix(_EPS[0]) + other]
    return replace(outcome, result={**outcome.result, "series": series})


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge the claim, and hold it back where it does not stand in every view."""
    return with_panel(judged, outcomes, views)


def _draw(group: Group) -> Figure:
    """Draw every quantity of every run of a setting."""
    from epsrank.numerics.plots.training_stages import draw_training_stages
    from epsrank.numerics.stages.entry import stages_by_setting

    (stages,) = stages_by_setting(group.name, group.runs, against=[group.layer])
    return draw_training_stages(stages, along="log")


EXPERIMENT = Experiment(
    "B6",
    "Every quantity beside the ε-rank on one axis",
    "section F of the plan; settings ours",
    (CLAIM,),
    plan,
    analyse,
)
