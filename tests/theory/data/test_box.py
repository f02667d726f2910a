"""Boxes as arguments, and everything that takes one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from epsrank.theory.continuous import continuous_rank
from epsrank.theory.data.inputs import as_box
from epsrank.theory.dense import DenseNetwork
from epsrank.theory.errors import InputError
from epsrank.theory.kernels.input_measure import box_measure
from epsrank.theory.kernels.placed import placement

NO_BOXES = [(1, 0), (0, 0), (0, np.inf), (np.nan, 1), (0, 1, 2), [], "words", [(0, 1), (0,)], None]
NETWORK = DenseNetwork("tanh", (np.ones((1, 1)),), (np.zeros(1),))


def test_pairs_become_rows():
    assert as_box((-1, Fraction(1, 2))).tolist() == [[-1.0, 0.5]]
    assert as_box([(0, 1), (2, 3)]).tolist() == [[0.0, 1.0], [2.0, 3.0]]


@pytest.mark.parametrize("domain", NO_BOXES, ids=str)
@pytest.mark.parametrize(
    "take",
    [
        as_box,
        box_measure,
        lambda domain: placement("tanh", 4, domain=domain),
        lambda domain: as_box(domain, n_inputs=1),
        lambda domain: continuous_rank(NETWORK, 1e-6, domain),
    ],
    ids=["as_box", "box_measure", "placement", "as_box of a network", "continuous_rank"],
)
def test_what_is_no_box_is_refused(take, domain):
    with pytest.raises(InputError, match="domain"):
        take(domain)


def test_an_interval_has_one_side():
    with pytest.raises(InputError, match="2 sides"):
        continuous_rank(NETWORK, 1e-6, [(0, 1), (0, 1)])
