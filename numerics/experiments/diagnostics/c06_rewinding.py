"""C6: rewinding pruned networks to an early step, its controls, and a timeline of the early phase.

Sources: Frankle, Schwab, Morcos 2020 (arXiv:2002.10365), ResNet-20 on CIFAR-10; Frankle et al.
2019 (1912.05671) for linear mode connectivity. Ours: digits with an MLP and, from the standard
size on, a small residual network, MNIST with an MLP; descent with momentum 0.9. 20 % of the
weights that are left are pruned a round, by magnitude over all layers, rewound to k = 0 and to an
early k. Controls at the last mask: re-initialised; signs only (those of step k, with magnitudes
of another initialisation); magnitudes only (random signs); weights or mask shuffled within
layers; mask shuffled over all. Beside it the barrier between two trainings from step k in
different orders. On small stable networks k = 0 works, so that no effect of rewinding is expected
here, and none within the margin is a result.

Rules, medians over seeds with 95 % intervals, at the last round, margin in accuracy:

- ``rewinding``: (a) accuracy rewound to the early k less the full network's plus the margin, and
  (b) the full network's less the margin less that rewound to 0. Both above 0 on all: supported;
  on some: regime; (a) below 0 on all: refuted; else undecided (with (b) below 0: equivalent).
- ``early-sign-magnitude``: accuracy rewound less that of signs only, and of magnitudes only. All
  above 0: supported; some: regime; none, and one below: refuted; else undecided.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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
    curve,
    failures,
    in_both,
    medians,
)
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.rules import all_rules, experiment_rules
from epsrank.numerics.plots.over_seeds import Panel, time_panels
from epsrank.numerics.plots.style import (
    FAINT,
    INK,
    NARROW,
    dress,
    log_axis,
    look,
    new_figure,
    paper_width,
)
from epsrank.numerics.sweeps.trial import Outcome, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_REWINDING, _SIGNS = "rewinding", "early-sign-magnitude"


def plan(request: Request) -> list[Trial]:
    """Return one trial per network and seed."""
    rules = experiment_rules("C6", request.size)
    return [
        Trial(
            "rewinding",
            {"task": task, "network": name, **rules["usual"], **own, "seed": seed},
            version=2,
        )
        for task, name, own in rules["networks"]
        if task == "digits" or task in request.datasets
        for seed in request.seed_range(rules["seeds"])
    ]


def arm_of(outcome: Outcome) -> str:
    """Return task and network."""
    return f"{outcome.settings['task']}, {outcome.settings['network']}"


def full(outcome: Outcome) -> float:
    """Return the accuracy of the network that is not pruned."""
    return float(outcome.result["accuracy"]["0"][0])


def rewound(outcome: Outcome, early: bool) -> float:
    """Return the accuracy after the last round, rewound to the early step or to 0."""
    steps = outcome.settings["rewind"]
    return float(outcome.result["accuracy"][str(steps[-1] if early else 0)][-1])


def barrier(outcome: Outcome, early: bool) -> float:
    """Return the barrier from the early step or from 0, NaN where it is not finite."""
    found = outcome.result["barrier"][str(outcome.settings["rewind"][-1] if early else 0)]
    return math.nan if found is None else float(found)


def control(outcome: Outcome, name: str) -> float:
    """Return the accuracy of a control."""
    return float(outcome.result["controls"][name])


def _rewinding(arms: dict[str, list[Outcome]]) -> Finding:
    margin = float(all_rules()["C6"]["margin"])
    found = Comparisons()
    pairs: list[tuple[int, int]] = []
    votes: list[dict[int, float]] = []
    for name, runs in arms.items():
        whole = by_seed(runs, full)
        early, zero = (by_seed(runs, partial(rewound, early=yes)) for yes in (True, False))
        below = {seed: value - margin for seed, value in whole.items()}
        found.add(f"{name}: rewound to the early step − full + {margin:g}", early, below)
        found.add(f"{name}: full − {margin:g} − rewound to 0", below, zero)
        pairs.append((sign(found.effects[-2]), sign(found.effects[-1])))
        votes.append(in_both(found.votes[-2], found.votes[-1]))
    both = [a > 0 and b > 0 for a, b in pairs]
    judged: Judgement = "undecided"
    if both and all(both):
        judged = "supported"
    elif any(both):
        judged = "regime"
    elif pairs and all(a < 0 for a, _ in pairs):
        judged = "refuted"
    alike = [n for n, (a, b) in zip(arms, pairs, strict=True) if a > 0 and b < 0]
    words = (
        f"Both work within the margin, so that rewinding has nothing to add: {', '.join(alike)}."
    )
    finding = found.finding(_REWINDING, words if alike else "Accuracy:")
    return replace(finding, judgement=judged, pvalue=family_pvalue(votes))


def _sign_magnitude(arms: dict[str, list[Outcome]]) -> Finding:
    found = Comparisons()
    for name, runs in arms.items():
        held = by_seed(runs, partial(control, name="rewound"))
        for other in ("signs only", "magnitudes only"):
            values = by_seed(runs, partial(control, name=other))
            found.add(f"{name}: rewound − {other}", held, values)
    return found.finding(_SIGNS, "Accuracy at the last mask:")


def _columns(runs: Sequence[Outcome]) -> dict[str, Callable[[Outcome], float]]:
    found: dict[str, Callable[[Outcome], float]] = {
        "full": full,
        "rewound to 0": partial(rewound, early=False),
        "rewound to the early step": partial(rewound, early=True),
        "weights kept": lambda o: float(o.result["kept"][-1]),
        "barrier from 0": lambda o: barrier(o, early=False),
        "barrier from the early step": lambda o: barrier(o, early=True),
    }
    return found | {name: partial(control, name=name) for name in runs[0].result["controls"]}


def draw_pruning(arms: dict[str, list[Outcome]]) -> Figure:
    """Draw accuracy over the share of weights that are kept, and below it the controls."""
    figure = new_figure(4.4 * len(arms) + 0.8, 6.4)
    pairs = _pairs(figure, len(arms))
    for (above, below), (name, runs) in zip(pairs, arms.items(), strict=True):
        whole = float(np.median([full(o) for o in runs]))
        for index, k in enumerate(runs[0].settings["rewind"]):
            style = look(index)
            rows = [o.result["accuracy"][str(k)] for o in runs]
            kept = 100 * np.array(runs[0].result["kept"])
            for row, own in zip(rows, runs, strict=True):
                above.plot(100 * np.array(own.result["kept"]), row, color=style.colour,
                           linewidth=0.6, alpha=0.4)  # fmt: skip
            above.plot(kept, np.median(rows, axis=0), color=style.colour, linestyle=style.dashes,
                       marker=style.marker, markersize=4, label=f"rewound to {k}")  # fmt: skip
        for axes, level in ((above, "axhline"), (below, "axvline")):
            for edge in (whole - float(all_rules()["C6"]["margin"]), whole):
                getattr(axes, level)(edge, color=FAINT, linewidth=0.8, linestyle=(0, (6, 2)))
        log_axis(above, "x", kept)
        above.invert_xaxis()
        dress(above, x="% of the weights kept", y="accuracy on samples never seen", panel=name)
        above.legend(fontsize=7, framealpha=0.85, edgecolor="none", loc="lower left")
        held = list(runs[0].result["controls"])
        for place, other in enumerate(held):
            values = [control(o, other) for o in runs]
            below.plot(values, [place] * len(values), "o", color=look(0).colour, alpha=0.4,
                       markersize=4)  # fmt: skip
            below.plot(np.median(values), place, "|", color=INK, markersize=12)
        below.set_yticks(range(len(held)), held, fontsize=7)
        below.invert_yaxis()
        dress(below, x="accuracy at the last mask; bar: median", y="")
    return figure


def _pairs(figure: Figure, count: int) -> list[tuple[Axes, Axes]]:
    """Return two panels per arm, beside the other arms', or where it is narrow all in a column."""
    width = paper_width()
    if width is None or width >= NARROW:
        grid = figure.subplots(2, count, squeeze=False, height_ratios=(3, 2))
        return list(zip(grid[0], grid[1], strict=True))
    figure.set_figheight(figure.get_figheight() * count)
    column = figure.subplots(2 * count, 1, height_ratios=(3, 2) * count)
    return list(zip(column[::2], column[1::2], strict=True))


