"""A10: images, with and without the structured first layer: MLP, CNN and a small Transformer.

Digits are always there; MNIST and CIFAR-10 take part where the user has them. Cross-entropy,
batches, Adam; for CNN and Transformer the first layer sees patches, over which it is placed.
Judged by the rule of `experiments.pretraining.claims`: the ε-rank of the last hidden layer before
training at ε = 1e-2 (at 1e-6 it is nearly full for every initialisation: there is nothing to gain),
steps to test cross-entropies, and the share of test images classified wrongly. Only networks that
were trained are compared: both arms classify the share of the rules rightly in the median over
seeds, else the comparison is left out, and a note says so. Networks, rates, steps and ε are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from epsrank.numerics.experiments.analysis import Analysis, Picture, Table
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.fitting import arm_rows, measure_every
from epsrank.numerics.experiments.pretraining.claims import (
    ACCURACY,
    CLAIMS,
    Comparison,
    findings,
)
from epsrank.numerics.experiments.pretraining.design import STRUCTURED, Design, side_by_side
from epsrank.numerics.experiments.pretraining.figures import (
    SPEED_CAPTION,
    draw_effects,
    draw_speed,
    draw_training,
)
from epsrank.numerics.experiments.pretraining.tables import tables
from epsrank.numerics.experiments.robustness import with_panel
from epsrank.numerics.experiments.rules import experiment_rules, shared_rules
from epsrank.numerics.sweeps.trial import Outcome, Trial
from epsrank.theory.statistics import median_interval

# The first one is what claims are judged by, see above.
EPS = (1e-2, 1e-4, 1e-6)
ARMS = ("default", STRUCTURED)


def plan(request: Request) -> list[Trial]:
    """Return the trainings on digits, and on what the user has."""
    rules = experiment_rules("A10", request.size)
    trials = []
    for data, chosen in rules["data"].items():
        if data != "digits" and data not in request.datasets:
            continue
        for network in chosen["networks"]:
            depth, width, steps = rules["networks"][network]
            for init in ARMS:
                common: dict[str, Any] = {
                    "task": data,
                    "network": network,
                    "depth": depth,
                    "width": width,
                    "activation": "tanh",
                    "init": init,
                    "optimizer": "adam",
                    "learning_rate": rules["learning_rate"],
                    "batch_size": 128,
                    "loss": "cross-entropy",
                    "steps": steps,
                    "measure_every": measure_every(rules, steps),
                    "probe": rules["probe"],
                    "eps": list(EPS),
                    "device": request.device,
                }
                if "keep_features" in rules:
                    common["keep_features"] = rules["keep_features"]
                if "images" in chosen:
                    common["n_train"] = chosen["images"]
                trials += [
                    Trial("pretraining", common | {"seed": seed})
                    for seed in request.seed_range(rules["seeds"])
                ]
    return trials


def _cell(settings: Mapping[str, Any]) -> str:
    return f"{settings['task']}, {settings['network']}"


#: Ranks and steps to a cross-entropy; shares classified wrongly.
BY_LOSS = Design("test_loss", EPS[0], _cell)
BY_ERROR = Design("test_error", EPS[0], _cell)


def comparisons_of(outcomes: Sequence[Outcome]) -> tuple[Comparison, ...]:
    """Compare arms per data set and network: speed by the cross-entropy, results by accuracy."""
    by_loss = side_by_side(outcomes, BY_LOSS).comparisons
    by_error = {item.name: item for item in side_by_side(outcomes, BY_ERROR).comparisons}
    return tuple(
        replace(
            item,
            metric="test_error",
            plain=by_error[item.name].plain,
            pretrained=by_error[item.name].pretrained,
            effects={**item.effects, ACCURACY: by_error[item.name].effects[ACCURACY]},
            scores={**item.scores, ACCURACY: by_error[item.name].scores[ACCURACY]},
            equal=(item.equal - {ACCURACY}) | (by_error[item.name].equal & {ACCURACY}),
        )
        for item in by_loss
    )


def _trained(
    comparisons: Sequence[Comparison],
) -> tuple[tuple[Comparison, ...], list[str]]:
    """Return the comparisons of networks that were trained, and a note on each other one."""
    least = shared_rules("A10")["accuracy"]
    kept, notes = [], []
    for item in comparisons:
        network = str(next(iter(item.plain.values())).settings["network"])
        reached = [
            1 - median_interval([run.final_error for run in arm.values()]).value
            for arm in (item.plain, item.pretrained)
        ]
        if min(reached) >= least[network]:
            kept.append(item)
        else:
            notes.append(
                f"{item.name} is left out: {min(reached):.2f} are classified rightly, trained "
                f"networks have {least[network]:g}"
            )
    return tuple(kept), notes


def _accuracy_rows(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return the shares classified rightly, by comparison and arm."""
    rows = [
        dict(row)
        for table in tables(side_by_side(outcomes, BY_ERROR).comparisons)[:1]
        for row in table.rows
    ]
    names = ("comparison", "arm", "seeds", "final error", "completed")
    return [{name: row[name] for name in names} for row in rows]


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge the claims on pre-training on images."""
    seen = side_by_side(outcomes, BY_LOSS)
    comparisons, untrained = _trained(comparisons_of(outcomes))
    used = {outcome.settings.get("task") for outcome in outcomes}
    absent = [name for name in ("mnist", "cifar10") if name not in used]
    notes = [*seen.notes, *untrained]
    if absent:
        notes.append(f"left out, as the data are not at hand: {', '.join(absent)}")
    if not comparisons:
        return Analysis(findings(comparisons), notes=tuple(notes))
    flat = {
        f"{cell}, {arm}": runs
        for cell, arms in seen.histories.items()
        for arm, runs in arms.items()
    }
    extra = (
        Table("wrong", "Share of test images classified wrongly, by arm", _accuracy_rows(outcomes)),
        Table("arms", "Ranks and losses by arm, medians over seeds", arm_rows(flat)),
    )
    title = "Images: structured first layer against default"
    pictures = (
        Picture(
            "effects",
            "Effects of the structured first layer with 95 % intervals. Decides the claims",
            partial(draw_effects, comparisons, title),
        ),
        Picture("speed", SPEED_CAPTION, partial(draw_speed, comparisons, title)),
        Picture(
            "training",
            "Test cross-entropy and ε-rank of the last hidden layer over training",
            partial(draw_training, seen.histories, title, rank_of="φ", accuracy=True),
        ),
    )
    return Analysis(findings(comparisons), (*tables(comparisons), *extra), pictures, tuple(notes))


EXPERIMENT = Experiment(
    id="A10",
    title="Images with and without the structured first layer",
    source="real data: scikit-learn's digits, MNIST, CIFAR-10; no settings in the sources",
    claims=CLAIMS,
    plan=plan,
    analyse=partial(with_panel, analyse),
)
