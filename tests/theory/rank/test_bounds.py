"""What every interval of a rank shares: its text, its one number, its class."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from epsrank.numerics.monitor.records.record import LayerRank
from epsrank.numerics.training.record import RankRecord
from epsrank.theory.continuous.results import ContinuousRank
from epsrank.theory.data.inputs import as_features
from epsrank.theory.data.measure import as_measure
from epsrank.theory.kernels.band import FiniteWidthBand
from epsrank.theory.rank import RankInterval, epsilon_rank, epsilon_rank_from_spectrum
from epsrank.theory.rank.bounds import CertifiedRank, DecidedRank, Decision, RankBounds, rank_text
from epsrank.theory.rank.counts import CountProblem
from epsrank.theory.rank.of_features import RankProblem
from epsrank.theory.rank.of_gram import GramProblem
from epsrank.theory.rank.problem import Problem, Thresholds
from epsrank.theory.sampling.result import PopulationRank

OPEN = Decision(3, 5, "gram", "two eigenvalues are near")


def test_a_rank_as_text() -> None:
    assert rank_text(29, 29) == "29"
    assert rank_text(29, 34) == OPEN.ends.replace("3, 5", "29, 34") == "[29, 34]"


def test_every_interval_of_a_rank_is_one_class() -> None:
    for kind in (RankInterval, LayerRank, RankRecord):
        assert issubclass(kind, DecidedRank)
    assert issubclass(ContinuousRank, CertifiedRank)
    for kind in (PopulationRank, FiniteWidthBand, Decision):
        assert issubclass(kind, RankBounds)
        assert not hasattr(kind, "__int__")  # what only holds with some probability is no number


def test_one_number_only_where_both_ends_agree() -> None:
    held = LayerRank.of(1e-6, OPEN)
    assert str(held) == "[3, 5]"
    assert 4 in held
    assert 6 not in held
    text = r"^the 1e-06-rank is only known to lie in \[3, 5\]: two eigenvalues are near$"
    with pytest.raises(ValueError, match=text):
        int(held)
    with pytest.raises(ValueError, match=r"; use .lower and .upper$"):
        int(epsilon_rank_from_spectrum([2.0, 1.0], 1.0, error=0.1))
    assert int(LayerRank.of(1e-6, Decision(3, 3, "gram", ""))) == 3


def test_intervals_keep_what_they_are_compared_by() -> None:
    assert LayerRank.of(1e-6, OPEN) == LayerRank(1e-6, 3, 5, "gram", OPEN.reason)
    record = RankRecord.of(1e-6, OPEN, storage=(2, 6))
    assert record == RankRecord(1e-6, 3, 5, "gram", OPEN.reason, (2, 6))
    assert pickle.loads(pickle.dumps(record)) == record
    features = np.eye(3)
    one, two = epsilon_rank(features, 0.1), epsilon_rank(features, 0.1)
    assert one != two  # a result is itself and nothing else, as before it shared a base
    assert repr(one).startswith("RankInterval(eps=0.1, lower=3, upper=3, route='gram', reason=")


def test_thresholds_are_an_argument_and_leave_nothing_behind() -> None:
    """A problem asked at small thresholds first counts the same at a large one afterwards."""
    features = np.random.default_rng(0).standard_normal((2100, 260)) * np.geomspace(1, 1e-7, 260)
    checked = as_features(features)
    law = as_measure("mean", None, 2100)
    gram = features.T @ features / 2100
    gram = (gram + gram.T) / 2
    problems: list[tuple[Problem, Problem]] = [
        (RankProblem(checked, law), RankProblem(checked, law)),
        (CountProblem(checked, law), CountProblem(checked, law)),
        (GramProblem(gram, 1e-12), GramProblem(gram, 1e-12)),
    ]
    for used, fresh in problems:
        used.decide(Thresholds((1e-8, 1e-12)))
        [after], [alone] = used.decide(Thresholds((1e-3,))), fresh.decide(Thresholds((1e-3,)))
        assert (after.lower, after.upper, after.route) == (alone.lower, alone.upper, alone.route)
        assert len(used.decide(Thresholds((1e-3, 1e-2, 1e-3)))) == 3
