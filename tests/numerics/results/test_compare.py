"""Pairs by seed and settings: effects, intervals over the seeds, and what has no partner."""

from __future__ import annotations

import math

import pytest

from epsrank.numerics.results import RunResult, SweepResults, compare_results
from epsrank.theory.errors import InputError


def results(cells, seeds=range(6), figure="loss", value=lambda settings, seed: 1.0 + seed, **other):
    return SweepResults(
        "made up",
        tuple(
            RunResult(settings, seed, "done", None, {figure: value(settings, seed)}, **other)
            for settings in cells
            for seed in seeds
        ),
    )


def widths(*values, **fixed):
    return [{"width": width, **fixed} for width in values]


def test_ratios_of_losses_and_differences_of_the_rest():
    a = results(widths(4, 8, init="default"))
    b = results(widths(4, 8, init="he"), value=lambda s, seed: (1.0 + seed) / s["width"])
    found = compare_results(a, b)
    assert found.pairing.differences == {"init": ("default", "he")}
    assert found.pairing.unpaired == ()
    whole, four, eight = found.effects
    assert (whole.settings, four.settings, eight.settings) == (None, {"width": 4}, {"width": 8})
    assert (four.effect.value, eight.effect.value) == (0.25, 0.125)
    # Of each seed one number, however many cells: twelve pairs are six independent ones.
    assert (whole.pairs, whole.effect.count, whole.effect.value) == (12, 6, 0.1875)
    assert whole.effect.coverage == pytest.approx(1 - 2 / 2**6)
    assert (whole.better.count, whole.better.total) == (12, 12)
    ranks = [results(widths(4), figure="rank_lower", value=lambda _, s, r=r: r + s) for r in (3, 5)]
    (effect,) = compare_results(*ranks).effects
    assert (effect.scale, effect.effect.value, effect.better.count) == ("difference", 2, 6)


def test_pairing_by_seed_sees_what_medians_do_not():
    noisy = [results(widths(4), value=lambda _, s, f=f: f * 10.0**s) for f in (1.0, 0.9)]
    (effect,) = compare_results(*noisy).effects
    assert effect.effect.low == effect.effect.high == pytest.approx(0.9)


def test_what_cannot_be_paired_is_said():
    a = results(widths(4, 8), seeds=range(7))
    b = results(widths(4, 16))
    found = compare_results(a, b)
    assert found.pairing.count == 6
    only_a, only_b = found.pairing.unpaired
    assert only_a.startswith("A only: width=4 seed=6; width=8 seed=0")
    assert only_a.endswith("and 5 more")
    assert only_b.startswith("B only: width=16 seed=0")
    failed = SweepResults("c", (RunResult({"width": 4}, 0, "failed", "x", {}), *b.runs[1:]))
    assert "B: 1 run failed" in compare_results(a, failed).pairing.unpaired
    twice = SweepResults("d", (*b.runs, b.runs[0]))
    told = compare_results(a, twice).pairing.unpaired[0]
    assert told == "B: 2 runs share their settings and seed with others (width=4 seed=0)"
    more = results([{"width": 4, "depth": depth} for depth in (1, 2)])
    with pytest.raises(InputError, match=r"has no run that pairs .*depth varies in B, and A does"):
        compare_results(results(widths(4)), more)
    with pytest.raises(InputError, match=r"^a is a str; pass what load_results"):
        compare_results("folder", "folder")
    with pytest.raises(
        InputError, match=r"^figures has 'rank', which not both have; choose some of loss"
    ):
        compare_results(a, b, figures=["rank"])


def test_infinite_losses_count_and_two_of_them_say_nothing():
    a = results(widths(4), value=lambda _, s: math.inf if s < 2 else 1.0)
    b = results(widths(4), value=lambda _, s: math.inf if s == 0 else 0.5)
    (effect,) = compare_results(a, b).effects
    assert (effect.pairs, effect.silent) == (5, 1)
    assert (effect.effect.low, effect.effect.value) == (0.0, 0.5)
    assert (effect.better.count, effect.better.total) == (5, 5)


def test_settings_that_a_run_takes_by_itself_count():
    named = results([{"task": "cosines", "depth": 2, "width": 4}])
    silent = results([{"task": "cosines", "width": 4}, {"task": "cosines", "width": 8}])
    found = compare_results(named, silent)
    assert (found.pairing.count, found.pairing.differences) == (6, {})
    rate = results([{"task": "cosines", "width": 4, "learning_rate": 0.5}])
    assert compare_results(named, rate).pairing.differences == {"learning_rate": (1e-3, 0.5)}


def test_equal_runs_have_no_better_one():
    a = results(widths(4))
    (effect,) = compare_results(a, a).effects
    assert effect.better is None
    assert str(effect) == "all settings: loss B/A 1 [1, 1] (96.9 %, n = 6)"
    found = compare_results(a, a).to_json()
    assert (found["pairs"], found["effects"][0]["better"]) == (6, None)
