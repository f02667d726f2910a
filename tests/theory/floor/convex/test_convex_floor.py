"""L2: the certified bound against independent solvers, exact values, ball arithmetic and faults."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.optimize as so
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from epsrank.theory.errors import InputError
from epsrank.theory.floor.convex import problem as module
from epsrank.theory.floor.convex.certificate import audited_bound, certified_bound
from epsrank.theory.floor.convex.classes import CrossEntropy
from epsrank.theory.floor.convex.floor import convex_floor
from epsrank.theory.floor.convex.losses import (
    AbsoluteError,
    ConvexLoss,
    Huber,
    SquaredError,
)
from epsrank.theory.floor.convex.named import as_convex_loss
from epsrank.theory.floor.convex.solver import minimise_on_ball
from epsrank.theory.floor.loss_floor import loss_floor

LOSSES: list[ConvexLoss] = [CrossEntropy(), Huber(0.7), AbsoluteError(), SquaredError()]
SMOOTH = [CrossEntropy(), Huber(0.7), SquaredError()]


def problem(loss: ConvexLoss, seed: int, n_samples: int = 40, n: int = 5, k: int = 3):
    """Return features, targets and coefficients."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n_samples, n)) * np.geomspace(1, rng.uniform(0.01, 1), n)
    weight = rng.normal(size=(n, k)) * rng.choice([0.1, 1.0, 10.0])
    scores = features @ rng.normal(size=(n, k)) + 0.3 * rng.normal(size=(n_samples, k))
    if isinstance(loss, CrossEntropy):
        return features, scores.argmax(axis=1), weight
    return features, scores, weight


def mean_loss(loss: ConvexLoss, features, target, point, k: int = 3) -> float:
    """The loss by the textbook formula, sample by sample."""
    total = 0.0
    for phi, y in zip(features, target, strict=True):
        z = phi @ point
        if isinstance(loss, CrossEntropy):
            total += math.log(sum(math.exp(c - z.max()) for c in z)) + z.max() - z[y]
        elif isinstance(loss, Huber):
            for r in np.abs(z - y):
                total += r * r / 2 if r <= loss.delta else loss.delta * (r - loss.delta / 2)
        else:
            r = z - y
            total += np.abs(r).sum() if isinstance(loss, AbsoluteError) else (r * r).sum()
    return total / len(features)


def independent_minimum(loss: ConvexLoss, features, target, radius: float, k: int = 3) -> float:
    """A primal value by SciPy's SLSQP, its point scaled into the ball: an upper bound of V."""
    goal = loss.targets(target, len(features), k)
    n = features.shape[1]

    def value(flat):
        point = flat.reshape(n, k)
        size = np.linalg.norm(point)
        point = point * (radius / max(size, radius))
        return float(loss.evaluate(features @ point, goal)[0].mean())

    def exact(flat):
        values, slopes = loss.evaluate(features @ flat.reshape(n, k), goal)
        return float(values.mean()), (features.T @ slopes / len(features)).ravel()

    found = so.minimize(
        exact, np.zeros(n * k), jac=True, method="SLSQP",
        constraints=[{"type": "ineq", "fun": lambda c: radius**2 - c @ c, "jac": lambda c: -2 * c}],
        options={"maxiter": 400, "ftol": 1e-12},
    )  # fmt: skip
    return value(found.x)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
@given(seed=st.integers(0, 10**6), radius=st.sampled_from([0.0, 0.05, 1.0, 8.0]))
def test_never_above_an_independent_solver(loss, seed, radius):
    features, target, _ = problem(loss, seed)
    found = convex_floor(features, target, loss=loss, norm=radius, n_outputs=3)
    other = independent_minimum(loss, features, target, radius)
    assert found.reachable <= other + found.evaluation_error
    assert found.reachable <= found.attained + found.evaluation_error
    if loss in SMOOTH and found.converged:
        assert found.attained <= other * (1 + 1e-2) + 1e-12


@pytest.mark.parametrize("loss", SMOOTH, ids=lambda loss: loss.name)
@given(seed=st.integers(0, 10**6))
def test_the_gap_closes_where_the_loss_is_smooth(loss, seed):
    features, target, _ = problem(loss, seed)
    found = convex_floor(features, target, loss=loss, norm=1.0, n_outputs=3, tolerance=1e-4)
    assert found.converged
    assert found.gap <= 2e-4 * found.attained + 1e-12


