"""Losses with settings: slopes, conjugates, free biases, and bounds that are tight and hold."""

from __future__ import annotations

import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
import scipy.optimize as so
from hypothesis import given
from hypothesis import strategies as st

from epsrank.losses import (
    AbsoluteError,
    BinaryCrossEntropy,
    ConvexLoss,
    CrossEntropy,
    GaussianError,
    Huber,
    SmoothAbsoluteError,
    SquaredError,
)
from epsrank.theory.data.measure import as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.convex.certificate import audited_bound, certified_bound
from epsrank.theory.floor.convex.floor import convex_floor
from epsrank.theory.floor.convex.lipschitz import lipschitz_floor
from epsrank.theory.floor.convex.named import as_convex_loss
from epsrank.theory.floor.convex.problem import mean_shares, norm_ends
from epsrank.theory.floor.convex.targets import ClassTargets, listed

N, K = 30, 3
RNG = np.random.default_rng(0)
REAL = RNG.normal(size=(N, K)) * 2 + 1
LABELS = RNG.integers(0, K, N)
SOME = np.where(np.arange(N) % 4 == 0, -100, LABELS)
SOFT = RNG.dirichlet(np.ones(K), size=N)
YES = RNG.uniform(size=(N, K))

#: Every loss with and without its settings, and targets for it.
CASES: dict[str, tuple[ConvexLoss, np.ndarray]] = {
    "mse": (SquaredError(), REAL),
    "gaussian": (GaussianError(RNG.uniform(0.1, 2, (N, K))), REAL),
    "gaussian, one variance": (GaussianError(0.3), REAL),
    "huber": (Huber(0.5), REAL),
    "smooth l1": (SmoothAbsoluteError(0.2), REAL),
    "absolute": (AbsoluteError(), REAL),
    "labels": (CrossEntropy(), LABELS),
    "weighted labels": (CrossEntropy(class_weights=[1.0, 0.25, 3.0]), LABELS),
    "smoothed labels": (CrossEntropy(label_smoothing=0.2, ignore_index=-100), SOME),
    "all of it": (CrossEntropy([1.0, 0.0, 3.0], 0.1, -100), SOME),
    "soft": (CrossEntropy(label_smoothing=0.1), SOFT),
    "bce": (BinaryCrossEntropy(), YES),
    "bce, weighted": (BinaryCrossEntropy(pos_weight=[1.0, 2.0, 0.5], weight=[3.0, 1.0, 0.5]), YES),
    "bce, hard": (BinaryCrossEntropy(), (YES > 0.5).astype(int)),
}


@pytest.fixture(params=CASES, name="case")
def named_case(request):
    loss, target = CASES[request.param]
    goal = loss.targets(target, N, K)
    return loss, target, goal, mean_shares(as_measure("mean", None, N), loss, goal)


def test_slopes_are_gradients_and_duals_support_the_loss(case):
    loss, _, goal, _ = case
    rng = np.random.default_rng(1)
    z = rng.normal(size=(N, K)) * 2
    values, slopes = loss.evaluate(z, goal)
    for column in range(K):
        moved = z.copy()
        moved[:, column] += 1e-7
        numeric = (loss.evaluate(moved, goal)[0] - values) / 1e-7
        np.testing.assert_allclose(numeric, slopes[:, column], atol=2e-5)
    dual = loss.dual(z, goal)
    np.testing.assert_allclose(dual.values + (dual.slopes * z).sum(axis=1), values, atol=1e-12)
    for _ in range(20):
        other = rng.normal(size=(N, K)) * rng.choice([0.1, 3, 30])
        linear = dual.values + (dual.slopes * other).sum(axis=1)
        assert (loss.evaluate(other, goal)[0] >= linear - 1e-12 * (1 + np.abs(linear))).all()
    if math.isfinite(loss.lipschitz(goal)):
        other = z + rng.normal(size=z.shape)
        change = np.abs(loss.evaluate(other, goal)[0] - values)
        assert (change <= loss.lipschitz(goal) * np.linalg.norm(other - z, axis=1) + 1e-12).all()


