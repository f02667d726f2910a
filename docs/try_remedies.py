"""Try remedies on planted plateaus, and put the tables into docs/how-to/what-now.md.

``python docs/try_remedies.py`` trains everything (some minutes of one core) and writes
docs/data/remedies.json; with ``--tables`` it only makes the tables from that file.

Each case is a small network whose plateau has a cause known by construction. It trains until it is
stuck and is read; then every remedy gets the same number of further steps as the control, which
just goes on. What counts is the last loss over that of the control, seed by seed. The networks of
all seeds are trained side by side, as products of stacked matrices.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn

from epsrank import read_plateau, structured_first_layer_
from epsrank.theory.words import between_markers

HERE = Path(__file__).parent
DATA = HERE / "data" / "remedies.json"
PAGE = HERE / "how-to" / "what-now.md"
SEEDS = tuple(range(5))
STUCK, FURTHER = 1500, 1500
#: A remedy helps where it halves the loss of the control, and harms where it doubles it.
HELPS, HARMS = 0.5, 2.0

X = torch.linspace(-1, 1, 80, dtype=torch.float64)[:, None]
Row = Mapping[str, Any]


def oscillating(x: torch.Tensor) -> torch.Tensor:
    """Return cos 9x, which a few neurons do not follow."""
    return torch.cos(9 * x)


def three_frequencies(x: torch.Tensor) -> torch.Tensor:
    """Return the target of experiment A1, on [−1, 1]."""
    return torch.cos(x) + torch.cos(2 * x) + torch.cos(30 * x)


@dataclass(frozen=True)
class Plan:
    """How networks are made and trained; a remedy changes some of it."""

    target: Callable[[torch.Tensor], torch.Tensor] = oscillating
    width: int = 40
    depth: int = 1
    structured: bool = False
    #: The head begins this many times as large as PyTorch would make it.
    head_scale: float = 1.0
    #: The features are multiplied by this before the head.
    gain: float = 1.0
    rate: float = 1e-3
    #: Weight decay of the head alone.
    decay: float = 0.0
    lbfgs: bool = False
    steps: int = FURTHER


class Networks:
    """The tanh networks of a plan for several seeds, their parameters stacked by layer."""

    def __init__(self, plan: Plan, seeds: Sequence[int]) -> None:
        self.gain = plan.gain
        made = [self._one(plan, seed) for seed in seeds]
        self.weights = [torch.stack(of) for of in zip(*(w for w, _ in made), strict=True)]
        self.biases = [torch.stack(of) for of in zip(*(b for _, b in made), strict=True)]

    @staticmethod
    def _one(plan: Plan, seed: int) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        torch.manual_seed(seed)
        sizes = [1, *[plan.width] * plan.depth, 1]
        layers = [
            nn.Linear(fan_in, fan_out, dtype=torch.float64) for fan_in, fan_out in pairwise(sizes)
        ]
        if plan.structured:
            structured_first_layer_(layers[0], (-1, 1), activation="tanh")
        weights = [layer.weight.detach().T.clone() for layer in layers]
        weights[-1] *= plan.head_scale
        return weights, [layer.bias.detach()[None, :].clone() for layer in layers]

    def copy(self, only: int | None = None) -> Networks:
        """Return copies, of one seed where it is named."""
        part = slice(None) if only is None else slice(only, only + 1)
        new = object.__new__(Networks)
        new.gain = self.gain
        new.weights = [w[part].detach().clone() for w in self.weights]
        new.biases = [b[part].detach().clone() for b in self.biases]
        return new

    def features(self) -> torch.Tensor:
        """Return φ, of shape (seeds, samples, neurons)."""
        h = X.expand(len(self.weights[0]), -1, -1)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            h = torch.tanh(torch.baddbmm(bias, h, weight))
        return self.gain * h

    def losses(self, target: torch.Tensor) -> torch.Tensor:
        """Return the mean squared error of each."""
        u = torch.baddbmm(self.biases[-1], self.features(), self.weights[-1])
        return (u - target).square().mean(dim=(1, 2))

    def scale_features(self, factor: float) -> None:
        """Multiply what reaches the head and divide the head: the functions stay."""
        self.gain *= factor
        self.weights[-1] /= factor

    def solve_heads(self, target: torch.Tensor) -> None:
        """Put the least-squares head, the smallest one, on the features as they are."""
        phi = self.features()
        full = torch.cat([phi, torch.ones_like(phi[..., :1])], dim=-1)
        best = torch.linalg.lstsq(full, target.expand(len(full), -1, -1), driver="gelsd").solution
        self.weights[-1], self.biases[-1] = best[:, :-1], best[:, -1:]

    def train(self, plan: Plan, steps: int) -> list[float]:
        """Train in full batches; return the last losses."""
        target = plan.target(X)
        parameters = [p.requires_grad_() for p in (*self.weights, *self.biases)]
        if plan.lbfgs:
            solver: Any = torch.optim.LBFGS(
                parameters, max_iter=steps, line_search_fn="strong_wolfe"
            )

            def again() -> torch.Tensor:
                solver.zero_grad()
                loss = self.losses(target).sum()
                loss.backward()  # type: ignore[no-untyped-call]
                return loss

            solver.step(again)
        else:
            head = [self.weights[-1]]
            rest = [p for p in parameters if p is not head[0]]
            groups: list[dict[str, Any]] = [{"params": rest, "weight_decay": 0.0}, {"params": head}]
            solver = torch.optim.AdamW(groups, plan.rate, weight_decay=plan.decay)
            for _ in range(steps):
                solver.zero_grad()
                self.losses(target).sum().backward()  # type: ignore[no-untyped-call]
                solver.step()
        with torch.no_grad():
            return self.losses(target).tolist()


@dataclass(frozen=True)
class Remedy:
    """What is changed; `fresh` trains anew, for the steps until stuck and the further ones."""

    name: str
    change: Mapping[str, Any] = field(default_factory=dict)
    fresh: bool = False
    before: Callable[[Networks, Plan], None] | None = None


def _solve(networks: Networks, plan: Plan) -> None:
    networks.solve_heads(plan.target(X))


def _enlarge(networks: Networks, plan: Plan) -> None:
    networks.scale_features(10.0)


LONGER = Remedy("4 × as many further steps", {"steps": 4 * FURTHER})
LBFGS = Remedy("L-BFGS", {"lbfgs": True})
SOLVED = Remedy("least-squares head, then go on", before=_solve)
ENLARGED = Remedy("features × 10, then go on", before=_enlarge)
STRUCTURED = Remedy("structured first layer, anew", {"structured": True}, fresh=True)


def _faster(rate: float, factor: int) -> Remedy:
    return Remedy(f"{factor} × the rate", {"rate": factor * rate})


def _wider(width: int) -> Remedy:
    return Remedy("4 × the neurons, anew", {"width": 4 * width}, fresh=True)


def _wider_and_faster(plan: Plan) -> Remedy:
    change = {"width": 4 * plan.width, "rate": 10 * plan.rate}
    return Remedy("4 × the neurons and 10 × the rate, anew", change, fresh=True)


def _deeper(depth: int) -> Remedy:
    return Remedy("one more layer, anew", {"depth": depth + 1}, fresh=True)


@dataclass(frozen=True)
class Case:
    """A plateau, its cause, and what is tried on it."""

    name: str
    cause: str
    plan: Plan
    extra: tuple[Remedy, ...] = ()

    def remedies(self) -> tuple[Remedy, ...]:
        """Return what is tried, on every case the same, and what it alone asks for."""
        plan = self.plan
        common = (LONGER, _faster(plan.rate, 10), LBFGS, SOLVED, ENLARGED, _wider(plan.width),
                  _wider_and_faster(plan), _deeper(plan.depth))  # fmt: skip
        return (*self.extra, *common, *(() if plan.structured else (STRUCTURED,)))


CASES = (
    Case("too few neurons", "two tanh neurons for cos 9x: no weights of theirs fit", Plan(width=2)),
    Case(
        "a head held down",
        "40 structured neurons, weight decay 30 on the head: its norm cannot grow",
        Plan(structured=True, decay=30.0),
        (Remedy("no weight decay", {"decay": 0.0}),),
    ),
    Case(
        "a head badly placed",
        "40 structured neurons, a head that begins 30 × too large, the rate 1e-4",
        Plan(structured=True, head_scale=30.0, rate=1e-4),
        (_faster(1e-4, 100),),
    ),
    Case(
        "a high frequency",
        "nothing planted: 2 × 40 tanh neurons on cos x + cos 2x + cos 30x",
        Plan(target=three_frequencies, depth=2),
    ),
)


def try_case(case: Case, seeds: Sequence[int] = SEEDS) -> list[dict[str, Any]]:
    """Return per seed the reading of the stuck network and the last losses of what was tried."""
    plan, target = case.plan, case.plan.target(X)
    stuck = Networks(plan, seeds)
    losses = stuck.train(plan, STUCK)
    stuck = stuck.copy()
    rows: list[dict[str, Any]] = []
    for k, seed in enumerate(seeds):
        found = read_plateau(
            stuck.features()[k], target, coefficients=stuck.weights[-1][k],
            bias_value=stuck.biases[-1][k, 0],
        )  # fmt: skip
        rows.append(
            {
                "case": case.name,
                "seed": seed,
                "stuck": losses[k],
                "reading": str(found),
                "losses": {},
            }
        )
    for remedy in (Remedy("control"), *case.remedies()):
        changed = replace(plan, **remedy.change)
        networks = Networks(changed, seeds) if remedy.fresh else stuck.copy()
        if remedy.before is not None:
            remedy.before(networks, changed)
        if changed.lbfgs:
            # Its line search is one of all that it is given: seeds go one by one.
            last = [
                networks.copy(only=k).train(changed, changed.steps)[0] for k in range(len(seeds))
            ]
        else:
            last = networks.train(changed, changed.steps + (STUCK if remedy.fresh else 0))
        for row, loss in zip(rows, last, strict=True):
            row["losses"][remedy.name] = loss
    return rows


def _number(value: float) -> str:
    return f"{value:.2g}"


def table(case: Case, rows: Sequence[Row]) -> str:
    """Return what was tried on a case: medians over the seeds, with the least and the largest."""
    stuck = [row["stuck"] for row in rows]
    control = [row["losses"]["control"] for row in rows]
    words = sorted({row["reading"].partition(":")[0] for row in rows})
    lines = [
        f"**{case.name[0].upper()}{case.name[1:]}** ({case.cause}). Stuck at a loss of "
        f"{_number(median(stuck))}, {_number(median(control))} after going on; read as "
        f"{', '.join(f'*{word}*' for word in words)}.",
        "",
        f"| remedy | loss / loss of going on | helped, of {len(rows)} | harmed |",
        "|---|---|---|---|",
    ]
    tried = []
    for remedy in case.remedies():
        ratios = [row["losses"][remedy.name] / row["losses"]["control"] for row in rows]
        tried.append((median(ratios), remedy.name, ratios))
    for middle, name, ratios in sorted(tried):
        helped, harmed = sum(r <= HELPS for r in ratios), sum(r >= HARMS for r in ratios)
        spread = f"{_number(middle)} [{_number(min(ratios))}, {_number(max(ratios))}]"
        lines.append(f"| {name} | {spread} | {helped} | {harmed} |")
    return "\n".join(lines)


def page(text: str) -> str:
    """Return the page with the tables of the file between its markers."""
    rows = json.loads(DATA.read_text("utf-8"))
    tables = [table(case, [row for row in rows if row["case"] == case.name]) for case in CASES]
    return between_markers(text, "remedies", "\n\n".join(tables))


def main() -> None:
    """Train everything, or with ``--tables`` only write the tables."""
    torch.set_num_threads(1)
    if "--tables" not in sys.argv:
        rows = [row for case in CASES for row in try_case(case)]
        DATA.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