def draw_timeline(arms: dict[str, list[Outcome]]) -> Figure:
    """Draw the early phase of every run."""
    rows: dict[str, tuple[str, str]] = {
        "loss": ("loss", "log"), "gradient_norm": ("‖∇L‖", "log"),
        "distance": ("distance from start", "linear"), "weight": ("mean |w|", "linear"),
        "signs_changed": ("signs changed", "linear"),
        "cosine_of_updates": ("cosine of updates", "linear"), "accuracy": ("accuracy", "linear"),
        "rank": ("ε-rank, ε = 1e-6", "rank"),
    }  # fmt: skip
    columns = [
        [
            Panel(label, [curve("each run", runs, key)], scale, name if key == "loss" else "",
                  each=True)
            for key, (label, scale) in rows.items()
        ]
        for name, runs in arms.items()
    ]  # fmt: skip
    return time_panels(columns, title="Early phase, every run", time_scale="log")


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge both claims."""
    arms = arms_of(outcomes, arm_of)
    if not arms:
        findings = tuple(
            Finding(c, "undecided", "No run was completed") for c in (_REWINDING, _SIGNS)
        )
        return Analysis(findings, notes=failures(outcomes))
    rows: list[dict[str, Any]] = []
    for name, runs in arms.items():
        rows += medians({name: runs}, _columns(runs))
    pictures = (
        Picture("pruning", "C6: accuracy over the weights kept, every run, with that of the full "
                "network and the margin below it (dashed): rewinding to 0 fails where its curve "
                "ends below the margin. Below, the controls at the last mask. Decides rewinding "
                "and early-sign-magnitude",
                partial(draw_pruning, arms)),
        Picture("timeline", "C6: the early phase by iteration, every run, the first one strong; "
                "rank of the features before the last layer. Decides nothing",
                partial(draw_timeline, arms)),
    )  # fmt: skip
    table = Table("ends", "Accuracies and barriers, medians over seeds", rows)
    return Analysis(
        (_rewinding(arms), _sign_magnitude(arms)), (table,), pictures, failures(outcomes)
    )


EXPERIMENT = Experiment(
    "C6",
    "Rewinding, and the early phase of training",
    "arXiv:2002.10365, 1912.05671; on digits and MNIST, margin ours",
    (_REWINDING, _SIGNS),
    plan,
    analyse,
)
