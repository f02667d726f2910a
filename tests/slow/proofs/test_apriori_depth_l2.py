"""The witness of the a-priori floor at depth two, over the interval itself and not on points."""

from __future__ import annotations

import numpy as np

from epsrank.proofs.checkers import apriori_depth


def test_the_error_over_the_interval():
    network = apriori_depth.imitating_network()
    found = apriori_depth.loss_in_l2(network)
    assert found.upper < 2e-8
    grid = apriori_depth.loss_on_points(network, np.linspace(-1.0, 1.0, 4001))
    assert abs(float(found.upper) - float(grid.upper)) < 1e-10
