"""The parts of the page: words, formulas, the map, what rests on what, and the first screen."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from epsrank.cli import main
from epsrank.numerics.experiments.registry import EXPERIMENTS as REGISTERED
from epsrank.proofs.ledger.claims import load_ledger
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.proofs.ledger.of_users import read_ledger
from epsrank.proofs.ledger.outcome import ClaimResult, Report
from epsrank.proofs.ledger.rests_on import foundations
from epsrank.proofs.report import rebuild_report, write_report
from epsrank.proofs.report.cards import MARKS, MEANING
from epsrank.proofs.report.changes import compare_verifications
from epsrank.proofs.report.claim_map import DOWN, HEIGHT, WIDTH, lines_of, places, reduced
from epsrank.proofs.report.formulas import broken, formula, inline, pieces
from epsrank.proofs.report.scripts import scripts
from epsrank.proofs.report.words import EXPERIMENTS, annotated, show, source
from epsrank.theory.errors import InputError

LEDGER = load_ledger()
_COQ = re.compile(r"<pre>.*?</pre>|<script>.*?</script>", re.DOTALL)


def _report(*found: Evidence, **more) -> Report:
    results = tuple(
        ClaimResult(claim, tuple(item for item in found if item.claim == claim.id))
        for claim in LEDGER
    )
    environment = {"python": "3.11", "packages": {"epsrank": "0.1.0"}, "effort": "quick", "seed": 3}
    return Report(results, environment, **more)


def _page(folder, *found: Evidence, **more) -> str:
    write_report(_report(*found, **more), folder, ())
    return (folder / "index.html").read_text("utf-8")


@pytest.mark.parametrize("claim", LEDGER, ids=lambda claim: claim.id)
def test_every_formula_of_the_ledger_is_mathml(claim):
    pytest.importorskip("latex2mathml")
    made = formula(claim.latex)
    assert made is not None
    assert re.match(r'(<span class="row">)?<math', made)
    assert "\\" not in made
    # A command that was not understood would be left as a name.
    known = "max|min|dim|mean|dist|span|tr|sign|log|det|cos|exp|sup|inf|lim"
    assert not re.search(rf"<m[io]>(?!{known})[a-z]{{3,}}</m", made)


def test_statements_beside_each_other_may_stand_below_each_other():
    assert formula(r"a_{1\quad 2} \le b;\quad c,\qquad d").count("<math") == 3
    assert formula(r"a \le b").count("<math") == 1


def test_a_formula_that_is_not_understood_is_left_out():
    assert formula("") is None
    assert formula(r"\nosuchcommand{x}") is None
    assert formula("") is None


def test_no_latex_is_left_on_the_page(tmp_path):
    text = _COQ.sub("", _page(tmp_path))
    assert "\\" not in text
    assert not re.search(r"\b(varepsilon|operatorname|lVert|mathrm)\b", text)


def test_the_page_is_the_same_when_it_is_made_again(tmp_path):
    before = _page(tmp_path, Evidence("tail", "property", "refuted", "looked", {"n": 1 / 3}))
    (tmp_path / "index.html").unlink()
    assert rebuild_report(tmp_path) == tmp_path / "index.html"
    assert (tmp_path / "index.html").read_text("utf-8") == before


def test_a_ledger_of_an_earlier_version_is_shown(tmp_path):
    _page(tmp_path)
    (tmp_path / "epsrank.json").unlink()
    held = json.loads((tmp_path / "ledger.json").read_text("utf-8"))
    new = {"theme", "rests_on", "parts", "code", "theorems", "refuting_theorems"}
    held["claims"] = [{k: v for k, v in c.items() if k not in new} for c in held["claims"]]
    (tmp_path / "ledger.json").write_text(json.dumps(held), "utf-8")
    text = rebuild_report(tmp_path).read_text("utf-8")
    assert 'id="loss-floor"' in text


@pytest.mark.parametrize("text", ["{", "[]", '{"claims": [{}], "environment": {}}'])
def test_what_is_no_ledger_is_refused(tmp_path, text):
    (tmp_path / "ledger.json").write_text(text, "utf-8")
    with pytest.raises(InputError, match="is not the ledger of a verification"):
        rebuild_report(tmp_path)


def test_the_first_screen_says_what_failed_and_why(tmp_path):
    witness = Evidence("duplicate-neuron", "exact", "refuted", "One neuron, duplicated")
    text = _page(tmp_path, witness, Evidence("tail", "property", "refuted", "a tail that is large"))
    first = text[: text.index('id="results"')]
    good = sum(c.recorded == "open" for c in LEDGER) + 1
    assert f"{good} of {len(LEDGER)} verdicts as recorded" in first
    assert "the verdict is “refuted”, on record is “proved”" in first
    assert "One neuron, duplicated" in first


def test_all_as_recorded_is_said_so(tmp_path):
    claims = [claim for claim in LEDGER if claim.recorded == "open"]
    write_report(Report(tuple(ClaimResult(claim, ()) for claim in claims)), tmp_path, ())
    text = (tmp_path / "index.html").read_text("utf-8")
    assert f"{len(claims)} of {len(claims)} verdicts as recorded" in text
    assert "None against the record" in text
    # Nothing is tested, so that there is one folded group and no map.
    assert text.count("<article") == text.count('class="slight"') == len(claims)
    assert 'id="map"' not in text


def test_what_was_left_out_is_no_check(tmp_path):
    text = _page(
        tmp_path,
        Evidence("rank-trace", "property", "passed", "looked"),
        Evidence("rank-trace", "symbolic", "skipped", "identities", cause="no time"),
        Evidence("rank-trace", "formal", "skipped", "proofs", cause="no time"),
    )
    card = text[text.index('<article id="rank-trace"') :]
    card = card[: card.index("</article>")]
    assert "<summary>1 check</summary>" in card
    assert "<summary>2 checks left out</summary>" in card
    assert "; decided here: search for a counterexample</dd>" in card


def test_quotation_marks_are_not_doubled(tmp_path):
    text = _page(tmp_path, Evidence("duplicate-neuron", "exact", "refuted", "One neuron"))
    assert "(“‘Duplicating a neuron cannot raise the ε-rank’”)" in text
    assert not re.search("“[^”<]*“|””", text)


def test_the_summary_counts_what_a_record_proves():
    on_record = {"accepted": "recorded 2026-11-22, Coq 8"}
    both = [
        Evidence("tail", "formal", "passed", "proved", on_record),
        Evidence("loss-floor", "formal", "passed", "proved", {"accepted": "checked in this run"}),
    ]
    claims = [claim for claim in LEDGER if claim.id in {"tail", "loss-floor"}]
    results = [ClaimResult(c, tuple(e for e in both if e.claim == c.id)) for c in claims]
    assert (
        Report(tuple(results))
        .summary()
        .startswith("2 claims: 2 proved (1 recorded 2026-11-22, Coq 8)\n")
    )
    alone = Report(tuple(r for r in results if r.claim.id == "tail"))
    assert alone.summary().startswith("1 claim: 1 proved (recorded 2026-11-22, Coq 8)\n")


def test_every_verdict_has_a_sign_and_a_meaning():
    assert MARKS.keys() == MEANING.keys()
    assert len(set(MARKS.values())) == len(MARKS)


def test_what_rests_on_what_is_read_from_the_proofs():
    below = foundations(LEDGER)
    assert "tail" in below["loss-floor"]
    assert "loss-floor" in below["reachable-loss"]
    assert "neuron-selection" in below["a-priori-floor"]
    assert all(name not in others for name, others in below.items())


def test_boxes_of_the_map_do_not_overlap():
    at = places(reduced(foundations(LEDGER)))
    boxes = list(at.values())
    assert len(boxes) > 15
    for place, one in enumerate(boxes):
        for other in boxes[:place]:
            assert abs(one.x - other.x) >= WIDTH or abs(one.y - other.y) >= HEIGHT
    assert DOWN > HEIGHT
    assert all(len(lines_of(claim.title)) <= 2 for claim in LEDGER)


def test_claims_that_rest_on_each_other_are_drawn():
    assert len(places({"a": ("b",), "b": ("a",), "c": ("a",), "d": ()})) == 3
    assert reduced({"a": (), "b": ("a",), "c": ("a", "b")})["c"] == ("b",)


def test_every_claim_has_a_theme():
    assert all(claim.theme for claim in LEDGER)
    assert len({claim.theme for claim in LEDGER}) < 12


def test_a_user_rests_claims_on_their_own(tmp_path):
    entry = '[[claim]]\nid = "{}"\nstatement = "s"\nsource = "x"\n'
    file = tmp_path / "own.toml"
    file.write_text(entry.format("a") + entry.format("b") + 'rests_on = ["a"]\n', "utf-8")
    assert foundations(read_ledger(file)) == {"a": (), "b": ("a",)}
    file.write_text(entry.format("a") + 'rests_on = ["z"]\n', "utf-8")
    with pytest.raises(InputError, match="rests claims on"):
        read_ledger(file)


def test_identifiers_appear_with_their_names():
    assert "F2 <small>the loss floor</small>" in annotated("above the floor of F2")
    assert annotated("A1, supported: x").startswith("Experiment A1 (function fitting) is in favour")
    assert "Yang, Zhao, Zhu" in source("[S1] Def. 2.4; experiments A1, A3")
    assert "A3 <small>activations</small>" in source("[S1] Def. 2.4; experiments A1, A3")
    bound = source("P1; ours, after [S3]; docs/plateau-bounds.md")
    assert "P1 <small>length of a plateau</small>; this project, after <a" in bound
    assert "Chen, Luo, Wang (2410.20119)" in bound
    assert annotated("a < b") == "a &lt; b"
    assert annotated("(d_p − √λ_{p+1})_+") == "(d<sub>p</sub> − √λ<sub>p+1</sub>)<sub>+</sub>"
    assert annotated("r_{ε/σ_min²(T)}") == "r<sub>ε/σ<sub>min</sub>²(T)</sub>"
    assert annotated("k outputs: ‖W‖_F") == "k outputs: ‖W‖<sub>F</sub>"
    assert annotated("cross_entropy of λ_min") == "cross_entropy of λ<sub>min</sub>"
    assert REGISTERED.keys() <= EXPERIMENTS.keys()


@pytest.mark.parametrize(
    ("value", "text"),
    [({"a": 1.23456789, "b": [1, 2]}, "a: 1.235; b: [1, 2]"), ([[1, 0], [2, -1]], "[1, 0; 2, -1]"),
     (list(range(0, 4100, 100)), "41 values from 0 to 4000")],
)  # fmt: skip
def test_structures_are_words_and_not_json(value, text):
    assert show(value) == text


def test_comparison_puts_verdicts_first(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    for folder in (a, b):
        folder.mkdir()
    looked = Evidence("rank-trace", "property", "passed", "looked", {"examples": 3})
    more = Evidence("rank-trace", "property", "passed", "looked", {"examples": 5})
    _page(a, looked)
    _page(b, more, Evidence("tail", "property", "refuted", "a tail"))
    found = compare_verifications(a, b)
    assert [c["what"] for c in found["changes"]] == ["verdict", "checks", "figures"]
    assert found["changes"][0]["claim"] == "tail"
    assert found["same"] == found["common"] - 1
    assert not compare_verifications(a, a)["changes"]


def test_the_commands_of_a_report(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        _page(tmp_path / name)
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    (tmp_path / "a" / "index.html").unlink()
    done = CliRunner().invoke(main, ["report", a])
    assert (done.exit_code, done.stdout.strip()) == (0, str(tmp_path / "a" / "index.html"))
    same = CliRunner().invoke(main, ["compare", a, b])
    assert same.exit_code == 0
    assert f"{len(LEDGER)} of {len(LEDGER)} verdicts of both are the same" in same.stdout
    for words in (["report", str(tmp_path)], ["compare", a, str(tmp_path)]):
        with pytest.raises(InputError, match="is no"):
            CliRunner().invoke(main, words, standalone_mode=False, catch_exceptions=False)


@pytest.mark.parametrize(
    ("text", "set_"),
    [
        ("λ_{p+1} ≥ λ_n, ℓ(φQ_pC)", "λ<p+1> ≥ λ<n>, ℓ(φQ<p>C)"),
        ("r_ε = #{k : λ_k(G) > ε}", "r<ε> = #{k : λ<k>(G) > ε}"),
        ("‖A‖_F² − σ_w² κ, A_cA_cᵀ", "‖A‖<F>² − σ<w>² κ, A<c>A<c>ᵀ"),
        ("λ_D^{−1/2}, k^(−α), 10^1.8", "λ<D>{−1/2}, k{−α}, 10{1.8}"),
        ("σ^{−(L−2)}, )^½", "σ{−(L−2)}, ){½}"),
        ("max_S σ_min(Q_S), (m_*/m_0)², )_+", "max<S> σ<min>(Q<S>), (m<*>/m<0>)², )<+>"),
        ("my_task, zero_grad, x_train, structured_first_layer_, 1e-6", None),
    ],
)  # fmt: skip
def test_indices_and_powers_are_set_and_names_are_left(text, set_):
    marks = {"": "{}", "sub": "<{}>", "sup": "{{{}}}"}
    made = "".join(marks[kind].format(piece) for kind, piece in scripts(text))
    assert made == (text if set_ is None else set_)


def test_a_long_formula_may_be_broken_before_relations_and_sums():
    whole = (
        r"\min_{\|C\| \le 1} \ell(\phi Q_p C, y) \ge V(\|\beta\|)"
        r" - L\sqrt{\lambda_{p+1} + \eta}\,\|W\|_F"
    )
    found = pieces(whole)
    assert found == [
        r"\min_{\|C\| \le 1} \ell(\phi Q_p C, y)",
        r"\ge V(\|\beta\|)",
        r"-\; L\sqrt{\lambda_{p+1} + \eta}\,\|W\|_F",
    ]
    assert pieces(r"a \le b") == [r"a \le b"]
    made = str(formula(whole))
    assert made.count("<math") == 3
    assert made.count('class="row"') == 1


def test_primes_are_marks_and_functions_stand_apart():
    made = inline(r"-u'' = 2 \sin \pi x")
    assert "<mi>″</mi>" in made
    space = '<mspace width="0.17em"/>'
    assert f"<mn>2</mn>{space}<mi>sin</mi>{space}" in made
    assert broken(r"a \quad b").count("<math") == 2
    assert broken(r"\begin{aligned} a \quad b \end{aligned}").count("<math") == 1
