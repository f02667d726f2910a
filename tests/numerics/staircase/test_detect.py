"""Steps that are there are found and placed; smooth decays, flat ranks and odd input are not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import epsrank
from epsrank.numerics.staircase import detect_staircase
from epsrank.numerics.staircase.families import autocorrelated, planted_steps
from epsrank.numerics.staircase.pieces import parallel_plateaus
from epsrank.numerics.staircase.shape import drops
from epsrank.numerics.training.making import measurement_steps
from epsrank.theory.errors import InputError


def test_planted_steps_are_found_where_they_are():
    drawn = planted_steps(np.random.default_rng(1), 200, 0.0, 3)
    found = detect_staircase(drawn.series, scale="linear")
    assert found.is_staircase
    assert len(found.steps) == 3
    assert np.abs(np.array(found.steps) - drawn.steps).max() <= 2
    assert [step.size for step in found.found] == pytest.approx([3, 3, 3], abs=0.8)
    assert len(found.plateaus) == 4
    assert [p.level for p in found.plateaus] == pytest.approx([0, -3, -6, -9], abs=0.6)
    assert found.noise == pytest.approx(1, abs=0.25)


def test_a_long_series_is_averaged_and_its_steps_are_still_placed_exactly():
    drawn = planted_steps(np.random.default_rng(2), 5000, 0.0, 2)
    found = detect_staircase(drawn.series, scale="linear")
    assert np.abs(np.array(found.steps) - drawn.steps).max() <= 5


def test_the_logarithmic_scale_sees_ratios():
    rng = np.random.default_rng(3)
    log = np.repeat([0.0, -4.0, -8.0], 40) - 0.005 * np.arange(120)
    loss = np.exp(log + 0.05 * rng.normal(size=120))
    found = detect_staircase(loss)
    assert found.steps == (40, 80)
    assert [step.size for step in found.found] == pytest.approx([4, 4], abs=0.3)


def test_broad_drops_have_their_extent():
    u = np.arange(300) / 300
    log = -6 / (1 + np.exp(-(u - 0.5) / 0.02))
    found = detect_staircase(np.exp(log), times=1000 * u)
    (step,) = found.found
    assert abs(step.index - 150) <= 3
    # Where it falls at a third of its rate the curve is 11 points from its middle.
    assert 135 < step.start < 147
    assert 153 < step.end < 165
    # One smooth sigmoid is one step, and no staircase.
    assert not found.is_staircase
    assert found.step_pvalue <= 0.05 < found.steps_pvalue


@pytest.mark.parametrize("scale", ["log", "linear"])
@pytest.mark.parametrize("times", ["even", "dense at first"])
@pytest.mark.parametrize(
    "decay",
    [
        lambda u: 2 - u,
        lambda u: np.exp(-8 * u),
        lambda u: 0.01 + np.exp(-30 * u),
        lambda u: (1 + 100 * u) ** -1.5,
        lambda u: 0.5 * np.exp(-3 * u) + 0.4 * np.exp(-200 * u) + 0.1 * np.exp(-20 * u),
    ],
)
def test_smooth_decay_without_noise_is_no_staircase(scale, times, decay):
    steps = measurement_steps(4000, "auto") if times == "dense at first" else range(150)
    time = np.array(steps, dtype=float)
    found = detect_staircase(decay(time / time[-1]), scale=scale, times=time)
    assert not found.is_staircase
    assert found.steps == ()


def test_convex_in_time_is_not_convex_in_the_number_of_the_measurement():
    time = np.array(measurement_steps(4000, "auto"), dtype=float)
    loss = 0.001 + np.exp(-time / 100)
    assert detect_staircase(loss, times=time).steps == ()
    assert len(detect_staircase(loss).steps) == 1


def test_wandering_noise_is_no_staircase():
    flagged = [
        detect_staircase(
            autocorrelated(np.random.default_rng([4, k]), 200, 0.9), scale="linear"
        ).is_staircase
        for k in range(20)
    ]
    assert sum(flagged) <= 3


def test_spikes_are_no_steps():
    time = np.arange(200.0)
    loss = np.exp(-3 * time / 200 + 0.02 * np.random.default_rng(5).normal(size=200))
    loss[[50, 90, 91, 130, 170]] *= 100
    found = detect_staircase(loss)
    assert found.steps == ()
    assert found.outliers == 5


@pytest.mark.parametrize("factor", [0.1, 10.0])
@pytest.mark.parametrize("place", [7, 60, 110])
def test_one_outlier_is_no_step(factor, place):
    noise = np.random.default_rng(place).normal(size=120)
    loss = np.exp(-3 * np.arange(120) / 120) * (1 + 0.05 * noise)
    loss[place] *= factor
    found = detect_staircase(loss)
    assert found.steps == ()
    assert found.outliers == 1


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_a_first_fall_is_left_out_and_told(rows):
    drawn = planted_steps(np.random.default_rng(20), 200, 0.0, 2, size=6)
    series = np.concatenate([[60.0, 30.0][:rows], drawn.series])
    found = detect_staircase(series, scale="linear")
    assert found.transient == rows
    assert found.steps == tuple(step + rows for step in drawn.steps)
    assert detect_staircase(series[1:], scale="linear").is_staircase


@pytest.mark.parametrize("width", [0.03, 0.1, 0.3])
@pytest.mark.parametrize("first", [[], [40.0]])
def test_a_logistic_curve_is_one_step(width, first):
    u = np.arange(150) / 150
    noise = 1 + 0.02 * np.random.default_rng(21).normal(size=150)
    loss = np.exp(-3 / (1 + np.exp(-6 * (u - 0.45) / width))) * noise
    found = detect_staircase([*first, *loss])
    assert len(found.steps) == 1
    assert not found.is_staircase
    assert abs(found.steps[0] - len(first) - 67) <= max(2, 10 * width)


RECORDED = json.loads(Path(__file__).with_name("recorded_losses.json").read_text())
ROWS = {"all": slice(None), "but the first": slice(1, None), "even": slice(0, None, 2)}


def recorded(run, rows):
    loss = np.array(run["loss"])
    return detect_staircase(loss[rows], times=(run["every"] * np.arange(loss.size))[rows])


@pytest.mark.parametrize("run", RECORDED, ids=lambda run: run["run"])
def test_recorded_losses_have_the_steps_that_one_sees(run):
    # Labelled by eye from pictures, before the detector was run on them.
    found = recorded(run, ROWS["all"])
    assert len(found.steps) == run["by eye"]
    assert found.is_staircase == (run["by eye"] > 1)


def test_verdicts_stay_without_the_first_row_and_thinned_by_two():
    same = [
        recorded(run, rows).is_staircase == (run["by eye"] > 1)
        for run in RECORDED
        for rows in ROWS.values()
    ]
    assert np.mean(same) >= 0.95


def logistic_drops(places, sizes, unit, noise, seed, length=200):
    """Return drops of a logistic shape, `unit` the share of the length that its unit is."""
    u = np.arange(length)[:, None] / length
    curve = -(np.array(sizes) / (1 + np.exp(np.clip((places - u) / unit, -500, 500)))).sum(axis=1)
    return curve + noise * np.random.default_rng(seed).normal(size=length)


@pytest.mark.parametrize("noise", [0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5])
def test_jumps_are_found_at_every_level_of_noise(noise):
    # At 0.1 and 0.15, 2 and 3 % of the range, 18 and 19 of 20 were once smooth decay.
    jumps = np.array([0.25, 0.5, 0.75])
    series = logistic_drops(jumps, [2, 1.5, 2], 0.003, noise, 2)
    found = detect_staircase(series, scale="linear")
    assert np.abs(np.array(found.steps) - 200 * jumps).max() <= 2
    assert len(found.steps) == 3


@pytest.mark.parametrize("unit", [0.0033, 0.02])
@pytest.mark.parametrize("noise", [0.05, 0.15, 0.3])
def test_a_narrow_sigmoid_is_one_step(unit, noise):
    # At 0.15 and more they were once counted two to three times each.
    series = logistic_drops(np.array([0.35, 0.7]), [2, 2], unit, noise, 5)
    found = detect_staircase(series, scale="linear")
    assert len(found.steps) == 2
    assert np.abs(np.array(found.steps) - [70, 140]).max() <= 3


def test_falls_without_a_plateau_between_them_are_one_drop():
    time = np.arange(100.0)
    # Two jumps in neighbouring intervals: each has slow windows beside it that hold the other.
    near = np.repeat([0.0, -1.0, -2.0], [50, 2, 48])
    assert [(d.start, d.end) for d in drops(time, near, 0.2)] == [(49, 52)]
    apart = np.repeat([0.0, -1.0, -2.0], [40, 10, 50])
    assert [(d.start, d.end) for d in drops(time, apart, 0.2)] == [(39, 40), (49, 50)]
    # A ramp is even up to rounding, and one drop.
    ramp = np.interp(time / 7, np.array([40, 63]) / 7, [1 / 3, -2 / 7])
    assert [(d.start, d.end) for d in drops(time, ramp, 0.05)] == [(40, 63)]


def test_plateaus_are_described_with_ramps_as_wide_as_they_are():
    time = np.arange(120.0)
    noise = np.random.default_rng(3).normal(size=120)
    series = 20 * np.interp(time, [30, 42, 80, 81], [2.0, 1.0, 1.0, 0.0]) + noise
    found = {len(p.ramps): p for p in parallel_plateaus(time, series, np.ones(120), 0.6)}
    (wide, jump) = found[2].ramps
    assert np.abs(np.array(wide) - [30, 42]).max() <= 2
    assert jump == (80, 81)
    # Fall and place of both, and the width of one.
    assert found[2].parameters == 5


def test_integers_that_float64_would_round_are_refused():
    with pytest.raises(InputError, match="beyond 2"):
        detect_staircase([2**53 + 1] * 30, scale="linear")
    offset = detect_staircase([2**53] * 20 + [2**53 - 1000] * 20, scale="linear")
    assert offset.steps == (20,)


def test_a_drop_needs_a_plateau_before_it():
    log = np.concatenate([np.linspace(0, -5, 10), -5 - 0.001 * np.arange(90)])
    rng = np.random.default_rng(6)
    assert detect_staircase(np.exp(log + 0.01 * rng.normal(size=100))).steps == ()


@pytest.mark.parametrize("seed", range(5))
def test_flat_ranks_that_flicker_are_no_staircase_and_jumps_are(seed):
    rng = np.random.default_rng([7, seed])
    flicker = rng.choice([-1, 0, 1], 150, p=[0.02, 0.96, 0.02])
    flat = detect_staircase(20 + flicker, scale="linear", direction="up")
    assert not flat.is_staircase
    jump = 20 + flicker + 8 * (np.arange(150) >= 70)
    found = detect_staircase(jump, scale="linear", direction="up")
    assert found.steps == (70,)
    assert found.found[0].size == pytest.approx(8, abs=0.3)
    assert not detect_staircase(jump, scale="linear").is_staircase


def test_slow_growth_of_whole_numbers_is_no_staircase():
    rank = np.round(5 + 12 * (np.arange(200) / 200) ** 0.7)
    assert not detect_staircase(rank, scale="linear", direction="up").is_staircase


def test_what_cannot_be_used_is_left_out_and_indices_stay():
    drawn = planted_steps(np.random.default_rng(8), 200, 0.0, 1, size=6)
    series = drawn.series.tolist()
    series[10], series[20], series[30] = None, float("nan"), float("inf")
    found = detect_staircase(series, scale="linear")
    assert found.used == 197
    assert found.steps == drawn.steps


@pytest.mark.parametrize(
    ("series", "words"),
    [
        ([], "0 measurements are too few"),
        ([1.0] * 10, "too few"),
        ([3.5] * 40, "constant"),
        ([float("nan")] * 40, "0 usable of 40"),
        ([0.0, -1.0] * 40, "0 usable of 80"),
    ],
)
def test_nothing_can_be_said_and_it_says_why(series, words):
    found = detect_staircase(series, rank=[1] * len(series))
    assert not found.is_staircase
    assert found.steps_pvalue == 1
    assert found.coupling_pvalue is None
    assert words in found.reason


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"series": [[1.0, 2.0]]}, "series"),
        ({"series": ["a"] * 30}, "series"),
        ({"series": [1.0] * 30, "times": [0.0] * 30}, "times"),
        ({"series": [1.0] * 30, "times": [0.0, 1.0]}, "times"),
        ({"series": [1.0] * 30, "scale": "decibel"}, "scale"),
        ({"series": [1.0] * 30, "direction": "sideways"}, "direction"),
        ({"series": [1.0] * 30, "rank": [1, 2]}, "rank"),
        ({"series": [1.0] * 30, "rank": ([2] * 30, [1] * 30)}, "rank"),
    ],
)
def test_bad_input_names_the_argument(arguments, name):
    with pytest.raises(InputError) as error:
        detect_staircase(**arguments)
    assert error.value.argument == name


def test_result_is_deterministic_and_goes_to_json_and_text():
    drawn = planted_steps(np.random.default_rng(9), 120, 0.5, 2, size=6)
    rank = np.searchsorted(drawn.steps, np.arange(120), side="right")
    loss = np.exp(drawn.series)
    first, second = (detect_staircase(loss, rank) for _ in range(2))
    assert first == second
    back = json.loads(json.dumps(first.to_json()))
    assert back["steps"] == list(first.steps)
    assert back["plateaus"][0]["start"] == first.plateaus[0].start
    assert "staircase, p = " in str(first)
    assert "coupling p = " in first._repr_html_()


def test_it_is_a_public_name_that_costs_nothing_until_used():
    assert epsrank.detect_staircase is detect_staircase
    code = "import sys, epsrank; print('epsrank.numerics.staircase' in sys.modules)"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == "False"


def test_long_cycles_of_the_rate_are_read_as_steps_and_their_ends_are_not():
    """What docs/staircases.md warns of: shelf and drop of every cycle are the schedule's."""
    noise = 0.03 * np.random.default_rng(0).standard_normal(240)
    u = np.arange(240) / 240

    def loss(cycles):
        return np.exp(-3 * u + 0.3 * (1 + np.cos(np.pi * ((u * cycles) % 1))) / 2 + noise)

    assert detect_staircase(loss(4)[::4]).is_staircase
    assert not detect_staircase(loss(60)[3::4]).is_staircase
