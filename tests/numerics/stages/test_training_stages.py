"""Stages on one axis: planted orders are found, overlaps are ties, what never comes is told."""

from __future__ import annotations

import math
import re

import numpy as np
import pyarrow as pa
import pytest

from epsrank import History, InputError, draw_training_stages, training_stages
from epsrank.numerics.monitor import RankMonitor
from epsrank.numerics.stages.kinds import KINDS, meaning_of
from epsrank.numerics.stages.order import EventTimes, compared, sign_test
from epsrank.numerics.stages.passages import Event, Passage

STEPS = np.arange(0.0, 201.0, 4.0)


def drop(at: float, steps=STEPS, low=0.02):
    """Return a fall from 1 to a low level at a step."""
    return np.where(steps < at, 1.0, low)


def rise(at: float, steps=STEPS, low=2.0, high=12.0):
    return np.where(steps < at, low, high)


def training(seed=0, *, rank_at=40, loss_at=80, steps=STEPS):
    """Return a training whose rank grows at one step and whose loss falls at another."""
    shift = 2 * (seed % 3)
    return {
        "step": steps,
        "loss": drop(loss_at + shift, steps),
        "rank": rise(rank_at + shift, steps),
    }


def by_name(found):
    return {row.event.name: row for row in found.events}


HALF, NINE, TENTH = "ε-rank at half of its growth", "loss ≤ 0.9 L₀", "loss ≤ 0.1 L₀"


def test_passages_lie_between_two_measurements():
    found = by_name(training_stages(training()))
    assert found[HALF].passages == (Passage(36.0, 40.0),)
    assert found[NINE].passages == (Passage(76.0, 80.0),)
    assert str(found[NINE].passages[0]) == "80"


@pytest.mark.parametrize("swapped", [False, True])
def test_a_planted_order_is_found_and_its_reverse_too(swapped):
    places = {"rank_at": 80, "loss_at": 40} if swapped else {}
    runs = [training(seed, **places) for seed in range(12)]
    found = training_stages(runs, against=["rank"])
    pair = next(p for p in found.pairs if {p.first, p.second} == {HALF, NINE})
    earlier = NINE if swapped else HALF
    assert (pair.before if pair.first == earlier else pair.after) == 12
    later = HALF if swapped else NINE
    assert (earlier, later) in found.established
    assert (later, earlier) not in found.established


def test_a_layer_is_no_rank():
    own = training() | {"freq_3": drop(20)}
    own["rank_2"], own["rank_body.0"] = own["rank"], own.pop("rank")
    names = set(by_name(training_stages(own)))
    ranks = {f"ε-rank of {place} at half of its growth" for place in ("layer 2", "body.0")}
    assert {*ranks, "error at frequency 3 stays below 0.2"} <= names


def test_levels_of_one_quantity_are_not_compared():
    found = training_stages([training(seed) for seed in range(6)])
    names = {(pair.first, pair.second) for pair in found.pairs}
    assert not names & {(NINE, TENTH), (TENTH, NINE)}
    # 2 events of the loss times 2 of the rank.
    assert len(found.pairs) == 4
    assert found.least_pvalue == 4 * 2.0**-5


def test_overlapping_intervals_are_ties_and_establish_nothing():
    found = training_stages([training(seed, rank_at=79, loss_at=79) for seed in range(12)])
    assert {(p.before, p.after, p.tied) for p in found.pairs} == {(0, 0, 12)}
    assert all(pair.share is None and pair.pvalue == 1.0 for pair in found.pairs)
    assert found.established == ()


def test_what_never_happens_is_censored_and_comes_later():
    runs = [training(seed, loss_at=1000) for seed in range(12)]
    found = training_stages(runs)
    row = by_name(found)[NINE]
    assert row.reached == 0
    assert row.median is not None
    assert row.median.value == math.inf
    assert str(row.passages[0]) == "not by 200"
    assert (HALF, NINE) in found.established
    assert by_name(found)[NINE].to_json()["passages"][0] == {
        "after": 200.0, "by": None, "at_start": False, "censored": True
    }  # fmt: skip


