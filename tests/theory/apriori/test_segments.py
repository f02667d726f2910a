"""N3: the dynamic program against brute force, certified ends, speed by monotone windows only."""

import json
from fractions import Fraction

import numpy as np
import pytest

from epsrank.proofs.properties.apriori import LineCase, least_squares_by_partition
from epsrank.theory.apriori import apriori_floor, relu_distances, segments
from epsrank.theory.apriori.samples import line_samples
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.dyadic import root_below


def random_case(seed):
    random = np.random.default_rng(seed)
    n = int(random.integers(1, 9))
    points = random.standard_normal(n) * 10.0 ** random.integers(-9, 9)
    points[random.random(n) < 0.2] = points[0]
    target = random.standard_normal((n, int(random.integers(1, 3))))
    weights = random.uniform(0, 1, n) if seed % 2 else None
    if weights is not None and n > 2:
        weights[random.integers(n)] = 0.0
    return LineCase(points, target, weights)


def encloses(case, count=4):
    found = relu_distances(case.points, case.target, count, weights=case.weights, measure="raw")
    for p in range(count + 1):
        exact = least_squares_by_partition(case, p)
        assert Fraction(found.lower[p]) ** 2 <= exact <= Fraction(found.upper[p]) ** 2
    return found


@pytest.mark.parametrize("seed", range(40))
def test_every_partition_is_no_better(seed):
    found = encloses(random_case(seed))
    assert (np.diff(found.lower) <= 0).all()
    assert found.upper[0] - found.lower[0] <= 1e-5 * (1 + found.upper[0])


def test_costs_break_the_quadrangle_inequality():
    """So a search that relies on it would be wrong: 1, 1, 0, 0 at four equal steps."""

    def cost(first, last):
        y = np.array([1.0, 1.0, 0.0, 0.0])[first : last + 1]
        case = LineCase(np.arange(float(len(y))), y[:, None], None)
        return least_squares_by_partition(case, 0)

    assert cost(0, 2) + cost(1, 3) == Fraction(1, 3)
    assert cost(0, 3) + cost(1, 2) == Fraction(1, 5)


def test_many_points_agree_with_the_plain_program():
    x = np.linspace(-1, 1, 80)
    y = np.cos(9 * x**2)
    found = relu_distances(x, y, 20, measure="raw")
    samples = line_samples(x, y, None, "raw")
    cost = np.array([[segments.piece_bounds(samples, i, j)[0] if i <= j else np.inf
                      for j in range(80)] for i in range(80)])  # fmt: skip
    least = cost[0]
    for p in range(1, 21):
        before = np.concatenate([[0.0], least[:-1]])
        least = np.array([(before[: j + 1] + cost[: j + 1, j]).min() for j in range(80)])
        assert found.lower[p] == pytest.approx(
            np.sqrt(least[-1] * float(samples.unit)), rel=1e-6, abs=1e-7
        )


def test_known_targets():
    x = np.linspace(-1, 1, 101)
    kink = relu_distances(x, np.abs(x), 3)
    assert kink.lower[0] > 0.1
    assert kink.upper[1] < 1e-6
    assert kink.knots[1] == pytest.approx([0.0], abs=0.021)
    assert kink.lower[1] == 0
    # Two neurons |x| = relu(x) + relu(−x): E_2 = 0, and the upper bound for networks says no less.
    assert kink.network_upper[2] >= 0
    assert relu_distances(x, 3 * x + 1, 0).upper[0] < 1e-5
    assert kink.at(2) == kink.lower[2]
    assert kink.at(99) == 0


def test_networks_of_p_neurons_lie_between_the_bounds():
    """A network built from an optimal fit with jumps attains the upper bound of E_p."""
    x = np.linspace(-1, 1, 60)
    y = np.sign(x) + (x > 0.5)
    found = relu_distances(x, y, 6)
    assert found.network_upper[6] < 1e-6 < found.network_upper[5]
    # Two steep ramps of two neurons each, and a constant: 5 of the 6 neurons.
    h = x[1] - x[0]
    ramps = [(0.0, 2.0), (0.5, 1.0)]
    u = -np.ones(60)
    for place, size in ramps:
        left = x[x <= place].max()
        u += size * (np.maximum(x - left, 0) - np.maximum(x - left - h, 0)) / h
    assert np.abs(u - y).max() < 1e-12


def test_a_cost_that_is_too_large_is_caught(monkeypatch):
    honest = segments.PieceCosts.advance
    monkeypatch.setattr(segments.PieceCosts, "advance", lambda self: honest(self) * 1.001 + 1e-6)

    def all_cases():
        for seed in range(40):
            encloses(random_case(seed))

    with pytest.raises(AssertionError):
        all_cases()


def test_a_window_that_is_too_narrow_is_caught(monkeypatch):
    honest = np.searchsorted

    def narrow(values, bound, **more):
        return honest(values, bound, **more) + ("side" in more) * 2

    monkeypatch.setattr(segments.np, "searchsorted", narrow)
    with pytest.raises(AssertionError):
        test_many_points_agree_with_the_plain_program()


@pytest.mark.parametrize(
    ("points", "target", "more", "words"),
    [
        ([], [], {}, "one number per sample"),
        ([[1.0, 2.0]], [1.0], {}, "one number per sample"),
        ([0.0, np.nan], [1.0, 2.0], {}, "NaN"),
        ([0.0, 1.0], [1.0], {}, "2 samples"),
        ([0.0, 1e-320, 1e300], [1.0, 2.0, 3.0], {}, "range of float64"),
        ([0.0, 1.0], [1.0, 2.0], {"weights": [1e-200, 1.0]}, "2\\^400"),
        ([0.0, 1.0], [1.0, 2.0], {"neurons": -1}, "whole number"),
        ([0.0, 1.0], [1.0, 2.0], {"measure": "volume"}, "no weights"),
    ],
)
def test_bad_input_is_one_line(points, target, more, words):
    arguments = {"neurons": 2, **more}
    with pytest.raises(InputError, match=words):
        relu_distances(np.array(points), np.array(target), **arguments)


def test_results_render_and_go_to_json():
    x = np.linspace(0, 1, 9)
    found = relu_distances(x, x**2, 12)
    assert len(found.lower) == 13
    json.dumps(found.to_json())
    assert "E_0" in str(found)
    assert found._repr_html_()


def test_roots_are_rounded_down():
    for value in (Fraction(2), Fraction(1, 3), Fraction(4), Fraction(0)):
        assert Fraction(root_below(value)) ** 2 <= value


def test_floors_of_relu_features_are_below_every_network():
    random = np.random.default_rng(0)
    x = np.linspace(-1, 1, 80)
    target = np.cos(12 * x)
    features = np.maximum(random.standard_normal(12) * (x[:, None] - random.uniform(-1, 1, 12)), 0)
    head = np.linalg.lstsq(features, target, rcond=1e-3)[0]
    found = apriori_floor(features, x, target, coefficients=head)
    assert 0 < found.best <= np.sqrt(np.mean((features @ head - target) ** 2))
    assert found.floors[found.at] == found.best
    wider = apriori_floor(features, x, target, norm=10 * found.norm, neurons=3)
    assert wider.best <= found.best * (1 + 1e-9)
    assert (wider.floors[4:] == 0).all()
    noisy = apriori_floor(features, x, target, coefficients=head, feature_error=1e-3)
    assert noisy.best < found.best
    assert apriori_floor(features, x, target, norm=np.inf).best == 0
    json.dumps(found.to_json())
    assert "λ" in str(found)
    with pytest.raises(InputError, match="exactly one"):
        apriori_floor(features, x, target)
