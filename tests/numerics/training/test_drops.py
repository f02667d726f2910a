"""What drops prove: moments without a detector, kept last layers, a planted drop of each kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from epsrank.numerics.sweeps.training import train_trial
from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.drops import drop_moments, loss_moments
from epsrank.numerics.training.loop import train
from epsrank.numerics.training.run import load_run
from epsrank.theory.errors import InputError
from epsrank.theory.floor.change.explain import explain_drop
from epsrank.theory.floor.change.pairs import Moment, explain_pairs

SMALL = RunConfig(
    width=8,
    depth=2,
    steps=24,
    learning_rate=0.03,
    n_train=40,
    measure_every=3,
    device="cpu",
    keep_features=0.95,
)


def test_moments_lie_in_the_middle_of_plateaus():
    loss = [1.0, 0.9, *[0.5] * 9, 0.3, 0.06, *[0.011] * 5, 3.0, *[0.011] * 4]
    found = loss_moments(loss, 0.5)
    # The first band, the plateau at 0.5 with one step of the drop, the drop, the last plateau.
    assert found == [1, 7, 12, 18]
    assert loss_moments([np.nan, 0.0, -1.0], 0.5) == []
    assert loss_moments([1.0, np.inf, 0.4], 0.5) == [0, 2]


@pytest.mark.parametrize("network", ["mlp", "cnn", "transformer"])
@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
def test_kept_features_are_what_was_measured(tmp_path, network, loss):
    depth = 3 if network == "transformer" else 2
    config = replace(SMALL, network=network, depth=depth, loss=loss, steps=8, measure_every=2)
    if network != "mlp" or loss != "mse":
        config = replace(config, task="digits", batch_size=20, probe=30, n_train=60, n_test=10)
        config = replace(config, learning_rate=0.003, keep_features=0.995)
    kept = train(config, tmp_path / "run")
    steps = [kept.records[index].step for index in drop_moments(kept, config.keep_features)]
    files = sorted(path.name for path in (tmp_path / "run/features").glob("*"))
    assert files == [f"step_{step:08d}.safetensors" for step in steps]
    assert len(files) >= 2
    # The same bits with the file and without it, and in a run without a folder.
    there = load_run(tmp_path / "run").drops()
    assert there == kept.drops() == train(config).drops()
    for path in (tmp_path / "run/features").glob("*"):
        path.unlink()
    assert load_run(tmp_path / "run").drops() == there
    assert all(drop.ranks[0].rank_before[0] >= 0 for drop in there)


def test_a_damaged_file_of_features_is_said(tmp_path):
    kept = train(SMALL, tmp_path / "run")
    path = next(Path(tmp_path / "run/features").glob("*"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"features.*checksum"):
        load_run(tmp_path / "run").drops()
    assert kept.records


def test_a_resumed_run_keeps_the_same(tmp_path):
    whole = train(SMALL, tmp_path / "whole")
    train(SMALL, tmp_path / "parts", stop_after=13)
    parts = train(SMALL, tmp_path / "parts", resume=True)
    names = [
        {p.name: p.read_bytes() for p in (tmp_path / name / "features").glob("*")}
        for name in ("whole", "parts")
    ]
    assert names[0] == names[1]
    assert parts.drops() == whole.drops()


def test_settings_are_checked():
    with pytest.raises(InputError, match="keep_features is 2"):
        RunConfig(keep_features=2)
    assert RunConfig.from_toml(SMALL.to_toml()) == SMALL


def test_trials_hold_their_drops():
    settings = SMALL.to_json()
    found = train_trial(settings)["drops"]
    assert found
    assert found[0]["step_before"] < found[0]["step_after"]
    assert "drops" not in train_trial(settings | {"keep_features": None})


def test_runs_without_a_floor_have_no_drops():
    burgers = RunConfig(
        task="burgers", width=6, depth=1, steps=4, n_train=30, measure_every=1, device="cpu"
    )
    assert train(burgers).drops() == []
    poisson = replace(burgers, task="poisson")
    assert train(poisson).drops() == []


X = np.linspace(-1, 1, 80)[:, None]


def moments(before, after, target, heads=(None, None)):
    """Two moments with the best heads of a moderate norm."""
    found = []
    for step, (features, head) in enumerate(zip((before, after), heads, strict=True)):
        centred = features - features.mean(axis=0)
        best = np.linalg.lstsq(centred, target - target.mean(axis=0), rcond=1e-6)[0]
        weights = best if head is None else head
        bias = (target - features @ weights).mean(axis=0)
        found.append(Moment(step, features, weights, bias))
    return found


def test_a_drop_by_new_directions_is_told_from_one_by_turned_ones():
    """As many directions as before that point elsewhere change the features, and not their rank."""
    target = np.cos(9 * X) + np.cos(5 * X)
    old = np.hstack([X, X**2])
    more = np.hstack([X, X**2, np.cos(9 * X), np.cos(5 * X)])
    turned = np.hstack([np.cos(9 * X), np.cos(5 * X)])
    (grown,) = explain_pairs(moments(old, more, target), target, [(0, 1)], eps=(1e-6, 1e-2))
    assert grown.changed
    assert grown.ranks[0].rank_before == (2, 2)
    assert grown.ranks[0].rank_after == (4, 4)
    assert grown.ranks[0].necessary
    assert grown.used_after > 2
    (spun,) = explain_pairs(moments(old, turned, target), target, [(0, 1)])
    assert spun.changed
    assert spun.factor == np.inf
    assert not spun.ranks[0].necessary
    assert spun.ranks[0].share == 0
    # The head alone: nothing is proved.
    head = [np.zeros((4, 1)), None]
    (same,) = explain_pairs(moments(more, more, target, head), target, [(0, 1)])
    assert not same.changed
    assert not same.ranks[0].necessary


@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
def test_pairs_say_what_explain_drop_says(loss):
    random = np.random.default_rng(3)
    target = np.eye(3)[random.integers(0, 3, 80)]
    given = [Moment(k, np.tanh(X @ random.normal(size=(1, 5)) * k), random.normal(size=(5, 3)),
                    random.normal(size=3)) for k in (1, 4)]  # fmt: skip
    (pair,) = explain_pairs(given, target, [(0, 1)], eps=(1e-3,), loss=loss)
    one = explain_drop(
        given[0].features, given[1].features, target, coefficients_before=given[0].coefficients,
        coefficients_after=given[1].coefficients, bias_before=given[0].bias,
        bias_after=given[1].bias, eps=1e-3, loss=loss,
    )  # fmt: skip
    assert (pair.loss_before, pair.loss_after) == (one.loss_before, one.loss_after)
    assert (pair.changed, pair.reachable) == (one.change.proven, one.change.reachable)
    assert pair.ranks[0].reachable == pytest.approx(one.rank.reachable)
    assert pair.ranks[0].necessary == one.rank.necessary
    assert pair.used_after == one.rank.rank_needed
    if loss == "squared":
        assert (pair.factor_below, pair.factor) == (one.change.factor_below, one.change.factor)
    with pytest.raises(InputError, match="pairs have"):
        explain_pairs(given, target, [(1, 0)])
    assert explain_pairs([], target, []) == []
