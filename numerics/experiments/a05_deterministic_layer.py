"""A5: a deterministic first layer against random ones, on the target of A1 and on others.

The first layer is φ_j(x) = tanh((n/2)(x − x_j)) with x_j on the uniform grid of [−1, 1] ([S1]
eq. 4.3; the interval rule of `structured`), the others as by default; against it stand the
default of PyTorch and Xavier's initialisation of all layers. Networks of the source: (2, 30) and
(4, 50). Ours: Adam with rate 1e-3 on the whole grid, as in A1, and the number of steps. A claim on
training in general needs further targets: a chirp, |x|^1.5, a step and a function of the square,
where (2, 50) meets the default initialisation. Measurements are dense at first, since the
structured arm arrives early.

The claims are on pre-training, by the rule of `experiments.pretraining.claims`; errors are those
at points drawn uniformly from the box, which training does not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from epsrank.numerics.experiments.analysis import Analysis, Picture
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.fitting import EPS, fitting_trial
from epsrank.numerics.experiments.histories import History, read_history
from epsrank.numerics.experiments.pretraining.claims import (
    CLAIMS,
    Comparison,
    compare,
    findings,
)
from epsrank.numerics.experiments.pretraining.figures import (
    SPEED_CAPTION,
    draw_effects,
    draw_speed,
    draw_training,
)
from epsrank.numerics.experiments.pretraining.runs import PretrainingRun, read_run
from epsrank.numerics.experiments.pretraining.tables import tables
from epsrank.numerics.experiments.robustness import with_panel
from epsrank.numerics.experiments.rules import experiment_rules
from epsrank.numerics.sweeps.trial import Outcome, Trial

if TYPE_CHECKING:
    from collections.abc import Mapping

_NETWORKS = ((2, 30), (4, 50))
_PLAIN = ("default", "xavier")
_PRETRAINED = "structured"
# The network on further targets.
_ELSEWHERE = (2, 50)


def plan(request: Request) -> list[Trial]:
    """Return one trial per network, initialisation and seed."""
    rules = experiment_rules("A5", request.size)
    cells: list[tuple[str, tuple[int, int], tuple[str, ...]]] = [
        ("cosines", network, (*_PLAIN, _PRETRAINED)) for network in _NETWORKS
    ]
    cells += [(task, _ELSEWHERE, (_PLAIN[0], _PRETRAINED)) for task in rules["targets"]]
    return [
        # The training of A1, as the kind of trial that takes times as well.
        Trial(
            "pretraining",
            fitting_trial(
                request, rules, seed=seed, task=task, depth=depth, width=width, init=init
            ).settings,
        )
        for task, (depth, width), inits in cells
        for init in inits
        for seed in request.seed_range(rules["seeds"])
    ]


def _network(settings: Mapping[str, object]) -> str:
    network = f"({settings['depth']}, {settings['width']})"
    task = settings["task"]
    return network if task == "cosines" else f"{task} {network}"


def comparisons(outcomes: Sequence[Outcome]) -> list[Comparison]:
    """Return the comparisons of the structured first layer with each other one."""
    arms: dict[tuple[str, str], list[PretrainingRun]] = {}
    for outcome in outcomes:
        run = read_run(outcome, "test_loss", EPS[0])
        if run is not None:
            arms.setdefault((_network(run.settings), str(run.settings["init"])), []).append(run)
    made = [
        compare(
            f"{network}, structured against {plain}",
            arms.get((network, plain), []),
            arms.get((network, _PRETRAINED), []),
            "test_loss",
        )
        for network in dict.fromkeys(network for network, _ in arms)
        for plain in _PLAIN
        if (network, plain) in arms
    ]
    return [item for item in made if item is not None]


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge the claims on pre-training."""
    made = comparisons(outcomes)
    cells: dict[str, dict[str, list[History]]] = {}
    for outcome in outcomes:
        if outcome.status == "done" and outcome.result.get("step"):
            arm = cells.setdefault(_network(outcome.settings), {})
            arm.setdefault(str(outcome.settings["init"]), []).append(read_history(outcome))
    pictures = []
    if made:
        pictures = [
            Picture(
                "training",
                "A5: loss at unseen points and ε-rank of the last hidden layer over training "
                "(claims on pre-training)",
                partial(draw_training, cells, "", rank_of="the last hidden layer"),
            ),
            Picture(
                "speed",
                SPEED_CAPTION,
                partial(draw_speed, made, ""),
            ),
            Picture(
                "effects",
                "A5: what the deterministic first layer changes, medians over seeds with intervals",
                partial(draw_effects, made, ""),
            ),
        ]
    return Analysis(findings(made), tables(made), tuple(pictures), tuple(_notes(outcomes)))


def _notes(outcomes: Sequence[Outcome]) -> list[str]:
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    diverged = [outcome for outcome in outcomes if outcome.result.get("status") == "diverged"]
    notes = []
    if failed:
        notes.append(f"{len(failed)} of {len(outcomes)} trainings failed: {failed[0].cause}")
    if diverged:
        notes.append(f"{len(diverged)} of {len(outcomes)} trainings diverged")
    return notes


EXPERIMENT = Experiment(
    "A5",
    "A deterministic first layer against random ones",
    "[S1] eq. 4.3; target of A1, networks (2, 30) and (4, 50), tanh",
    CLAIMS,
    plan,
    partial(with_panel, analyse),
)
