"""The page of an experiment in a real browser: a phone's width, and answers of two lines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from epsrank.numerics.experiments.registry import experiment
from epsrank.proofs.experiments.records import read_record
from epsrank.proofs.experiments.report import write_experiment
from tests.slow.browser import BROWSER, browse, in_frame

pytestmark = pytest.mark.skipif(not BROWSER, reason="no Chromium here")

# Two of a few seconds, the second with a verdict that the panel held back.
NAMES = ("B4", "B5")


@pytest.fixture(scope="module", params=NAMES)
def page(request, tmp_path_factory) -> Path:
    own, record = experiment(request.param), read_record(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    analysis = own.analyse(record.outcomes)
    # One that is longer than any of ours, and must not widen the page.
    long = replace(analysis.findings[0], statement=f"{'a-very-long-setting-' * 20}; and more")
    shown = replace(analysis, findings=(*analysis.findings, replace(long, claim="mine")))
    assert write_experiment(folder, own, record.request, record.outcomes, shown) == []
    return folder / "index.html"


@pytest.mark.parametrize("width", [1100, 390])
def test_no_page_is_wider_than_its_screen(page, width):
    wide = "[frame.document.documentElement.scrollWidth, frame.innerWidth]"
    whole = page.read_text("utf-8").replace("<details", "<details open")
    unfolded = page.with_name("unfolded.html")
    unfolded.write_text(whole, "utf-8")
    for shown in (page, unfolded):
        scrolls, inner = in_frame(shown, width, wide)
        assert scrolls <= inner, shown.name


def test_answers_are_two_lines_and_pictures_keep_their_letters(page):
    asks = """[[...frame.document.querySelectorAll('.sentence')].map(
        (p) => Math.round(p.clientHeight / parseFloat(frame.getComputedStyle(p).lineHeight))),
        frame.document.querySelector('#main img').clientWidth,
        frame.document.querySelector('#main img').naturalWidth]"""
    lines, shown, natural = in_frame(page, 1100, " ".join(asks.split()))
    assert lines
    # The last is the planted one.
    assert max(lines[:-1]) <= 2
    # Not shrunk by more than a tenth.
    assert shown >= 0.9 * natural
    _, shown, natural = in_frame(page, 390, " ".join(asks.split()))
    assert shown >= 0.9 * natural


def test_the_console_is_silent(page):
    assert 'id="question"' in browse(page.as_uri())
