"""N4: values against a literal loop, certified bounds, duality, and a planted counterexample."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from epsrank.numerics.pruning import subset_search
from epsrank.numerics.pruning.subset_search import (
    all_cases,
    save_extremal,
    search_subsets,
)
from epsrank.proofs.checkers import subset_conjecture
from epsrank.proofs.checkers.base import Context
from epsrank.theory.errors import InputError
from epsrank.theory.selection.subset_value import SubsetValue, dual_matrix, polish, subset_value


def frame(n, p, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((n, p)))[0]


@pytest.mark.parametrize(("n", "p"), [(4, 1), (5, 2), (6, 3), (6, 5), (3, 3)])
def test_the_value_is_the_literal_one_and_is_bounded_above(n, p):
    q = frame(n, p, n + p)
    literal = max(
        np.linalg.svd(q[list(kept)], compute_uv=False)[-1] for kept in combinations(range(n), p)
    )
    found = subset_value(q)
    assert found.value == pytest.approx(literal * np.sqrt(n), rel=1e-12)
    assert found.value <= found.certified <= found.value * (1 + 1e-9)
    assert not found.refutes


@pytest.mark.parametrize(("n", "p"), [(4, 1), (5, 2), (7, 3)])
def test_the_dual_matrix_has_the_same_value(n, p):
    q = frame(n, p)
    assert subset_value(dual_matrix(q)).value == pytest.approx(subset_value(q).value, rel=1e-9)


def test_polishing_never_makes_the_value_larger():
    q = frame(6, 2, 4)
    polished = polish(q, rounds=40)
    assert subset_value(polished).value <= subset_value(q).value
    assert np.allclose(polished.T @ polished, np.eye(2))


def test_the_search_reaches_the_known_minimum_of_two_columns():
    # Equality holds for p = 2 and every n ≥ 3 (Nesterenko, 2026), so 1 is the minimum.
    found = search_subsets(4, 2, restarts=8, steps=80, polished=2)
    assert found.found.value == pytest.approx(1, abs=1e-6)
    assert not found.found.refutes
    again = search_subsets(4, 2, restarts=8, steps=80, polished=2)
    assert np.array_equal(found.found.matrix, again.found.matrix)
    assert "no counterexample" in str(found)


def test_large_p_is_searched_as_its_dual(tmp_path):
    found = search_subsets(3, 2, restarts=4, steps=40, polished=1)
    assert found.found.matrix.shape == (3, 2)
    save_extremal([found], tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz", allow_pickle=False) as stored:
        assert np.array_equal(stored["n3_p2"], found.found.matrix)


def test_a_matrix_that_is_not_orthonormal_refutes_nothing():
    with pytest.raises(InputError, match="not orthonormal"):
        subset_value(0.5 * frame(4, 2))
    with pytest.raises(InputError, match="p ≤ n"):
        subset_value(np.ones((1, 2)))
    with pytest.raises(InputError, match="1 ≤ p < n"):
        search_subsets(4, 4)
    with pytest.raises(InputError, match="1 ≤ p < n"):
        search_subsets(13, 2)
    with pytest.raises(InputError, match="choose 1 or more"):
        search_subsets(4, 2, restarts=0)


def test_a_refutation_would_be_reported_with_its_matrix(monkeypatch):
    honest = subset_search.search_subsets

    def lucky(n, p, **settings):
        found = honest(n, p, restarts=2, steps=5, polished=1)
        planted = SubsetValue(0.9, 0.9, found.found.matrix)
        return subset_search.SubsetSearch(planted, 2, 5, 0.0, "cpu")

    monkeypatch.setattr(subset_conjecture, "search_subsets", lucky)
    evidence = subset_conjecture.check_search(Context("quick", 0))[0]
    assert evidence.state == "refuted"
    assert evidence.witness["certified"] == 0.9


def test_settled_cases_are_settled():
    assert subset_conjecture.check_settled_cases(Context("quick", 0))[0].state == "passed"
    assert all_cases(4) == [(2, 1), (3, 1), (4, 1), (4, 2)]


def test_the_matrices_on_record_are_what_the_page_says():
    place = Path(__file__).parents[3] / "docs" / "data" / "subset_extremal.npz"
    with np.load(place, allow_pickle=False) as stored:
        assert len(stored.files) == 25
        for name in ("n4_p2", "n6_p3", "n8_p4", "n11_p5"):
            found = subset_value(stored[name])
            assert not found.refutes
            assert found.value == pytest.approx(1, abs=1e-9)
