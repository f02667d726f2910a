"""The corrected participation ratio: against sums over distinct indices, and by simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from epsrank.theory.dimension.moments import FeatureMoments
from epsrank.theory.dimension.participation import participation_interval, participation_ratio
from epsrank.theory.errors import InputError

CASES = list(itertools.product(("gram", "covariance"), (None, "rows", "columns", "both")))


def transcribed(x: np.ndarray, definition: str, correction: str | None) -> float:
    """Means over tuples of indices, distinct ones where the correction asks for them."""
    n_samples, n = x.shape
    rows = [
        list(itertools.permutations(range(n_samples), k))
        if correction in ("rows", "both")
        else list(itertools.product(range(n_samples), repeat=k))
        for k in (2, 3, 4)
    ]
    columns = [
        (a, b)
        for a, b in itertools.product(range(n), repeat=2)
        if a != b or correction not in ("columns", "both")
    ]
    over = under = 0.0
    for a, b in columns:
        u, v = x[:, a], x[:, b]
        over += np.mean([u[i] ** 2 * v[j] ** 2 for i, j in rows[0]])
        under += np.mean([u[i] * u[j] * v[i] * v[j] for i, j in rows[0]])
        if definition == "covariance":
            four = np.mean([u[i] * u[j] * v[k] * v[m] for i, j, k, m in rows[2]])
            over += four - 2 * np.mean([u[i] ** 2 * v[j] * v[k] for i, j, k in rows[1]])
            under += four - 2 * np.mean([u[i] * u[j] * v[j] * v[k] for i, j, k in rows[1]])
    return float(over / under) if under > 0 else math.inf


@pytest.mark.parametrize(("definition", "correction"), CASES)
def test_agrees_with_the_sums_written_out(definition: str, correction: str | None) -> None:
    # The mean is off 0, and columns share directions, so that no denominator is near 0.
    rng = np.random.default_rng(4)
    x = rng.normal(size=(6, 2)) @ rng.normal(size=(2, 3)) + 0.3 * rng.normal(size=3)
    wanted = transcribed(x, definition, correction)
    found = participation_ratio(x, definition=definition, correction=correction)
    assert found == pytest.approx(wanted, rel=1e-10)
    streamed = FeatureMoments.of(x[:2]) + FeatureMoments.of(x[2:])
    found = participation_ratio(streamed, definition=definition, correction=correction)
    assert found == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(("definition", "correction"), CASES)
def test_invariances(definition: str, correction: str | None) -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(40, 5)) @ rng.normal(size=(5, 12)) + rng.normal(size=12)
    found = participation_ratio(x, definition=definition, correction=correction)

    def of(other: np.ndarray) -> float:
        return participation_ratio(other, definition=definition, correction=correction)

    same = [1e200 * x, 1e-200 * x, x[rng.permutation(40)], x[:, rng.permutation(12)]]
    if correction not in ("columns", "both"):
        same.append(x @ np.linalg.qr(rng.normal(size=(12, 12)))[0])
    if definition == "covariance":
        same.append(x + 5.0)
    for other in same:
        assert of(other) == pytest.approx(found, rel=1e-8)


def test_plain_ratio_is_that_of_eigenvalues_and_bounded_by_the_rank() -> None:
    x = np.random.default_rng(6).normal(size=(30, 4)) @ np.ones((4, 7))
    assert participation_ratio(x) == pytest.approx(1.0)
    x = np.random.default_rng(6).normal(size=(30, 7))
    for definition, rows in (("gram", x), ("covariance", x - x.mean(axis=0))):
        values = np.linalg.eigvalsh(rows.T @ rows)
        wanted = values.sum() ** 2 / (values**2).sum()
        assert participation_ratio(x, definition=definition) == pytest.approx(wanted)
        assert 1 <= participation_ratio(x, definition=definition) <= 7


def test_the_bias_goes() -> None:
    """Chun et al., section 4.3: samples and neurons of d = 10 directions; the ratio is 10."""
    rng = np.random.default_rng(7)
    inverse: dict[str | None, list[float]] = {None: [], "rows": [], "columns": [], "both": []}
    for _ in range(100):
        x = rng.normal(size=(25, 10)) @ rng.normal(size=(10, 20))
        for correction, found in inverse.items():
            ratio = participation_ratio(x, definition="covariance", correction=correction)
            found.append(1 / ratio)
    mean = {name: 1 / np.mean(values) for name, values in inverse.items()}
    # 1/PR is 1/10 + 1/25 + 1/20 without a correction, nearly.
    assert mean[None] == pytest.approx(1 / (1 / 10 + 1 / 25 + 1 / 20), rel=0.08)
    assert mean["rows"] == pytest.approx(1 / (1 / 10 + 1 / 20), rel=0.08)
    assert mean["columns"] == pytest.approx(1 / (1 / 10 + 1 / 25), rel=0.08)
    assert mean["both"] == pytest.approx(10, rel=0.05)


def test_jackknife_is_that_of_leaving_out_rows_and_columns_in_turn() -> None:
    rng = np.random.default_rng(8)
    x = rng.normal(size=(9, 3)) @ rng.normal(size=(3, 6)) + 1.0
    for definition, correction in itertools.product(("gram", "covariance"), ("rows", "both")):
        parts = [[np.delete(x, i, axis=0) for i in range(9)]]
        if correction == "both":
            parts.append([np.delete(x, a, axis=1) for a in range(6)])
        variance = 0.0
        for part in parts:
            left = [
                1 / participation_ratio(other, definition=definition, correction=correction)
                for other in part
            ]
            variance += (len(left) - 1) * np.var(left)
        found = participation_interval(x, definition=definition, correction=correction)
        ratio = participation_ratio(x, definition=definition, correction=correction)
        assert found.value == pytest.approx(max(ratio, 1.0))
        reach = 1.959963984540054 * math.sqrt(variance)
        if ratio * reach < 1:
            assert found.low == pytest.approx(max(1.0, ratio - reach * ratio**2), rel=1e-8)
            assert found.high == pytest.approx(ratio + reach * ratio**2, rel=1e-8)
        else:
            assert found.low == pytest.approx(max(1.0, 1 / (1 / ratio + reach)), rel=1e-8)
            assert found.high == math.inf


@pytest.mark.parametrize(("n_samples", "decay"), [(40, 0.0), (60, 1.0)])
def test_the_interval_covers(n_samples: int, decay: float) -> None:
    rng = np.random.default_rng(n_samples)
    roots = np.arange(1, 13) ** -decay
    truth = (roots**2).sum() ** 2 / (roots**4).sum()
    hits = 0
    for _ in range(120):
        found = participation_interval(rng.normal(size=(n_samples, 12)) * roots + 1.0)
        hits += found.low <= truth <= found.high
    # 0.95 claimed; 120 trials spread by 0.02. More of both in tests/slow.
    assert hits / 120 >= 0.9


def test_zeros_few_samples_and_bad_words() -> None:
    assert participation_ratio(np.zeros((5, 3))) == 0.0
    assert participation_ratio(np.zeros((5, 3)), definition="covariance", correction="both") == 0
    with pytest.raises(InputError, match=r"too few samples for correction='rows'"):
        participation_ratio(np.ones((3, 3)), definition="covariance", correction="rows")
    with pytest.raises(InputError, match="too few neurons"):
        participation_ratio(np.ones((9, 1)), correction="columns")
    with pytest.raises(InputError, match="definition is 'centered'; choose one of 'gram'"):
        participation_ratio(np.ones((3, 3)), definition="centered")
    with pytest.raises(InputError, match="estimate nothing beyond these samples"):
        participation_interval(np.ones((9, 3)), correction=None)
    for same in (np.zeros((9, 3)), np.full((9, 3), 0.1)):
        assert participation_ratio(same, definition="covariance", correction="rows") == 0.0
        with pytest.raises(InputError, match="do not vary"):
            participation_interval(same)
    with pytest.raises(InputError, match="features are sums"):
        participation_interval(FeatureMoments.of(np.ones((9, 3))))
    far = FeatureMoments.of(1e4 + np.random.default_rng(0).normal(size=(9, 3)))
    with pytest.raises(InputError, match="a hundred times their spread"):
        participation_ratio(far, definition="covariance", correction="rows")
