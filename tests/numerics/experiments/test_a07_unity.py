"""A7 judges planted effects as planted, and survives fits that failed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from epsrank.numerics.experiments.a07_unity import EXPERIMENT, analyse, plan
from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.trials.random_features import bumps, fit_trial, random_features
from epsrank.numerics.sweeps.trial import Outcome


def outcomes(rank, error, *, noise=0.0):
    """Outcomes whose unity arm has `rank(R)` more and `error(R)` times the error of the block."""
    random = np.random.default_rng(0)
    found = []
    for trial in plan(Request()):
        unity, scale = trial.settings["parts"] == 3, trial.settings["scale"]
        count = 100 + (rank(scale) if unity else 0) + round(float(noise * random.normal()))
        size = 1e-3 * (error(scale) if unity else 1.0) * float(np.exp(noise * random.normal()))
        # The block is best at R = 2, so that the best of each is defined.
        size *= 1 + abs(np.log(scale / 2))
        ranks = {"1e-06": count, "1e-10": count, "1e-14": count}
        result = {
            "n_features": 324,
            "rank_lower": ranks,
            "rank_upper": ranks,
            "train_error": size,
            "test_error": size,
            "norm": 1.0,
        }
        found.append(Outcome(trial, "done", result, None, 1.0))
    return found


@pytest.mark.parametrize(
    ("rank", "error", "expected"),
    [
        (lambda scale: 50, lambda scale: 0.1, "supported"),
        (lambda scale: 50, lambda scale: 10.0, "refuted"),
        (lambda scale: -50, lambda scale: 0.1, "refuted"),
        (lambda scale: 50, lambda scale: 0.1 if scale < 3 else 10.0, "regime"),
    ],
)
def test_planted_effects(rank, error, expected):
    finding = analyse(outcomes(rank, error)).findings[0]
    assert finding.judgement == expected
    assert finding.tried == len(finding.effects) == 12


def test_no_effect_is_undecided():
    finding = analyse(outcomes(lambda s: 0, lambda s: 1.0, noise=3.0)).findings[0]
    assert finding.judgement == "undecided"


def test_failed_fits_are_told_and_do_not_stop_the_rest():
    done = outcomes(lambda scale: 50, lambda scale: 0.1)
    some = [replace(o, status="failed", result={}) if i % 7 == 0 else o for i, o in enumerate(done)]
    found = analyse(some)
    assert "fits failed" in found.notes[0]
    assert found.findings[0].judgement == "supported"
    none = analyse([replace(o, status="failed", result={}) for o in done])
    assert none.findings[0].judgement == "undecided"
    assert not none.pictures


def test_plan_is_fixed_and_has_enough_seeds():
    assert len({t.settings["seed"] for t in plan(Request())}) >= 5
    full = plan(Request(size="full"))
    assert {t.settings["per_part"] * t.settings["parts"] ** 2 for t in full} == {900}


def test_windows_are_a_partition_of_unity():
    x = np.linspace(-1, 1, 301)
    values = bumps(x, 3)
    assert np.abs(values.sum(axis=1) - 1).max() < 1e-15
    assert values.min() >= 0
    # ψ_1 is 1 in the middle of its part and 0 beyond a quarter of the next one.
    assert values[0, 0] == values[150, 1] == values[300, 2] == 1
    assert values[x > -1 / 3 + 1 / 6 + 1e-9, 0].max() == 0


def test_features_of_one_part_are_a_plain_block():
    x = np.random.default_rng(0).uniform(-1, 1, (20, 2))
    features = random_features(x, 1, 5, 2.0, np.random.default_rng(3))
    random = np.random.default_rng(3)
    w, b = random.uniform(-2, 2, (2, 5)), random.uniform(-2, 2, 5)
    np.testing.assert_array_equal(features, np.tanh(x @ w + b))


def test_a_fit_in_the_span_is_exact_and_its_picture_can_be_drawn(tmp_path):
    settings = {
        "task": "cosines-2d",
        "parts": 3,
        "per_part": 30,
        "scale": 1.0,
        "points": 900,
        "eps": [1e-6],
        "seed": 0,
    }
    result = fit_trial(settings)
    assert result["n_features"] == 270
    assert 0 < result["rank_lower"]["1e-06"] <= result["rank_upper"]["1e-06"] <= 270
    assert result["train_error"] < 0.1
    assert fit_trial(settings) == result
    figure = analyse(outcomes(lambda s: 50, lambda s: 0.1)).pictures[0].draw()
    figure.savefig(tmp_path / "a7.png")
    assert EXPERIMENT.claims == ("unity-rank",)