@given(seed=st.integers(0, 10**6), radius=st.sampled_from([0.1, 1.0, 30.0]))
def test_the_squared_error_has_the_reachable_loss_of_f3(seed, radius):
    features, target, _ = problem(SquaredError(), seed)
    exact = loss_floor(features, target, eps=1e-6, norm=radius).reachable
    found = convex_floor(features, target, loss="mse", norm=radius, tolerance=1e-6)
    assert found.reachable <= exact * (1 + 1e-9)
    assert found.attained >= exact * (1 - 1e-9)
    if found.converged:
        assert found.reachable >= exact * (1 - 1e-5)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
@given(seed=st.integers(0, 10**6))
def test_loss_and_norm_of_given_coefficients(loss, seed):
    features, target, weight = problem(loss, seed)
    found = convex_floor(features, target, loss=loss, coefficients=weight)
    assert found.loss == pytest.approx(mean_loss(loss, features, target, weight), rel=1e-10)
    assert found.norm == pytest.approx(np.linalg.norm(weight))
    assert found.reachable <= found.loss + found.evaluation_error
    assert found.attained <= found.loss
    assert np.linalg.norm(found.point) <= found.norm
    again = mean_loss(loss, features, target, found.point)
    assert again >= found.attained - found.evaluation_error


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
@given(seed=st.integers(0, 10**6), size=st.sampled_from([1e-3, 1.0, 30.0, 700.0]))
def test_float64_certificates_lie_below_the_balls(loss, seed, size):
    # At arbitrary outputs, good or bad: a certificate needs no solver.
    rng = np.random.default_rng(seed)
    features, target, _ = problem(loss, seed)
    outputs = rng.normal(size=(40, 3)) * size
    goal = loss.targets(target, 40, 3)
    weights = rng.uniform(size=40) if seed % 2 else np.ones(40)
    shares = weights / weights.sum()
    offset = rng.normal(size=3) if seed % 3 else None
    bound = certified_bound(features, loss.dual(outputs, goal), shares, 2.0, offset)
    low, high = audited_bound(loss, features, outputs, goal, shares, 2.0, offset)
    # The scalar bounds are rounded up by 2^-30 each (`upward`): four of them on B‖Σ w φ gᵀ‖.
    gradient = features.T @ (loss.evaluate(outputs, goal)[1] * shares[:, None])
    scale = abs(low) + 2.0 * np.linalg.norm(gradient)
    assert bound <= high
    assert bound >= low - 4 * 2.0**-30 * scale
    assert high - low <= 1e-13 * max(scale, size)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_fenchel_young_holds_for_every_output(loss):
    rng = np.random.default_rng(5)
    target = loss.targets(rng.integers(0, 4, 30) if loss.name == "cross_entropy"
                          else rng.normal(size=(30, 4)), 30, 4)  # fmt: skip
    at = rng.normal(size=(30, 4)) * 3
    dual = loss.dual(at, target)
    for _ in range(50):
        z = rng.normal(size=(30, 4)) * rng.choice([0.1, 3, 30])
        linear = dual.values + (dual.slopes * z).sum(axis=1)
        assert (loss.evaluate(z, target)[0] >= linear - 1e-12 * (1 + np.abs(linear))).all()
    own = loss.evaluate(at, target)[0]
    np.testing.assert_allclose(dual.values + (dual.slopes * at).sum(axis=1), own, atol=1e-12)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_slopes_are_gradients_and_lipschitz(loss):
    rng = np.random.default_rng(7)
    target = loss.targets(rng.integers(0, 4, 30) if loss.name == "cross_entropy"
                          else rng.normal(size=(30, 4)), 30, 4)  # fmt: skip
    z = rng.normal(size=(30, 4))
    values, slopes = loss.evaluate(z, target)
    for column in range(4):
        moved = z.copy()
        moved[:, column] += 1e-7
        numeric = (loss.evaluate(moved, target)[0] - values) / 1e-7
        np.testing.assert_allclose(numeric, slopes[:, column], atol=1e-5)
    other = z + rng.normal(size=z.shape)
    if math.isfinite(loss.lipschitz(target)):
        change = np.abs(loss.evaluate(other, target)[0] - values)
        assert (change <= loss.lipschitz(target) * np.linalg.norm(other - z, axis=1)).all()


def test_dual_errors_enclose_exact_entropies():
    rng = np.random.default_rng(11)
    outputs = rng.normal(size=(60, 5)) * rng.choice([1e-8, 1, 40, 800], size=(60, 1))
    target = np.eye(5)[rng.integers(0, 5, 60)]
    loss = CrossEntropy()
    dual = loss.dual(outputs, target)
    for i in range(60):
        ball, slope = loss.ball([arb(x) for x in outputs[i]], [arb(x) for x in target[i]])
        # The exact dual variable is the normalised computed softmax, an ulp or so from the ball's.
        assert abs(float(ball) - dual.values[i]) <= dual.errors[i] + 1e-13
        exact = np.array([float(x) for x in slope])
        np.testing.assert_allclose(dual.slopes[i], exact, atol=1e-13)
    assert dual.slope_error < 1e-13


