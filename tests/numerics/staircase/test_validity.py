"""The validity check catches detectors that always fire, never fire, or fire in the wrong place."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.registry import experiment
from epsrank.numerics.staircase import Step, detect_staircase
from epsrank.numerics.staircase.calibration import (
    FAMILIES,
    LENGTHS,
    MEASURED,
    calibrate,
    p_value,
    tail_quantiles,
)
from epsrank.numerics.staircase.comparators import pelt, threshold
from epsrank.numerics.staircase.evidence import Evidence
from epsrank.numerics.staircase.families import NULLS, SHAPES, null_series
from epsrank.numerics.staircase.noise import Noise
from epsrank.numerics.staircase.validity import (
    cases,
    match,
    validate_detector,
    validity_rows,
    validity_trial,
)
from epsrank.numerics.sweeps.trial import Outcome
from epsrank.theory.errors import InputError

NULL = {"group": "null", "family": "noise", "correlation": 0.5, "length": 60, "series": 20}
STEPS = {"group": "planted", "family": "steps", "correlation": 0.0, "steps": 2, "length": 200}
SIGMOIDS = {"group": "planted", "family": "clear sigmoids", "correlation": None, "steps": 3}
TRAINING = {"group": "planted", "family": "training", "correlation": None, "steps": 2}


def verdict(settings, detector):
    settings = settings | {"seed": 3}
    return validity_rows([(settings, validity_trial(settings, detector))])[0]


def planted_detector(steps, fires=True, p=0.001):
    """Return a detector with a fault: what it says does not depend on the series."""
    blank = detect_staircase([1.0] * 30)

    def detector(series, rank=None, **options):
        found = tuple(Step(index, index - 1, index, 1.0) for index in steps(len(series)))
        return replace(blank, is_staircase=fires, found=found, coupling_pvalue=p)

    return detector


def test_a_detector_that_always_fires_is_caught():
    always = planted_detector(lambda n: (n // 2,))
    assert verdict(NULL, always)["target met"] == "no"
    coupled = {"group": "coupling null", "family": "even steps", "correlation": None}
    assert verdict(coupled | {"length": 60, "series": 20}, always)["target met"] == "no"


def test_a_detector_that_never_fires_is_caught():
    never = planted_detector(lambda n: (), fires=False, p=1.0)
    row = verdict(STEPS | {"series": 20}, never)
    assert row["recall"] == 0
    assert row["target met"] == "no"
    coupled = {"group": "coupling planted", "family": "even steps", "correlation": None}
    assert verdict(coupled | {"length": 60, "series": 20}, never)["target met"] == "no"


def test_a_detector_that_fires_in_the_wrong_place_is_caught():
    everywhere = planted_detector(lambda n: (3, n - 3))
    row = verdict(STEPS | {"series": 20}, everywhere)
    assert row["recall"] == 0
    assert row["extra steps"] == 2


def test_a_z_score_detector_is_caught():
    def z_score(series, rank=None, **options):
        falls = -np.diff(series)
        spread = falls.std() or 1.0
        found = 1 + np.flatnonzero((falls - falls.mean()) / spread > 2)
        blank = detect_staircase([1.0] * 30)
        steps = tuple(Step(int(i), int(i) - 1, int(i), 1.0) for i in found)
        return replace(blank, is_staircase=bool(steps), found=steps)

    assert verdict(NULL, z_score)["target met"] == "no"
    flat = NULL | {"family": "flickering rank", "correlation": None}
    assert verdict(flat, z_score)["target met"] == "no"


def test_ours_passes_the_same_cases():
    assert verdict(NULL, detect_staircase)["target met"] != "no"
    assert verdict(STEPS | {"series": 10}, detect_staircase)["target met"] != "no"
    flat = NULL | {"family": "flickering rank", "correlation": None}
    assert verdict(flat, detect_staircase)["target met"] == "yes"


def test_every_case_can_be_drawn():
    blind = planted_detector(lambda n: (), fires=False)
    rows = validate_detector(blind, lengths=(60,), series=1, seed=5, coupling=True)
    assert len(rows) == len(cases())
    assert {row["group"] for row in rows} == {
        "null",
        "planted",
        "coupling null",
        "coupling planted",
    }


@pytest.mark.parametrize("family", NULLS)
def test_no_family_of_nulls_is_flagged(family):
    # P(Bin(6, 0.05) > 2) = 0.002. With PELT most of these are flagged.
    case = NULL | {"family": family, "correlation": 0.0, "length": 100, "series": 6}
    assert validity_trial(case | {"seed": 2})["flagged"] <= 2


def test_curves_like_training_have_their_steps():
    row = verdict(TRAINING | {"length": 160, "series": 6}, detect_staircase)
    assert row["recall"] >= 0.75
    assert verdict(TRAINING | {"length": 160, "series": 6}, threshold)["extra steps"] > 1


@pytest.mark.parametrize("family", SHAPES)
def test_what_one_sees_is_found_once(family):
    row = verdict(SIGMOIDS | {"family": family, "length": 126, "series": 4}, detect_staircase)
    assert row["recall"] >= 10 / 12
    assert row["extra steps"] <= 0.5


def test_change_points_count_sigmoids_several_times():
    assert verdict(SIGMOIDS | {"length": 126, "series": 4}, pelt)["extra steps"] > 1


def test_change_points_take_decay_for_steps_and_find_planted_ones():
    decay = NULL | {"family": "exponential", "correlation": 0.0, "length": 150}
    assert verdict(decay, pelt)["target met"] == "no"
    assert verdict(STEPS | {"series": 10}, pelt)["recall"] == 1


def test_nulls_have_what_they_are_named_for():
    rng = np.random.default_rng(3)
    first = null_series("transient", rng, 100).series
    assert first[0] > first[5:].max() + 5
    with_spikes = null_series("spikes", rng, 400).series
    assert np.abs(with_spikes - np.median(with_spikes)).max() > 5


def test_chunks_of_a_case_are_added_up_and_are_not_the_same():
    chunks = [NULL | {"seed": 1, "chunk": k, "family": "drift"} for k in range(2)]
    results = [validity_trial(chunk) for chunk in chunks]
    (row,) = validity_rows(zip(chunks, results, strict=True))
    assert row["series"] == 40
    assert validity_trial(chunks[0]) == results[0]


def test_steps_are_paired_nearest_first_and_once():
    assert sorted(match((50, 100), (52, 99, 100), 200)) == [0, 0.01]
    assert match((50,), (90,), 200) == []
    assert match((), (4,), 200) == []


def test_bad_arguments_are_named():
    with pytest.raises(InputError):
        validate_detector(detect_staircase, series=0)


def of_evidence(score, rho, length, count=2):
    noise = Noise(1.0, rho, 0.0)
    found = Evidence((score, score), ((), ()), (noise, noise), (rho, rho), 1.0)
    return p_value(found, count, length)


def test_p_values_fall_with_the_evidence():
    scores = np.linspace(-40, 200, 81)
    for length in (24, 60, 200):
        for measured in (0.0, 0.33, 0.98):
            for count in (1, 2):
                found = [of_evidence(score, measured, length, count) for score in scores]
                assert all(a >= b for a, b in pairwise(found))
                assert 0.001 <= found[-1] <= 0.01
                assert found[0] >= 0.05
    assert of_evidence(-1e6, 0.0, 60) == 1


def test_quantiles_are_those_of_the_worst_family():
    rng = np.random.default_rng(1)
    weak = np.stack([rng.normal(size=4000), rng.normal(size=4000), *np.full((2, 4000), 0.1)], 1)
    strong = weak + np.array([5, 0, 0, 0])
    found = tail_quantiles([weak, strong], 1)
    assert len(found) == len(MEASURED)
    assert found[0][4] == pytest.approx(5 + 1.645, abs=0.15)
    assert tail_quantiles([weak, strong], 2)[0][4] == pytest.approx(1.645, abs=0.15)


def test_the_table_can_be_made_again(monkeypatch):
    monkeypatch.setattr("epsrank.numerics.staircase.calibration.LENGTHS", LENGTHS[:1])
    monkeypatch.setattr("epsrank.numerics.staircase.calibration.FAMILIES", FAMILIES[-4:-2])
    first, second = (calibrate(2, 1) for _ in range(2))
    assert first == second
    assert [cell["steps"] for cell in first["cells"]] == [1, 2]


def test_the_experiment_plans_the_same_and_makes_tables():
    found = experiment("E")
    plan = found.plan(Request(seeds=2))
    whole = found.plan(Request(size="full"))
    assert len(whole) == 20 * len(plan)
    assert sum(trial.settings["series"] for trial in whole) == 400 * len(plan)
    made = {"series": 2, "flagged": 2, "planted": 0, "found": 0, "errors": [], "extra": 0}
    # Shorter series have no target that could be missed.
    plan.sort(key=lambda trial: trial.settings["length"] != 60)
    outcomes = [Outcome(trial, "done", made) for trial in plan[:40]]
    outcomes += [Outcome(trial, "failed", cause="no memory") for trial in plan[40:]]
    analysis = found.analyse(outcomes)
    assert analysis.findings == ()
    assert any("trials failed" in note for note in analysis.notes)
    assert any("misses its target: noise" in note for note in analysis.notes)
    assert [table.name for table in analysis.tables] == [
        "validity-nulls",
        "validity-planted",
        "validity-coupling",
    ]


def test_the_experiment_has_nothing_to_say_of_nothing():
    analysis = experiment("E").analyse([])
    assert analysis.pictures == ()
    assert all(not table.rows for table in analysis.tables)
