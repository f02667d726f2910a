"""Experiments C judge what is planted as planted, by the rules that were written before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from epsrank.numerics.experiments.analysis import sign
from epsrank.numerics.experiments.diagnostics import (
    c01_regimes,
    c02_stiffness,
    c03_break_even,
    c04_frequency,
    c05_critical_period,
    c06_rewinding,
    c07_figures,
)
from epsrank.numerics.experiments.diagnostics.arms import with_views
from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.registry import experiment
from epsrank.numerics.sweeps.trial import Outcome

CHAPTERS = ("C1", "C2", "C3", "C4", "C5", "C6")


def planted(module, result, seeds=6):
    """Return outcomes of the whole plan: `result` of settings and a random generator."""
    random = np.random.default_rng(0)
    return [
        Outcome(trial, "done", result(trial.settings, random))
        for trial in module.plan(Request(seeds=seeds))
    ]


def judged(module, outcomes):
    return {finding.claim: finding for finding in module.analyse(outcomes).findings}


def break_even(settings, random, *, effect=1.0, edge=0.0):
    """λ_H ends at 2/η·2^edge; λ_H and λ_K fall, and the ratios rise, with rate and 1/batch."""
    less = effect * (np.log10(settings["rate"]) - np.log10(settings["batch"] or 1))
    noise = 0.02 * random.normal(size=8)
    limit = 2 / settings["rate"]
    hessian = 10 ** (1 - less + noise) if settings["batch"] else limit * 2 ** (edge + noise)
    names = ("noise_bias", "noise_directions", "batch_sharpness", "loss", "noise_own_batch")
    return {
        "diverged": False,
        "limit": limit,
        "test_accuracy": 0.9,
        "series": {
            "step": list(range(8)),
            "hessian": hessian.tolist(),
            "noise": (10 ** (-less + noise)).tolist(),
            "hessian_ratio": (10 ** (less + noise)).tolist(),
            "noise_ratio": (10 ** (less + noise)).tolist(),
            **{name: [1.0] * 8 for name in names},
        },
    }


@pytest.mark.parametrize(
    ("planting", "expected"),
    [
        ({}, ("supported", "supported", "supported")),
        ({"effect": -1.0, "edge": 1.0}, ("refuted", "refuted", "refuted")),
        ({"effect": 0.0, "edge": 0.24}, ("undecided", "undecided", None)),
    ],
)
def test_break_even(planting, expected):
    found = judged(
        c03_break_even, planted(c03_break_even, lambda s, r: break_even(s, r, **planting))
    )
    for claim, judgement in zip(c03_break_even.EXPERIMENT.claims, expected, strict=True):
        assert judgement is None or found[claim].judgement == judgement
    assert found["break-even-1"].tried == 16


def test_runs_that_diverge_are_left_out_of_the_largest():
    outcomes = planted(c03_break_even, break_even)
    for outcome in outcomes[:6]:
        outcome.result["diverged"] = True
    assert judged(c03_break_even, outcomes)["break-even-1"].tried == 12


def test_the_edge_is_missed_by_swings_about_it_and_said_of_runs_that_do_not_diverge():
    outcomes = planted(c03_break_even, break_even)
    full = [o for o in outcomes if not o.settings["batch"]]
    for outcome in full:
        swings = [outcome.result["limit"] * 2.0**power for power in (1, -1) * 4]
        outcome.result["series"]["hessian"] = swings
    assert c03_break_even.late(full[0]) == 0
    assert c03_break_even.off_edge(full[0]) == 1
    assert judged(c03_break_even, outcomes)["edge-of-stability"].judgement == "refuted"
    # Without the runs that diverge nothing else stands against the claim, and they are told.
    kept = planted(c03_break_even, break_even, seeds=8)
    for outcome in kept:
        if not outcome.settings["batch"] and outcome.settings["seed"] % 8 == 0:
            outcome.result["diverged"] = True
            outcome.result["series"]["hessian"] = [1e9] * 8
    finding = judged(c03_break_even, kept)["edge-of-stability"]
    assert finding.judgement == "regime"
    assert {item.interval.count for item in finding.effects} == {7}
    assert "5 runs diverged" in finding.statement


def stiffness(settings, random, *, beyond=0.5, rise=0.2, end=0.0):
    """Stiffness that rises until the least validation loss, and falls where labels are noisy."""
    steps = np.arange(9.0)
    loss = 2.0 * 10 ** (-steps / 4)
    overfits = settings["noise"] > 0 or settings["samples"] < 1000
    up = 0.5 + rise * np.minimum(steps, 4) / 4 + 0.01 * random.normal()
    down = (
        np.linspace(0.8, 0.8 - beyond if end is None else end, 9) if overfits else 0 * steps + 0.8
    )
    series = {"step": steps, "loss": loss, "test_loss": abs(steps - 4) + 1}
    rising = ("within", "sign_within", "bare_within", "bare_sign_within")
    series |= dict.fromkeys(rising, up)
    series |= dict.fromkeys(("between", "sign_between"), up - 0.4)
    series |= dict.fromkeys(("val_within", "val_right_within"), down + 0.01 * random.normal())
    rest = ("bare_between", "val_between", "val_bare_within", "hidden_within", "bias_within",
            "length", "coherence")  # fmt: skip
    series |= dict.fromkeys(rest, 0 * steps + 0.3)
    return {"test_accuracy": 0.9, "series": {k: v.tolist() for k, v in series.items()}}


@pytest.mark.parametrize(
    ("planting", "growth", "overfit"),
    [
        ({}, "supported", "supported"),
        ({"end": 0.3}, "supported", "regime"),
        # It declines, and no more than the clean control.
        ({"end": 0.8}, "supported", "undecided"),
        ({"end": 1.2}, "supported", "refuted"),
        ({"rise": -0.2}, "refuted", "supported"),
        ({"rise": 0.0}, "undecided", "supported"),
    ],
)
def test_stiffness(planting, growth, overfit):
    found = judged(c02_stiffness, planted(c02_stiffness, lambda s, r: stiffness(s, r, **planting)))
    assert found["stiffness-growth"].judgement == growth
    assert found["stiffness-overfit"].judgement == overfit


def test_values_are_compared_at_equal_loss():
    loss = np.array([2.0, 1.0, 1.5, 0.5, 0.25])
    value = np.array([0.0, 1.0, 9.0, 2.0, 3.0])
    assert c02_stiffness.at_loss(loss, value, 0.5) == 2.0
    assert c02_stiffness.at_loss(loss, value, np.sqrt(2)) == pytest.approx(0.5)
    assert np.isnan(c02_stiffness.at_loss(loss, value, 0.2))


def frequency(settings, random, *, power=1.0):
    """Δ falls below the bound at a time that grows as a power of the frequency."""
    steps = np.arange(0, 4000, 10.0)
    held = settings.get("frequencies", range(4))
    names = [k if "frequencies" in settings else k + 1 for k in held]
    series = {"step": steps, "loss": np.exp(-steps / 900)}
    for k in names:
        series[f"error_{k}"] = np.exp(-steps / (60 * k**power * (1 + 0.05 * random.random())))
    return {"frequencies": names, "series": {k: v.tolist() for k, v in series.items()}}


@pytest.mark.parametrize(
    ("power", "expected"), [(1.0, "supported"), (-1.0, "refuted"), (0.0, "undecided")]
)
def test_frequency(power, expected):
    outcomes = planted(c04_frequency, lambda s, r: frequency(s, r, power=power))
    assert {f.judgement for f in judged(c04_frequency, outcomes).values()} == {expected}


def test_a_frequency_that_is_never_fitted_is_later_than_all_and_two_have_no_order():
    outcome = planted(c04_frequency, frequency)[0]
    series = outcome.result["series"]
    series["error_3"] = [1.0] * len(series["step"])
    assert c04_frequency.later(outcome, "error_1", "error_3") == np.inf
    assert c04_frequency.later(outcome, "error_3", "error_5") == -np.inf
    series["error_5"] = series["error_3"]
    assert np.isnan(c04_frequency.later(outcome, "error_3", "error_5"))
    # Below for good: a return above the bound counts, and a spike does not.
    for above, step in ((1, 1), (20, 250)):
        rest = [0.1] * (len(series["step"]) - above - 5)
        series["error_1"] = [*[0.1] * 5, *[0.3] * above, *rest]
        assert c04_frequency.fitted_at(outcome, "error_1") == step


def regimes(settings, random, *, small=0.5, large=0.5, rate=0.1):
    """Momentum lowers the loss at the small rate and raises it at the large one, in decades."""
    if "task" in settings:
        errors = {str(share): 0.3 - rate + 0.01 * random.random() for share in settings["shares"]}
        return {"limit": 1.0, "small": 0.3 + 0.01 * random.random(), "annealed": errors}
    runs = {}
    for regime, by in (("small", -small), ("large", large)):
        for arm in ("plain", *c01_regimes._EQUAL):
            loss = 10 ** (0.01 * random.normal() + (by if arm != "plain" else 0))
            runs[f"{regime}, {arm}"] = {"losses": [1.0, loss], "loss": loss, "error": 0.1}
    return {"large": 1.0, "small": 0.1, "runs": runs}


@pytest.mark.parametrize(
    ("planting", "two", "rate"),
    [
        ({}, "supported", "supported"),
        ({"small": -0.5, "rate": -0.1}, "refuted", "refuted"),
        ({"small": 0.0, "large": 0.0, "rate": 0.0}, "undecided", "undecided"),
    ],
)
def test_regimes(planting, two, rate):
    found = judged(c01_regimes, planted(c01_regimes, lambda s, r: regimes(s, r, **planting)))
    assert found["two-regimes"].judgement == two
    assert found["initial-large-rate"].judgement == rate


def test_a_run_that_diverges_is_infinitely_bad():
    outcomes = planted(c01_regimes, regimes)
    for outcome in outcomes[:6]:
        for arm in c01_regimes._EQUAL:
            outcome.result["runs"][f"large, {arm}"] |= {"loss": None, "error": None}
    assert judged(c01_regimes, outcomes)["two-regimes"].judgement == "supported"


def test_a_seed_where_no_rate_trains_is_left_out_and_told_and_two_divergences_are_a_tie():
    outcomes = planted(c01_regimes, regimes, seeds=8)
    outcomes[0].result.update(large=None, small=None, runs={})
    outcomes[-1].result.update(limit=None, small=None, annealed={})
    for arm in ("plain", *c01_regimes._EQUAL):
        outcomes[1].result["runs"][f"large, {arm}"] |= {"loss": None, "error": None}
    found = c01_regimes.analyse(outcomes)
    assert found.notes == ("in 2 of 24 trials no rate trained at all; they are left out",)
    large = [e for e in found.findings[0].effects if e.name.startswith("large")]
    assert {e.interval.count for e in large} == {7}
    assert {e.interval.low for e in large} == {0.0}


def deficit(settings, random, *, blur=0.1, flip=0.0):
    """The error grows with the deficit, by kind."""
    kind = settings["deficit"]
    if isinstance(kind, int):
        return {"error": 1e-3 * (1 + kind), "train_loss": 0.0}
    by = {"blur": blur, "flip": flip}[kind] * (settings["stop"] > 150)
    return {"error": 0.1 + by + 0.005 * random.random(), "train_error": 0.0}


@pytest.mark.parametrize(
    ("planting", "expected"),
    [
        ({}, "supported"),
        ({"flip": 0.2}, "refuted"),
        ({"blur": 0.0}, "undecided"),
        # Blur harms, and so does the flip.
        ({"flip": 0.1}, "undecided"),
    ],
)
def test_critical_period(planting, expected):
    outcomes = planted(c05_critical_period, lambda s, r: deficit(s, r, **planting))
    finding = judged(c05_critical_period, outcomes)["critical-period"]
    assert finding.judgement == expected
    # Blur less flip is the same number under both totals, and is counted once.
    names = [e.name for e in finding.effects if "constant" in e.name]
    networks = 2  # of digits, at the quick size
    assert sum("flip" in name for name in names) == networks
    assert finding.tried == len(names) == 3 * networks


def rewinding(settings, random, *, early=0.0, zero=-0.1, alone=-0.1):
    """Accuracies relative to the full network."""
    rewind, rounds = settings["rewind"], settings["rounds"]

    def noisy(value):
        return 0.9 + value + 0.002 * random.random()

    ends = dict(zip(map(str, rewind), (zero, early), strict=False))
    names = ("rewound", "re-initialised", "signs only", "magnitudes only")
    columns = ("step", "loss", "gradient_norm", "weight", "distance", "signs_changed",
               "cosine_of_updates", "accuracy", "rank")  # fmt: skip
    return {
        "accuracy": {k: [noisy(0)] * rounds + [noisy(end)] for k, end in ends.items()},
        "kept": [0.8**r for r in range(rounds + 1)],
        "barrier": {"0": 0.1, str(rewind[-1]): 0.0},
        "controls": {n: noisy(early if n == "rewound" else early + alone) for n in names},
        "series": {name: [1.0, 2.0, 4.0] for name in columns},
    }


@pytest.mark.parametrize(
    ("planting", "first", "second"),
    [
        ({}, "supported", "supported"),
        ({"early": -0.1}, "refuted", "supported"),
        # Both work: rewinding adds nothing, which refutes nothing.
        ({"zero": 0.0, "alone": 0.1}, "undecided", "refuted"),
    ],
)
def test_rewinding(planting, first, second):
    found = judged(c06_rewinding, planted(c06_rewinding, lambda s, r: rewinding(s, r, **planting)))
    assert found["rewinding"].judgement == first
    assert found["early-sign-magnitude"].judgement == second
    if planting.get("zero") == 0.0:
        assert "Both work within the margin" in found["rewinding"].statement


def test_a_barrier_that_is_not_finite_is_left_out_of_the_table():
    outcomes = planted(c06_rewinding, rewinding)
    outcomes[0].result["barrier"] = dict.fromkeys(outcomes[0].result["barrier"])
    row, _ = c06_rewinding.analyse(outcomes).tables[0].rows
    assert row["arm"] == "digits, mlp"
    assert (row["barrier from 0"], row["barrier from the early step"]) == (0.1, 0.0)


@pytest.mark.parametrize(
    ("module", "make", "claim"),
    [
        (c01_regimes, lambda s, r: regimes(s, r, large=-0.5), "two-regimes"),
        (c05_critical_period, lambda s, r: deficit(s, r, flip=0.2), "critical-period"),
        (c06_rewinding, lambda s, r: rewinding(s, r, zero=0.0), "rewinding"),
    ],
)
def test_a_claim_of_two_halves_has_no_p_value_by_one_of_them(module, make, claim):
    # In every seed one half holds, and the other is the wrong way round.
    finding = judged(module, planted(module, make))[claim]
    signs = [sign(item) for item in finding.effects[: finding.tried]]
    assert 1 in signs
    assert -1 in signs
    assert finding.pvalue == 1


MADE = {
    "C1": (c01_regimes, regimes),
    "C2": (c02_stiffness, stiffness),
    "C3": (c03_break_even, break_even),
    "C4": (c04_frequency, frequency),
    "C5": (c05_critical_period, deficit),
    "C6": (c06_rewinding, rewinding),
}


@pytest.mark.parametrize("name", CHAPTERS)
def test_failures_are_noted_and_pictures_can_be_drawn(name, tmp_path):
    module, make = MADE[name]
    outcomes = planted(module, make)
    nothing = [replace(o, status="failed", result={}, cause="no memory") for o in outcomes]
    found = experiment(name).analyse(nothing)
    assert {finding.judgement for finding in found.findings} == {"undecided"}
    assert f"{len(outcomes)} of {len(outcomes)} trials failed" in found.notes[0]
    found = experiment(name).analyse(outcomes)
    assert {finding.claim for finding in found.findings} == set(experiment(name).claims)
    # Without rows over time there is one view only.
    views = any(table.name == "robustness" for table in found.tables)
    assert views == (name in ("C2", "C3", "C4"))
    for picture in found.pictures:
        picture.draw().savefig(tmp_path / f"{picture.name}.svg")


def test_what_holds_only_in_one_view_is_held_back():
    outcomes = planted(c02_stiffness, stiffness)
    for outcome in outcomes:
        if outcome.settings["noise"] == 0 and outcome.settings["samples"] > 1000:
            outcome.result["series"]["within"][0] = 0.9  # the rise hangs on the first row
    found = with_views(c02_stiffness.analyse, outcomes).findings[0]
    assert found.judgement == "regime"  # cosine does not rise, the others do


def figures(settings, random):
    """Momentum helps at small rates and harms at large ones; noise peaks where a step fails."""
    if "rates" not in settings:
        errors = {f"error_{k}": [1.0, 0.1 if k < 1 else 1.0, 0.1] for k in range(settings["peaks"])}
        return {"frequencies": [1.0], "series": {"step": [0, 5, 9], "loss": [3, 2, 1], **errors}}
    if "momenta" in settings:
        rows = [[0.2 + 0.5 * m, 0.5, 0.9, 0.6, None if m else 0.7] for m in settings["momenta"]]
        return {"accuracy": rows, "loss": rows}
    series = {
        "step": [0, 1, 2, 3], "loss": [2.0, 1.0, 0.5, 0.4], "accuracy": [0.1, 0.3, 0.7, 0.9],
        "noise": [0.1, 0.2, 0.8, 0.3], "fall": [0.1, 0.1, -0.2, 0.1], "hessian": [1, 2, 8, 4],
        "share": [0.3, 0.1, 0.8, 0.9], "share_low": [0.3, 0.1, 0.8, 0.9],
    }  # fmt: skip
    run = {"series": series, "x": [0.0, 1.0, 2.0], "y": [0.0, 0.5, -1.0]}
    return {"runs": [{"rate": r, **run} for r in settings["rates"]], "plane": [0.7, 0.2]}


def test_figures_of_the_survey_say_what_they_show():
    outcomes = planted(c07_figures, figures, seeds=2)
    found = c07_figures.analyse(outcomes)
    assert found.findings == ()
    rows = {table.name: table.rows for table in found.tables}
    assert {row["η = 1"] for row in rows["grid"] if row["momentum"]} == {0.1}  # diverged: a guess
    assert {row["step at 65%"] for row in rows["paths"]} == {2.0}
    assert {row["least λ_K of a step that raises the loss"] for row in rows["paths"]} == {0.8}
    assert [row["median step"] for row in rows["waves"]] == [5, 9, 9, 9, 9]
    assert "momentum 0.95 changes it by +0.475, at the largest by -0.600" in found.notes[0]
    assert "33% of the steps raise the loss, none below λ_K = 0.8" in found.notes[-1]
    assert "0.30 of the gradient at the start, 0.10 at least and 0.90 at the end" in found.notes[-1]
    assert [picture.name for picture in found.pictures] == [
        "grid", "steps", "paths", "space", "waves",
    ]  # fmt: skip
    for picture in found.pictures:
        assert picture.draw() is not None
    nothing = c07_figures.analyse([Outcome(o.trial, "failed", cause="planted") for o in outcomes])
    assert not nothing.pictures
    assert "trials failed" in nothing.notes[0]
