"""Steps are found once at every noise and width, and the table of nulls can be made again."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pytest

from epsrank.numerics.staircase import detect_staircase
from epsrank.numerics.staircase.calibration import calibrate
from epsrank.numerics.staircase.families import first_points, sigmoids
from epsrank.numerics.staircase.validity import match

SERIES = 10
# Standard deviation of the noise as a share of the range, and width of a drop as one of the length.
NOISES = (0.001, 0.003, 0.01, 0.02, 0.03, 0.05)
WIDTHS = (0.003, 0.01, 0.02, 0.05, 0.1)


def shares(length, count, noise, width, transient):
    """Return the share of planted steps found, and steps too many per series."""
    found = extra = 0
    for number in range(SERIES):
        key = [length, count, round(1e4 * noise), round(1e4 * width), transient, number]
        generator = np.random.default_rng(key)
        drawn = sigmoids(((noise, noise), (width, width)), generator, length, count)
        series = drawn.series
        if transient:
            series = series + first_points(generator, length, 1 / noise)
        steps = detect_staircase(series, scale="linear").steps
        matched = match(drawn.steps, steps, length)
        found += len(matched)
        extra += len(steps) - len(matched)
    return found / (SERIES * count), extra / SERIES


@pytest.mark.parametrize("transient", [False, True])
@pytest.mark.parametrize(("length", "count"), [(126, 2), (126, 3), (250, 5), (1000, 3)])
def test_there_is_no_hole(length, count, transient):
    cells = {
        (noise, width): shares(length, count, noise, width, transient)
        for noise in NOISES
        for width in WIDTHS
    }
    assert np.mean([recall for recall, _ in cells.values()]) >= 0.95
    assert min(recall for recall, _ in cells.values()) >= 0.8, cells
    assert max(extra for _, extra in cells.values()) <= 0.4, cells


def test_the_table_is_the_one_that_is_kept():
    kept = files("epsrank.numerics.staircase").joinpath("calibration.json").read_text("utf-8")
    table = json.loads(kept)
    made = calibrate(table["series"], table["seed"], 2)
    assert json.dumps(made, indent=1) == kept.rstrip("\n")
