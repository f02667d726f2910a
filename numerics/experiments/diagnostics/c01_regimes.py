"""C1: two regimes of the step size, and a large initial rate.

Sources: Leclerc and Madry 2020 (arXiv:2002.10376), Li, Wei, Ma 2019 (1907.04595). Ours: digits,
MLP with ReLU, cross-entropy, batches of 64. Both rates are found by bisection for every seed, with
weights and an order of batches other than those judged (a seed where no rate trains is told of):
*large*, the largest that ends below ½ ln 10, half the loss of a network that says nothing;
*small*, the largest at which the loss falls from every epoch to the next. Momentum 0.9 is
compared with none at equal η, at equal η/(1 − μ), and at an equal share of each one's limit of
stability. The two-phase schedule (large, then small with momentum) at several switches stands
beside three steps, and decides nothing.

For the initial large rate: two-layer networks on the synthetic mixture of that paper (one part
linear and noisy, one clustered and free of noise) and on digits with a patch that gives the class
away; the rate is swept in shares of the largest that converges and annealed at half the time, since
later work finds that only a narrow band just above the threshold helps: two points prove nothing.

Rules, medians over seeds with 95 % intervals:

- ``two-regimes``: for each of the three comparisons (a) with the small rate log₁₀ of the final
  training loss without momentum less with it, (b) with the large rate the reverse. Both above 0 in
  all three: supported; in some: regime; in every one (a) or (b) below 0: refuted; else undecided.
- ``initial-large-rate``: error of the small rate less that of the annealed large one, on samples
  never seen, at each share and on both data sets. All above 0: supported; some: regime (the
  statement gives the band); none, and one below: refuted; else undecided.
"""

from __future__ import annotations

import math
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
from epsrank.numerics.experiments.diagnostics.arms import Comparisons, by_seed, failures, in_both
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.rules import experiment_rules
from epsrank.numerics.plots.over_seeds import Curve, Panel, time_panels
from epsrank.numerics.plots.style import INK, dress, look, new_figure, side_by_side
from epsrank.numerics.sweeps.trial import Outcome, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_REGIMES, _RATE = "two-regimes", "initial-large-rate"
_EQUAL = ("equal rate", "equal rate/(1−μ)", "equal share of the limit")
_TASKS = ("mixture", "patched")
_REGIMES_CAPTION = (
    "C1: training loss by epoch of every run, the first one strong: by the claim momentum ends "
    "below plain at the small rate, and above it at the large one. Decides two-regimes"
)
_RATES_CAPTION = (
    "C1: what a large initial rate gains on samples never seen, every run and the median (marks): "
    "above 0 it generalises better than the small rate throughout. Decides initial-large-rate"
)


def plan(request: Request) -> list[Trial]:
    """Return one trial per seed for the regimes, and one per task and seed for the large rate."""
    rules = experiment_rules("C1", request.size)
    seeds = request.seed_range(rules["seeds"])
    regimes = {"momentum": 0.9, "width": rules["width"], **rules["regimes"]}
    return [Trial("step-regimes", {**regimes, "seed": seed}, version=2) for seed in seeds] + [
        Trial(
            "large-rate",
            {"task": task, "width": rules["width"], **rules["rate"], "seed": seed},
            version=2,
        )
        for task in _TASKS
        for seed in seeds
    ]


def loss_of(outcome: Outcome, run: str) -> float:
    """Return log₁₀ of the final loss; ∞ where the run diverged."""
    found = outcome.result["runs"][run]["loss"]
    return math.inf if found is None else math.log10(max(found, 1e-300))


def error_of(outcome: Outcome, run: str) -> float:
    """Return the error on samples never seen; that of a run that diverged is 1."""
    found = outcome.result["runs"][run]["error"]
    return 1.0 if found is None else float(found)


def _gain(outcomes: Sequence[Outcome], regime: str, arm: str, read: Any) -> dict[int, float]:
    """Return by how much momentum lowers a number."""

    def gain(outcome: Outcome) -> float:
        plain, own = read(outcome, f"{regime}, plain"), read(outcome, f"{regime}, {arm}")
        # Where both diverged, ∞ − ∞ would leave the seed out: neither is better.
        return 0.0 if plain == own else float(plain - own)

    return by_seed(outcomes, gain)


def _two_regimes(outcomes: Sequence[Outcome]) -> Finding:
    found = Comparisons()
    states: list[tuple[int, int]] = []
    votes: list[dict[int, float]] = []
    for arm in _EQUAL:
        helped = _gain(outcomes, "small", arm, loss_of)
        harmed = {s: -v for s, v in _gain(outcomes, "large", arm, loss_of).items()}
        found.add(
            f"small rate, {arm}: gain by momentum", helped, dict.fromkeys(helped, 0.0), "decades"
        )
        found.add(
            f"large rate, {arm}: loss by momentum", harmed, dict.fromkeys(harmed, 0.0), "decades"
        )
        if helped:
            states.append((sign(found.effects[-2]), sign(found.effects[-1])))
            votes.append(in_both(helped, harmed))
    both = [a > 0 and b > 0 for a, b in states]
    judged: Judgement = "undecided"
    if both and all(both):
        judged = "supported"
    elif any(both):
        judged = "regime"
    elif states and all(-1 in pair for pair in states):
        judged = "refuted"
    where = [arm for arm, yes in zip(_EQUAL, both, strict=False) if yes]
    words = f"Both halves hold at: {', '.join(where) or 'no comparison'}. Final training loss."
    return replace(found.finding(_REGIMES, words), judgement=judged, pvalue=family_pvalue(votes))