@pytest.mark.parametrize(
    ("a", "b", "counts"),
    [
        (Passage(0, 4), Passage(4, 8), (1, 0, 0, 0)),  # ends touch: 4 is not in (4, 8]
        (Passage(0, 5), Passage(4, 8), (0, 0, 1, 0)),
        (Passage(4, 8), Passage(0, 4), (0, 1, 0, 0)),
        (Passage(9, math.inf), Passage(0, 4), (0, 1, 0, 0)),
        (Passage(9, math.inf), Passage(9, math.inf), (0, 0, 0, 1)),
        (Passage(-math.inf, 0), Passage(0, 4), (1, 0, 0, 0)),
        (Passage(-math.inf, 0), Passage(-math.inf, 0), (0, 0, 1, 0)),
        (None, Passage(0, 4), (0, 0, 0, 0)),
    ],
)
def test_two_passages(a, b, counts):
    assert compared([a], [b]) == counts
    before, after, *rest = counts
    assert compared([b], [a]) == (after, before, *rest)


def test_the_sign_test_is_exact():
    assert sign_test(0, 0) == 1.0
    assert sign_test(6, 0) == sign_test(0, 6) == 2 / 64
    assert sign_test(5, 1) == 2 * 7 / 64
    assert sign_test(3, 3) == 1.0


def test_every_event_of_a_table_that_has_all():
    t = STEPS
    bump = np.exp(-(((t - 100) / 20) ** 2))
    found = training_stages(
        {
            "Step": t,
            "train/loss": drop(80),
            "sharpness": rise(60, high=30.0),
            "lr": np.full(t.size, 0.1),
            "noise_top": 0.1 + bump,
            "stiffness": drop(48),
            "frequency_error_1": drop(52),
            "frequency_error_3": drop(120),
            "orientations": drop(32) * 20,
            "transport": 0.1 + bump,
            "path_length": t,
            "grad_norm": 0.1 + bump,
            "update_cosine": 1 - rise(140, low=0.0, high=2.0),
            "val_acc": rise(88, low=0.1, high=0.9),
            "note": ["a"] * t.size,
            "mystery": t,
        },
        momentum=0.0,
    )
    times = {row.event.name: row.passages[0] for row in found.events}
    assert times["λ_H (sharpness) ≥ 2/η"] == Passage(56, 60)
    assert times["stiffness ≤ half of its start"] == Passage(44, 48)
    assert times["error at frequency 1 stays below 0.2"] == Passage(48, 52)
    assert times["error at frequency 3 stays below 0.2"] == Passage(116, 120)
    assert times["orientations fewest"] == Passage(28, 32)
    # A W₁ is of the way since the measurement before; a peak lies between its neighbours.
    assert times["W₁ of amplitudes largest"] == Passage(96, 100)
    assert times["gradient norm largest"] == times["λ_K largest"] == Passage(96, 104)
    assert times["path length at half of its end"] == Passage(96, 100)
    assert times["cosine of updates ≤ 0"] == Passage(136, 140)
    assert times["test accuracy at half of its growth"] == Passage(84, 88)
    assert found.runs[0].unused == ("mystery", "note")
    assert "barrier" in found.absent
    assert "loss" not in found.absent


def test_an_error_that_comes_back_is_not_below():
    for above, passage in ((10, Passage(116, 120)), (1, Passage(36, 40))):
        errors = drop(40)
        errors[20 : 20 + above] = 0.5
        row = training_stages({"step": STEPS, "loss": drop(20), "freq_2": errors}).events[-1]
        assert row.passages == (passage,)


def test_a_rank_that_is_an_interval_widens_the_passage():
    found = training_stages(
        {"step": STEPS, "rank_lower": rise(60), "rank_upper": rise(40), "loss": drop(100)}
    )
    assert by_name(found)[HALF].passages == (Passage(36, 60),)