def test_no_label_is_spread_into_a_row(case):
    loss, target, goal, _ = case
    if target.dtype.kind == "i" and isinstance(loss, CrossEntropy):
        assert isinstance(goal, ClassTargets)
        z = np.random.default_rng(2).normal(size=(N, K))
        rows = np.array([row for row, _ in listed(goal)])
        dense = CrossEntropy(any_rows=True)
        for own, other in zip(loss.evaluate(z, goal), dense.evaluate(z, rows), strict=True):
            np.testing.assert_allclose(own, other, atol=1e-14)
        np.testing.assert_allclose(loss.dual(z, goal).values, dense.dual(z, rows).values)


@pytest.mark.parametrize("size", [1.0, 40.0])
def test_float64_certificates_lie_below_the_balls(case, size):
    loss, _, goal, shares = case
    rng = np.random.default_rng(3)
    features, outputs = rng.normal(size=(N, 4)), rng.normal(size=(N, K)) * size
    offset = rng.normal(size=(N, K))
    bound = certified_bound(features, loss.dual(outputs, goal), shares, 0.7, offset)
    low, high = audited_bound(loss, features, outputs, goal, shares, 0.7, offset)
    assert bound <= high
    assert bound >= low - 1e-7 * (1 + abs(low))
    assert high - low <= 1e-12 * (1 + abs(low))


def test_balanced_slopes_sum_to_nothing(case):
    loss, _, goal, shares = case
    outputs = np.random.default_rng(4).normal(size=(N, K)) * 3
    dual = loss.balanced(outputs, goal, shares)
    exact = [Fraction(0)] * K
    for w, row in zip(shares.tolist(), dual.slopes.tolist(), strict=True):
        exact = [total + Fraction(w) * Fraction(g) for total, g in zip(exact, row, strict=True)]
    left = math.sqrt(sum(float(total) ** 2 for total in exact))
    assert left <= dual.slope_error * float(shares.sum())
    assert dual.slope_error < 1e-10
    # They are dual points: they support the loss within their errors.
    for scale in (0.0, 1.0, 30.0):
        z = np.random.default_rng(5).normal(size=(N, K)) * scale
        linear = dual.values - dual.errors + (dual.slopes * z).sum(axis=1)
        slack = dual.slope_error * np.linalg.norm(z, axis=1) + 1e-12 * (1 + np.abs(linear))
        assert (loss.evaluate(z, goal)[0] >= linear - slack).all()


def reached(loss, goal, shares, features, radius, free):
    """Return a loss that SciPy reaches in the ball, with a bias in none where `free`."""
    n = features.shape[1]
    smooth = loss.smoothed(1e-4) or loss  # SLSQP knows no corners

    def value(flat, law=smooth):
        point = flat.reshape(n + 1, K)
        outputs = features @ point[:n] + free * point[n]
        values, slopes = law.evaluate(outputs, goal)
        slopes = slopes * shares[:, None]
        gradient = np.vstack([features.T @ slopes, free * slopes.sum(axis=0)])
        return float(shares @ values), gradient.ravel()

    bounded = np.arange((n + 1) * K) < n * K
    found = so.minimize(
        value, np.zeros((n + 1) * K), jac=True, method="SLSQP",
        constraints=[{"type": "ineq", "fun": lambda c: radius**2 - c[bounded] @ c[bounded],
                      "jac": lambda c: -2 * c * bounded}],
        options={"maxiter": 300, "ftol": 1e-12},
    )  # fmt: skip
    point = found.x.copy()
    point[bounded] *= radius / max(radius, float(np.linalg.norm(point[bounded])))
    return value(point, loss)[0]


@pytest.mark.parametrize("bias", [None, "free"])
@pytest.mark.parametrize("radius", [0.0, 0.5])
def test_bounds_enclose_what_another_solver_reaches(case, bias, radius):
    loss, target, goal, shares = case
    features = np.random.default_rng(6).normal(size=(N, 2))
    found = convex_floor(features, target, loss=loss, norm=radius, n_outputs=K, bias=bias)
    other = reached(loss, goal, shares, features, radius, float(bias == "free"))
    assert found.reachable <= other + found.evaluation_error + 1e-12
    assert found.reachable >= 0.99 * min(other, found.attained)
    assert found.reachable <= found.attained + found.evaluation_error
    outputs = features @ found.point + (0.0 if found.intercept is None else found.intercept)
    own = float(shares @ loss.evaluate(outputs, goal)[0])
    assert own == pytest.approx(found.attained, abs=1e-12)
    assert np.linalg.norm(found.point) <= radius


