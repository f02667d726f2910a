"""The checker of init-rank: what it says of good rows, and that planted faults change it."""

from __future__ import annotations

import json

import pytest

from epsrank.proofs.checkers import initial_rank
from epsrank.proofs.checkers.base import Context
from epsrank.proofs.checkers.initial_rank import (
    ARMS,
    judge_band,
    judge_estimate,
    judge_handful,
    judge_limit,
    table,
)


@pytest.fixture(scope="module")
def rows():
    patched = pytest.MonkeyPatch()
    patched.setattr(initial_rank, "_WIDTHS", {"quick": (20, 60)})
    patched.setattr(initial_rank, "_SEEDS", {"quick": 6})
    try:
        return table(Context("quick"), [ARMS[0], ARMS[2]])
    finally:
        patched.undo()


def test_rows_support_the_claim(rows):
    assert len(rows) == 8
    assert judge_estimate(rows).state in {"passed", "regime"}
    assert judge_band(rows).state == "passed"
    assert judge_limit(rows).state == "regime"
    assert judge_handful(rows).state == "passed"
    json.dumps(judge_estimate(rows).to_json(), allow_nan=False)


def test_a_wrong_prediction_is_seen(rows):
    wrong = [{**row, "difference": row["difference"] - 2} for row in rows]
    assert judge_estimate(wrong).state == "regime"
    outside = [{**row, "outside": row["seeds"]} for row in rows]
    found = judge_band(outside)
    assert found.state == "refuted"
    assert found.witness is not None
    many = [{**row, "measured": 20.0} for row in rows]
    assert judge_handful(many).state == "refuted"
    falling = [{**row, "measured": 100.0 / row["n"]} for row in rows]
    assert judge_limit(falling).state == "undecided"


def test_ranks_outside_the_band_are_counted(rows):
    from epsrank.numerics.first_layer.initial_rank import measured_ranks
    from epsrank.theory.kernels.input_measure import box_measure
    from epsrank.theory.kernels.prediction import initial_ranks

    inputs = box_measure((-1.0, 1.0))
    (item,) = initial_ranks(inputs, "tanh", width=30, draws=2)
    # ReLU networks in the band of tanh: another law altogether.
    (other,) = measured_ranks(inputs, "relu", width=30, seeds=4)
    assert initial_rank.compare(item, other, "planted")["outside"] == 4
