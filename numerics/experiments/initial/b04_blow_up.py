"""B4: finite-time blow-up of three and more layers, and how training follows it.

Settings: L layers without biases, tanh, width 20, 80 normal samples in five dimensions, each seed
with its own teacher, full-batch descent in float64 (all ours; the leading order is the source's).
The leading-order flow is integrated from the very weights of each run. Its time is exactly
t*(σ) = σ^{−(L−2)} t*(1), which SymPy proves (part *leading-order*).

Rule for *training*: per target and L ≥ 3, the slope of the first plateau's length against t*(σ), by
seed over the scales, is 1 within the margin by two one-sided tests; a run that never escapes has a
slope of ∞, so that it counts against. Supported where all are, a regime where some are, refuted
where all are established to be outside. Controls: two layers, and
three with a bias in the second, whose lengths grow by the same amount from scale to scale rather
than twice as much.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from epsrank.numerics.experiments.analysis import (
    Analysis,
    Finding,
    Picture,
    Table,
    effect,
    family_pvalue,
)
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.initial.certain import certain_steps
from epsrank.numerics.experiments.initial.first_plateau import slope_of
from epsrank.numerics.experiments.initial.judged import SlopesOfOne, judge, other_levels
from epsrank.numerics.experiments.robustness import with_panel
from epsrank.numerics.experiments.rules import experiment_rules
from epsrank.numerics.sweeps.trial import Outcome, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLAIM = "blow-up"
Arm = tuple[int, bool, str]  # layers, whether the second has a bias, target


def plan(request: Request) -> list[Trial]:
    """Return one trial of all seeds per depth, target and scale, and the arm with a bias."""
    rules = experiment_rules("B4", request.size)
    arms = [(int(layers), False) for layers in rules["scales"]] + [(3, True)]
    return [
        Trial(
            "deep-small-weights",
            {
                "target": target,
                "layers": layers,
                "bias": bias,
                "sigma": sigma,
                "seed": request.first,
                "count": len(request.seed_range(rules["seeds"])),
            }
            | {key: rules[key] for key in ("width", "inputs", "samples", "learning_rate", "steps")},
        )
        for layers, bias in arms
        for target in rules["targets"]
        for sigma in rules["scales"][str(layers)]
    ]


def by_arm(outcomes: Sequence[Outcome]) -> dict[Arm, list[Outcome]]:
    """Return the trials that were carried out by arm, the largest scale first."""
    arms: dict[Arm, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.status == "done":
            s = outcome.settings
            arms.setdefault((s["layers"], s["bias"], s["target"]), []).append(outcome)
    return {
        arm: sorted(mine, key=lambda o: -float(o.settings["sigma"])) for arm, mine in arms.items()
    }


def times(trials: Sequence[Outcome]) -> dict[int, list[float]]:
    """Return the lengths of the first plateau in time, by seed over the scales; ∞ for never."""
    found: dict[int, list[float]] = {}
    for outcome in trials:
        s = outcome.settings
        for place, step in enumerate(outcome.result["escaped"]["usual"]):
            time = math.inf if step is None else step * s["learning_rate"]
            found.setdefault(s["seed"] + place, []).append(time)
    return found


def blow_ups(trials: Sequence[Outcome]) -> dict[int, list[float]]:
    """Return t* by seed over the scales; NaN where the flow does not blow up."""
    found: dict[int, list[float]] = {}
    for outcome in trials:
        for place, time in enumerate(outcome.result["blow_up"]):
            value = math.nan if time is None else time
            found.setdefault(outcome.settings["seed"] + place, []).append(value)
    return found


def slopes(trials: Sequence[Outcome]) -> dict[int, float]:
    """Return the slope of lengths against t*, by seed; ∞ where a run never escapes."""
    ends = blow_ups(trials)
    return {seed: slope_of(ends[seed], own) for seed, own in times(trials).items()}


def growth(trials: Sequence[Outcome]) -> dict[int, float]:
    """Return (T₄ − T₂)/(T₃ − T₁) by seed: 1 of lengths like log(1/σ), 2 of those that double.

    ∞ where a run never escapes, as if lengths grew without bound; NaN where none grow.
    """
    found = {}
    for seed, own in times(trials).items():
        if not np.isfinite(own).all():
            found[seed] = math.inf
        elif len(own) < 4 or own[-2] == own[0]:
            found[seed] = math.nan
        else:
            found[seed] = (own[-1] - own[1]) / (own[-2] - own[0])
    return found


def training(arms: Mapping[Arm, Sequence[Outcome]], margin: float) -> Finding:
    """Judge the slopes of deep networks; controls stand beside them."""
    law, controls = SlopesOfOne(margin), list[str]()
    for arm, trials in arms.items():
        layers, bias, _ = arm
        if layers == 2 or bias:
            found = growth(trials)
            item = effect(f"growth of lengths from scale to scale, {name(arm)}",
                          list(found.values()), null=1.0)  # fmt: skip
            if item is not None:
                law.effects.append(item)
                never = sum(map(math.isinf, found.values()))
                left = f", {never} of {len(found)} with a run that never left" if never else ""
                controls.append(f"{item.interval.value:.2f} ({name(arm)}{left})")
            continue
        found = slopes(trials)
        law.add(f"slope of lengths against t*, {name(arm)}", found)
    words = ", ".join(controls) or "none"
    return Finding(
        CLAIM,
        judge(law.holds, law.against),
        f"The first plateau grows as t*(σ) does, within {margin:.0%}, in {sum(law.holds)} of "
        f"{len(law.holds)} settings of three and more layers, where {law.never} seeds have a run "
        "that never left its plateau and count against. Where the flow is linear, lengths grow "
        f"from scale to scale by equal amounts (1; doubling is 2): {words}.",
        law.effects,
        tried=len(law.effects),
        witness=_witness(arms) if law.against and all(law.against) else None,
        part="training",
        pvalue=family_pvalue(law.votes) if law.votes else None,
    )


def _witness(arms: Mapping[Arm, Sequence[Outcome]]) -> dict[str, Any]:
    arm, trials = next((a, t) for a, t in arms.items() if a[0] > 2 and not a[1])
    seed, own = next(iter(times(trials).items()))
    return {"arm": name(arm), "seed": seed, "lengths": own, "t*": blow_ups(trials)[seed]}


def name(arm: Arm) -> str:
    """Name an arm."""
    layers, bias, target = arm
    return f"{layers} layers{' with a bias' if bias else ''}, {target}"


def rows_of(arms: Mapping[Arm, Sequence[Outcome]]) -> Table:
    """Return lengths, what is certain of them, t*, and directions, medians over seeds."""
    from epsrank.numerics.experiments.trials.deep_small_weights import beginning

    rows = []
    for arm, trials in arms.items():
        for outcome in trials:
            result, s = outcome.result, outcome.settings
            steps = [step for step in result["escaped"]["usual"] if step is not None]
            ends = [end for end in result["blow_up"] if end is not None]
            turned = [c for c in result["blow_up_cosine"] if c is not None]
            power = s["sigma"] ** (s["layers"] - 2)
            rows.append(
                {
                    "arm": name(arm),
                    "σ": s["sigma"],
                    "seeds": s["count"],
                    "never": s["count"] - len(steps),
                    "steps": float(np.median(steps)) if steps else None,
                    # P1 covers no bias beyond the first layer.
                    "certain steps": None if s["bias"] else certain_steps(s, beginning),
                    "t*/η": float(np.median(ends)) / s["learning_rate"] if ends else None,
                    "t* σ^(L−2)": float(np.median(ends)) * power if ends else None,
                    "least |cos| at t*": min(turned, default=None),
                    "mean |cos| at 0.9 L₀": float(np.median(result["cosine"])),
                }
            )
    return Table("blow-up", "Length of the first plateau, t*, and directions", rows)


def judged(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge training against the leading order."""
    margin = experiment_rules("B4", "standard")["margin"]
    arms = by_arm(outcomes)
    failed = sum(outcome.status != "done" for outcome in outcomes)
    notes = (f"{failed} of {len(outcomes)} trials failed",) if failed else ()
    picture = Picture(
        "blow-up",
        "B4: length of the first plateau against the scale, every seed; lines are t* less a "
        f"constant (claim {CLAIM})",
        partial(_draw, arms),
    )
    return Analysis((training(arms, margin),), (rows_of(arms),), (picture,) if arms else (), notes)


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge training against the leading order, at three levels of the loss."""
    return with_panel(judged, outcomes, partial(other_levels, names=("escaped",)))


def _draw(arms: Mapping[Arm, Sequence[Outcome]]) -> Figure:
    """Draw lengths against scales, one panel per depth."""
    from epsrank.numerics.plots.style import look, new_figure

    kinds = list(dict.fromkeys(arm[:2] for arm in arms))
    targets = list(dict.fromkeys(arm[2] for arm in arms))
    figure = new_figure(3.0 * len(kinds) + 0.6, 3.4)
    panels = figure.subplots(1, len(kinds), squeeze=False)[0]
    for arm, trials in arms.items():
        panel, style = panels[kinds.index(arm[:2])], look(targets.index(arm[2]))
        scales = [outcome.settings["sigma"] for outcome in trials]
        ends = blow_ups(trials)
        for seed, own in times(trials).items():
            panel.plot(scales, own, style.marker, color=style.colour, alpha=0.6, markersize=3)
            if np.isfinite(ends[seed]).all():
                line = np.array(ends[seed]) - ends[seed][-1] + own[-1]
                panel.plot(scales, line, color=style.colour, linewidth=0.7, alpha=0.6)
        panel.plot([], [], style.marker, color=style.colour, label=arm[2])
    for panel, (layers, bias) in zip(panels, kinds, strict=True):
        panel.set_xscale("log")
        panel.minorticks_off()
        scales = sorted({o.settings["sigma"] for a, t in arms.items() if a[0] == layers for o in t})
        panel.set_xticks(scales, [f"{scale:g}" for scale in scales], fontsize=7)
        panel.invert_xaxis()
        panel.set_title(f"{layers} layers{', bias' if bias else ''}", fontsize=9)
        panel.set_xlabel("scale σ")
    panels[0].set_ylabel("time η·t until 0.9 L₀")
    panels[0].legend(fontsize=7, frameon=False)
    return figure


EXPERIMENT = Experiment(
    "B4",
    "Blow-up of the leading order of deep networks, and the first plateau",
    "arXiv 2402.15958 for three layers; settings ours",
    (CLAIM,),
    plan,
    analyse,
)