@pytest.mark.parametrize("seed", range(25))
def test_absolute_errors_have_a_tight_dual(seed):
    rng = np.random.default_rng(seed)
    n_samples, n = 40, int(rng.integers(2, 6))
    features = rng.normal(size=(n_samples, n)) * np.geomspace(1, 0.1, n)
    target = features @ rng.normal(size=n) + 0.3 * rng.standard_t(2, size=n_samples)
    # min Σ t/N over ±(φC − y) ≤ t by HiGHS: the optimum without a bound on the norm.
    eye = np.eye(n_samples)
    best = so.linprog(
        np.concatenate([np.zeros(n), np.full(n_samples, 1 / n_samples)]),
        A_ub=np.block([[features, -eye], [-features, -eye]]),
        b_ub=np.concatenate([target, -target]), bounds=(None, None), method="highs",
    )  # fmt: skip
    norm = float(np.linalg.norm(best.x[:n]))
    for share in (1.0, 3.0):
        found = convex_floor(features, target, loss="absolute", norm=share * norm * (1 + 1e-9))
        assert 0.99 * best.fun <= found.reachable <= best.fun + 1e-9
        assert found.gap <= 0.01 * found.attained
    less = convex_floor(features, target, loss="absolute", norm=norm / 2)
    assert less.gap <= 0.01 * less.attained
    assert less.reachable > best.fun


def test_a_free_bias_takes_up_shifts_and_absent_classes():
    features = np.random.default_rng(7).normal(size=(N, 2))
    for loss in ("mse", "huber", "absolute", "smooth_l1"):
        near, far = (
            convex_floor(features, REAL + shift, loss=loss, norm=0.5, bias="free")
            for shift in (0.0, 1000.0)
        )
        assert far.attained == pytest.approx(near.attained, rel=2e-3)
        assert far.reachable == pytest.approx(near.reachable, rel=3e-3)
    with_absent = convex_floor(features, LABELS, norm=0.5, n_outputs=K + 2, bias="free")
    without = convex_floor(features, LABELS, norm=0.5, n_outputs=K, bias="free")
    assert with_absent.reachable == pytest.approx(without.reachable, rel=2e-3)
    # Absent classes are left out of the problem, and given outputs far below the others.
    many = convex_floor(features, LABELS * 7000, norm=0.5, n_outputs=20_000, bias="free")
    assert many.reachable == pytest.approx(without.reachable, rel=2e-3)
    assert many.point.shape == (2, 20_000)
    z = features @ many.point + many.intercept
    z -= z.max(axis=1, keepdims=True)
    own = np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(N), LABELS * 7000])
    assert own == pytest.approx(many.attained, rel=1e-12)
    only = convex_floor(features, np.zeros(N, int), norm=0.5, n_outputs=2, bias="free")
    assert only.reachable == 0.0


def test_offsets_are_part_of_the_output():
    rng = np.random.default_rng(8)
    features, offset = rng.normal(size=(N, 2)), rng.normal(size=(N, K))
    moved = convex_floor(features, REAL, loss="huber", norm=1.0, offset=offset)
    same = convex_floor(features, REAL - offset, loss="huber", norm=1.0)
    assert moved.attained == pytest.approx(same.attained, rel=2e-3)
    assert moved.reachable == pytest.approx(same.reachable, rel=2e-3)
    weight = rng.normal(size=(2, K))
    found = convex_floor(features, LABELS, coefficients=weight, offset=offset, bias="fixed",
                         bias_value=np.ones(K))  # fmt: skip
    z = features @ weight + offset
    assert found.loss == pytest.approx(
        np.mean(np.log(np.exp(z).sum(1)) - z[np.arange(N), LABELS]), rel=1e-12
    )
    assert found.reading in ("optimiser-limited", "norm-limited", "feature-limited", "between",
                             "undetermined")  # fmt: skip


