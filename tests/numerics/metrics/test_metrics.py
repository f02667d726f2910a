"""Metrics equal the functions on all of the data, however it comes: batches, shards, dtypes."""

from __future__ import annotations

import copy
import math
import pickle
import warnings

import numpy as np
import pytest
import torch
from torchmetrics import MetricCollection

import epsrank
from epsrank import metrics
from epsrank.theory.dimension.lidar import LidarSums
from epsrank.theory.dimension.moments import FeatureMoments
from epsrank.theory.errors import InputError

N = 7

#: name → how it is made, and the number that it stands for, as a function of all features.
CASES = {
    "EffectiveRank": ({}, epsrank.effective_rank),
    "RankMe": ({"definition": "centred"}, lambda x: epsrank.rankme(x, definition="centred")),
    "StableRank": ({}, epsrank.stable_rank),
    "ParticipationRatio": (
        {"definition": "covariance", "correction": "both"},
        lambda x: epsrank.participation_ratio(x, definition="covariance", correction="both"),
    ),
    "SRank": ({"delta": 0.1}, lambda x: epsrank.srank(x, 0.1)),
    "AlphaReQ": ({"fit": (1, N)}, lambda x: epsrank.alpha_req(x, fit=(1, N))),
    "FeatureNorm": ({}, epsrank.feature_norm),
    "DormantNeurons": ({"tau": 0.5}, lambda x: epsrank.dormant_neurons(x, 0.5).mean()),
    "DeadNeurons": ({}, lambda x: epsrank.dead_neurons(x).mean()),
    "EpsilonRank": ({"eps": 0.05}, lambda x: epsrank.epsilon_rank(x, 0.05)),
    "FeatureRank": ({"threshold": 0.2}, lambda x: epsrank.feature_rank(x, 0.2)),
}


def features(dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, N, generator=generator, dtype=torch.float64)
    x = (x @ torch.randn(N, N, generator=generator, dtype=torch.float64)).relu()
    x[:, 3] = 0
    return (x * torch.logspace(0, -1, N, dtype=torch.float64)).to(dtype)


def made(name: str) -> metrics.RankMe:
    return getattr(metrics, name)(N, **CASES[name][0])


def numbers(found: torch.Tensor | dict[str, torch.Tensor]) -> list[float]:
    return [float(v) for v in found.values()] if isinstance(found, dict) else [float(found)]


def wanted(name: str, x: torch.Tensor) -> list[float]:
    found = CASES[name][1](x)
    ends = [found.lower, found.upper] if hasattr(found, "lower") else [float(found)]
    return [pytest.approx(end, rel=1e-6) for end in ends]


def test_every_metric_has_a_case() -> None:
    assert {*CASES, "Lidar"} == {*metrics.__all__} == {*dir(metrics)}
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = metrics.Nothing


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_batches_forward_reset_and_pickle(name: str, dtype: torch.dtype) -> None:
    x = features(dtype)
    metric = made(name)
    for batch in x[:40].split(13):
        metric.update(batch)
    metric = pickle.loads(pickle.dumps(metric))
    # forward computes the number of the batch alone, and goes on summing.
    assert numbers(metric(x[40:])) == wanted(name, x[40:])
    assert numbers(metric.compute()) == wanted(name, x)
    metric.reset()
    metric.update(x[:20].numpy() if dtype is not torch.bfloat16 else x[:20])
    assert numbers(metric.compute()) == wanted(name, x[:20])