@given(seed=st.integers(0, 10**6))
def test_biases(seed):
    features, target, weight = problem(CrossEntropy(), seed)
    b = np.random.default_rng(seed).normal(size=3)
    ones = np.hstack([features, np.ones((40, 1))])
    full = convex_floor(ones, target, coefficients=np.vstack([weight, b]))
    joined = convex_floor(features, target, coefficients=weight, bias="feature", bias_value=b)
    assert joined.reachable == full.reachable
    assert joined.norm == full.norm
    fixed = convex_floor(features, target, coefficients=weight, bias="fixed", bias_value=b)
    assert fixed.loss == pytest.approx(full.loss, rel=1e-12)
    assert fixed.reachable <= fixed.loss + fixed.evaluation_error
    goal = np.eye(3)[target]
    # No C of the norm beats it, whichever is tried.
    for trial in range(20):
        point = np.random.default_rng(trial).normal(size=weight.shape)
        point *= fixed.norm / np.linalg.norm(point)
        value = CrossEntropy().evaluate(features @ point + b, goal)[0].mean()
        assert fixed.reachable <= value


@given(seed=st.integers(0, 10**6))
def test_weights_count_samples(seed):
    features, target, weight = problem(CrossEntropy(), seed)
    counts = np.random.default_rng(seed).integers(0, 3, 40)
    counts[0] = 1
    weighted = convex_floor(features, target, coefficients=weight, weights=counts)
    repeated = convex_floor(
        np.repeat(features, counts, axis=0), np.repeat(target, counts), coefficients=weight
    )
    assert weighted.loss == pytest.approx(repeated.loss, rel=1e-10)
    assert weighted.reachable == pytest.approx(repeated.reachable, rel=2e-3, abs=1e-9)


@given(seed=st.integers(0, 10**6))
def test_distributions_and_weighted_labels(seed):
    features, _, weight = problem(CrossEntropy(), seed)
    soft = np.random.default_rng(seed).dirichlet(np.ones(3), size=40) * (1 + seed % 2)
    law = CrossEntropy(any_rows=True)
    found = convex_floor(features, soft, coefficients=weight, loss=law)
    z = features @ weight
    log_p = (
        z - np.log(np.exp(z - z.max(1, keepdims=True)).sum(1, keepdims=True)) - z.max(1)[:, None]
    )
    assert found.loss == pytest.approx(-(soft * log_p).sum(1).mean(), rel=1e-10)
    assert found.reachable <= found.loss
    assert convex_floor(features, soft, norm=0.0, loss=law).reachable == pytest.approx(
        soft.sum(1).mean() * math.log(3), rel=1e-12
    )


def test_few_iterations_still_certify():
    features, target, weight = problem(CrossEntropy(), 3)
    best = convex_floor(features, target, coefficients=weight, tolerance=1e-6)
    previous = -1.0
    for iterations in (0, 1, 2, 5, 20):
        found = convex_floor(features, target, coefficients=weight, iterations=iterations)
        assert previous <= found.reachable <= best.attained
        previous = found.reachable
    assert not convex_floor(features, target, coefficients=weight, iterations=0).converged


def test_planted_faults_are_caught(monkeypatch):
    """The independent solver tells a certificate from the primal value and from a wrong sign."""
    features, target, _ = problem(CrossEntropy(), 1)
    radius = 0.5
    other = independent_minimum(CrossEntropy(), features, target, radius)

    def honest(iterations):
        return convex_floor(
            features, target, norm=radius, n_outputs=3, iterations=iterations
        ).reachable

    assert honest(1) <= other
    real = certified_bound
    # The primal value in place of the bound: too high unless the solver has converged.
    monkeypatch.setattr(
        module, "certified_bound",
        lambda phi, dual, w, norm, offset=None: real(phi, dual, w, 0.0, offset),
    )  # fmt: skip
    assert honest(1) > other
    monkeypatch.setattr(
        module, "certified_bound",
        lambda phi, dual, w, norm, offset=None: real(phi, dual, w, -norm, offset),
    )  # fmt: skip
    assert honest(1) > other


