"""Suprema over boxes: above every sample, near the truth, and wrong without the slopes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from flint import arb_mat

from epsrank.theory.data.inputs import as_box
from epsrank.theory.dense import BALL_ACTIVATIONS, DenseNetwork
from epsrank.theory.dense.ranges import BoxEvaluator, largest_square
from epsrank.theory.errors import InputError
from epsrank.theory.sampling import domain as domain_module
from epsrank.theory.sampling.domain import largest_leverage


def _network(activation, sizes, seed=0, scale=2.0):
    random = np.random.default_rng(seed)
    pairs = list(pairwise(sizes))
    return DenseNetwork(
        activation,
        tuple(random.normal(size=(b, a)) * scale / np.sqrt(a) for a, b in pairs),
        tuple(random.normal(size=b) for _, b in pairs),
    )


@pytest.mark.parametrize("activation", BALL_ACTIVATIONS)
@pytest.mark.parametrize("sizes", [(1, 8), (1, 6, 6), (2, 6)])
def test_supremum_is_enclosed(activation, sizes):
    network = _network(activation, sizes)
    matrix = np.random.default_rng(1).normal(size=(sizes[-1], sizes[-1])) * 20
    found = largest_leverage(network, [(-1, 1)], matrix, gap=0.05)
    x = np.random.default_rng(2).uniform(-1, 1, (4000, sizes[0]))
    seen = float(((network.features(x) @ matrix) ** 2).sum(axis=1).max())
    assert found.lower <= found.upper
    assert seen <= found.upper * (1 + 1e-12)
    assert found.lower >= 0.9 * seen
    assert found.finished
    assert found.upper <= found.lower * 1.05


def test_few_boxes_give_a_bound_that_is_valid_but_loose():
    network = _network("sine", (1, 8), scale=20.0)
    matrix = np.random.default_rng(1).normal(size=(8, 8)) * 20
    tight, loose = (largest_leverage(network, [(-1, 1)], matrix, max_boxes=m) for m in (9000, 20))
    assert not loose.finished
    assert loose.upper >= tight.upper
    assert loose.upper >= tight.lower


def test_without_slopes_the_bound_is_wrong(monkeypatch):
    network = _network("sine", (1, 6), scale=10.0)
    honest = largest_leverage(network, [(-1, 1)], np.eye(6), gap=0.01)

    def flat(found, radii):
        found.slopes[:] = [arb_mat(s.nrows(), s.ncols()) for s in found.slopes]
        return largest_square(found, radii)

    monkeypatch.setattr(domain_module, "largest_square", flat)
    faulty = largest_leverage(network, [(-1, 1)], np.eye(6), gap=0.01)
    assert faulty.upper < honest.lower


def test_boxes_hold_every_point_inside_them():
    network = _network("relu", (2, 5, 5))
    centres, radii = np.array([[0.1, -0.3], [0.7, 0.2]]), np.array([[0.2, 0.1], [0.01, 0.3]])
    found = BoxEvaluator(network)(centres, radii)
    _, upper = largest_square(found, radii)
    random = np.random.default_rng(3)
    for box in range(2):
        x = centres[box] + radii[box] * random.uniform(-1, 1, (500, 2))
        assert (network.features(x) ** 2).sum(axis=1).max() <= upper[box]


def test_domains_are_checked():
    assert as_box((-1, 1), n_inputs=3).shape == (3, 2)
    for bad in ([(1, 0)], [(0, np.inf)], [(0, 1), (0, 1), (0, 1)], "words", [(0, 1, 2)]):
        with pytest.raises(InputError, match="domain"):
            as_box(bad, n_inputs=2)
