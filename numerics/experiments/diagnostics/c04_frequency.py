"""C4: frequency principle, with the order of amplitudes taken apart from that of frequencies.

Source: Xu, Zhang, Xiao (arXiv:1807.01251), Xu et al. (1901.06523): sums of sines, largest
amplitude last, tanh 200-200-200-100, Adam 2e-4; images along the first principal component.
Rahaman et al. (1806.08734) for spectral bias: equal amplitudes, random phases. Ours: three orders
of the amplitudes (1, 2, 3), (3, 2, 1), (1, 1, 1) of sin x, sin 3x, sin 5x on [−π, π], else a
large amplitude that is fitted early or late passes for a frequency that is; on [−5, 5]
frequencies fall between bins, so that coefficients of sin kx and cos kx are fitted by least
squares everywhere. 201 points, Nyquist at k = 100 and above. Exceptions to show: all weights of
large variance, a structured first layer, a loss of derivatives.

A frequency is *fitted* at the first measurement from which on Δ is below `fitted` of the rules, but
for spikes (`epsrank.numerics.stages.passages.lasting`); one that never is counts as later than all
others. In block 2 a single spike of Adam moved this moment: the lowest frequency, fitted at once,
was fitted last in runs where nothing else was. So the spikes were let go, and block 3 is judged.

Rules, with 95 % intervals of medians over seeds:

- ``f-principle``: log₁₀ of the step of each frequency over that of the next lower one, in the three
  orders on [−π, π] and in the source's on [−5, 5], and on images (Spearman's ρ of frequency and
  step). All above 0: supported; some: regime; none, and one below: refuted. The exceptions stand
  beside it as effects of their own, which show where it ends and do not decide.
- ``spectral-bias``: equal amplitudes, random phases, k = 1, 2, …: Spearman's ρ of k and step. Above
  0: supported; below: refuted; else undecided.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import spearmanr

from epsrank.numerics.experiments.analysis import Analysis, Finding, Picture, Table
from epsrank.numerics.experiments.diagnostics.arms import (
    Arms,
    Comparisons,
    arms_of,
    by_seed,
    curve,
    failures,
    said,
    series,
    with_views,
)
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.rules import all_rules, experiment_rules
from epsrank.numerics.plots.over_seeds import Panel, time_panels
from epsrank.numerics.stages.passages import lasting
from epsrank.numerics.sweeps.trial import Outcome, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PRINCIPLE, _BIAS = "f-principle", "spectral-bias"
_WAVES = (1, 3, 5)
_ORDERS = {"largest last": (1.0, 2.0, 3.0), "largest first": (3.0, 2.0, 1.0), "equal": (1.0,) * 3}
_BOX, _WIDE = math.pi, 5.0
_PLACES = ("lowest frequency", *(f"{place}. frequency" for place in range(2, 10)))


def plan(request: Request) -> list[Trial]:
    """Return the fits of all arms, and the images."""
    rules = experiment_rules("C4", request.size)
    arms: list[dict[str, Any]] = [{"amplitudes": a} for a in _ORDERS.values()]
    arms.append({"amplitudes": _ORDERS["largest last"], "half": _WIDE})
    arms += [{"init": rules["large"]}, {"init": "structured"}, {"loss": "derivative"}]
    waves = list(range(1, rules["waves"] + 1))
    arms.append({"frequencies": waves, "amplitudes": [1.0] * len(waves), "phases": "random"})
    usual = {
        "frequencies": _WAVES,
        "amplitudes": _ORDERS["equal"],
        "phases": "zero",
        "half": _BOX,
        "init": "default",
        "loss": "value",
        "widths": rules["widths"],
        "rate": rules["rate"],
        "steps": rules["steps"],
        "measurements": rules["measurements"],
    }
    seeds = request.seed_range(rules["seeds"], rules["block"])
    trials = [
        Trial("frequency", {**usual, **arm, "seed": seed}, version=2)
        for arm in arms
        for seed in seeds
    ]
    tasks = ("digits", *(name for name in ("mnist",) if name in request.datasets))
    return trials + [
        Trial("frequency-images", {"task": task, **rules["images"], "seed": seed}, version=2)
        for task in tasks
        for seed in seeds
    ]


def arm_of(outcome: Outcome) -> str:
    """Return in what an outcome differs from the usual fit."""
    settings = outcome.settings
    if outcome.trial.kind == "frequency-images":
        return str(settings["task"])
    if settings["phases"] == "random":
        return "many waves"
    if settings["init"] == "structured":
        return "structured first layer"
    if settings["init"] != "default":
        return "large weights"
    if settings["loss"] == "derivative":
        return "derivative loss"
    order = next(n for n, a in _ORDERS.items() if list(a) == list(settings["amplitudes"]))
    return order if settings["half"] == _BOX else f"{order}, ±5"


def fitted_at(outcome: Outcome, name: str) -> float:
    """Return the first step from which on Δ is below the bound; ∞ where it never is."""
    below = series(outcome, name) < float(all_rules()["C4"]["fitted"])
    # The first measurement is step 0; a logarithm wants 1.
    return max(lasting(series(outcome, "step"), below).by, 1.0)


def names_of(outcome: Outcome) -> list[str]:
    """Return the columns of errors, frequencies ascending."""
    return [name for name in sorted(outcome.result["series"], key=_order) if "error_" in name]


def _order(name: str) -> int:
    tail = name.rpartition("_")[2]
    return int(tail) if tail.isdigit() else -1


def later(outcome: Outcome, low: str, high: str) -> float:
    """Return log₁₀ of the step of one frequency over that of a lower one."""
    first, second = fitted_at(outcome, low), fitted_at(outcome, high)
    if math.isinf(first) and math.isinf(second):
        return math.nan  # neither arrived: no order
    return math.log10(second / first) if math.isfinite(first) else -math.inf


def monotone(outcome: Outcome) -> float:
    """Return Spearman's ρ of frequency and step; those that never arrive are equally last."""
    steps = [fitted_at(outcome, name) for name in names_of(outcome)]
    if len(set(steps)) < 2:
        return math.nan
    # Ranks: ∞ is larger than all.
    finite = [step if math.isfinite(step) else 1e300 for step in steps]
    return float(spearmanr(range(len(finite)), finite)[0])


