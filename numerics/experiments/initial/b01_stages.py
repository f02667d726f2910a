"""B1: plateau, descent, second plateau from small weights, and how long the plateaus are.

Settings: two layers 1-n-1, tanh, no output bias, 60 points of [−1, 1], mean of squares, full-batch
descent in float64, weights σ N(0, 1); n = 50 and the scales are the source's or the probes', the
targets and rates ours. Levels are fixed beforehand and passed at single steps: the first plateau
ends at 0.9 L₀, the descent at 1.05 times the loss of the best affine function (all that one
orientation in its linear range can do), the second plateau at 0.9 times that.

Rules. *plateau-length*: per target and width, the slope of the length against log(1/σ), by seed
over the scales, times c‖g‖, is 1 within the margin by two one-sided tests; a run that never leaves
its plateau has a slope of ∞, so that it counts against. An even target with an
output bias has g = 0 and is the control: if the law holds elsewhere and those networks stay where
they are, the claim holds in a regime, g ≠ 0. *three-stages*: per target and small σ, first and
second plateau are each longer than the descent (medians over seeds), and the staircase detector
finds both, each near its level, in most runs; the control is σ = 0.1. *second-plateau*: per target
and factor, the ratio of lengths at equal time, η/(1 − μ) per step, is below 1. Supported where all
comparisons hold, a regime where some do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from epsrank.numerics.experiments.analysis import Analysis, Picture
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.initial.first_plateau import draw_lengths, length_rows, lengths
from epsrank.numerics.experiments.initial.judged import other_levels
from epsrank.numerics.experiments.initial.runs import LEVELS, WATCHED, read_runs
from epsrank.numerics.experiments.initial.second_plateau import arm_rows, draw_arms, shortened
from epsrank.numerics.experiments.initial.stage_shapes import draw_stages, stage_rows, stages
from epsrank.numerics.experiments.robustness import FIRST_ROW, SECOND_ROWS, with_panel
from epsrank.numerics.experiments.rules import experiment_rules
from epsrank.numerics.sweeps.trial import Outcome, Trial

#: What may shorten the second plateau, as changes of settings; rates are shares of the usual one.
FACTORS: Mapping[str, Mapping[str, Any]] = {
    "rate × 4": {"rate": 4.0},
    "momentum 0.9": {"rate": 0.1, "momentum": 0.9},
    "batches of 10": {"batch": 10},
    "width × 4": {"wider": 4},
    "σ = 0.1": {"sigma": 0.1},
    # Features of size 1 rather than σ: descent is stable at smaller rates only.
    "structured first layer": {"rate": 0.2, "first": "structured", "until": "left"},
}


def plan(request: Request) -> list[Trial]:
    """Return the lengths over σ, the controls, and the arms of the second plateau."""
    rules = experiment_rules("B1", request.size)
    trials = [
        _trial(request, rules, target=target, width=width, sigma=sigma, until="escaped", rows=None)
        for target in rules["targets"]
        for width in rules["widths"]
        for sigma in (rules["control"], *rules["scales"])
    ]
    trials += [
        _trial(
            request, rules, target="even", sigma=sigma, output_bias=True, until="escaped", rows=None
        )
        for sigma in rules["scales"][:2]
    ]
    for target in rules["targets"]:
        usual = {"target": target, "sigma": rules["sigma"]}
        trials.append(_trial(request, rules, **usual))
        trials.append(_trial(request, rules, **usual | {"sigma": rules["scales"][-1]}))
        trials += [_trial(request, rules, **usual | dict(factor)) for factor in FACTORS.values()]
    return trials


def _trial(
    request: Request,
    rules: Mapping[str, Any],
    *,
    rate: float = 1.0,
    momentum: float = 0.0,
    wider: int = 1,
    **settings: Any,
) -> Trial:
    """Return a trial of all seeds; as long in time as every other, whatever its rate."""
    own = rate * rules["rates"][settings["target"]]
    common = {
        "width": rules["widths"][0] * wider,
        "first": "gaussian",
        "output_bias": False,
        "learning_rate": own,
        "momentum": momentum,
        "batch": None,
        "steps": round(rules["steps"] * (1 - momentum) / rate),
        "rows": list(rules["rows"]),
        "until": "end",
        "seed": request.first,
        "count": len(request.seed_range(rules["seeds"])),
    }
    return Trial("small-weights", common | settings)


def judged(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge the three claims."""
    rules = experiment_rules("B1", "standard")  # the levels of all sizes
    runs, notes = read_runs(outcomes)
    brief = [run for run in runs if run.settings["until"] == "escaped"]
    long = [run for run in runs if run.settings["until"] != "escaped"]
    found = (lengths(brief, rules), stages(long, rules), shortened(long, rules, FACTORS))
    tables = (length_rows(brief), stage_rows(long, rules), arm_rows(long, rules, FACTORS))
    pictures = (
        Picture("lengths", "B1: length of the first plateau against log(1/σ), every seed, with the "
                "slope 1/(c‖g‖) (claim plateau-length)", partial(draw_lengths, brief, rules)),
        Picture("stages", "B1: loss of every run against time, with the levels (claim "
                "three-stages)", partial(draw_stages, long, rules)),
        Picture("factors", "B1: length of the second plateau, factor by factor (claim "
                "second-plateau)", partial(draw_arms, long, rules, FACTORS)),
    )  # fmt: skip
    return Analysis(found, tables, pictures if runs else (), notes)


def views(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, list[Outcome]]]:
    """Give outcomes at other levels, without the first measurement, and with every second one."""
    yield from other_levels(outcomes, LEVELS)
    yield from WATCHED.views(outcomes, (FIRST_ROW, SECOND_ROWS))


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge the three claims, and hold back what does not stand in every view."""
    return with_panel(judged, outcomes, views)


EXPERIMENT = Experiment(
    "B1",
    "Three stages from small weights: first plateau, descent, second plateau",
    "arXiv 2410.20119; targets and rates ours",
    ("three-stages", "plateau-length", "second-plateau"),
    plan,
    analyse,
)
