"""Every definition against its formula as printed, whole and streamed; bounds and invariances."""

from __future__ import annotations

import doctest
import importlib
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from epsrank.theory.dimension.definitions import ranks_by_definition
from epsrank.theory.dimension.lidar import LidarSums, lidar
from epsrank.theory.dimension.moments import FeatureMoments
from epsrank.theory.dimension.neurons import dead_neurons, dormant_neurons, feature_norm
from epsrank.theory.dimension.participation import participation_ratio
from epsrank.theory.dimension.soft_ranks import (
    alpha_req,
    effective_rank,
    feature_rank,
    rankme,
    srank,
    stable_rank,
)
from epsrank.theory.errors import InputError


def sigma(x: np.ndarray) -> np.ndarray:
    return torch.linalg.svdvals(torch.from_numpy(np.ascontiguousarray(x))).numpy()


def off_mean(x: np.ndarray) -> np.ndarray:
    return x - x.mean(axis=0)


def entropy(p: np.ndarray, offset: float = 0.0) -> float:
    p = p / np.linalg.norm(p, ord=1) + offset
    return float(np.exp(-sum(value * math.log(value) for value in p if value > 0)))


def least(weights: np.ndarray, delta: float) -> int:
    return next(
        k for k in range(1, len(weights) + 1) if weights[:k].sum() >= (1 - delta) * weights.sum()
    )


def slope(spectrum: np.ndarray, power: int) -> float:
    spectrum = spectrum[spectrum > 1e-13 * spectrum[0]][5:100]
    k = np.arange(6, 6 + len(spectrum))
    # polyfit minimises Σ (w·residual)², so that weights 1/k are their roots.
    return -float(np.polyfit(np.log(k), np.log(spectrum), 1, w=k ** (-power / 2))[0])


#: (function, definition) → the formula, on features.
FORMULAS: dict[tuple[Callable, str], Callable[[np.ndarray], float]] = {
    (effective_rank, "paper"): lambda x: entropy(sigma(x)),
    (effective_rank, "centred"): lambda x: entropy(sigma(off_mean(x))),
    (effective_rank, "eigenvalues"): lambda x: entropy(sigma(x) ** 2),
    (effective_rank, "covariance"): lambda x: entropy(sigma(off_mean(x)) ** 2),
    (effective_rank, "normalised"): lambda x: math.log(entropy(sigma(x))) / math.log(min(x.shape)),
    (rankme, "paper"): lambda x: entropy(sigma(x), 1e-7),
    (rankme, "offset-1e-5"): lambda x: entropy(sigma(x), 1e-5),
    (rankme, "centred"): lambda x: entropy(sigma(off_mean(x)), 1e-5),
    (rankme, "eigenvalues"): lambda x: entropy(sigma(off_mean(x)) ** 2, 1e-7),
    (stable_rank, "paper"): lambda x: (np.linalg.norm(x) / np.linalg.norm(x, 2)) ** 2,
    (stable_rank, "centred"): lambda x: stable_rank(off_mean(x)),
    (srank, "paper"): lambda x: least(sigma(x), 0.01),
    (srank, "eigenvalues"): lambda x: least(sigma(x) ** 2, 0.01),
    (srank, "covariance"): lambda x: least(sigma(off_mean(x)) ** 2, 0.01),
    (feature_rank, "paper"): lambda x: (sigma(x) / math.sqrt(len(x)) > 0.01).sum(),
    (feature_rank, "unscaled"): lambda x: (sigma(x) > 0.01).sum(),
    (alpha_req, "paper"): lambda x: slope(sigma(off_mean(x)) ** 2, 1),
    (alpha_req, "unweighted"): lambda x: slope(sigma(off_mean(x)) ** 2, 0),
    (alpha_req, "gram"): lambda x: slope(sigma(x) ** 2, 1),
    (participation_ratio, "gram"): lambda x: (sigma(x) ** 2).sum() ** 2 / (sigma(x) ** 4).sum(),
    (feature_norm, "mean"): lambda x: np.mean([math.sqrt(row @ row) for row in x]),
    (feature_norm, "rms"): lambda x: math.sqrt(np.mean([row @ row for row in x])),
    (feature_norm, "frobenius"): lambda x: np.linalg.norm(x),
}