def _pairs(found: Comparisons, name: str, runs: Sequence[Outcome]) -> None:
    for low, high in pairwise(_WAVES):
        values = by_seed(runs, partial(later, low=f"error_{low}", high=f"error_{high}"))
        zeros = dict.fromkeys(values, 0.0)
        found.add(f"{name}: k = {high} after {low}", values, zeros, "decades")


def _principle(arms: Arms) -> Finding:
    deciding, beside = Comparisons(), Comparisons()
    for name, runs in arms.items():
        if name == "many waves":
            continue
        if runs[0].trial.kind == "frequency-images":
            values = by_seed(runs, monotone)
            label = f"{name}, principal component: ρ of frequency and step"
            deciding.add(label, values, dict.fromkeys(values, 0.0))
        else:
            usual = name.partition(",")[0] in _ORDERS
            _pairs(deciding if usual else beside, name, runs)
    finding = deciding.finding(_PRINCIPLE, "The higher frequency is fitted later:")
    return replace(
        finding,
        statement=f"{finding.statement}. Exceptions: {said(beside.effects)}",
        effects=[*deciding.effects, *beside.effects],
    )


def _bias(arms: Arms) -> Finding:
    found = Comparisons()
    values = by_seed(arms.get("many waves", ()), monotone)
    found.add("ρ of frequency and step", values, dict.fromkeys(values, 0.0))
    return found.finding(_BIAS, "Equal amplitudes, random phases:")


def _rows(arms: Arms) -> list[dict[str, Any]]:
    """Return the median step at which each frequency is fitted."""
    rows = []
    for arm, runs in arms.items():
        for name in names_of(runs[0]):
            steps = [fitted_at(run, name) for run in runs]
            middle = float(np.median(steps))
            rows.append({
                "arm": arm,
                "frequency": name.rpartition("_")[2],
                "median step": middle if math.isfinite(middle) else None,
                "arrived": sum(map(math.isfinite, steps)),
                "runs": len(steps),
            })  # fmt: skip
    return rows


def draw_runs(arms: Arms) -> Figure:
    """Draw Δ of each frequency in every run, and the loss."""
    bound = float(all_rules()["C4"]["fitted"])
    columns = [
        [
            Panel("Δ", [curve(_PLACES[i], runs, error)
                        for i, error in enumerate(names_of(runs[0]))],
                  "log", name, guide=bound, each=True),
            Panel("loss", [curve("loss", runs, "loss")], "log", each=True),
        ]
        for name, runs in arms.items()
    ]  # fmt: skip
    return time_panels(columns, title="Every run, the first one strong", time_scale="log")


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge both claims."""
    arms = arms_of(outcomes, arm_of)
    if not arms:
        findings = tuple(
            Finding(c, "undecided", "No run was completed") for c in (_PRINCIPLE, _BIAS)
        )
        return Analysis(findings, notes=failures(outcomes))
    half = (len(arms) + 1) // 2
    pictures = tuple(
        Picture(
            f"runs-{place + 1}",
            f"C4: relative error Δ of each frequency, and the loss of every run, the first one "
            f"strong: by the principle curves cross the bound (dashed) in the order of their "
            f"frequencies. {', '.join(some)}. Decides f-principle and spectral-bias",
            partial(draw_runs, {name: arms[name] for name in some}),
        )
        for place, some in enumerate((list(arms)[:half], list(arms)[half:]))
        if some
    )
    tables = (Table("steps", "When each frequency is fitted", _rows(arms)),)
    return Analysis((_principle(arms), _bias(arms)), tables, pictures, failures(outcomes))


EXPERIMENT = Experiment(
    "C4",
    "Frequency principle and spectral bias",
    "arXiv:1807.01251, 1901.06523, 1806.08734; orders of amplitudes ours",
    (_PRINCIPLE, _BIAS),
    plan,
    partial(with_views, analyse),
)