def test_a_rank_that_does_not_grow_has_no_passage():
    found = training_stages({"step": STEPS, "rank": rise(40, low=9, high=9), "loss": drop(20)})
    assert by_name(found)[HALF].reasons == ("does not grow (from 9 to 9)",)
    assert by_name(found)[HALF].passages == (None,)


def test_stages_by_levels_and_by_the_detector():
    loss = np.where(STEPS < 60, 1.0, np.where(STEPS < 140, 0.1, 0.001))
    noise = np.exp(0.01 * np.random.default_rng(0).normal(size=STEPS.size))
    phases = training_stages({"step": STEPS, "loss": loss * noise}).phases[0]
    assert [(p.name, p.start, p.end) for p in phases.by_levels] == [
        ("first plateau", 0, 60), ("descent", 60, 60), ("second plateau", 60, 140)
    ]  # fmt: skip
    assert [p.name for p in phases.by_detector][:3] == [
        "first plateau",
        "descent",
        "second plateau",
    ]
    told = training_stages({"step": STEPS, "loss": loss * noise}, level=0.001).phases[0]
    assert (told.by_levels[1].start, told.by_levels[2].level) == (60, 0.001)


def test_gaps_infinities_and_a_rising_loss():
    loss = drop(80)
    loss[5:15] = np.nan
    found = training_stages({"step": STEPS, "loss": loss})
    assert by_name(found)[NINE].passages == (Passage(76, 80),)
    loss = np.where(STEPS < 100, 1.0, np.inf)
    found = training_stages({"step": STEPS, "loss": loss})
    assert found.runs[0].notes == ("the loss is not finite from step 100",)
    assert by_name(found)[NINE].passages[0].censored
    loss[STEPS >= 100] = np.nan
    found = training_stages({"step": STEPS, "loss": loss, "rank": rise(40)})
    assert found.runs[0].notes == ("the loss is no number after step 96 of 200 (diverged?)",)
    # What is logged more rarely than others has not diverged.
    loss = np.where(np.arange(STEPS.size) % 7 == 0, drop(80), np.nan)
    assert training_stages({"step": STEPS, "loss": loss, "rank": rise(40)}).runs[0].notes == ()
    found = training_stages({"step": STEPS, "loss": 1 + STEPS})
    assert found.runs[0].notes == ("the loss ends above its start",)
    found = training_stages({"step": STEPS, "loss": -1 - STEPS})
    assert "starts at -1, of which there is no share" in by_name(found)[NINE].reasons


def test_rows_that_are_shuffled_or_written_twice():
    own = training()
    order = np.random.default_rng(0).permutation(STEPS.size)
    shuffled = training_stages({name: values[order] for name, values in own.items()})
    assert by_name(shuffled)[HALF].passages == (Passage(36, 40),)
    assert shuffled.runs[0].notes == ("rows were not in the order of their steps and were sorted",)
    # Killed after step 48, resumed from step 20: what was undone had grown sooner.
    lost = {name: values[:13] for name, values in training(rank_at=24).items()}
    again = {name: values[5:] for name, values in own.items()}
    resumed = training_stages({name: np.append(lost[name], again[name]) for name in own})
    assert by_name(resumed)[HALF].passages == (Passage(36, 40),)
    assert "steps go back at 1 place" in resumed.runs[0].notes[0]


def test_a_resumed_training_on_another_grid_undoes_what_it_went_back_over():
    own = {
        "step": [0, 10, 20, 30, 15, 25, 35, 45],
        "loss": [1, 1, 0.01, 0.01, 1, 1, 1, 0.01],
    }
    found = training_stages(own)
    assert by_name(found)[NINE].passages == (Passage(35, 45),)
    assert found.runs[0].notes == (
        "steps go back at 1 place (resumed?), first to 15: left out 2 rows measured before at "
        "that step or later ones",
    )
    # Rows in reverse were not resumed, nor two programs that each write their own columns.
    assert by_name(training_stages({"step": [30, 20, 10], "loss": [0.01, 1, 1]}))[NINE].passages
    two = {"step": [0, 10, 20, 5, 15], "loss": [1, 1, 0.01, None, None],
           "rank": [None, None, None, 2, 9]}  # fmt: skip
    assert by_name(training_stages(two))[NINE].passages == (Passage(10, 20),)


