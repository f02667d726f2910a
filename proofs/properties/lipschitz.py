"""L2: the constants L, the certified bounds, and the floor by ε, against losses in balls."""

# ruff: noqa: D401 — the docstring of a property is its statement, not a command.

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, ctx
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from epsrank.proofs.testing.search import Tally, refute, states
from epsrank.theory.floor.certified.ball_matrix import from_array
from epsrank.theory.floor.convex.classes import CrossEntropy
from epsrank.theory.floor.convex.floor import convex_floor
from epsrank.theory.floor.convex.lipschitz import lipschitz_floor
from epsrank.theory.floor.convex.losses import ConvexLoss, Huber
from epsrank.theory.floor.convex.named import as_convex_loss
from epsrank.theory.numbers.arrays import Array, Matrix

_BITS = 160


def ball_loss(law: ConvexLoss, outputs: list[Any], target: list[Any]) -> Any:
    """Return ℓ(z, y) of one sample by its definition, in balls; nothing is shared with `law`."""
    if isinstance(law, CrossEntropy):
        # The largest score is taken out, so that no exponential is large.
        top = max(outputs, key=lambda z: float(z.mid()))
        total = sum(((z - top).exp() for z in outputs), arb(0)).log() + top
        return sum((y * (total - z) for z, y in zip(outputs, target, strict=True)), arb(0))
    sizes = [abs(z - y) for z, y in zip(outputs, target, strict=True)]
    if not isinstance(law, Huber):
        return sum(sizes, arb(0))
    delta = arb(law.delta)
    return sum((_huber(r, delta) for r in sizes), arb(0))


def _huber(r: Any, delta: Any) -> Any:
    near, far = r * r / 2, delta * (r - delta / 2)
    if r <= delta:
        return near
    # A ball across δ may be on either side.
    return far if r >= delta else near.union(far)


def ball_mean_loss(
    law: ConvexLoss, features: Matrix, coefficients: Matrix, target: Matrix, *, bits: int = _BITS
) -> Any:
    """Return mean ℓ(φW, y) of exact float64 numbers as a ball."""
    with ctx.workprec(bits):
        outputs = (from_array(features) * from_array(coefficients)).tolist()
        total = arb(0)
        for z, y in zip(outputs, target.tolist(), strict=True):
            total += ball_loss(law, z, [arb(value) for value in y])
        return total / len(outputs)


@dataclass(frozen=True, eq=False)
class HeadCase:
    """Features, an output layer, targets and ε."""

    #: φ.
    features: Matrix
    #: W, and another matrix, to be scaled into the ball of W.
    coefficients: Matrix
    other: Matrix
    #: y.
    target: Matrix
    #: ε.
    eps: float


@st.composite
def head_cases(draw: st.DrawFn, *, classes: bool) -> HeadCase:
    """Draw a problem of up to 12 samples, 5 features and 4 outputs."""
    n_samples, n, k = draw(st.integers(1, 12)), draw(st.integers(1, 5)), draw(st.integers(2, 4))
    entries = st.integers(-16, 16).map(lambda value: value / 8.0)
    decay = 2.0 ** -draw(st.integers(0, 6))
    features = draw(hnp.arrays(np.float64, (n_samples, n), elements=entries))
    scale = 2.0 ** draw(st.integers(-3, 5))
    matrices = [draw(hnp.arrays(np.float64, (n, k), elements=entries)) for _ in range(2)]
    if classes:
        labels = draw(st.lists(st.integers(0, k - 1), min_size=n_samples, max_size=n_samples))
        target = np.eye(k)[labels]
    else:
        target = draw(hnp.arrays(np.float64, (n_samples, k), elements=entries))
    return HeadCase(
        features * decay ** np.arange(n),
        matrices[0] * scale,
        matrices[1] * scale,
        target,
        10.0 ** draw(st.integers(-8, 0)),
    )


def in_ball(point: Array, radius: float) -> Array:
    """Return the point scaled into the ball of a radius, a little inside it."""
    size = float(np.linalg.norm(point))
    return point if size <= radius * (1 - 1e-14) else point * (radius * (1 - 1e-12) / size)


def _hold(tally: Tally, case: HeadCase, law: ConvexLoss) -> None:
    """Hold both floors of one output layer, and of another one, against losses in balls."""
    reach = convex_floor(case.features, case.target, loss=law, coefficients=case.coefficients)
    floor = lipschitz_floor(
        case.features, case.target, eps=case.eps, loss=law, coefficients=case.coefficients
    )
    for point in (case.coefficients, in_ball(case.other, reach.norm), reach.point):
        mean = ball_mean_loss(law, case.features, point, case.target)
        for name, bound in (("reachable", reach.reachable), ("floor", floor.floor)):
            if mean < arb(bound):
                refute(f"{name} {bound!r} of the {law.name}, but {mean} is attained")
            tally.count(bool(mean >= arb(bound)))


@states("lipschitz-floor", part="cross-entropy", share=0.5, case=head_cases(classes=True))
def cross_entropy_stays_above_its_floors(tally: Tally, case: HeadCase) -> None:
    """No output layer of the norm has a cross-entropy below the certified bounds (L2, L = √2)."""
    _hold(tally, case, as_convex_loss("cross_entropy"))


@states(
    "lipschitz-floor",
    part="floor",
    share=0.5,
    case=head_cases(classes=False),
    name=st.sampled_from(("huber", "absolute")),
)
def lipschitz_losses_stay_above_their_floors(tally: Tally, case: HeadCase, name: str) -> None:
    """No output layer of the norm has a Huber or absolute error below the certified bounds (L2)."""
    _hold(tally, case, as_convex_loss(name))


_SCORES = st.lists(st.integers(-400, 400).map(lambda z: z / 8.0), min_size=4, max_size=4)


@states("lipschitz-floor", part="cross-entropy", first=_SCORES, second=_SCORES,
        label=st.integers(0, 3))  # fmt: skip
def cross_entropy_has_slope_root_two(
    tally: Tally, first: list[float], second: list[float], label: int
) -> None:
    """The cross-entropy changes by at most √2 ‖z − z′‖, and by nearly as much somewhere (L2)."""
    law, y = CrossEntropy(), [arb(float(c == label)) for c in range(4)]
    with ctx.workprec(_BITS):
        z, other = [arb(value) for value in first], [arb(value) for value in second]
        change = abs(ball_loss(law, z, y) - ball_loss(law, other, y))
        distance = sum(((a - b) ** 2 for a, b in zip(z, other, strict=True)), arb(0)).sqrt()
        if change > arb(2).sqrt() * distance:
            refute(f"changes by {change} over a distance of {distance}")
        # Attained in the limit: from far on the wrong side, towards the label.
        wrong = (label + 1) % 4
        far = [arb(-500 * (c == label) + 500 * (c == wrong)) for c in range(4)]
        step = [v + (c == label) - (c == wrong) for c, v in enumerate(far)]
        slope = (ball_loss(law, far, y) - ball_loss(law, step, y)) / arb(2).sqrt()
        if slope < arb(2).sqrt() * (1 - arb(10) ** -20):
            refute(f"the steepest slope is only {slope}")
        tally.count(bool(change <= arb(2).sqrt() * distance))
