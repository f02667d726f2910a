"""C5: critical periods: a deficit at the beginning of training, and what it leaves behind.

Source: Achille, Rovere, Soatto 2017 (arXiv:1711.08856), CIFAR-10 with an All-CNN and a ResNet.
Ours: digits with an MLP and, from the standard size on, a small residual network, MNIST with an
MLP; descent with momentum 0.9 and batches of 64. Blur divides the side by four and multiplies it
again; the control is a vertical flip, which is no null by itself. Until a step the images are
spoiled, then follows (A) a fixed number of clean steps, or (B) what is left of an equal total.
The rate is constant or cyclic (cosine restarts, reported to remove the effect: arXiv:2510.09687).
A window of one length is moved over the training for its onset. A deep linear network that first
completes another matrix stands beside it, since it needs no images.

Rules, medians over seeds with 95 % intervals, per data and network:

- ``critical-period``: error on clean samples never seen (a) of the longest blur less that of none,
  and (b) of the longest blur less that of the longest flip, under A and under B, constant rate (the
  longest deficit has the same clean steps behind it under both: (b) is one number, counted once).
  All above 0: supported; some data or arm with both: regime; none, and some (b) below 0: refuted;
  else undecided. Cyclic rates, onset and the linear network stand beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from epsrank.numerics.experiments.analysis import (
    Analysis,
    Finding,
    Judgement,
    Picture,
    Table,
    family_pvalue,
    sign,
)
from epsrank.numerics.experiments.diagnostics.arms import (
    Comparisons,
    arms_of,
    by_seed,
    failures,
    in_both,
    said,
)
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.rules import experiment_rules
from epsrank.numerics.plots.style import dress, look, new_figure, side_by_side
from epsrank.numerics.sweeps.trial import Outcome, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CLAIM = "critical-period"
_FIXED, _EQUAL, _ONSET = "fixed clean steps", "equal total", "onset"


def plan(request: Request) -> list[Trial]:
    """Return the trainings with and without deficits, and the linear networks."""
    rules = experiment_rules("C5", request.size)
    seeds = request.seed_range(rules["seeds"])
    trials: dict[Trial, None] = {}
    for task, name, own in rules["networks"]:
        if task != "digits" and task not in request.datasets:
            continue
        own = {**rules["usual"], **own}
        for settings in _settings(own):
            for seed in seeds:
                given = {"task": task, "network": name, **settings, "seed": seed}
                trials[Trial("deficit", given, version=2)] = None
    linear = rules["linear"]
    for deficit in linear["deficits"]:
        shared = {k: v for k, v in linear.items() if k != "deficits"}
        for seed in seeds:
            trials[Trial("deficit-linear", {**shared, "deficit": deficit, "seed": seed})] = None
    # A training without a deficit is the same in several arms.
    return list(trials)


def _settings(own: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the settings of one network on one task."""
    shared = {k: own[k] for k in ("width", "samples", "rate", "period")}
    clean, deficits, window = own["clean"], own["deficits"], own["window"]
    found = []
    for schedule in ("constant", "cyclic"):
        for total in sorted({clean, *(stop + clean for stop in deficits)}):
            held = {**shared, "schedule": schedule, "steps": total}
            longest = max(deficits) + clean
            for kind in ("blur", "flip"):
                stops = [stop for stop in deficits if total in (stop + clean, longest)]
                found += [{**held, "deficit": kind, "start": 0, "stop": stop} for stop in stops]
    longest = max(deficits) + clean
    for start in own["onsets"]:
        found.append({**shared, "schedule": "constant", "steps": longest, "deficit": "blur",
                      "start": start, "stop": start + window})  # fmt: skip
    return found


def arm_of(outcome: Outcome) -> str:
    """Return task and network."""
    settings = outcome.settings
    if outcome.trial.kind == "deficit-linear":
        return "deep linear"
    return f"{settings['task']}, {settings['network']}"


def _of(
    runs: Sequence[Outcome], schedule: str, kind: str, stop: int, total: int, start: int = 0
) -> dict[int, float]:
    wanted = (schedule, start, stop, total)
    held = [
        o
        for o in runs
        if (o.settings["schedule"], o.settings["start"], o.settings["stop"], o.settings["steps"])
        == wanted
        and o.settings["deficit"] == kind
    ]
    return by_seed(held, lambda o: float(o.result["error"]))


def _shape(runs: Sequence[Outcome]) -> tuple[list[int], int, int, int]:
    """Return the ends of deficits, the clean steps, the longest total, and the window."""
    first = [o.settings for o in runs if o.settings["start"] == 0]
    stops = sorted({s["stop"] for s in first if s["deficit"] == "flip"})
    longest = max(s["steps"] for s in first)
    window = next((s["stop"] - s["start"] for s in (o.settings for o in runs) if s["start"]), 0)
    return stops, longest - stops[-1], longest, window


def _compare(runs: Sequence[Outcome], name: str, schedule: str) -> Comparisons:
    """Compare the longest blur with no deficit and with the flip, under A and under B."""
    stops, _, longest, _ = _shape(runs)
    found = Comparisons()
    blur, flip = (_of(runs, schedule, kind, stops[-1], longest) for kind in ("blur", "flip"))
    for arm, clean_total in ((_FIXED, longest - stops[-1] + stops[0]), (_EQUAL, longest)):
        none = _of(runs, schedule, "blur", stops[0], clean_total)
        label = f"{name}, {schedule} rate, {arm}"
        found.add(f"{label}: blur − none", blur, none)
    # Under both totals the longest deficit has the same trainings: one number, counted once.
    found.add(_flip_name(name, schedule), blur, flip)
    return found


