"""C3: curvature and gradient noise along descent: break-even point, and edge of stability.

Source: Jastrzębski et al. 2020 (arXiv:2002.09572), a small CNN and ResNets on CIFAR-10; Cohen et
al. 2021 (2103.00065) for full batches; Andreyev and Beneventano 2024 (2412.20553) for batches.
Ours: digits, 64-50-50-10 tanh, plain descent, ½‖u − e_y‖² and cross-entropy. λ_H by Lanczos on
samples that never change (600, with full batches all); λ_K from 25 gradients of one measuring
batch, centred, with the bias of so few gradients beside it. With the training batch as measuring
batch λ_K is ∝ 1/S before any training: the column ``own batch`` shows that artefact, and decides
nothing. Rates are such that 2/η lies within what λ_H reaches, else the loss saturates first and
nothing is seen. Runs are compared at equal η·t, so that the smaller rate has more steps, and not
less training.

Rules, medians over seeds with 95 % intervals, all first rows (the common start) left out:

- ``break-even-1``: max_t of λ_H¹ and of λ_K¹ (in decades) of the smaller rate less those of the
  larger one, at both batches; of the larger batch less the smaller, at both rates; both losses. All
  above 0: supported; some: regime; none, and one below: refuted; else undecided.
- ``break-even-2``: the same for max_t of λ_H¹⁰/λ_H¹ (ten outputs: the largest ten stand out) and of
  λ_K²⁴/λ_K¹ (the least that 25 centred gradients have), of the larger rate less the smaller, of the
  smaller batch less the larger.
- ``edge-of-stability``: full batches; the margin of the rules less the median of |log₂(λ_H·η/2)|
  over the last half of the measurements, per loss and rate, of the runs that do not diverge. All
  above 0: supported, a regime where runs diverged; some: regime; none, and one below: refuted;
  else undecided.

Later findings: at stochastic gradients it is batch sharpness, and not λ_H¹, that settles at 2/η
(table ``ends``); under cross-entropy λ_H¹ falls again once the samples are fitted.
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
    Picture,
    Table,
)
from epsrank.numerics.experiments.diagnostics.arms import (
    Arms,
    Comparisons,
    arms_of,
    by_seed,
    curve,
    failures,
    medians,
    series,
    with_views,
)
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.rules import all_rules, experiment_rules
from epsrank.numerics.plots.over_seeds import Panel, time_panels
from epsrank.numerics.sweeps.trial import Outcome, Trial
from epsrank.theory.numbers.arrays import Vector

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LOSSES = ("mse", "cross-entropy")
_FIRST, _SECOND, _EDGE = "break-even-1", "break-even-2", "edge-of-stability"


def plan(request: Request) -> list[Trial]:
    """Return trainings with batches at all rates, and full-batch ones."""
    rules = experiment_rules("C3", request.size)
    settings = [
        (loss, rate, batch)
        for loss in _LOSSES
        for batches, rates in ((rules["batches"], "rates"), ([0], "full_batch_rates"))
        for batch in batches
        for rate in rules[rates][loss]
    ]
    return [
        Trial(
            "break-even",
            {
                "loss": loss,
                "rate": rate,
                "batch": batch,
                "time": rules["time"] if batch else rules["full_batch_time"],
                "measurements": rules["measurements"],
                "samples": rules["samples"],
                "measuring": rules["measuring"],
                "width": rules["width"],
                "seed": seed,
            },
            version=2,
        )
        for loss, rate, batch in settings
        for seed in request.seed_range(rules["seeds"])
    ]


def arm_of(outcome: Outcome) -> str:
    """Return loss, batch and rate."""
    settings = outcome.settings
    return f"{settings['loss']}, batch {settings['batch'] or 'full'}, η = {settings['rate']:g}"


def largest(outcome: Outcome, name: str) -> float:
    """Return log₁₀ of the largest value that training reaches: the start belongs to no arm."""
    values = series(outcome, name)[series(outcome, "step") > 0]
    values = values[np.isfinite(values) & (values > 0)]
    return float(np.log10(values.max())) if values.size else float("nan")


def late(outcome: Outcome, name: str = "hessian") -> float:
    """Return the median of log₂(x·η/2) over the last half of the measurements."""
    values = _late_values(outcome, name)
    return float(np.median(values)) if values.size else float("nan")


def off_edge(outcome: Outcome) -> float:
    """Return the median of |log₂(λ_H·η/2)| there: swings about the edge do not cancel."""
    values = _late_values(outcome, "hessian")
    return float(np.median(np.abs(values))) if values.size else float("nan")


def _late_values(outcome: Outcome, name: str) -> Vector:
    values = series(outcome, name)
    values = values[len(values) // 2 :] / outcome.result["limit"]
    found: Vector = np.log2(values[np.isfinite(values) & (values > 0)])
    return found


def _grid(outcomes: Sequence[Outcome], loss: str) -> tuple[list[float], list[int]]:
    """Return the rates and batches of stochastic runs, ascending."""
    few = [o.settings for o in outcomes if o.settings["batch"] and o.settings["loss"] == loss]
    return sorted({s["rate"] for s in few}), sorted({s["batch"] for s in few})


def _compared(outcomes: Sequence[Outcome], name: str, sign: int, label: str) -> Comparisons:
    """Compare the least with the largest rate at every batch, and batches at every rate."""
    found = Comparisons()

    def of(loss: str, rate: float, batch: int) -> dict[int, float]:
        runs = [
            o
            for o in outcomes
            if o.status == "done"
            and (o.settings["loss"], o.settings["rate"], o.settings["batch"]) == (loss, rate, batch)
            # A run that has diverged has no largest value.
            and not o.result["diverged"]
        ]
        return by_seed(runs, lambda outcome: sign * largest(outcome, name))

    for loss in _LOSSES:
        rates, batches = _grid(outcomes, loss)
        ends = f"η = {rates[0]:g} against {rates[-1]:g}"
        for batch in batches:
            found.add(
                f"{label}, {loss}, {ends}, batch {batch}",
                of(loss, rates[0], batch),
                of(loss, rates[-1], batch),
                "decades",
            )
        for rate in (rates[0], rates[-1]):
            found.add(
                f"{label}, {loss}, batch {batches[-1]} against {batches[0]}, η = {rate:g}",
                of(loss, rate, batches[-1]),
                of(loss, rate, batches[0]),
                "decades",
            )
    return found


def _conjecture(outcomes: Sequence[Outcome], claim: str) -> Finding:
    """Judge one of the conjectures; of the second the larger ratio is on the other side."""
    sign = 1 if claim == _FIRST else -1
    names = (
        {"hessian": "max λ_H", "noise": "max λ_K"}
        if claim == _FIRST
        else {"hessian_ratio": "−max λ_H¹⁰/λ_H¹", "noise_ratio": "−max λ_K²⁴/λ_K¹"}
    )
    all_of = Comparisons()
    for name, label in names.items():
        found = _compared(outcomes, name, sign, label)
        all_of.effects += found.effects
        all_of.votes += found.votes
    return all_of.finding(claim, "In decades, positive in favour of the conjecture:")


def _edge(arms: Arms) -> Finding:
    """Judge the edge of stability, full batches."""
    margin = float(all_rules()["C3"]["edge_margin"])
    found, words, diverged = Comparisons(), [], 0
    for name, runs in arms.items():
        if "batch full" not in name:
            continue
        whole = [run for run in runs if not run.result["diverged"]]
        diverged += len(runs) - len(whole)
        values = by_seed(whole, late)
        inside = {seed: margin - off for seed, off in by_seed(whole, off_edge).items()}
        label = name.replace(", batch full", "")
        found.add(f"{margin:g} − |log2(λ_H·η/2)|, {label}", inside, dict.fromkeys(inside, 0.0))
        if values:
            words.append(f"{label}: λ_H = {2 ** np.median(list(values.values())):.3g}·2/η")
    finding = found.finding(
        _EDGE,
        f"Over the last half of training {'; '.join(words) or 'nothing was seen'}; "
        f"{diverged} runs diverged and are left out.",
    )
    # What diverges settles nowhere: with such runs the claim is one on the others.
    if diverged and finding.judgement == "supported":
        return replace(finding, judgement="regime")
    return finding


def _artefact(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return how λ_K differs between the batches, measured with one batch and with each own."""
    rows = []
    for loss in _LOSSES:
        rates, batches = _grid(outcomes, loss)
        for rate in rates:
            row: dict[str, Any] = {"loss": loss, "rate": rate}
            for name, label in (("noise", "one measuring batch"), ("noise_own_batch", "own batch")):
                ends = []
                for batch in (batches[0], batches[-1]):
                    runs = [
                        o for o in outcomes if o.status == "done"
                        and (o.settings["loss"], o.settings["rate"], o.settings["batch"])
                        == (loss, rate, batch)
                    ]  # fmt: skip
                    ends.append(by_seed(runs, partial(largest, name=name)))
                both = set(ends[0]) & set(ends[1])
                apart = [ends[0][seed] - ends[1][seed] for seed in both]
                row[f"max λ_K, batch {batches[0]} over {batches[-1]}, {label}"] = (
                    float(10 ** np.median(apart)) if apart else None
                )
            rows.append(row)
    return rows


