"""A4: images with cross-entropy; ε-ranks over data, and over the box of a narrow layer.

The early draft of [S1] inserts a layer of 10 neurons, and integrates the last hidden layer's Gram
matrix over points of its outputs. Here it is done both ways, on that network: over the training
samples, and over Sobol points of [−1, 1]^10; and on the plain network over the samples. Ours: three
hidden layers of 50, tanh (the last but one of 10 with the narrow layer), Adam and plain descent at
the rates of the rules, batches of 128, all of MNIST from the standard size on, and ε = 1e-2: at
1e-6 a layer of 50 has full rank over images within a few steps, and no growth is left to couple
with. Runs go on until the loss is near its end: descent leaves the plateau at ln 10 late.

The claims are on staircases, by the rule of `experiments.stair_claims`. Steps are judged once per
training; their coupling with each of the ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from epsrank.numerics.experiments.analysis import Analysis
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.histories import History
from epsrank.numerics.experiments.robustness import with_panel
from epsrank.numerics.experiments.rules import experiment_rules
from epsrank.numerics.experiments.stairs import CLAIMS, DROPS, analysis
from epsrank.numerics.sweeps.trial import Outcome, Trial

# The first one is what staircases are judged by, see above.
EPS = (1e-2, 1e-4, 1e-6)
_OVER_BOX, _OVER_DATA = "narrow layer, rank over its box", "narrow layer, rank over data"
_PLAIN = "plain network, rank over data"


def plan(request: Request) -> list[Trial]:
    """Return a training with and one without the narrow layer, per task and seed."""
    tasks = ("digits", *(name for name in ("mnist",) if name in request.datasets))
    trials = []
    for task in tasks:
        rules = experiment_rules("A4", request.size)
        for optimizer in rules["optimizers"]:
            for seed in request.seed_range(rules["seeds"]):
                settings = _settings(request, task, optimizer, seed)
                neck = {"train": {**settings, "network": "bottleneck"}, "log2_points": 11}
                trials += [Trial("neck", neck), Trial("train", settings)]
    return trials


def _settings(request: Request, task: str, optimizer: str, seed: int) -> dict[str, Any]:
    rules = experiment_rules("A4", request.size)
    rate, steps = rules["optimizers"][optimizer]
    settings: dict[str, Any] = {
        "task": task,
        "network": "mlp",
        "width": 50,
        "depth": 3,
        "activation": "tanh",
        "loss": "cross-entropy",
        "optimizer": optimizer,
        "learning_rate": rate,
        "batch_size": 128,
        "steps": steps,
        "measure_every": steps // rules["measurements"],
        "probe": 1000,
        "eps": list(EPS),
        "seed": seed,
        "device": request.device,
    }
    if "keep_features" in rules:
        settings["keep_features"] = rules["keep_features"]
    sizes = {name: rules[name] for name in ("n_train", "n_test") if name in rules}
    return settings | (sizes if task == "mnist" else {})


def views(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return what each training looks like over data, and with a narrow layer over its box too."""
    found = []
    for outcome in outcomes:
        if outcome.trial.kind != "neck":
            found.append(_seen(outcome, outcome.settings, _PLAIN))
            continue
        settings = outcome.settings["train"]
        found.append(_seen(outcome, settings, _OVER_DATA))
        if outcome.status == "done":
            box = {
                f"rank_{end}": {
                    eps: [[rank] for rank in ranks]
                    for eps, ranks in outcome.result[f"box_{end}"].items()
                }
                for end in ("lower", "upper")
            }
            result = {**outcome.result, **box, "n_layers": 1}
            found.append(_seen(replace(outcome, result=result), settings, _OVER_BOX))
    return found


def _seen(outcome: Outcome, settings: Any, view: str) -> Outcome:
    # The view stands among the settings, by which arms are named.
    return replace(outcome, trial=Trial("train", {**settings, "view": view}))


def arm_of(run: History) -> str:
    """Return task, optimiser and view."""
    return f"{run.task}, {run.settings['optimizer']}: {run.settings['view']}"


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge the claims on staircases."""
    seen = views(outcomes)
    # One training has two views where it has a narrow layer, and its steps count once.
    found = analysis(
        seen, arm_of, "A4: images, cross-entropy", lambda arm: not arm.endswith(_OVER_BOX)
    )
    missing = (
        ()
        if any(o.settings.get("task") == "mnist" for o in seen)
        else ("MNIST was not at hand (EPSRANK_DATA): digits only",)
    )
    return replace(found, notes=(*found.notes, *missing))


EXPERIMENT = Experiment(
    "A4",
    "Images with cross-entropy: ranks over data and over the box of a narrow layer",
    "[S1] and its early draft; sizes ours",
    (*CLAIMS, *DROPS),
    plan,
    partial(with_panel, analyse),
)