@pytest.mark.parametrize(
    ("target", "loss", "words"),
    [
        (LABELS.astype(float), "cross_entropy", "neither labels nor rows; pass integer labels"),
        (YES[:, :1], "cross_entropy", "always 0; pass loss='bce'"),
        (np.zeros(N, int), "cross_entropy", "always 0; pass loss='bce'"),
        (SOFT * 0, "cross_entropy", "30 rows that are no distributions, the first of sum 0"),
        (SOFT * 2, "cross_entropy", "of sum 2 at index 0"),
        (np.ones((N, K), int), "cross_entropy", "of sum 3 at index 0; pass rows that sum to 1"),
        (np.full(N, 10**9), "cross_entropy", "GiB; number the classes from 0"),
        (LABELS - 1, "cross_entropy", "has the label -1"),
        (SOME, "cross_entropy", "has the label -100"),
        (np.full(N, -100), CrossEntropy(ignore_index=-100), "all left out"),
        (LABELS, CrossEntropy(class_weights=[1.0, 2.0]), "has the label 2"),
        (SOFT, CrossEntropy(class_weights=[1.0, 2.0]), "are 2 for 3 classes"),
        (np.ones(N, int), CrossEntropy(class_weights=[1.0, 0.0, 2.0]), "are 0 for all labels"),
        (REAL, "bce", "pass targets from 0 to 1"),
        (REAL, "hubber", "did you mean 'huber'?"),
        (REAL, "focal", "choose one of cross_entropy"),
        (REAL, max, "or a loss of epsrank.losses"),
        (REAL, GaussianError(np.zeros(N)), "pass numbers > 0"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(target, loss, words):
    with pytest.raises(InputError) as caught:
        convex_floor(np.ones((N, 2)), target, loss=loss, norm=1.0)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Huber(0.0), lambda: SmoothAbsoluteError(-1.0), lambda: CrossEntropy([1.0, -1.0]),
        lambda: CrossEntropy(label_smoothing=2.0), lambda: BinaryCrossEntropy(pos_weight=math.nan),
    ],
)  # fmt: skip
def test_settings_are_checked(make):
    with pytest.raises(InputError, match="; pass"):
        make()


def test_names():
    assert as_convex_loss("Smooth-L1").name == "smooth_l1(1)"
    assert as_convex_loss("l1") == AbsoluteError()


def test_many_classes_take_memory_for_outputs_and_weights_alone():
    n_samples, n, k = 20, 3, 20_000
    rng = np.random.default_rng(9)
    features, labels = rng.normal(size=(n_samples, n)), rng.integers(0, k, n_samples)
    tracemalloc.start()
    found = convex_floor(features, labels, norm=1.0, n_outputs=k, iterations=3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0 < found.reachable <= found.attained
    # The solver remembers a few points and gradients (n × k), the loss a few outputs (N × k).
    assert peak <= 8 * (6 * n_samples * k + 16 * n * k) + 2**20


def test_weights_whose_sum_overflows_and_norms_that_were_rounded():
    features, weights = np.ones((4, 1)), np.full(4, 1e308)
    found = convex_floor(features, [0, 1, 0, 1], norm=1.0, weights=weights)
    assert found.attained == pytest.approx(math.log(2), rel=1e-3)
    assert lipschitz_floor(features, [0, 1, 0, 1], eps=1e-3, norm=1.0, weights=weights).floor > 0
    assert found.reading == "undetermined"


@given(seed=st.integers(0, 10**6), size=st.sampled_from([1e-200, 1.0, 1e200]))
def test_ends_of_a_norm_enclose_it_closely(seed, size):
    matrix = np.random.default_rng(seed).normal(size=(7, 5)) * size
    low, high = norm_ends(matrix)
    square = sum(Fraction(value) ** 2 for value in matrix.ravel().tolist())
    assert Fraction(low) ** 2 <= square <= Fraction(high) ** 2
    assert high <= low * (1 + 1e-14)


def test_nothing_is_attained_outside_the_ball():
    # A loss that falls steeply with the norm: attained at B(1 + 2^-30) would be below V(B).
    features, weight = np.eye(2) * 1e6, np.array([[3.0, 1.0], [1.0, 2.0]])
    target = np.array([[1e9, 0.0], [0.0, 1e9]])
    found = convex_floor(features, target, loss="absolute", coefficients=weight)
    size = math.sqrt(sum(value**2 for value in weight.ravel()))
    # Along (1, 0), (0, 1) the absolute error falls by 1e6 √2/2 for each unit of the norm.
    exact = (2e9 - 1e6 * math.sqrt(2) * size) / 2
    assert found.attained >= exact - found.evaluation_error
    assert found.reachable <= exact
    assert found.reachable == pytest.approx(exact, rel=1e-3)
