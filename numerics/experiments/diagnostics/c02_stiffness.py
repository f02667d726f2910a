"""C2: stiffness of sample gradients along training, and whether it vanishes with overfitting.

Source: Fort et al. 2019 (arXiv:1901.09491), MNIST to CIFAR-100 and fully connected to convolutional
networks. Ours: digits, 64-100-100-10 tanh, Adam 1e-3, batches of 100; three arms: *clean*; *noise*,
40 % of the labels drawn anew; *few*, 150 samples with right labels. Pairs of 200 training samples
with each other (none with itself) and with 200 samples held out; cosine and sign; with and without
the gradient of the output bias, which is p − e_y and alike within a class before training. So is
that of the output weights, (p − e_y)hᵀ, where h has a common part; the layers before it stand in
the table by themselves, and so does the bias.

Rules, medians over seeds with 95 % intervals:

- ``stiffness-growth``: (a) train–train within less between classes, the least over measurements
  after the start, cosine and sign, clean; (b) what the source describes is a rise: cosine and sign
  stiffness within classes, at the least loss on samples held out less at the start, clean, with
  and without the output bias. All above 0: supported; both of (a) and some of (b): regime; one of
  (a) below 0, or all of (b): refuted; else undecided.
- ``stiffness-overfit``: it declines without overfitting too, so what counts is the difference to
  the clean control *at equal training loss* (the least that both reach). For both overfitting arms,
  train–validation within: (a) clean less overfitting at equal loss; (b) overfitting, start less
  end; (c) overfitting, end less `zero` of the rules, with its sign turned. All above 0: supported;
  (a) and (b) in some arm: regime (declines beyond the control, and where not to zero); (a) below 0
  in all arms: refuted; else undecided.

The table has the same for training samples that are labelled rightly: a wrong label lowers
stiffness within its class by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from epsrank.numerics.experiments.analysis import (
    Analysis,
    Effect,
    Finding,
    Judgement,
    Picture,
    Table,
    family_pvalue,
    sign,
)
from epsrank.numerics.experiments.diagnostics.arms import (
    Arms,
    Comparisons,
    arms_of,
    by_seed,
    curve,
    failures,
    medians,
    said,
    series,
    with_views,
)
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.rules import all_rules, experiment_rules
from epsrank.numerics.plots.over_seeds import Panel, time_panels
from epsrank.numerics.sweeps.trial import Outcome, Trial
from epsrank.theory.numbers.arrays import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GROWTH, _OVERFIT = "stiffness-growth", "stiffness-overfit"
_CLEAN, _OVERFITTING = "clean", ("noise", "few")


def plan(request: Request) -> list[Trial]:
    """Return the trainings of all arms."""
    rules = experiment_rules("C2", request.size)
    arms = {
        _CLEAN: (rules["samples"], 0.0),
        "noise": (rules["samples"], rules["noise"]),
        "few": (rules["few"], 0.0),
    }
    return [
        Trial(
            "stiffness",
            {
                "samples": samples,
                "noise": noise,
                "steps": rules["steps"],
                "batch": 100,
                "rate": 1e-3,
                "width": rules["width"],
                "pairs": rules["pairs"],
                "measurements": rules["measurements"],
                "seed": seed,
            },
            version=2,
        )
        for samples, noise in arms.values()
        for seed in request.seed_range(rules["seeds"])
    ]


def arm_of(outcomes: Sequence[Outcome], outcome: Outcome) -> str:
    """Return the arm: noise by its share, few by having fewer samples than others."""
    if outcome.settings["noise"] > 0:
        return "noise"
    most = max(other.settings["samples"] for other in outcomes)
    return _CLEAN if outcome.settings["samples"] == most else "few"


def at_loss(loss: Array, value: Array, level: float) -> float:
    """Return a value when the training loss is first at a level, linear in its logarithm."""
    record = np.minimum.accumulate(loss)
    # The loss may rise again: only new lows count, so that every level is met once.
    low = np.concatenate([[True], loss[1:] < record[:-1]]) & (loss > 0) & np.isfinite(value)
    x, y = np.log(loss[low])[::-1], value[low][::-1]
    at = math.log(level)
    # A level that is the least of one run may be missed by a rounding of its logarithm.
    if not x.size or at < x[0] - 1e-9 or at > x[-1] + 1e-9:
        return math.nan
    return float(np.interp(at, x, y))


def _apart(arms: Arms, arm: str, name: str) -> tuple[dict[int, float], dict[int, float]]:
    """Return a number of the clean and of another arm at equal training loss, by seed."""
    clean = {outcome.settings["seed"]: outcome for outcome in arms.get(_CLEAN, ())}
    found: tuple[dict[int, float], dict[int, float]] = ({}, {})
    for other in arms.get(arm, ()):
        control = clean.get(other.settings["seed"])
        if control is None:
            continue
        losses = [series(o, "loss") for o in (control, other)]
        level = max(float(np.nanmin(values)) for values in losses)
        values = [
            at_loss(loss, series(o, name), level)
            for loss, o in zip(losses, (control, other), strict=True)
        ]
        if not any(map(math.isnan, values)):
            for held, value in zip(found, values, strict=True):
                held[other.settings["seed"]] = value
    return found


def first(outcome: Outcome, name: str) -> float:
    """Return the first number."""
    return float(series(outcome, name)[0])


def last(outcome: Outcome, name: str) -> float:
    """Return the last number."""
    return float(series(outcome, name)[-1])


def best(outcome: Outcome, name: str) -> float:
    """Return a number at the least loss on samples held out."""
    return float(series(outcome, name)[int(np.nanargmin(series(outcome, "test_loss")))])


def _growth(arms: Arms) -> Finding:
    clean = arms.get(_CLEAN, ())
    found = Comparisons()
    for kind, a, b in (("cos", "within", "between"), ("sign", "sign_within", "sign_between")):

        def least(o: Outcome, a: str = a, b: str = b) -> float:
            apart = (series(o, a) - series(o, b))[series(o, "step") > 0]
            return float(np.nanmin(apart)) if apart.size else math.nan

        gaps = by_seed(clean, least)
        found.add(f"{kind}: within − between, least over training", gaps, dict.fromkeys(gaps, 0.0))
    for label, name in (
        ("cos", "within"),
        ("sign", "sign_within"),
        ("cos without output bias", "bare_within"),
        ("sign without output bias", "bare_sign_within"),
    ):
        found.add(
            f"{label}, within: at the least validation loss − at the start",
            by_seed(clean, partial(best, name=name)),
            by_seed(clean, partial(first, name=name)),
        )
    signs = [sign(item) for item in found.effects]
    above, rising = signs[:2], signs[2:]
    judged: Judgement = "undecided"
    if -1 in above or (rising and max(rising) < 0):
        judged = "refuted"
    elif above and min(above) > 0 and 1 in rising:
        judged = "supported" if min(rising) > 0 else "regime"
    return replace(found.finding(_GROWTH, "Clean labels."), judgement=judged)


def _overfit(arms: Arms) -> Finding:
    zero = float(all_rules()["C2"]["zero"])
    every: list[Effect] = []
    votes: list[dict[int, float]] = []
    beyond, to_zero, against = [], [], []
    for arm in _OVERFITTING:
        runs = arms.get(arm, ())
        one = Comparisons()
        one.add(f"{arm}: clean − {arm} at equal training loss", *_apart(arms, arm, "val_within"))
        one.add(
            f"{arm}: start − end",
            by_seed(runs, partial(first, name="val_within")),
            by_seed(runs, partial(last, name="val_within")),
        )
        ends = by_seed(runs, partial(last, name="val_within"))
        one.add(f"{arm}: {zero:g} − end", dict.fromkeys(ends, zero), ends)
        signs = [sign(item) for item in one.effects]
        if len(signs) == 3:
            beyond.append(signs[0] > 0 and signs[1] > 0)
            to_zero.append(signs[2] > 0)
            against.append(signs[0] < 0)
        every += one.effects
        # Whether it ends at zero is no matter of chance.
        votes += one.votes[:2]
    judged: Judgement = "undecided"
    if len(beyond) == len(_OVERFITTING) and all(beyond) and all(to_zero):
        judged = "supported"
    elif any(beyond):
        judged = "regime"
    elif against and all(against):
        judged = "refuted"
    where = [arm for arm, yes in zip(_OVERFITTING, beyond, strict=False) if yes]
    return Finding(
        _OVERFIT,
        judged,
        "Train–validation stiffness within classes declines beyond the clean control at equal "
        f"training loss: {', '.join(where) or 'in no arm'}. {said(every)}",
        every,
        len(every),
        pvalue=family_pvalue(votes),
    )


def draw_runs(arms: Mapping[str, Sequence[Outcome]]) -> Figure:
    """Draw losses and stiffness of every run."""
    columns = [
        [
            Panel("loss", [curve("training", runs, "loss"), curve("held out", runs, "test_loss")],
                  "log", name, each=True),
            Panel("stiffness, train–train", [curve("within", runs, "within"),
                  curve("between", runs, "between"),
                  curve("within, without output bias", runs, "bare_within")], guide=0.0, each=True),
            Panel("stiffness, train–validation", [curve("within", runs, "val_within"),
                  curve("between", runs, "val_between")], guide=0.0, each=True),
        ]
        for name, runs in arms.items()
    ]  # fmt: skip
    return time_panels(columns, title="Every run, the first one strong", time_scale="log")


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge both claims."""
    arms = arms_of(outcomes, partial(arm_of, outcomes))
    if not arms:
        findings = tuple(
            Finding(c, "undecided", "No run was completed") for c in (_GROWTH, _OVERFIT)
        )
        return Analysis(findings, notes=failures(outcomes))
    names = ("within", "between", "sign_within", "bare_within", "hidden_within", "bias_within",
             "val_within", "val_right_within",
             "length", "coherence")  # fmt: skip
    columns = {f"{name}, {when}": partial(read, name=name) for name in names
               for when, read in (("start", first), ("end", last))}  # fmt: skip
    columns |= {"loss": partial(last, name="loss"), "test loss": partial(last, name="test_loss")}
    matched = []
    for arm in _OVERFITTING:
        for name in ("val_within", "val_right_within", "val_bare_within", "within", "coherence"):
            clean, other = _apart(arms, arm, name)
            if clean:
                matched.append({
                    "arm": arm, "quantity": name, "seeds": len(clean),
                    "clean": float(np.median(list(clean.values()))),
                    "overfitting": float(np.median(list(other.values()))),
                })  # fmt: skip
    tables = (
        Table("ends", "Medians over seeds", medians(arms, columns)),
        Table("matched", "At equal training loss", matched),
    )
    picture = Picture(
        "runs",
        "C2: losses and stiffness of every run, the first one strong: by the claims stiffness "
        "rises on clean labels, and reaches 0 (dashed) where labels are noisy or samples few. "
        "Decides stiffness-growth and stiffness-overfit",
        partial(draw_runs, arms),
    )
    return Analysis((_growth(arms), _overfit(arms)), tables, (picture,), failures(outcomes))


EXPERIMENT = Experiment(
    "C2",
    "Stiffness along training, and under overfitting",
    "arXiv:1901.09491; on digits, controls at equal training loss ours",
    (_GROWTH, _OVERFIT),
    plan,
    partial(with_views, analyse),
)
