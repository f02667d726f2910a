"""A1: fitting cos x + cos 2x + cos 30x on [−1, 1]: loss and ε-rank on one time axis.

Networks of the source: tanh with (hidden layers, width) = (2, 50), (2, 25), (4, 50), (4, 25), mean
squared error, 15 000 steps. Ours: Adam with rate 1e-3 on the whole grid of 500 points, default
initialisation; measurements evenly spaced; ε = 1e-6, 1e-4, 1e-2, mean measure. Quick has as many
steps, for the stairs need them, on 200 points with (2, 50) and (4, 50) alone. Networks of one shape
train together. There are 12 seeds, since 6 do not tell coupling: of the same six of (4, 50), 5 were
coupled on one processor and 3 on another.

The claims are on staircases, by the rule of `experiments.stair_claims`, one setting per network.
Beside them stands the reading of the plateaus (F6): V(‖β‖) is the least loss that the features
allow with an output layer of the norm there is; where loss/V is near 1 no output layer does better.
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


def plan(request: Request) -> list[Trial]:
    """Return the trainings of the four networks."""
    rules = experiment_rules("A1", request.size)
    return [
        fitting_trial(request, rules, seed=seed, depth=depth, width=width)
        for depth, width in rules["networks"]
        for seed in request.seed_range(rules["seeds"])
    ]


def arm_of(run: History) -> str:
    """Return depth × width."""
    return f"{run.settings['depth']} × {run.settings['width']}"


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge the claims on staircases."""
    return analysis(outcomes, arm_of, "cos x + cos 2x + cos 30x on [−1, 1], tanh")


EXPERIMENT = Experiment(
    id="A1",
    title="Function fitting: loss and ε-rank over width and depth",
    source="[S1]: cos x + cos 2x + cos 30x on [−1, 1], MSE, tanh, 15 000 steps",
    claims=(*CLAIMS, *DROPS),
    plan=plan,
    analyse=partial(with_panel, analyse),
    batched=True,
)
