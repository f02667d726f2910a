"""A6: a PINN for −Δu = 8 sin 2x sin 2y: first layer of uniform density against Xavier and default.

Compared are the ε-rank of φ in L²(Ω) before training, the steps to a common error of the
*solution*, ‖u − u*‖² at random points of the square against u* = sin 2x sin 2y, and that error
after training; by the rule of `experiments.pretraining.claims`. All arms share network, points,
κ, optimiser, rate and seeds; Adam with rate 1e-3 on all points in every step, κ = 100 and the
network of two hidden tanh layers are ours.

The claims on staircases are judged on the same runs, from the loss of the PINN and the ε-rank of φ,
by the rule of `experiments.stair_claims`. (The floor of the loss belongs to (𝓛φ, √κ 𝓑φ), whose
ε-rank is larger: second derivatives of steep neurons are large, and at ε = 1e-6 nearly all of them
count from the start.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from epsrank.numerics.experiments.analysis import Analysis, Picture, Table
from epsrank.numerics.experiments.coupling_claims import judge_together
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.fitting import arm_rows
from epsrank.numerics.experiments.pretraining.claims import CLAIMS, findings
from epsrank.numerics.experiments.pretraining.design import STRUCTURED, Design, side_by_side
from epsrank.numerics.experiments.pretraining.figures import (
    SPEED_CAPTION,
    draw_effects,
    draw_speed,
    draw_training,
)
from epsrank.numerics.experiments.pretraining.tables import tables
from epsrank.numerics.experiments.robustness import with_panel
from epsrank.numerics.experiments.rules import experiment_rules
from epsrank.numerics.experiments.stair_claims import judge_steps
from epsrank.numerics.experiments.stairs import CLAIMS as STAIRS
from epsrank.numerics.experiments.stairs import (
    coupled,
    detected,
    staircase_pictures,
    staircase_tables,
)
from epsrank.numerics.sweeps.trial import Outcome, Trial

EPS = (1e-6, 1e-4, 1e-2)
ARMS = ("xavier", "default", STRUCTURED)


def plan(request: Request) -> list[Trial]:
    """Return the trainings of all arms."""
    rules = experiment_rules("A6", request.size)
    return [
        Trial(
            "pretraining",
            {
                "task": "poisson",
                "network": "mlp",
                "depth": depth,
                "width": width,
                "activation": "tanh",
                "init": arm,
                "optimizer": "adam",
                "learning_rate": 1e-3,
                "steps": rules["steps"],
                "n_train": rules["points"],
                "measure_every": max(1, rules["steps"] // rules["measurements"]),
                "eps": list(EPS),
                "device": request.device,
                "seed": seed,
            },
            version=2,
        )
        for depth, width in rules["networks"]
        for arm in rules["arms"]
        for seed in request.seed_range(rules["seeds"])
    ]


def _cell(settings: Mapping[str, Any]) -> str:
    return f"{settings['task']} {settings['depth']}×{settings['width']}"


DESIGN = Design("test_loss", EPS[0], _cell)


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge the claims on pre-training and on staircases."""
    seen = side_by_side(outcomes, DESIGN)
    flat = {
        f"{cell}, {arm}": runs
        for cell, arms in seen.histories.items()
        for arm, runs in arms.items()
    }
    arms = Table("arms", "Ranks of φ, losses and readings, by arm", arm_rows(flat))
    stairs = detected(flat)
    linked = coupled(stairs)
    found = (*findings(seen.comparisons), judge_steps(stairs), judge_together(linked))
    if not flat:
        return Analysis(found, notes=seen.notes)
    pictures = [
        Picture(
            "training",
            "Error of the solution and ε-rank over training, by initialisation. Decides "
            "pretraining-speed and pretraining-accuracy",
            partial(draw_training, seen.histories, "Poisson PINN", rank_of="φ"),
        ),
    ]
    pictures += staircase_pictures(flat, stairs, "Poisson PINN", "volume")
    if seen.comparisons:
        draw_ratios = partial(draw_speed, seen.comparisons, "Poisson PINN")
        pictures.append(Picture("speed", SPEED_CAPTION, draw_ratios))
        draw_all = partial(draw_effects, seen.comparisons, "Uniform density against other laws")
        caption = "Effects of the structured first layer with 95 % intervals"
        pictures.append(Picture("effects", caption, draw_all))
    every = (*tables(seen.comparisons), arms, *staircase_tables(flat, stairs, linked))
    return Analysis(found, every, tuple(pictures), seen.notes)


EXPERIMENT = Experiment(
    id="A6",
    title="Poisson by a PINN: first layer of uniform density",
    source="[S1]: −Δu = 8 sin 2x sin 2y on [−π/2, π/2]², u = 0 on the boundary, against Xavier",
    claims=(*CLAIMS, *STAIRS),
    plan=plan,
    analyse=partial(with_panel, analyse),
)
