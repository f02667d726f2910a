"""The page of an experiment: question, answers, picture, robustness, power, and then the rest."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from epsrank.numerics.experiments.analysis import Analysis, Effect, Finding, Picture, Table
from epsrank.numerics.experiments.experiment import MainPicture, Request
from epsrank.numerics.experiments.registry import EXPERIMENTS, experiment
from epsrank.proofs.experiments.answers import answers, named, panel_of
from epsrank.proofs.experiments.effects_in_words import medians
from epsrank.proofs.experiments.records import read_head, read_record, recorded_ids
from epsrank.proofs.experiments.report import main_picture, write_experiment
from epsrank.proofs.experiments.sentences import LONGEST, sentence
from epsrank.proofs.experiments.statements import leading, passages
from epsrank.proofs.ledger.claims import load_ledger
from epsrank.theory.errors import InputError
from epsrank.theory.statistics import MedianInterval
from tests.proofs.experiments.conftest import make

OURS = [name for name in EXPERIMENTS if not name.startswith("Z")]
SETTINGS = "; ".join(f"setting {k} (12 of 12 [0.74, 1.00]; 2 steps in 12)" for k in range(30))
STAIRS = Finding(
    "staircase-steps",
    "refuted",
    "5 of 48 [0.03, 0.23] runs are staircases, of two steps or more beyond one smooth drop with "
    "autocorrelated noise, and 42 of 48 [0.75, 0.95] have a step (0 steps in 6, 1 in 37, 2 in 5); "
    f"fails in {SETTINGS}",
    (Effect("number of steps, relu", MedianInterval(1.0, 1.0, 2.0, 0.96, 12)),),
    30,
    {"setting": "relu"},
)
COUPLED = Finding("coupling-together", "undecided", "no run can be tested: no drop", power=0.31)


def drawn() -> Figure:
    figure = Figure()
    figure.subplots(2, 1)[0].plot([1, 2])
    return figure


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    """A page with two findings of claims of the ledger, as a reader gets it."""
    tmp_path = tmp_path_factory.mktemp("page")
    rows = [
        {"claim": "staircase-steps", "view": view, "judgement": "refuted",
         "judgement in this view": now, "effects": 4, "not stable": moved, "which": ""}
        for view, now, moved in (("first", "refuted", 0), ("second", "refuted", 3),
                                 ("third", "regime", 1))
    ]  # fmt: skip
    analysis = Analysis(
        (STAIRS, COUPLED),
        (Table("robustness", "In other views", rows),),
        (
            Picture("other", "Beside it", drawn),
            Picture("staircases", "Decides coupling-rank", drawn),
        ),
        ("A note on staircase-steps.",),
    )  # fmt: skip
    own = replace(make("Z1"), main=MainPicture("stair", "Every run.", "staircase-steps", rows=1))
    assert write_experiment(tmp_path, own, Request(), (), analysis) == []
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        "other.svg", "staircases.svg", "main.svg", "main-narrow.svg",
    }  # fmt: skip
    return (tmp_path / "index.html").read_text("utf-8")


def test_the_page_goes_from_the_question_to_the_tables(page):
    order = ["question", "answers", "main", "robustness", "power", "statements", "comparisons",
             "figures", "tables", "settings", "witnesses"]  # fmt: skip
    places = [page.index(f'id="{name}"') for name in order]
    assert places == sorted(places)
    # All below the power is folded away, under a heading.
    folded = re.findall(r'<details class="part" id="(\w+)"><summary><h2>', page)
    assert folded == order[order.index("statements") :]
    assert "<details" not in page[: page.index('id="power"')]


def test_the_first_screen_says_the_answer_in_a_line(page):
    first = page[: page.index('id="robustness"')]
    assert "Is the coin fair?" in first
    assert "Losses descend in steps: <span" in first
    assert "✗ refuted" in first
    said = "5 of 48 runs are staircases of two steps or more [3 %, 23 %]; 37 have a single step"
    # As the answer, and as the caption of the picture.
    assert first.count(said) >= 2
    assert "This experiment alone says refuted. The ledger says " in first
    assert all(
        len(text) <= LONGEST + 1 for text in re.findall('<p class="sentence">(.*)</p>', first)
    )
    assert "setting 7" not in first
    assert "<td>setting 7</td><td>12 of 12 [0.74, 1.00]; 2 steps in 12</td>" in page


def test_no_name_of_the_ledger_stands_without_its_title(page):
    bare = re.sub(r"<code>.*?</code>|<style>.*?</style>", "", page, flags=re.DOTALL)
    assert [claim.id for claim in load_ledger() if "-" in claim.id and claim.id in bare] == []
    assert "A note on “Losses descend in steps”." in page
    assert named("B4 (claim blow-up); a blow-up of reading") == (
        "B4 (claim “Finite-time blow-up of the leading-order dynamics”); a blow-up of reading"
    )


def test_views_and_power(page):
    for cell in ("● same", "◐ 3 of 4 move", "✗ supported only in a regime"):
        assert cell in page
    assert "12 seeds per comparison: an effect of 1.1 standard deviations is found" in page
    assert "simulated power of the test on these very records 0.31" in page
    assert panel_of(Analysis((STAIRS,)), answers(Analysis((STAIRS,)), make())) is None


def test_an_experiment_without_a_question_has_no_page(toys, tmp_path):
    toys(Z1=1.0)
    for question in ("", "Coins are fair."):
        own = replace(make("Z1"), question=question)
        with pytest.raises(InputError, match="Z1 asks no question"):
            write_experiment(tmp_path, own, Request(), (), Analysis(()))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", OURS)
def test_each_experiment_asks_one_question_and_has_a_picture(name):
    own = experiment(name)
    assert re.fullmatch(r"[A-Z][^?]{30,200}\?", own.question)
    assert named(own.question) == own.question
    assert own.main.picture
    assert own.main.seen.endswith(".")
    assert own.main.claim in (own.claims or (None,))


def test_the_main_picture_is_the_one_named_or_the_first():
    pictures = [Picture(name, name, drawn) for name in ("layers", "planes-0", "planes-1")]
    own = replace(make(), main=MainPicture("planes"))
    assert main_picture(own, pictures) is pictures[1]
    assert main_picture(make(), pictures) is pictures[0]
    assert main_picture(make(), []) is None


@pytest.mark.parametrize(
    ("statement", "lead", "rows"),
    [
        (
            "In 3 of 3 settings both plateaus are longer, and the detector finds both: in 12 of 12 "
            "(sines, σ = 0.1), 11 of 12 (waves, σ = 0.1) runs.",
            "In all 3 settings both plateaus are longer, and the detector finds both",
            [("sines, σ = 0.1", "12 of 12"), ("waves, σ = 0.1", "11 of 12")],
        ),
        (
            "Fewer steps are needed in 2 of 3 comparisons: (2, 30), structured against default "
            "(×0.46, 0.37 to 0.54); cosines, mlp: structured (×0.079, 0.068 to 0.088); and more",
            "Fewer steps are needed in 2 of 3 comparisons",
            [
                ("(2, 30), structured against default", "×0.46, 0.37 to 0.54"),
                ("cosines, mlp: structured", "×0.079, 0.068 to 0.088"),
            ],
        ),
        (
            "At 3 of 9 drops more directions are necessary. At the largest drop of a run in 2 of 6 "
            "[0.04, 0.78]: relu 1 of 3 [0.01, 0.91]; tanh 1 of 3 [0.01, 0.91]",
            "At 3 of 9 drops more directions are necessary",
            [("relu", "1 of 3 [0.01, 0.91]"), ("tanh", "1 of 3 [0.01, 0.91]")],
        ),
        (
            "At equal time, against σ = 0.001, by target: rate: same, ?; noise: longer.",
            "At equal time, against σ = 0.001, by target",
            [("rate", "same, not decided"), ("noise", "longer")],
        ),
        (
            "Early rank goes with an early drop in 1 of 2 settings. 2 × 50: correlation 0.54, p = "
            "0.2; 4 × 50: correlation 0.61, p = 0.02",
            "Early rank goes with an early drop in 1 of 2 settings",
            [("2 × 50", "correlation 0.54, p = 0.2"), ("4 × 50", "correlation 0.61, p = 0.02")],
        ),
    ],
)
def test_a_statement_is_a_sentence_and_rows(statement, lead, rows):
    assert leading(statement) == lead
    found = passages(statement)
    assert [row for passage in found for row in passage.rows] == rows
    # No number and no setting is lost.
    words = " ".join(passage.text + " ".join(sum(passage.rows, ())) for passage in found)
    assert set(re.findall(r"\d[\d.]*\d", statement)) <= set(re.findall(r"\d[\d.]*\d", words))
    assert "?" not in words
    assert not [passage for passage in found if passage.text.endswith((".", ":", " in"))]


def test_open_ends_and_ratios_are_said_in_words():
    inf = float("inf")
    ends = [(-1.0, -1.2, -0.9), (0.5, 0.1, inf)]
    effects = [Effect("length", MedianInterval(*e, 0.96, 12), unit="decades") for e in ends]
    assert medians(effects) == "medians from ×0.1 to ×3.2 in 2 comparisons; ×1 is no effect"
    assert medians(effects[1:]) == "median ×3.2 [×1.3, ×∞]"
    assert medians([]) == ""
    held_back = Finding("x", "regime", "It holds in 4 of 4 settings, by much; not stable at ε = 1")
    assert sentence(held_back) == "It holds in all 4 settings, by much; not stable at ε = 1."


COMPARED = "{} in 2 of 2 comparisons: digits, mlp (+6); mnist, mlp (+7)"


def effects(what, *values, unit=""):
    return [Effect(what, MedianInterval(v, v - 1, v + 1, 0.96, 12), unit=unit) for v in values]


@pytest.mark.parametrize(
    ("claim", "statement", "given", "said"),
    [
        ("coupling-rank", "At 1 of 9 drops. At the largest drop of a run in 2 of 6 [0.04, 0.78]: x",
         [], "At the largest drop of 2 of 6 runs directions beyond the old ε-rank are necessary and"
         " carry half of it [4 %, 78 %]."),
        ("coupling-together", "In the 3 of 4 runs that can be tested 5 drops follow growth of the "
         "rank with p = 0.5 and power 0.91; the rank is -0.010 of the record ahead (-0.02 to "
         "+0.03); fails in a (p = 1)", [], "Drops of the loss do not follow growth of the ε-rank: "
         "over 3 of 4 runs p = 0.5 at a power of 0.91; the rank is −1 % of the record ahead "
         "[−2 %, 3 %]."),
        ("pretraining-rank", COMPARED.format("The initial ε-rank is raised"),
         effects("initial ε-rank, pre-trained − plain", 6.0, 7.0),
         "The initial ε-rank is raised in both comparisons: by 6 to 7 (medians)."),
        ("pretraining-speed", COMPARED.format("Fewer steps are needed"),
         effects("steps to an error τ", -1.0, -2.0, unit="log10"),
         "Fewer steps are needed in both comparisons: their number is ×0.01 to ×0.1 (medians)."),
        ("pretraining-accuracy", COMPARED.format("The result is better"),
         effects("share classified wrongly at the end", 0.5),
         "The result is better in both comparisons: the share of wrong answers changes by 0.5 "
         "[−0.5, 1.5]."),
        ("plateau-length", "The plateau grows by 1/(c‖g‖) per nat of 1/σ, within 10%, in 6 of 6 "
         "settings with g ≠ 0, where 0 seeds; of 24 networks with g = 0 24 never left theirs.",
         effects("slope", 1.0, 1.25), "In all 6 settings it grows with log(1/σ) at the predicted "
         "rate, within 10% (medians 1 to 1.25 of it); where the gradient vanishes 24 of 24 networks"
         " never left it."),
        ("second-plateau", "At equal time, against σ = 0.001, by target: rate: same, ?; width: "
         "shorter, same; noise: shorter, shorter.", effects("log₁₀, noise, sines", -1.0),
         "At equal training time it is shortened on every target by noise (×0.1); on some by width;"
         " on none by rate."),
        ("depth-order-regime", "Last layer against first, before training: 0 larger and 116 smaller"
         " of 120 at s = 0.5; 18 larger and 47 smaller of 120 at s = 2", effects("trained", 3, -9),
         "Before training the last layer has the larger ε-rank in 18 of 240 settings and the "
         "smaller one in 163; after it in 1 of 2 and in 1."),
        ("unity-rank", "Of 6 settings the partition of unity has the larger ε-rank in 6; its error "
         "is smaller in 1 (R = 0.5) and larger in 5", [], "The partition of unity has the larger "
         "ε-rank in 6 of 6 settings, and the smaller error in 1."),
    ],
)  # fmt: skip
def test_a_claim_has_its_own_sentence(claim, statement, given, said):
    finding = Finding(claim, "refuted", statement, given, max(len(given), 1))
    assert sentence(finding) == said


LISTED = [("noise: end", 0.5), ("few: end", 2.0), ("none: end", -3.0)]


@pytest.mark.parametrize(
    ("judgement", "given", "tried", "unit", "said"),
    [
        ("regime", LISTED, 3, "", "Clean labels, end: 1 of 3 comparisons favours it, most “few” (2 "
         "[1, 3]); 1 opposes it, most “none” (−3 [−4, −2])."),
        ("refuted", LISTED, 3, "", "Clean labels, end: 1 of 3 comparisons opposes it, most “none” "
         "(−3 [−4, −2]); 1 favours it, most “few” (2 [1, 3])."),
        ("supported", [("mse, a", 2.0), ("mse, b", 3.0)], 2, "decades", "Clean labels, mse: all 2 "
         "comparisons favour it, least “a” (×100 [×10, ×1000])."),
        ("undecided", LISTED, 1, "", "Clean labels. noise: end: +0.5 (medians from −3 to 2 in 3 "
         "comparisons; 0 is no effect)."),
        ("undecided", LISTED[:1] * 2, 2, "", "Clean labels, end: no comparison is decided (median "
         "0.5 in all 2 comparisons; 0 is no effect)."),
        ("regime", [("a" * 90, 2.0), ("b" * 90, -2.0)], 2, "", "1 of 2 comparisons favours it, most"
         f" “{'a' * 90}” (2 [1, 3])."),
    ],
)  # fmt: skip
def test_listed_comparisons_are_counted_by_side_and_the_decisive_one_is_named(
    judgement, given, tried, unit, said
):
    held = [each for name, value in given for each in effects(name, value, unit=unit)]
    listed = "; ".join(f"{name}: {value:+.3g}" for name, value in given)
    finding = Finding("x", judgement, f"Clean labels. {listed}", held, tried)
    assert sentence(finding) == said


def test_the_ledger_says_why_it_differs():
    own = experiment("A1")
    found = answers(Analysis((replace(STAIRS, judgement="supported"),)), own)
    claim = next(claim for claim in load_ledger() if claim.id == "staircase-steps")
    assert found[0].ledger.startswith(f"The ledger says {claim.recorded}")
    assert answers(Analysis((replace(STAIRS, claim="mine"),)), own)[0].ledger == (
        "The ledger has no such claim."
    )


def test_the_head_of_a_record_is_that_of_the_whole():
    name = min(recorded_ids(), key=lambda name: len(name))
    whole, head = read_record(name), read_head(name)
    assert replace(whole, outcomes=()) == head
    assert (head.disqualified is None) <= (whole.undecided(experiment(name)) is None)