def draw_runs(arms: Arms, loss: str) -> Figure:
    """Draw λ_H with 2/η, λ_K and the loss of every run."""
    columns = []
    for name, runs in arms.items():
        if not name.startswith(loss):
            continue
        short = name.removeprefix(f"{loss}, ")
        columns.append(
            [
                Panel("λ_H¹", [curve("each run", runs, "hessian")], "log", short,
                      guide=runs[0].result["limit"], each=True),
                Panel("λ_K¹, one measuring batch", [curve("each run", runs, "noise")], "log",
                      each=True),
                Panel(f"loss ({loss})", [curve("each run", runs, "loss")], "log", each=True),
            ]
        )  # fmt: skip
    return time_panels(columns, title=f"{loss}: every run; dashed 2/η")


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge both conjectures and the edge of stability."""
    arms = arms_of(outcomes, arm_of)
    if not arms:
        findings = tuple(
            Finding(claim, "undecided", "No run was completed") for claim in EXPERIMENT.claims
        )
        return Analysis(findings, notes=failures(outcomes))
    columns = {
        "2/η": lambda o: float(o.result["limit"]),
        "λ_H at the start": lambda o: float(series(o, "hessian")[0]),
        "λ_H at the end": lambda o: float(series(o, "hessian")[-1]),
        "max λ_H": lambda o: 10 ** largest(o, "hessian"),
        "max λ_K": lambda o: 10 ** largest(o, "noise"),
        "bias of λ_K at the end": lambda o: float(series(o, "noise_bias")[-1]),
        "Tr K/λ_K at the end": lambda o: float(series(o, "noise_directions")[-1]),
        "batch sharpness·η/2, last half": lambda o: 2 ** late(o, "batch_sharpness"),
        "loss at the end": lambda o: float(series(o, "loss")[-1]),
        "test accuracy": lambda o: float(o.result["test_accuracy"]),
        "diverged": lambda o: float(o.result["diverged"]),
    }
    tables = (
        Table("ends", "Medians over seeds", medians(arms, columns)),
        Table("artefact", "λ_K by measuring batch: what the own batch adds", _artefact(outcomes)),
    )
    pictures = tuple(
        Picture(
            f"runs-{loss}",
            f"C3, {loss}: λ_H¹ with 2/η (dashed), λ_K¹ and the loss of every run, the first one "
            "strong: by the conjectures larger rates and smaller batches peak lower, and full "
            f"batches settle on the dashed line. Decides {', '.join(EXPERIMENT.claims)}",
            partial(draw_runs, arms, loss),
        )
        for loss in _LOSSES
        if any(name.startswith(loss) for name in arms)
    )
    findings = (_conjecture(outcomes, _FIRST), _conjecture(outcomes, _SECOND), _edge(arms))
    return Analysis(findings, tables, pictures, failures(outcomes))


EXPERIMENT = Experiment(
    "C3",
    "Break-even point and edge of stability",
    "arXiv:2002.09572, 2103.00065, 2412.20553; on digits, measuring batch and margins ours",
    (_FIRST, _SECOND, _EDGE),
    plan,
    partial(with_views, analyse),
)
