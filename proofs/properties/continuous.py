"""C3 and C4 on small networks: enclosed integrals, certified floors, suprema over a domain."""

# ruff: noqa: D401 — the docstring of a property is its statement, not a command.

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from epsrank.proofs.strategies.dense import TARGETS, dense_networks, readouts, small_boxes
from epsrank.proofs.testing.search import Tally, refute, states
from epsrank.theory.continuous import AnalyticSystem, AnalyticTarget, continuous_floor
from epsrank.theory.continuous.gram import continuous_gram
from epsrank.theory.dense import DenseNetwork
from epsrank.theory.numbers.interval import from_ball
from epsrank.theory.sampling import largest_leverage

_STEEP = DenseNetwork("tanh", (np.array([[6.0], [-6.0]]),), (np.array([3.0, 6.0]),),
                      np.array([[4.0], [1.0]]), np.zeros(1))  # fmt: skip

# Gauss–Legendre in float64 on equal panels: agrees with the integral to about 1e-13 here.
_PANELS, _ORDER = 64, 12
_AGREEMENT = 1e-9


def _float_gram(system: AnalyticSystem, low: float, high: float) -> np.ndarray:
    """Return ∫ f fᵀ by a composite rule in float64, with nothing shared with the ball code."""
    nodes, weights = np.polynomial.legendre.leggauss(_ORDER)
    ends = np.linspace(low, high, _PANELS + 1)
    # A break at 0 is put on the edge of two panels.
    ends = np.unique(np.concatenate([ends, [0.0]])) if low < 0 < high else ends
    half = np.diff(ends)[:, None] / 2
    x = (ends[:-1, None] + half * (1 + nodes)).ravel()
    columns = [system.network.features(x), np.ones((len(x), 1))]
    formulas = {"cos 5x": np.cos(5 * x), "1/(1 + 9x²)": 1 / (1 + 9 * x**2), "|x|": np.abs(x)}
    if system.target is not None:
        columns.append(formulas[system.target.formula][:, None])
    values = np.concatenate(columns, axis=1)
    return np.asarray(values.T @ ((half * weights).ravel()[:, None] * values))


@states(
    "continuous-rank",
    pinned=[{"network": _STEEP, "target": TARGETS[1], "domain": [(-1.0, 1.0)]}],
    share=0.25,
    network=dense_networks(),
    target=st.sampled_from(TARGETS),
    domain=small_boxes(1),
)
def integrals_enclosed(
    tally: Tally, network: DenseNetwork, target: AnalyticTarget, domain: list[tuple[float, float]]
) -> None:
    """The balls of ∫ f fᵀ are narrow, and hold what a composite rule in float64 gives."""
    system = AnalyticSystem(network, True, target)
    found = continuous_gram(system, *domain[0], 128)
    truth = _float_gram(system, *domain[0])
    for i, row in enumerate(found.joint.tolist()):
        for j, ball in enumerate(row):
            ends = from_ball(ball)
            slack = Fraction(_AGREEMENT) * (1 + abs(Fraction(truth[i, j])))
            tally.count(decided=True)
            if ends.width > Fraction(2) ** -96 * max(Fraction(1), abs(ends.upper)):
                refute(f"the integral of f_{i} f_{j} is only known to {float(ends.width):.1e}")
            if not ends.lower - slack <= Fraction(truth[i, j]) <= ends.upper + slack:
                refute(f"∫ f_{i} f_{j} = {truth[i, j]!r} lies outside {ends}")


@states(
    "continuous-rank",
    share=0.1,
    network=dense_networks(),
    target=st.sampled_from(TARGETS),
    domain=small_boxes(1),
    exponent=st.integers(-12, -1),
)
def continuous_chain(
    tally: Tally,
    network: DenseNetwork,
    target: AnalyticTarget,
    domain: list[tuple[float, float]],
    exponent: int,
) -> None:
    """floor² ≤ envelope² ≤ V(‖β‖) ≤ loss in L²(Ω), by enclosures (F2, F3, C3)."""
    found = continuous_floor(network, target, 10.0**exponent, domain[0], bits=128, max_bits=256)
    for verdict in found.verdicts:
        tally.count(verdict.holds)
        if verdict.state == "violated":
            refute(str(verdict))


@states(
    "sample-rank",
    share=0.25,
    network=dense_networks(analytic=False, max_inputs=2),
    data=st.data(),
)
def suprema_over_boxes(tally: Tally, network: DenseNetwork, data: st.DataObject) -> None:
    """Certified bounds of sup ‖Tᵀφ(x)‖² over a box hold at random points."""
    box = data.draw(small_boxes(network.n_inputs), label="box")
    matrix = data.draw(readouts(network.n_features), label="readout")
    found = largest_leverage(network, box, matrix, gap=0.2, max_boxes=400)
    low, high = np.array(box).T
    share = np.random.default_rng(0).uniform(size=(400, network.n_inputs))
    # Two corners, where random points hardly come and suprema often are.
    share[:2] = [[0.0], [1.0]]
    # Rounding may leave the box, outside of which nothing is claimed.
    values = network.features(np.clip(low + share * (high - low), low, high)) @ matrix
    largest = float((values**2).sum(axis=1).max())
    tally.count(decided=True)
    if largest > found.upper + 1e-9 * (1 + found.upper) or found.lower > found.upper:
        refute(f"sup = {largest!r} at a point, but the bounds are {found}")