@pytest.mark.parametrize("word", ["n/a", "NA", "None", "null", "NaN", "", " "])
def test_words_for_no_number_are_gaps(word):
    own = training()
    loss = [word if at == 3 else value for at, value in enumerate(own["loss"])]
    for given in (loss, np.array(loss, dtype=object)):
        found = training_stages(own | {"loss": given})
        assert by_name(found)[NINE].passages == (Passage(76, 80),)


def test_a_column_with_text_is_told_and_not_denied():
    own = training()
    loss = ["fast" if at == 3 else value for at, value in enumerate(own["loss"])]
    assert training_stages(own | {"loss": loss}).runs[0].unused == ("loss",)
    told = "has text in the column 'loss', row 4: 'fast'; write numbers"
    with pytest.raises(InputError, match=told):
        training_stages(own | {"loss": loss}, columns={"loss": "loss"})
    with pytest.raises(InputError, match="has text in the column 'step', row 4: 'fast'"):
        training_stages(own | {"step": loss})
    with pytest.raises(InputError, match="has no number in the column 'empty'"):
        training_stages(own | {"empty": ["n/a"] * STEPS.size}, columns={"loss": "empty"})


def test_the_interval_of_the_median_knows_no_more_than_the_measurements():
    # All fall between 0 and 100: the median is anywhere there, whatever was measured.
    runs = [{"step": [0, 100, 200], "loss": [1, 0.01, 0.01]} for _ in range(8)]
    median = by_name(training_stages(runs))[NINE].median
    assert (median.value, median.low, median.high) == (100, 0, 100)
    row = EventTimes(Event("", "", ""), tuple(Passage(k, k + 10) for k in range(6)))
    # Of six the interval is that of all of them.
    assert (row.median.low, row.median.high) == (0, 15)
    row = EventTimes(Event("", "", ""), (Passage(-math.inf, 0),) * 6)
    assert (row.median.low, row.median.high) == (-math.inf, 0)


@pytest.mark.parametrize(
    ("tail", "notes"),
    [
        ([math.nan] * 1, ("the loss is no number after step 196 of 200 (diverged?)",)),
        ([math.nan] * 20, ("the loss is no number after step 120 of 200 (diverged?)",)),
        ([math.nan] * 5 + [math.inf] * 5, ("the loss is not finite from step 164",)),
        (
            [math.inf] * 5 + [math.nan] * 5,
            (
                "the loss is no number after step 180 of 200 (diverged?)",
                "the loss is not finite from step 164",
            ),
        ),
        ([math.inf, 0.02, 0.02], ("the loss is not finite at step 192",)),
    ],
)
def test_a_loss_that_ends_in_no_numbers_says_from_where(tail, notes):
    loss = drop(80)
    loss[-len(tail) :] = tail
    assert training_stages({"step": STEPS, "loss": loss}).runs[0].notes == notes


def test_seeds_with_different_grids():
    grids = [np.linspace(0, 200, n).round() for n in (11, 51, 101, 41, 201)]
    runs = [training(k, steps=steps) for k, steps in enumerate(grids)]
    found = training_stages(runs)
    pair = next(p for p in found.pairs if (p.first, p.second) == (HALF, NINE))
    assert (pair.before, pair.after) == (5, 0)
    # 5 seeds cannot establish an order of 4 pairs, and none is said.
    assert found.established == ()
    assert found.least_pvalue == 0.25
    draw_training_stages(found)


