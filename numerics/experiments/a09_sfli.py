"""A9: structured first-layer initialisation ([S2]) against six others, on functions and PDEs.

Tasks are the target of A1 and PINNs for Poisson, Helmholtz, Allen–Cahn and Burgers in one
dimension of space; activations tanh, cosine and Gaussian; networks MLP, modified MLP and
residual-adaptive; initialisations default, Xavier, He, orthogonal, uniform on ±1 (wide), TransNet
with its slope tuned, and structured. The full size takes all 5·3·3·7 combinations. The quick one
changes one thing at a time about tanh and MLP:

* default against structured on the target of A1, Helmholtz in one dimension, Burgers, Allen–Cahn;
* on the target of A1 with cosine and with Gaussian neurons;
* on the target of A1 with the modified and with the residual-adaptive network;
* Xavier, He, orthogonal, wide uniform and TransNet against structured on the target of A1.

Poisson is A6. Errors are those of the function or solution at random points; judged by the rule of
`experiments.pretraining.claims`, with the ε-rank of φ at ε = 1e-6. In two dimensions a Gaussian
neuron is a ridge function of the linear layer, not the radial one of [S2]. Sizes, rates, κ and
steps are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from epsrank.numerics.experiments.analysis import Analysis, Picture
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.fitting import measure_every
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
from epsrank.numerics.experiments.rules import Size, experiment_rules
from epsrank.numerics.sweeps.trial import Outcome, Trial

EPS = (1e-6, 1e-4, 1e-2)
Cell = tuple[str, str, str]


def cells(size: Size) -> dict[Cell, tuple[str, ...]]:
    """Return the initialisations of every combination of task, network and activation."""
    rules = experiment_rules("A9", size)
    tasks, networks, activations = (
        tuple(rules[name]) for name in ("tasks", "networks", "activations")
    )
    others = tuple(rules["initialisations"])
    if rules["design"] == "every":
        every = [(t, n, a) for t in tasks for n in networks for a in activations]
        return dict.fromkeys(every, (*others, STRUCTURED))
    # The design is a star: this cell has every initialisation, its neighbours a pair.
    first = (tasks[0], networks[0], activations[0])
    around = [
        *((task, *first[1:]) for task in tasks[1:]),
        *((first[0], first[1], activation) for activation in activations[1:]),
        *((first[0], network, first[2]) for network in networks[1:]),
    ]
    pair = ("default", STRUCTURED)
    return {first: (*others, STRUCTURED)} | dict.fromkeys(around, pair)


def plan(request: Request) -> list[Trial]:
    """Return the trainings of the design."""
    rules = experiment_rules("A9", request.size)
    trials = []
    for (task, network, activation), inits in cells(request.size).items():
        steps, points = rules["tasks"][task]
        for init in inits:
            common: dict[str, Any] = {
                "task": task,
                "network": network,
                "depth": rules["depth"],
                "width": rules["width"],
                "activation": activation,
                "init": init,
                "optimizer": "adam",
                "learning_rate": rules["learning_rate"],
                "steps": steps,
                "n_train": points,
                "measure_every": measure_every(rules, steps),
                "eps": list(EPS),
                "device": request.device,
            }
            # Wide: on ±1, whatever the number of inputs of a layer.
            if init == "uniform":
                common["init_scale"] = 1.0
            trials += [
                Trial("pretraining", common | {"seed": seed}, version=2)
                for seed in request.seed_range(rules["seeds"])
            ]
    return trials


def _cell(settings: Mapping[str, Any]) -> str:
    return f"{settings['task']}, {settings['activation']} {settings['network']}"


DESIGN = Design("test_loss", EPS[0], _cell)


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge the claims on pre-training over the whole design."""
    seen = side_by_side(outcomes, DESIGN)
    pictures = []
    for number, start in enumerate(range(0, len(seen.comparisons), _ROWS), start=1):
        some = seen.comparisons[start : start + _ROWS]
        draw = partial(draw_effects, some, "Structured first layer against other initialisations")
        caption = "Effects of the structured first layer with 95 % intervals. Decides the claims"
        pictures.append(Picture(f"effects-{number}", caption, draw))
        ratios = partial(draw_speed, some, "Structured first layer against other initialisations")
        pictures.append(Picture(f"speed-{number}", SPEED_CAPTION, ratios))
    names = list(seen.histories)
    for number, start in enumerate(range(0, len(names), _COLUMNS), start=1):
        some_cells = {name: seen.histories[name] for name in names[start : start + _COLUMNS]}
        draw_some = partial(draw_training, some_cells, "", rank_of="φ")
        caption = "Error of the function or solution and ε-rank over training, by initialisation"
        pictures.append(Picture(f"training-{number}", caption, draw_some))
    return Analysis(
        findings(seen.comparisons), tables(seen.comparisons), tuple(pictures), seen.notes
    )


# Comparisons and cells that a figure holds.
_ROWS, _COLUMNS = 30, 4

EXPERIMENT = Experiment(
    id="A9",
    title="Structured first-layer initialisation against others",
    source="[S2]: function fitting and PDE benchmarks, three activations, three networks",
    claims=CLAIMS,
    plan=plan,
    analyse=partial(with_panel, analyse),
)
