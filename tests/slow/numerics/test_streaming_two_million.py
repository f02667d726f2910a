"""Two million samples of a layer of 1024 neurons, within 300 MB above the input batch."""

from __future__ import annotations

import pytest

from tests.numerics.gram.test_layer_accumulator import streamed


@pytest.mark.parametrize("eps", [(), (1e3,)], ids=["float64", "float32"])
def test_two_million_by_1024(eps):
    assert streamed(2_000_000, *eps) <= 300