#: Those that see the scale of features, and by which power.
SCALED = (feature_rank, feature_norm)


def features(seed: int, n_samples: int = 50, n: int = 12) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(n_samples, n)) @ (rng.normal(size=(n, n)) * np.geomspace(1, 0.003, n))
    return mixed + 0.5 * rng.normal(size=n)


@pytest.mark.parametrize("case", FORMULAS, ids=lambda case: f"{case[0].__name__}-{case[1]}")
def test_agrees_with_the_formula_whole_and_streamed(case: tuple[Callable, str]) -> None:
    function, definition = case
    for seed, shape in enumerate([(50, 12), (9, 14), (400, 110)]):
        x = features(seed, *shape)
        wanted = FORMULAS[case](x)
        parts = FeatureMoments.of(x[:4]) + FeatureMoments.of(x[4:])
        for given in (x, torch.from_numpy(x), parts):
            found = function(given, definition=definition)
            assert int(found) == wanted if function is feature_rank else True
            if function is not feature_rank:
                assert found == pytest.approx(wanted, rel=3e-6)


@pytest.mark.parametrize("case", FORMULAS, ids=lambda case: f"{case[0].__name__}-{case[1]}")
def test_scale_order_and_rotation_change_nothing(case: tuple[Callable, str]) -> None:
    function, definition = case
    rng = np.random.default_rng(3)
    x = features(3)
    wanted = function(x, definition=definition)
    wanted = int(wanted) if function is feature_rank else wanted
    rotation = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    for other in (x[rng.permutation(50)], x[:, rng.permutation(12)], x @ rotation):
        found = function(other, definition=definition)
        found = int(found) if function is feature_rank else found
        assert found == pytest.approx(wanted, rel=1e-8)
    if function not in SCALED:
        for scale in (1e-160, 1e160):
            found = function(scale * x, definition=definition)
            assert found == pytest.approx(wanted, rel=1e-8)
    if function is feature_norm:
        for scale in (3.0, 1e-250, 1e250):
            found = function(scale * x, definition=definition)
            assert found == pytest.approx(scale * wanted)


def test_between_one_and_the_rank() -> None:
    rng = np.random.default_rng(0)
    for rank in (1, 3, 7):
        x = rng.normal(size=(40, rank)) @ rng.normal(size=(rank, 9))
        for function in (effective_rank, stable_rank, participation_ratio, srank):
            assert function(x) * (1 + 1e-9) >= 1
            assert function(x) <= rank * (1 + 1e-9)
        assert effective_rank(x, definition="eigenvalues") <= effective_rank(x) * (1 + 1e-9)
        assert participation_ratio(x) >= stable_rank(x) * (1 - 1e-9)
    equal = np.linalg.qr(rng.normal(size=(20, 6)))[0]
    for function in (effective_rank, stable_rank, participation_ratio, srank):
        assert function(equal) == pytest.approx(6)
    assert effective_rank(equal, definition="normalised") == pytest.approx(1.0)


def test_features_of_zeros_have_no_direction() -> None:
    zero = np.zeros((5, 3))
    for given in (zero, FeatureMoments.of(zero)):
        for function in (effective_rank, rankme, stable_rank, srank, participation_ratio):
            assert function(given) == 0
        assert int(feature_rank(given)) == 0
        assert alpha_req(given) is None
        assert dormant_neurons(given).all()
        assert dead_neurons(given).all()