def _large_rate(outcomes: Sequence[Outcome]) -> Finding:
    found = Comparisons()
    for task in _TASKS:
        runs = [o for o in outcomes if o.settings["task"] == task]
        for share in runs[0].settings["shares"] if runs else ():
            found.add(
                f"{task}, η = {share:g} of the limit: error of small − of annealed",
                by_seed(runs, lambda o: _share(o.result["small"])),
                by_seed(runs, lambda o, key=str(share): _share(o.result["annealed"][key])),  # type: ignore[misc]
            )
    return found.finding(_RATE, "Samples never seen:")


def _share(error: float | None) -> float:
    return 1.0 if error is None else float(error)


def _rows(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    rows = []
    for run in outcomes[0].result["runs"] if outcomes else ():
        losses = [loss_of(o, run) for o in outcomes]
        middle = float(np.median(losses))
        rows.append({
            "run": run,
            "log10 training loss": middle if math.isfinite(middle) else None,
            "error": float(np.median([error_of(o, run) for o in outcomes])),
            "diverged": sum(map(math.isinf, losses)),
            "runs": len(outcomes),
        })  # fmt: skip
    return rows


def _momentum_on_test(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    found = Comparisons()
    for regime in ("small", "large"):
        for arm in _EQUAL:
            gain = _gain(outcomes, regime, arm, error_of)
            found.add(f"{regime} rate, {arm}", gain, dict.fromkeys(gain, 0.0))
    return [
        {
            "comparison": item.name,
            "error without − with momentum": item.interval.value,
            "low": item.interval.low,
            "high": item.interval.high,
        }
        for item in found.effects
    ]


def draw_regimes(outcomes: Sequence[Outcome]) -> Figure:
    """Draw the loss of every run by epoch, at both rates."""
    columns = []
    for regime in ("small", "large"):
        panels = []
        for arm in ("plain", *_EQUAL):
            held = [o.result["runs"][f"{regime}, {arm}"]["losses"] for o in outcomes]
            longest = max(map(len, held))
            rows = np.full((len(held), longest), np.nan)
            for row, values in zip(rows, held, strict=True):
                row[: len(values)] = [math.nan if v is None else v for v in values]
            steps = np.arange(1.0, longest + 1)
            line = Curve("each run", steps, rows)
            panels.append(Panel("loss", [line], "log", f"{regime} rate, {arm}", each=True))
        columns.append(panels)
    return time_panels(columns, title="Training loss by epoch, every run", time="epoch")


def draw_rates(outcomes: Sequence[Outcome]) -> Figure:
    """Draw by how much the annealed large rate lowers the error, every run and the median."""
    figure = new_figure(8.0, 3.6)
    for axes, task in zip(side_by_side(figure, len(_TASKS)), _TASKS, strict=True):
        runs = [o for o in outcomes if o.settings["task"] == task]
        style, gains = look(0), []
        for run in runs:
            shares = [float(share) for share in run.result["annealed"]]
            errors = [_share(value) for value in run.result["annealed"].values()]
            gains.append(_share(run.result["small"]) - np.array(errors))
            axes.plot(shares, gains[-1], color=style.colour, linewidth=0.7, alpha=0.4)
        if gains:
            axes.plot(shares, np.median(gains, axis=0), color=style.colour, marker=style.marker,
                      markersize=4)  # fmt: skip
        axes.axhline(0.0, color=INK, linewidth=0.9, linestyle=(0, (6, 2)))
        axes.set_xscale("log", base=2)
        dress(axes, x="initial rate / largest that converges",
              y="error of the small rate − of the annealed", panel=task)  # fmt: skip
    return figure


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge both claims."""
    done = [o for o in outcomes if o.status == "done"]
    regimes = [o for o in done if o.trial.kind == "step-regimes" and o.result["runs"]]
    rates = [o for o in done if o.trial.kind == "large-rate" and o.result["annealed"]]
    without = len(done) - len(regimes) - len(rates)
    notes = (
        f"in {without} of {len(done)} trials no rate trained at all; they are left out",
    ) if without else ()  # fmt: skip
    tables: list[Table] = []
    pictures = []
    if regimes:
        limits = [_limit(regimes, name) for name in ("small", "large")]
        tables += [
            Table("limits", "Rates found by bisection, over seeds", limits),
            Table("runs", "Medians over seeds", _rows(regimes)),
            Table("test", "What momentum does on samples never seen", _momentum_on_test(regimes)),
        ]
        pictures.append(Picture("regimes", _REGIMES_CAPTION, partial(draw_regimes, regimes)))
    if rates:
        pictures.append(Picture("rates", _RATES_CAPTION, partial(draw_rates, rates)))
    findings = (_two_regimes(regimes), _large_rate(rates))
    return Analysis(findings, tuple(tables), tuple(pictures), (*failures(outcomes), *notes))


def _limit(outcomes: Sequence[Outcome], name: str) -> dict[str, Any]:
    rates = [float(o.result[name]) for o in outcomes]
    return {
        "rate": name,
        "least": min(rates),
        "median": float(np.median(rates)),
        "most": max(rates),
    }


EXPERIMENT = Experiment(
    "C1",
    "Two regimes of the step size, and a large initial rate",
    "arXiv:2002.10376, 1907.04595; rates by bisection and the sweep ours",
    (_REGIMES, _RATE),
    plan,
    analyse,
)
