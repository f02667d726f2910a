"""Fewer samples than neurons: the small matrix says what the sums say, within its bound."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from epsrank.numerics.gram.few_rows import FewRows
from epsrank.numerics.gram.layer import LayerAccumulator
from epsrank.numerics.monitor.measuring.layer_numbers import layer_numbers
from epsrank.numerics.monitor.measuring.settings import as_settings
from epsrank.theory.errors import InputError
from epsrank.theory.rank import epsilon_rank


def settings(**given):
    base = {
        "eps": (1e-6, 1e-2),
        "relative": False,
        "measure": "mean",
        "quantities": "auto",
        "loss": None,
        "bias": "feature",
        "forgetting": None,
        "max_samples": 2048,
    }
    return as_settings(**(base | given))


def features(n_rows, width, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=generator) * 10.0 ** -torch.linspace(0, 4, width)
    return torch.relu(torch.randn(n_rows, width, generator=generator) @ mixing.T).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("measure", ["mean", "raw"])
@pytest.mark.parametrize("quantities", ["auto", "ranks"])
def test_the_same_numbers_as_from_the_sums(dtype, measure, quantities):
    few, sums = FewRows(60, measure=measure), LayerAccumulator(60, measure=measure)
    for rows in features(25, 60, dtype).split(10):
        few.update(rows)
        sums.update(rows)
    assert len(few.smallest()[0]) == 25
    chosen = settings(measure=measure, quantities=quantities)
    ranks, own, kind = layer_numbers(few, chosen)
    wanted, theirs, wanted_kind = layer_numbers(sums, chosen)
    assert [(r.lower, r.upper) for r in ranks] == [(r.lower, r.upper) for r in wanted]
    assert kind == wanted_kind == str(dtype).removeprefix("torch.")
    if own is not None:
        for name in ("largest", "trace", "stable_rank", "participation_ratio", "entropy_rank"):
            assert getattr(own, name) == pytest.approx(getattr(theirs, name), rel=1e-10)
        assert own.rankme == pytest.approx(theirs.rankme, rel=1e-4)  # roots of rounding, there
        assert (own.dormant, own.dead) == (theirs.dormant, theirs.dead)
        assert own.condition is None


def test_the_bound_holds_against_exact_arithmetic():
    rows = features(8, 40)
    few = FewRows(40, measure="raw")
    few.update(rows)
    values, error = few.smallest()
    exact = np.array([[sum_exactly(a, b) for b in rows] for a in rows])
    assert np.linalg.norm(values - exact, 2) <= error < 1e-10 * np.trace(exact)
    assert np.array_equal(values, values.T)


def sum_exactly(a, b):
    from fractions import Fraction

    return float(sum(Fraction(float(x)) * Fraction(float(y)) for x, y in zip(a, b, strict=True)))


def test_the_count_is_that_of_the_features():
    rows = features(30, 64).double()
    few = FewRows(64)
    few.update(rows)
    for eps in (1e-10, 1e-6, 1e-3):
        ranks, _, _ = layer_numbers(few, settings(eps=(eps,)))
        wanted = epsilon_rank(rows, eps)
        assert (ranks[0].lower, ranks[0].upper) == (wanted.lower, wanted.upper)


def test_from_one_row_too_many_on_everything_is_summed():
    rows = features(31, 60)
    few, sums = FewRows(60), LayerAccumulator(60)
    for start in range(0, 31, 6):
        few.update(rows[start : start + 6])
        sums.update(rows[start : start + 6])
    assert len(few.smallest()[0]) == 60
    assert few.n_samples == 31
    assert np.array_equal(few.gram().values, sums.gram().values)
    assert few.gram().error == sums.gram().error
    assert np.array_equal(few.mean_abs, sums.mean_abs)


@pytest.mark.parametrize("ask", ["gram", "forget", "all_reduce"])
def test_sums_that_are_asked_for_are_those_of_the_rows(ask):
    rows = features(20, 60)
    few, sums = FewRows(60), LayerAccumulator(60)
    few.update(rows)
    sums.update(rows)
    if ask == "forget":
        few.forget(0.5)
        sums.forget(0.5)
    total = few.all_reduce() if ask == "all_reduce" else few
    assert np.array_equal(total.gram().values, sums.gram().values)
    assert total.gram().error == sums.gram().error
    assert (total.n_samples, total.mass) == (sums.n_samples, sums.mass)


def test_rows_are_copied():
    rows = features(10, 60)
    few = FewRows(60)
    few.update(rows)
    before = few.smallest()[0].copy()
    rows.zero_()
    assert np.array_equal(few.smallest()[0], before)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e200])
def test_a_batch_that_cannot_be_used_changes_nothing(bad):
    few = FewRows(60)
    few.update(features(5, 60, torch.float64))
    before = few.smallest()
    rows = features(5, 60, torch.float64)
    rows[2, 3] = bad
    with pytest.raises(InputError):
        few.update(rows)
    with pytest.raises(InputError):
        few.update(features(5, 59))
    assert few.n_samples == 5
    assert np.array_equal(few.smallest()[0], before[0])


def test_zero_features_and_no_rows():
    few = FewRows(60)
    with pytest.raises(InputError, match="nothing was accumulated"):
        few.smallest()
    few = FewRows(60)
    few.update(torch.zeros(5, 60))
    ranks, own, _ = layer_numbers(few, settings())
    assert [(r.lower, r.upper) for r in ranks] == [(0, 0)] * 2
    assert (own.stable_rank, own.dead) == (0.0, 1.0)