@pytest.mark.parametrize("name", [*CASES, "Lidar"])
def test_two_shards_are_the_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What two processes gather is added by torchmetrics as it would be by NCCL or gloo."""
    if name == "Lidar":
        x = features().reshape(12, 5, N)
        shards, whole = [metrics.Lidar(N) for _ in range(2)], [pytest.approx(epsrank.lidar(x))]
    else:
        x = features()
        shards, whole = [made(name) for _ in range(2)], wanted(name, x)
    cut = len(x) // 3
    shards[0].update(x[:cut])
    shards[1].update(x[cut:])
    states = [copy.deepcopy(shard.metric_state) for shard in shards]

    def gather(state: torch.Tensor, group: object) -> list[torch.Tensor]:
        key = next(k for k, v in shards[0].metric_state.items() if v is state)
        return [held[key] for held in states]

    shards[0].dist_sync_fn = gather
    shards[0].distributed_available_fn = lambda: True
    assert numbers(shards[0].compute()) == whole
    # Its own sums are what they were.
    assert all(torch.equal(v, states[0][k]) for k, v in shards[0].metric_state.items())


def test_a_collection_shares_one_state() -> None:
    x = features()
    collection = MetricCollection({name: made(name) for name in CASES}, prefix="val/")
    for batch in x.split(25):
        collection.update(batch)
    assert len(collection.compute_groups) == 1
    found = collection.compute()
    assert found["val/EffectiveRank"].dtype == torch.float64
    assert {"val/epsilon_rank_lower", "val/epsilon_rank_upper"} <= set(found)
    two = MetricCollection({"fine": metrics.EpsilonRank(N), "coarse": metrics.EpsilonRank(N, 0.5)})
    two.update(x)
    ends = {
        f"{name}_epsilon_rank_{end}" for name in ("fine", "coarse") for end in ("lower", "upper")
    }
    assert set(two.compute()) == ends


def test_sums_stay_in_float64_whatever_becomes_of_the_model() -> None:
    model = torch.nn.Module()
    model.rank = made("EffectiveRank")
    model.rank.update(features()[:30])
    model.to(torch.bfloat16).half().float()
    model.rank.set_dtype(torch.float16)
    model.to(torch.device("cpu"))
    model.rank.update(features()[30:])
    states = model.rank.metric_state.values()
    assert {state.dtype for state in states} == {torch.float64, torch.int64}
    assert numbers(model.rank.compute()) == wanted("EffectiveRank", features())
    model.rank.persistent(True)
    again = made("EffectiveRank")
    again.persistent(True)
    again.load_state_dict(model.rank.state_dict())
    with warnings.catch_warnings():
        # torchmetrics warns of a metric without an update; the loaded sums are there all the same.
        warnings.simplefilter("ignore", UserWarning)
        assert numbers(again.compute()) == wanted("EffectiveRank", features())


def test_the_epsilon_rank_is_never_an_integer_that_is_not_known() -> None:
    # Two equal features of norm 1 in two samples, scaled so that λ_1 = 1 up to rounding.
    x = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64) / 2**0.5
    metric = metrics.EpsilonRank(2, 0.5)
    metric.update(x)
    found = metric.compute()
    assert (int(found["epsilon_rank_lower"]), int(found["epsilon_rank_upper"])) == (0, 2)
    assert not metric.moments().rank(0.5).resolved


def test_the_bound_of_the_sums_holds() -> None:
    x = torch.randn(3000, 4, dtype=torch.float64) * torch.tensor([1, 1e3, 1e-3, 7.0])
    metric = metrics.EpsilonRank(4)
    for batch in x.split(1700):
        metric(batch)
    moments = metric.moments()
    pairs = (x[:, a] * x[:, b] for a in range(4) for b in range(4))
    exact = np.array([math.fsum(pair.tolist()) for pair in pairs]).reshape(4, 4)
    error = np.linalg.norm(moments.gram - exact, 2)
    assert error <= moments.gram_error <= 3e-13 * np.trace(exact)
    whole = FeatureMoments.of(x)
    for name in ("total", "sizes", "skew", "cubes", "quartics", "norms", "fourth"):
        assert getattr(moments, name) == pytest.approx(getattr(whole, name), rel=1e-9, abs=1e-6)


def test_lidar_sums() -> None:
    x = features().reshape(12, 5, N)
    metric = metrics.Lidar(N, 0.01, definition="unbiased")
    metric.update(x[:5])
    metric.update(x[5:].flatten(0, 1), objects=torch.arange(7).repeat_interleave(5))
    whole = epsrank.lidar(x, delta=0.01, definition="unbiased")
    assert float(metric.compute()) == pytest.approx(whole)
    assert float(metric.compute()) == pytest.approx(
        epsrank.lidar(LidarSums.of(x), delta=0.01, definition="unbiased")
    )
    with pytest.raises(InputError, match="have 3 neurons, expected 7"):
        metric.update(torch.ones(2, 2, 3))


def test_what_is_refused_is_named_and_leaves_the_sums() -> None:
    metric = made("RankMe")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with pytest.raises(InputError, match=r"call update\(\) before compute"):
            metric.compute()
    metric.update(features())
    before = copy.deepcopy(metric.metric_state)
    bad = features()
    bad[2, 1] = torch.nan
    for batch, words in (
        (bad, r"1 NaN or infinite entries, the first at index \(2, 1\)"),
        (torch.ones(2, 3), r"expected \(N, 7\)"),
        (torch.full((2, N), 1e100, dtype=torch.float64), "fourth powers beyond the range"),
        (torch.ones(2, N, dtype=torch.int64), "convert them to a float dtype"),
        (torch.ones(2, N).to_sparse(), r"is a sparse tensor; pass features.to_dense\(\)"),
        (torch.ones(2, N, device="meta"), "is on the meta device"),
    ):
        with pytest.raises(InputError, match=words):
            metric.update(batch)
    assert all(torch.equal(v, before[k]) for k, v in metric.metric_state.items())
    for make, words in (
        (lambda: metrics.RankMe(0), "n_features is 0"),
        (lambda: metrics.RankMe(3, definition="mine"), "definition is 'mine'"),
        (lambda: metrics.EpsilonRank(3, -1.0), "eps is -1"),
        (lambda: metrics.FeatureRank(3, definition="mine"), "definition is 'mine'"),
        (lambda: metrics.AlphaReQ(3, fit=(4, 4)), "fit is 4"),
        (lambda: metrics.Lidar(3, -1.0), "delta is -1"),
    ):
        with pytest.raises(InputError, match=words):
            make()
