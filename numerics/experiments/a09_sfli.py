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
from epsrank.numerics.experiments.pretraining.claims import CLAIMS, findings, tables
from epsrank.numerics.experiments.pretraining.design import STRUCTURED, Design, side_by_side
from epsrank.numerics.experiments.pretraining.figures import draw_effects, draw_training
from epsrank.numerics.sweeps.trial import Outcome, Trial

EPS = (1e-6, 1e-4, 1e-2)
NETWORKS = ("mlp", "modified", "adaptive")
ACTIVATIONS = ("tanh", "cosine", "gaussian")
#: Initialisations besides the structured one; uniform is on ±1.
OTHERS = ("default", "xavier", "he", "orthogonal", "uniform", "transnet")
#: Steps and points of a task.
_TASKS: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "quick": {
        "cosines": (1000, 200),
        "helmholtz-1d": (400, 60),
        "burgers": (400, 225),
        "allen-cahn": (400, 225),
    },
    "full": {
        "cosines": (15_000, 500),
        "poisson": (10_000, 400),
        "helmholtz": (10_000, 900),
        "allen-cahn": (20_000, 1600),
        "burgers": (20_000, 1600),
    },
}
_WIDTH = {"quick": 30, "full": 50}
_DEPTH = {"quick": 2, "full": 3}
_MEASUREMENTS = {"quick": 20, "full": 100}

Cell = tuple[str, str, str]


def cells(size: str) -> dict[Cell, tuple[str, ...]]:
    """Return the initialisations of every combination of task, network and activation."""
    tasks = tuple(_TASKS[size])
    if size == "full":
        every = [(t, n, a) for t in tasks for n in NETWORKS for a in ACTIVATIONS]
        return dict.fromkeys(every, (*OTHERS, STRUCTURED))
    first = (tasks[0], NETWORKS[0], ACTIVATIONS[0])
    around = [
        *((task, *first[1:]) for task in tasks[1:]),
        *((first[0], first[1], activation) for activation in ACTIVATIONS[1:]),
        *((first[0], network, first[2]) for network in NETWORKS[1:]),
    ]
    pair = ("default", STRUCTURED)
    return {first: (*OTHERS, STRUCTURED)} | dict.fromkeys(around, pair)


def plan(request: Request) -> list[Trial]:
    """Return the trainings of the design."""
    size = request.size
    trials = []
    for (task, network, activation), inits in cells(size).items():
        steps, points = _TASKS[size][task]
        for init in inits:
            common: dict[str, Any] = {
                "task": task,
                "network": network,
                "depth": _DEPTH[size],
                "width": _WIDTH[size],
                "activation": activation,
                "init": init,
                "optimizer": "adam",
                "learning_rate": 3e-3 if size == "quick" else 1e-3,
                "steps": steps,
                "n_train": points,
                "measure_every": max(1, steps // _MEASUREMENTS[size]),
                "eps": list(EPS),
                "device": request.device,
            }
            if init == "uniform":
                common["init_scale"] = 1.0
            trials += [
                Trial("pretraining", common | {"seed": seed}, version=2)
                for seed in request.seed_range(6)
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
    analyse=analyse,
)