def _flip_name(name: str, schedule: str) -> str:
    return f"{name}, {schedule} rate: blur − flip"


def _judge(arms: dict[str, list[Outcome]]) -> Finding:
    every, beside = Comparisons(), Comparisons()
    pairs: list[tuple[int, int]] = []
    votes: list[dict[int, float]] = []
    for name, runs in arms.items():
        if name == "deep linear":
            held = sorted({o.settings["deficit"] for o in runs})
            values = [
                by_seed([o for o in runs if o.settings["deficit"] == end],
                        lambda o: float(np.log10(max(o.result["error"], 1e-300))))
                for end in (held[-1], held[0])
            ]  # fmt: skip
            beside.add("deep linear: longest deficit − none", values[0], values[1], "decades")
            continue
        found = _compare(runs, name, "constant")
        every.effects += found.effects
        every.votes += found.votes
        # An arm without seeds in common has no effect: nothing is established by it.
        named = {
            item.name: (sign(item), own)
            for item, own in zip(found.effects, found.votes, strict=True)
        }
        beyond, flip = named.pop(_flip_name(name, "constant"), (0, {}))
        pairs += [(harm, beyond) for harm, _ in named.values()]
        votes += [in_both(own, flip) for _, own in named.values()]
        cyclic = _compare(runs, name, "cyclic")
        beside.effects += cyclic.effects
        _onset(beside, runs, name)
    both = [a > 0 and b > 0 for a, b in pairs]
    judged: Judgement = "undecided"
    if both and all(both):
        judged = "supported"
    elif any(both):
        judged = "regime"
    elif any(b < 0 for _, b in pairs):
        judged = "refuted"
    finding = every.finding(_CLAIM, "Error on clean samples never seen, constant rate:")
    return replace(
        finding,
        judgement=judged,
        pvalue=family_pvalue(votes),
        statement=f"{finding.statement}. Beside it: {said(beside.effects)}",
        effects=[*every.effects, *beside.effects],
    )


def _onset(beside: Comparisons, runs: Sequence[Outcome], name: str) -> None:
    """Compare a window of blur at the beginning with the same window at its latest onset."""
    _, _, longest, window = _shape(runs)
    starts = sorted({o.settings["start"] for o in runs if o.settings["start"]})
    if starts and window:
        first = _of(runs, "constant", "blur", window, longest)
        last = _of(runs, "constant", "blur", starts[-1] + window, longest, starts[-1])
        beside.add(f"{name}: blur for {window} steps from 0 − from {starts[-1]}", first, last)


def _rows(arms: dict[str, list[Outcome]]) -> list[dict[str, Any]]:
    rows: dict[tuple[Any, ...], list[float]] = {}
    for name, runs in arms.items():
        for o in runs:
            s = o.settings
            key = (name, s.get("schedule"), s.get("deficit") if "stop" in s else "other matrix",
                   s.get("start", 0), s.get("stop", s["deficit"]), s["steps"])  # fmt: skip
            rows.setdefault(key, []).append(float(o.result["error"]))
    columns = ("arm", "schedule", "deficit", "from", "to", "steps")
    return [
        {**dict(zip(columns, key, strict=True)), "median error": float(np.median(values)),
         "least": min(values), "most": max(values), "runs": len(values)}
        for key, values in rows.items()
    ]  # fmt: skip


def draw_runs(arms: dict[str, list[Outcome]]) -> Figure:
    """Draw the error of every run over the end of its deficit, kinds beside each other."""
    shown = {name: runs for name, runs in arms.items() if name != "deep linear"}
    figure = new_figure(4.2 * len(shown), 3.6)
    for axes, (name, runs) in zip(side_by_side(figure, len(shown)), shown.items(), strict=True):
        stops, clean, longest, _ = _shape(runs)
        kinds = [(k, a) for k in ("blur", "flip") for a in (_FIXED, _EQUAL)]
        for index, (kind, arm) in enumerate(kinds):
            style, every = look(index), []
            # Runs of the four kinds would cover each other.
            aside = (index - (len(kinds) - 1) / 2) * 0.012 * max(stops)
            places = [stop + aside for stop in stops]
            for stop, place in zip(stops, places, strict=True):
                total = stop + clean if arm == _FIXED else longest
                every.append(list(_of(runs, "constant", kind, stop, total).values()))
                axes.scatter([place] * len(every[-1]), every[-1], s=6, color=style.colour,
                             alpha=0.5)  # fmt: skip
            axes.plot(places, [float(np.median(v)) if v else np.nan for v in every],
                      color=style.colour, linestyle=style.dashes, marker=style.marker,
                      markersize=4, label=f"{kind}, {arm}")  # fmt: skip
        dress(axes, x="step at which the deficit ends", y="error on clean samples", title=name)
        axes.legend(fontsize=7, frameon=False)
    return figure


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge the claim."""
    arms = arms_of(outcomes, arm_of)
    if not any(name != "deep linear" for name in arms):
        finding = Finding(_CLAIM, "undecided", "No run was completed")
        return Analysis((finding,), notes=failures(outcomes))
    picture = Picture(
        "runs",
        "C5: error of every run over the end of the deficit, with medians: a critical period is "
        "blur that ends above where it began, and above the flip. Decides critical-period",
        partial(draw_runs, arms),
    )
    table = Table("errors", "Errors over seeds", _rows(arms))
    return Analysis((_judge(arms),), (table,), (picture,), failures(outcomes))


EXPERIMENT = Experiment(
    "C5",
    "Critical periods",
    "arXiv:1711.08856; on digits and MNIST, control, schedules and equal totals ours",
    (_CLAIM,),
    plan,
    analyse,
)