BAD = {
    "one measurement": ({"step": [0], "loss": [1.0]}, "has one measurement; passages need two"),
    "nothing known": ({"step": [0, 1], "foo": [1, 2]}, "has no quantity that is known here"),
    "no steps": ({"loss": [1.0, 2.0]}, "has no column of steps"),
    "no numbers": ({"step": ["a", "b"]}, "has no column of numbers"),
    "steps of nothing": ({"step": [math.nan] * 2, "loss": [1, 2]}, "has no step that is a number"),
    "other lengths": ({"step": [0, 1], "loss": [1.0]}, "loss has 1 entry, the first column has"),
    "a table in a column": ({"step": [0, 1], "loss": [[1], [2]]}, r"loss has shape \(2, 1\)"),
    "two runs in one": (
        {"step": [0, 1, 2, 0, 1, 2], "loss": [3, 2, 1, 3, 2, 1]},
        "has steps that begin anew at row 4: 0 after 2; name the column of seeds",
    ),
    "no source": ([], "source is empty"),
    "not a source": (7, "source holds a int"),
    "no file": ("nowhere.csv", "nowhere.csv does not exist"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_sources_in_one_line(case):
    source, told = BAD[case]
    with pytest.raises(InputError, match=told) as error:
        training_stages(source)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"columns": {"loss": "no"}}, "has no column 'no'; it has step"),
        ({"columns": {"speed": "loss"}}, "columns name 'speed'; choose one of step, loss"),
        ({"columns": {"loss:2": "loss"}}, "columns name 'loss:2'"),
        ({"momentum": 1.5}, r"momentum is 1.5; pass a number in \[0, 1\)"),
        ({"against": ["speed"]}, "against names 'speed', which is not there"),
        ({"names": "no-braces"}, "names is 'no-braces'"),
        ({"where": {"width": 4}}, "where names 'width'"),
    ],
)
def test_bad_options_in_one_line(options, told):
    with pytest.raises(InputError, match=told):
        training_stages(training(), **options)


def test_a_training_that_counts_twice_is_refused():
    # Histories of one seed under one setting.
    from epsrank.numerics.results import RunResult, SweepResults

    run = RunResult({}, 3, "done", None, {}, {}, training(), "mine")
    with pytest.raises(InputError, match="has the seed 3 twice"):
        training_stages(SweepResults("twice", (run, run)))
    other = RunResult({"width": 8}, 3, "done", None, {}, {}, training(), "mine")
    with pytest.raises(InputError, match=r"source holds 2 settings \(of width\); choose one"):
        training_stages(SweepResults("two", (run, other)))
    assert len(training_stages(SweepResults("two", (run, other)), where={"width": 8}).runs) == 1


def test_tables_frames_and_sequences_are_taken():
    for source in (pa.table(training()), [pa.table(training())]):
        assert by_name(training_stages(source))[HALF].passages == (Passage(36, 40),)


@pytest.mark.parametrize(
    ("column", "name", "part"),
    [
        ("Train/Loss", "loss", ""),
        ("val_loss", "test_loss", ""),
        ("loss/eval", "test_loss", ""),
        ("train/grad_norm", "gradient_norm", ""),
        ("grad_2.0_norm_total", "gradient_norm", ""),
        ("train/learning_rate", "learning_rate", ""),
        ("lr-SGD", "learning_rate", ""),
        ("epsilon_rank/2", "rank", "2"),
        ("rank_layer2", "rank", "2"),
        ("rank_lower_layer2_1e-06", "rank", "2"),
        ("epsrank/body.0/eps_1e-06/lower", "rank", "body.0"),
        ("epsrank/2/eps=1e-06/upper", "rank", "2"),
        ("epsrank/2/reading/reachable", "reachable", ""),
        ("quantity/sharpness", "lambda_h", ""),
        ("quantity/sharpness/low", "lambda_h", ""),
        ("hessian/top_eigenvalue", "lambda_h", ""),
        ("top_eigenvalue", "lambda_h", ""),
        ("lambda_max", "lambda_h", ""),
        ("freq_3.0", "frequency", "3"),
        ("delta_k5", "frequency", "5"),
        ("Accuracy", "accuracy", ""),
        ("loss_scale", None, ""),
        ("epoch", None, ""),
        ("runtime", None, ""),
    ],
)
def test_names_of_columns(column, name, part):
    found = meaning_of(column)
    assert (found and found.kind.name, found.part if found else "") == (name, part)