def test_sums_take_every_dtype_and_keep_their_bound() -> None:
    x = features(5)
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        given = torch.from_numpy(x).to(dtype)
        exact = given.to(torch.float64).numpy()
        sums = FeatureMoments.of(given[:17]) + FeatureMoments.of(given[17:])
        assert sums.dtype == str(dtype).removeprefix("torch.")
        wanted = np.array(
            [[math.fsum(exact[:, a] * exact[:, b]) for a in range(12)] for b in range(12)]
        )
        error = np.linalg.norm(sums.gram - wanted, 2)
        assert error <= sums.gram_error < 1e-12 * np.trace(sums.gram)
        for name, power in (("total", 1), ("cubes", 3), ("quartics", 4)):
            assert getattr(sums, name) == pytest.approx((exact**power).sum(axis=0), abs=1e-9)
        assert sums.mean == pytest.approx(exact.mean(axis=0))
        assert sums.rank(1e-3).lower == sums.rank(1e-3).upper
    with pytest.raises(InputError, match="fourth powers beyond the range"):
        FeatureMoments.of(np.full((2, 2), 1e100))
    for scale, size in ((1e-90, "small"), (1e-170, "small"), (1e71, "large")):
        for function in (rankme, participation_ratio, alpha_req):
            with pytest.raises(InputError, match=f"are so {size} that their fourth powers"):
                function(FeatureMoments.of(scale * np.random.default_rng(0).normal(size=(9, 3))))
    with pytest.raises(InputError, match="moments have 2 features, these 12"):
        _ = sums + FeatureMoments.of(np.ones((3, 2)))


def test_dormant_and_dead_neurons() -> None:
    rng = np.random.default_rng(0)
    x = np.maximum(rng.normal(size=(100, 6)), 0) * [1, 1, 0.02, 0, 0.2, 1]
    score = np.abs(x).mean(axis=0) / np.abs(x).mean(axis=0).mean()
    for tau in (0.0, 0.025, 0.1, 0.5):
        for given in (x, FeatureMoments.of(x[:30]) + FeatureMoments.of(x[30:])):
            assert dormant_neurons(given, tau).tolist() == (score <= tau).tolist()
    assert dead_neurons(x).nonzero()[0].tolist() == [3]
    for scale in (7.0, 1e-300, 1e300):
        assert dormant_neurons(scale * x, 0.1).tolist() == dormant_neurons(x, 0.1).tolist()
        assert dead_neurons(scale * x).tolist() == dead_neurons(x).tolist()


def test_a_neuron_that_is_small_beside_a_huge_one_is_not_dead() -> None:
    assert dead_neurons([[1e300, 1e-300, 0.0]]).tolist() == [False, False, True]
    assert dormant_neurons([[1e300, 1e-300, 0.0]], 0).tolist() == [False, False, True]
    assert dormant_neurons([[1e300, 1e-300, 0.0]], 0.1).tolist() == [False, True, True]


def lidar_transcribed(e: np.ndarray, delta: float, free: int) -> float:
    """Thilak et al., section 3, with loops."""
    m, _, n = e.shape
    means = e.mean(axis=1)
    between = sum(np.outer(mu - means.mean(axis=0), mu - means.mean(axis=0)) for mu in means) / m
    scatter = sum(np.outer(v - means[i], v - means[i]) for i in range(m) for v in e[i])
    values, vectors = np.linalg.eigh(scatter / free + delta * np.eye(n))
    root = vectors @ np.diag(values**-0.5) @ vectors.T
    lam = np.linalg.eigvalsh(root @ between @ root)
    p = np.clip(lam, 0, None) / lam.sum() + 1e-7
    return float(np.exp(-(p * np.log(p)).sum()))


