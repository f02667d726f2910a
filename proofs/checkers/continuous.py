"""C3 on networks: certified ranks and chains in L²(Ω), and FLINT's own integrals against ours."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from flint import acb

from epsrank.numerics.checkpoint.dense import network_of_run
from epsrank.numerics.tasks import TASKS
from epsrank.proofs.checkers.base import Checker, Context
from epsrank.proofs.instances.networks import CERTIFIED_WIDTH, planned
from epsrank.proofs.ledger.evidence import Evidence, State
from epsrank.theory.continuous import (
    ANALYTIC_TARGETS,
    AnalyticSystem,
    continuous_floor,
    continuous_ranks,
)
from epsrank.theory.continuous.gram import continuous_gram
from epsrank.theory.continuous.grid import GRID, grid_ranks
from epsrank.theory.dense import ANALYTIC, DenseNetwork
from epsrank.theory.rank.routes.ball import ball_precision
from epsrank.theory.words import plural

CLAIM = "continuous-rank"

EPS = (1e-2, 1e-6, 1e-12)

_BITS = 128


def check_network(name: str, context: Context) -> list[Evidence]:
    """Certify ε-ranks and the chain of a trained network over the domain of its task."""
    title = f"ε-rank and floor ≤ envelope ≤ V(‖β‖) ≤ loss of {name} in L²(Ω), in ball arithmetic"
    run = context.networks[name].run()
    network, task = network_of_run(run), run.config.task
    assert run.task.domain is not None
    domain = run.task.domain[0]
    ranks = continuous_ranks(network, EPS, domain)
    floor = continuous_floor(network, task, EPS[1], domain)
    sampled = grid_ranks(network, EPS, domain, "volume")
    rows = [
        {
            "ε": rank.eps,
            "ε-rank": [rank.lower, rank.upper],
            f"on {plural(GRID, 'point')}": [grid.lower, grid.upper],
            "why": rank.reason,
        }
        for rank, grid in zip(ranks, sampled, strict=True)
    ]
    violated = [verdict for verdict in floor.verdicts if verdict.state == "violated"]
    decided = floor.holds and all(rank.resolved for rank in ranks)
    state: State = "refuted" if violated else "passed" if decided else "undecided"
    return [
        Evidence(
            CLAIM,
            "exact",
            state,
            title,
            {
                "network": name,
                "nodes": floor.rank.quadrature.nodes,
                "remainder": floor.rank.quadrature.remainder,
                "loss": float(floor.loss),
                "reachable": float(floor.reachable),
                "envelope": float(floor.envelope),
                "floor": float(floor.floor),
            },
            witness={"verdicts": [str(v) for v in violated]} if violated else None,
            cause=floor.reason or None if state == "undecided" else None,
            rows=rows,
        )
    ]


def check_integrals(context: Context) -> list[Evidence]:
    """Compare every integral of small networks with FLINT's verified integration."""
    random = np.random.default_rng([context.seed, 3])
    rows: list[dict[str, Any]] = []
    witness: dict[str, Any] | None = None
    compared, widest = 0, 0.0
    for activation in ANALYTIC:
        for depth in (1, 2):
            network = _small_network(activation, depth, random)
            system = AnalyticSystem(network, True, ANALYTIC_TARGETS["runge"])
            ours = continuous_gram(system, -1.0, 1.0, _BITS).joint.tolist()
            for i in range(system.size):
                for j in range(i + 1):
                    theirs = integral(system, i, j, -1.0, 1.0)
                    compared += 1
                    widest = max(widest, float(ours[i][j].rad()))
                    if not ours[i][j].overlaps(theirs):
                        witness = witness or {
                            "network": network.to_json(),
                            "entry": [i, j],
                            "Gauss–Legendre": str(ours[i][j]),
                            "acb.integral": str(theirs),
                        }
            rows.append({"activation": activation, "depth": depth, "integrals": system.size**2})
    return [
        Evidence(
            CLAIM,
            "exact",
            "refuted" if witness else "passed",
            "Gauss–Legendre enclosures against FLINT's verified integration (another algorithm) "
            "on small networks",
            {"integrals": compared, "largest radius": widest},
            witness=witness,
            rows=rows,
        )
    ]


def integral(system: AnalyticSystem, i: int, j: int, low: float, high: float) -> Any:
    """Return ∫ f_i f_j by FLINT's adaptive verified integration; f has no breaks in [low, high]."""

    def integrand(z: Any, _: bool) -> Any:
        rows = system.on_balls([z], 0.0)
        # On a ball that meets a pole: the integration then cuts it in parts.
        return acb("nan") if rows is None else rows[i][0] * rows[j][0]

    with ball_precision(_BITS):
        return acb.integral(integrand, low, high).real


def _small_network(activation: str, depth: int, random: np.random.Generator) -> DenseNetwork:
    sizes = [1] + [2] * depth
    return DenseNetwork(
        activation,
        tuple(random.normal(size=(sizes[k + 1], sizes[k])) * 2 for k in range(depth)),
        tuple(random.normal(size=2) for _ in range(depth)),
    )


def continuous_checkers(effort: str) -> list[Checker]:
    """Return one checker per trained network of one input, and the comparison of integrals."""
    names = [
        name
        for name, width in planned(effort).items()
        if name.split()[0] in ANALYTIC_TARGETS
        and name.split()[0] in TASKS
        # Not analytic: the remainder of Gauss–Legendre has no bound there.
        and not name.endswith("relu")
        and width <= CERTIFIED_WIDTH
    ]
    return [
        Checker("integrals of small networks", (CLAIM,), "exact", check_integrals),
        *(
            Checker(f"continuous {name}", (CLAIM,), "exact", partial(check_network, name), (name,))
            for name in names
        ),
    ]