ROOMS = ("train/", "Train/", "training/", "trainer/", "val/", "val_", "valid/", "validation/",
         "eval/", "eval_", "test/", "metrics/eval/", "quantity/")  # fmt: skip


@pytest.mark.parametrize("room", ROOMS)
def test_every_kind_is_known_in_every_room(room):
    seen = re.search("train|quantity", room, re.IGNORECASE)
    for kind in KINDS:
        column = f"{kind.name}_3" if kind.name == "frequency" else kind.name
        found = meaning_of(room + column)
        expected = kind.name if seen or kind.name != "loss" else "test_loss"
        assert (found and found.kind.name) == expected, room + column
    found = meaning_of(f"{room}rank_upper_layer2_1e-06")
    assert (found.kind.name, found.part, found.end, found.eps) == ("rank", "2", "high", 1e-6)
    own = {f"{room}step": STEPS, "loss": drop(80), "foo": STEPS}
    assert by_name(training_stages(own))[NINE].passages == (Passage(76, 80),)


def test_quantities_of_the_training_go_before_those_of_unseen_samples():
    own = {"step": STEPS, "eval/sharpness": rise(20), "train/sharpness": rise(60)}
    run = training_stages(own).runs[0]
    assert run.tracks["lambda_h"].values.tolist() == rise(60).tolist()
    assert run.unused == ("eval/sharpness",)


def test_the_stability_limit_is_one_and_a_column_wins():
    from epsrank.numerics.results import RunResult, SweepResults

    def limit(settings, **columns):
        series = training() | {"sharpness": rise(60, high=30.0)} | columns
        found = training_stages(SweepResults("one", (RunResult(settings, 0, "done", None, {}, {},
                                                               series, "mine"),)))  # fmt: skip
        track = found.runs[0].tracks.get("limit")
        return None if track is None else track.values.tolist()

    for settings, expected in (
        ({"optimizer": "sgd"}, 20.0),
        ({"optimizer": "momentum"}, 38.0),
        ({"optimizer": "sgd", "momentum": 0.5}, 30.0),
    ):
        settings["learning_rate"] = 0.1
        assert limit(settings) == pytest.approx([expected] * STEPS.size)
        for own in ("limit", "2/lr", "train/stability_limit"):
            assert limit(settings, **{own: np.ones(STEPS.size)}) == [1.0] * STEPS.size
    assert limit({"optimizer": "adam", "learning_rate": 0.1}) is None
    assert limit({"optimizer": "sgd", "learning_rate": None}) is None


def test_half_of_a_start_near_0_is_no_event():
    for at, told in (
        (0.03, "starts at 0.03, which is near 0"),
        (0.08, "starts at 0.08, which is near 0 beside its largest, 1"),
        (0.3, None),
    ):
        values = np.where(STEPS < 4, at, np.where(STEPS < 100, 1.0, 0.1))
        row = by_name(training_stages({"step": STEPS, "stiffness": values, "loss": drop(80)}))
        event = row["stiffness ≤ half of its start"]
        assert event.reasons == ((told,) if told else ())
        assert (event.passages[0] is None) == bool(told)