def test_lidar() -> None:
    rng = np.random.default_rng(1)
    e = rng.normal(size=(15, 1, 6)) * np.geomspace(1, 0.1, 6) + 0.2 * rng.normal(size=(15, 4, 6))
    for definition, free in (("paper", 60), ("unbiased", 45)):
        for delta in (1e-4, 0.1):
            wanted = lidar_transcribed(e, delta, free)
            assert lidar(e, delta=delta, definition=definition) == pytest.approx(wanted, rel=1e-6)
    order = rng.permutation(60)
    flat, objects = e.reshape(60, 6)[order], np.repeat(np.arange(15), 4)[order]
    assert lidar(flat, objects) == pytest.approx(lidar(e))
    assert lidar(LidarSums.of(e[:6]) + LidarSums.of(e[6:])) == pytest.approx(lidar(e))
    assert lidar(torch.from_numpy(e + 3.0)) == pytest.approx(lidar(e))
    assert 1 <= lidar(e) <= 6.001
    # δ has units: it scales with the square of the features.
    assert lidar(10 * e, delta=0.01) == pytest.approx(lidar(e))
    # Views that differ in one direction hide what objects do there.
    noisy = e + np.array([100.0, 0, 0, 0, 0, 0]) * rng.normal(size=(15, 4, 1))
    assert lidar(noisy) < lidar(e)
    assert lidar(np.stack([np.eye(3), np.eye(3)])) == 0
    with pytest.raises(InputError, match="hold 3 views of 3 objects; pass two or more objects"):
        lidar(np.eye(3), [0, 1, 2])
    with pytest.raises(InputError, match=r"have shape \(3, 3\); pass objects × views"):
        lidar(np.eye(3))
    for scale in (1e-90, 1e90):
        with pytest.raises(InputError, match="whose powers are out of the range of float64"):
            lidar(scale * e)
    with pytest.raises(InputError, match="objects have NaN or infinite entries"):
        lidar(np.eye(3), [0, 0, np.nan])
    with pytest.raises(InputError, match="there are 3 rows"):
        lidar(np.eye(3), [0, 1])


def test_the_table_holds_every_definition_and_calls_the_functions() -> None:
    x = features(9)
    table = ranks_by_definition(x)
    named = {(row.function, row.arguments) for row in table}
    assert {(f.__name__, d) for f, d in FORMULAS if f is not feature_norm} <= named
    for row in table:
        definition, _, correction = row.arguments.partition(", ")
        function = globals()[row.function]
        more = {"correction": correction} if correction else {}
        found = function(x, definition=definition, **more)
        assert row.value == (int(found) if function is feature_rank else found)
    assert table.value("participation_ratio", "covariance, both") > 1
    assert str(table).count("\n") == len(table.rows) - 1
    assert "<table>" in table._repr_html_()
    with pytest.raises(InputError, match="choose one of: paper, offset-1e-5"):
        table.value("rankme", "mine")
    assert ranks_by_definition(x[:2]).value("participation_ratio", "covariance, rows") is None


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rankme(np.eye(3), definition="mine"), "definition is 'mine'; choose one of 'pa"),
        (lambda: effective_rank(np.ones(3)), "features has 1 dimension"),
        (lambda: srank(np.eye(3), 1.0), "delta is 1; pass a number between"),
        (lambda: feature_rank(np.eye(3), -1.0), "threshold is -1.0; pass a number > 0"),
        (lambda: feature_rank(np.eye(3), definition="raw"), "choose one of 'paper', 'unscaled'"),
        (lambda: feature_norm(np.eye(3), definition="max"), "choose one of 'mean', 'rms'"),
        (lambda: alpha_req(np.eye(3), fit=(6, 7)), "fit is 7; pass last ≥ first"),
        (lambda: alpha_req(np.eye(3), fit=6), r"fit is 6; pass \(first, last\)"),
        (lambda: dormant_neurons(np.eye(3), -0.1), "tau is -0.1; pass a number ≥ 0"),
        (lambda: lidar(np.ones((3, 2, 2)), delta=0), "delta is 0; pass a number > 0"),
        (lambda: lidar(np.ones((3, 2, 2)), definition="x"), "definition is 'x'"),
    ],
)
def test_bad_arguments_are_named(call: Callable[[], object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()


def test_examples_of_the_docstrings_are_true() -> None:
    for name in ("definitions", "lidar", "moments", "neurons", "participation", "soft_ranks"):
        module = importlib.import_module(f"epsrank.theory.dimension.{name}")
        assert doctest.testmod(module).failed == 0, name
        assert doctest.testmod(module).attempted > 2
