"""A3: the activations of the source on the task of A1: ReLU, ELU, cosine, tanh.

Ours: 2 hidden layers of 50, Adam with rate 1e-3 on the whole grid, default initialisation, 15 000
steps (quick: on 100 points); measurements evenly spaced; ε = 1e-6, 1e-4, 1e-2, mean measure.

The claims are on staircases, by the rule of `experiments.stair_claims`, one setting per activation.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from epsrank.numerics.experiments.analysis import Analysis
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.fitting import fitting_trial
from epsrank.numerics.experiments.histories import History
from epsrank.numerics.experiments.robustness import with_panel
from epsrank.numerics.experiments.rules import experiment_rules
from epsrank.numerics.experiments.stairs import CLAIMS, DROPS, analysis
from epsrank.numerics.sweeps.trial import Outcome, Trial

ACTIVATIONS = ("relu", "elu", "cosine", "tanh")


def plan(request: Request) -> list[Trial]:
    """Return the trainings with the four activations."""
    rules = experiment_rules("A3", request.size)
    return [
        fitting_trial(
            request,
            rules,
            seed=seed,
            depth=2,
            width=50,
            activation=activation,
        )
        for activation in ACTIVATIONS
        for seed in request.seed_range(rules["seeds"])
    ]


def arm_of(run: History) -> str:
    """Return the activation."""
    return str(run.settings["activation"])


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge the claims on staircases."""
    return analysis(outcomes, arm_of, "cos x + cos 2x + cos 30x on [−1, 1], 2 × 50")


EXPERIMENT = Experiment(
    id="A3",
    title="Activations: ReLU, ELU, cosine, tanh",
    source="[S1]: the task of A1 with four activations",
    claims=(*CLAIMS, *DROPS),
    plan=plan,
    analyse=partial(with_panel, analyse),
    batched=True,
)