@pytest.mark.parametrize(
    ("times", "gap", "words"),
    [
        ([(0, 4), (0, 8), (90, 100), (96, 104)], (8, 100), "8 or 100"),
        ([(0, 4), (90, 100)], (4, 100), "4 or 100"),
        ([(0, 4), (0, 8), (90, 100), (104, math.inf)], (8, 100), "8 or 100"),
        # A run may have passed halfway, or clusters are as wide as what lies between them.
        ([(0, 4), (0, 100)], None, "52"),
        ([(0, 10), (10, 20), (20, 30), (30, 40)], None, "25"),
        ([(0, 4), (0, 8), (90, 100)], None, "8"),
        ([(0, 4), (200, math.inf)], (4, math.inf), "4 or ∞"),
        ([(200, math.inf)], None, "∞"),
        ([], None, "–"),
    ],
)
def test_a_median_between_two_clusters_is_both_ends(times, gap, words):
    row = EventTimes(Event("", "", ""), tuple(Passage(*ends) for ends in times))
    assert (row.gap, row.middle) == (gap, words)


def test_a_figure_marks_no_median_between_two_clusters():
    runs = [training(0, loss_at=at) for at in (40, 44, 160, 164)]
    figure = draw_training_stages(training_stages(runs))
    assert [text.get_text() for text in figure.axes[0].texts] == []
    assert [text.get_text() for text in figure.axes[1].texts] != []
    assert training_stages(runs).span == (0.0, 200.0)


def test_every_kind_knows_its_own_name():
    for kind in KINDS:
        column = f"{kind.name}_3" if kind.name == "frequency" else kind.name
        found = meaning_of(column)
        assert (found and found.kind) == kind, kind.name


def test_a_history_has_all_layers_and_quantities(tmp_path):
    import torch

    model = torch.nn.Sequential(
        torch.nn.Linear(1, 6), torch.nn.Tanh(), torch.nn.Linear(6, 6), torch.nn.Tanh(),
        torch.nn.Linear(6, 1),
    )  # fmt: skip
    x = torch.linspace(-1, 1, 12)[:, None]
    counts = iter(range(100, 0, -1))
    watched = {"orientations": lambda model, loss, data: float(next(counts))}
    with RankMonitor(model, probe=x, every=1, quantities=["ranks", watched]) as monitor:
        for step in range(4):
            model(x)
            monitor.step(1.0 if step < 2 else 0.1)
        history = monitor.history
    assert isinstance(history, History)
    found = training_stages(history)
    run = found.runs[0]
    assert {"loss", "rank:1", "rank:3", "orientations"} <= set(run.tracks)
    assert by_name(found)["orientations fewest"].passages[0].by == run.tracks["loss"].steps[-1]
    for name in ("history.csv", "history.json", "history.parquet"):
        getattr(history, f"to_{name.rpartition('.')[2]}")(tmp_path / name)
        again = training_stages(tmp_path / name)
        assert again.to_json()["events"] == found.to_json()["events"], name


def test_steps_keep_their_digits_and_nothing_is_too_small_to_draw():
    late = training_stages({"step": 10**9 + STEPS, "loss": drop(80) * 1e-320})
    assert str(by_name(late)[NINE].passages[0]) == "1000000080"
    draw_training_stages(late)
    draw_training_stages(training_stages({"step": STEPS, "loss": np.zeros(STEPS.size)}))


def test_a_figure_marks_what_happened_and_shades_the_stages():
    figure = draw_training_stages(training_stages([training(seed) for seed in range(3)]))
    loss, rank, rows = figure.axes
    assert [text.get_text() for text in loss.texts] == ["3", "4"]
    assert [text.get_text() for text in rank.texts] == ["1", "2"]
    assert rows.get_yticklabels()[0].get_text() == f"{HALF}  1"
    assert rows.get_xscale() == "linear"
    for along, scale in (("log", "symlog"), ("linear", "linear")):
        assert (
            draw_training_stages(training_stages(training()), along=along).axes[0].get_xscale()
            == scale
        )
    with pytest.raises(InputError, match="along is 'cube'; choose one of auto, linear, log"):
        draw_training_stages(training_stages(training()), along="cube")