def test_a_loss_with_a_wrong_conjugate_is_caught():
    class Wrong(Huber):
        def dual(self, outputs, target):
            point = super().dual(outputs, target)
            return type(point)(point.slopes, -point.values, point.errors, 0.0)

    features, target, _ = problem(Huber(), 2)
    other = independent_minimum(Huber(), features, target, 1.0)
    assert convex_floor(features, target, loss=Huber(), norm=1.0).reachable <= other
    rng = np.random.default_rng(0)
    y = rng.uniform(1, 2, size=(30, 3))
    z = y + rng.uniform(1, 2, size=(30, 3))
    dual = Wrong().dual(z, y)
    linear = dual.values + (dual.slopes * z).sum(axis=1)
    assert not (Huber().evaluate(z, y)[0] >= linear - 1e-9).all()


def test_the_audit_gives_the_same_bound():
    features, target, weight = problem(CrossEntropy(), 9)
    plain = convex_floor(features, target, coefficients=weight)
    audit = convex_floor(features, target, coefficients=weight, audit=True)
    assert plain.reachable <= audit.reachable <= plain.reachable * (1 + 1e-8)


def test_readings():
    features, target, weight = problem(CrossEntropy(), 4)
    best = convex_floor(features, target, coefficients=weight, tolerance=1e-6).point
    assert convex_floor(features, target, coefficients=best).reading == "feature-limited"
    worse = -best
    reading = convex_floor(features, target, coefficients=worse).verdict
    assert reading.name == "optimiser-limited"
    assert reading.lower >= 2
    bare = convex_floor(features, target, norm=1.0, n_outputs=3)
    assert bare.loss is None
    assert bare.reading == "undetermined"


def test_degenerate_features():
    target = np.arange(6) % 3
    zero = convex_floor(np.zeros((6, 2)), target, coefficients=np.ones((2, 3)))
    assert zero.reachable == pytest.approx(math.log(3), rel=1e-12)
    assert zero.reading == "feature-limited"
    one = convex_floor(np.ones((1, 2)), [0], norm=3.0, n_outputs=2)
    assert 0 < one.reachable <= one.attained < math.log(2)
    huge = convex_floor(np.eye(3) * 1e150, np.arange(3), norm=1.0)
    assert huge.reachable == 0.0
    with pytest.raises(InputError, match="always 0; pass loss='bce'"):
        convex_floor(np.ones((4, 2)), [0, 0, 0, 0], norm=1.0, n_outputs=1)


def test_separable_data_have_a_floor_that_falls_with_the_norm():
    features = np.vstack([np.eye(3)] * 4)
    target = np.arange(12) % 3
    found = [convex_floor(features, target, norm=b).reachable for b in (0.1, 1.0, 10.0, 100.0)]
    assert all(high > low for high, low in itertools.pairwise(found))
    assert found[-1] < 1e-10


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"loss": "hinge"}, "loss"),
        ({"norm": 1.0}, "norm"),
        ({"coefficients": None}, "norm"),
        ({"coefficients": None, "norm": math.inf}, "norm"),
        ({"target": np.array([0, 1, 2, 7])}, "target"),
        ({"target": np.array([0, 1, -1, 0])}, "target"),
        ({"target": np.full((4, 3), -1.0)}, "target"),
        ({"target": np.ones((4, 2))}, "target"),
        ({"target": np.array([0, 1])}, "target"),
        ({"start": np.ones((2, 2))}, "start"),
        ({"bias": "free"}, "bias"),
        ({"features": np.full((4, 2), np.nan)}, "features"),
        ({"coefficients": np.full((2, 3), 1e300), "features": np.full((4, 2), 1e300)}, "features"),
    ],
)
def test_refuses(change, argument):
    arguments = {
        "features": np.ones((4, 2)),
        "target": np.array([0, 1, 2, 0]),
        "coefficients": np.ones((2, 3)),
    } | change
    with pytest.raises(InputError, match=argument):
        convex_floor(arguments.pop("features"), arguments.pop("target"), **arguments)


def test_names():
    assert as_convex_loss("cross_entropy").name == "cross_entropy"
    assert [loss.name for loss in LOSSES] == ["cross_entropy", "huber(0.7)", "absolute", "mse"]
    with pytest.raises(InputError, match="delta"):
        Huber(0.0)
    features, target, weight = problem(CrossEntropy(), 4)
    found = convex_floor(features, target, coefficients=weight)
    assert "certified" in str(found) or "loss/V" in str(found)
    assert str(found) in found._repr_html_() or "loss" in found._repr_html_()
    assert set(found.to_json()) >= {"loss", "reachable", "attained", "gap", "reading", "bias"}


def test_the_solver_reports_what_it_could_not_do():
    stuck = minimise_on_ball(lambda c: (float("nan"), np.ones_like(c)), np.ones(2), 1.0)
    assert not stuck.converged
    flat = minimise_on_ball(lambda c: (1.0, np.zeros_like(c)), np.ones(2), 1.0)
    assert flat.converged
    assert flat.iterations == 0
