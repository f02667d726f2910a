"""ledger.json keeps the contract; the page escapes, shows everything, and stands by itself."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from html.parser import HTMLParser

import pytest

from epsrank.numerics.files import write_atomically, write_text
from epsrank.proofs.checkers import Checker
from epsrank.proofs.ledger.claims import Claim, load_ledger, select_claims
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.proofs.ledger.outcome import ClaimResult, Report
from epsrank.proofs.report.page import render_page
from epsrank.proofs.report.words import show
from epsrank.proofs.runner import verify
from epsrank.theory.errors import InputError
from epsrank.theory.symbolic.registry import statement

NASTY = "<script>alert('x')</script> & \"quotes\" {{ 7*7 }}"

_ROW = {
    "task": "cosines", "net": "2×5", "step": 3, "eps": 1e-6, "rank": [4, 4], "norm": 1.5,
    "loss": 0.25, "reachable": 0.2, "envelope": 0.1, "floor": 0.0, "loss/reachable": 1.25,
    "reachable/envelope": 2.0, "loss/floor": None, "reading": "feature-limited", "certified": True,
}  # fmt: skip


def _nasty(context):
    return [
        Evidence(
            "loss-floor",
            "exact",
            "refuted",
            NASTY,
            {"worst": math.inf, "nan": math.nan, NASTY: 3},
            witness={"features": [[1.0]], NASTY: NASTY},
            rows=[_ROW],
        ),
        Evidence("loss-floor", "property", "passed", "rows", rows=[{"instance": NASTY, "n": 2}]),
    ]


@pytest.fixture
def written(tmp_path):
    claim = Claim("loss-floor", NASTY, NASTY, NASTY, NASTY, ("exact",), "refuted")
    verify(ledger=[claim], checkers=[Checker("nasty", ("loss-floor",), "exact", _nasty)], jobs=1,
           out=tmp_path)  # fmt: skip
    return tmp_path


def _refuse(word):
    raise AssertionError(f"{word} is not JSON")


def test_the_contract_of_ledger_json(written):
    data = json.loads((written / "ledger.json").read_text("utf-8"), parse_constant=_refuse)
    assert set(data) == {"claims", "environment"}
    (claim,) = data["claims"]
    assert {"id", "statement", "source", "verdict", "evidence"} <= set(claim)
    assert claim["verdict"] == "refuted"
    for item in claim["evidence"]:
        assert {"kind", "state", "figures"} <= set(item)
    assert claim["evidence"][0]["figures"]["worst"] == "inf"
    environment = data["environment"]
    assert {
        "python",
        "packages",
        "blas",
        "device",
        "seed",
        "effort",
        "jobs",
        "seconds",
        "status",
    } <= (set(environment))
    assert environment["status"] == "complete"


def test_no_machine_is_named(written):
    import platform
    import socket

    text = (written / "ledger.json").read_text("utf-8")
    for name in {socket.gethostname(), platform.node()} - {"", "localhost"}:
        assert not re.search(rf"\b{re.escape(name)}\b", text)


class _Balanced(HTMLParser):
    """Parse strictly: every tag closed, in order."""

    void = frozenset({"meta", "img", "br", "input"})

    def __init__(self):
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag not in self.void:
            self.open.append(tag)
        if "id" in values:
            self.ids.append(values["id"])
        if "href" in values:
            self.links.append(values["href"])
        for name in ("src", "href"):
            address = str(values.get(name, ""))
            # A citation is followed by who wants to, and nothing is asked for before.
            paper = tag == "a" and address.startswith("https://arxiv.org/abs/")
            assert paper or not address.startswith(("http", "//", "figures"))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.getpos())


def test_the_page_escapes_and_is_well_formed(written):
    text = (written / "index.html").read_text("utf-8")
    assert "<script>alert" not in text
    assert "49" not in re.findall(r"quotes&#34; (\S+)", text)
    assert text.count("&lt;script&gt;alert") >= 6
    parser = _Balanced()
    parser.feed(text)
    assert not parser.open
    places = {link[1:] for link in parser.links if link[:1] == "#" and link[:2] != "#?"}
    assert places <= set(parser.ids)
    assert len(set(parser.ids)) == len(parser.ids)
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_the_tightness_table_has_the_ratios(written):
    text = (written / "index.html").read_text("utf-8")
    assert "How tight the bounds are" in text
    assert ">1.25<" in text
    assert "feature-limited" in text


def test_every_claim_is_on_the_page(tmp_path):
    report = Report(tuple(ClaimResult(claim, ()) for claim in load_ledger()))
    text = render_page(report.to_json(), tmp_path)
    for claim in load_ledger():
        assert f'id="{claim.id}"' in text
    assert "<figure" not in text
    assert "How tight" not in text


def test_regressions_stand_at_the_top(tmp_path):
    first, second = select_claims(["rank-definition", "three-stages"], load_ledger())
    # Of the two without evidence the second is open on record too.
    claims = (first, dataclasses.replace(second, recorded="open"))
    report = Report(tuple(ClaimResult(claim, ()) for claim in claims), interrupted=True)
    text = render_page(report.to_json(), tmp_path)
    assert "1 regression." in text
    assert text.index("1 regression.") < text.index('id="results"')
    assert "Interrupted." in text


def test_every_symbolic_statement_exists():
    for claim in load_ledger():
        for identifier in claim.symbols:
            assert statement(identifier).mathml.startswith("<math"), claim.id


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (True, "yes"), (3, "3"), (1 / 3, "0.3333"), ([4, 4], "4"), ([4, 5], "[4, 5]"),
     (math.inf, "inf"), ("a", "a")],
)  # fmt: skip
def test_numbers_are_shown_short(value, text):
    assert show(value) == text


def test_long_witnesses_are_cut_on_the_page_only():
    assert show([[0.123456789] * 50] * 50).endswith("(whole in ledger.json)")


def test_writing_is_atomic(tmp_path):
    path = tmp_path / "page.html"
    write_text(path, "first")

    def half(part):
        part.write_text("sec", "utf-8")
        raise ValueError("stopped")

    with pytest.raises(ValueError, match="stopped"):
        write_atomically(path, half)
    assert path.read_text() == "first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]
    with pytest.raises(InputError, match="cannot be written"):
        write_text(path / "x.html", "x")
