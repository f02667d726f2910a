"""The pages in a real browser: no error, no request, filters, links, the slider, and the print.

A policy in each page lets the browser refuse every request, and say so in its console.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from epsrank.numerics.training import RunConfig, train
from epsrank.proofs.ledger.claims import load_ledger
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.proofs.ledger.outcome import ClaimResult, Report
from epsrank.proofs.report import write_report
from epsrank.proofs.report.training import write_training
from tests.slow.browser import BROWSER, browse, in_frame

pytestmark = pytest.mark.skipif(not BROWSER, reason="no Chromium here")


def shown(page: str) -> set[str]:
    """Return the ids of the cards that are not hidden."""
    cards = re.findall(r"<article[^>]*>", page)
    return {re.search(r'id="([^"]*)"', card)[1] for card in cards if "hidden=" not in card}


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("report")
    found = [
        Evidence("duplicate-neuron", "exact", "refuted", "One neuron, duplicated"),
        Evidence("rank-trace", "property", "passed", "looked", {"examples": 3}),
    ]
    results = tuple(
        ClaimResult(claim, tuple(item for item in found if item.claim == claim.id))
        for claim in load_ledger()
    )
    write_report(Report(results), folder, ())
    return (folder / "index.html").as_uri()


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> str:
    config = RunConfig(width=6, depth=2, steps=6, measure_every=2, n_train=20, device="cpu")
    folder = tmp_path_factory.mktemp("run") / "out"
    train(config, folder)
    return write_training(folder).as_uri()


def test_all_claims_are_shown_without_a_filter(report):
    page = browse(report)
    assert shown(page) == {claim.id for claim in load_ledger()}


@pytest.mark.parametrize(
    ("wish", "found"),
    [("verdict=refuted", {"duplicate-neuron"}), ("kind=property", {"rank-trace"}),
     ("q=trace+bound", {"rank-trace"}), ("q=nothing-of-the-kind", set())],
)  # fmt: skip
def test_filters_live_in_the_address(report, wish, found):
    page = browse(f"{report}#?{wish}")
    assert shown(page) == found
    assert (re.search(r'<p id="none"[^>]*hidden', page) is None) == (not found)


def test_a_link_unfolds_what_it_names(report):
    # Without evidence a claim is folded away where it is open on record; others are regressions.
    name = next(claim.id for claim in load_ledger() if claim.recorded == "open")
    assert re.search(r'<details id="untested"[^>]*open', browse(f"{report}#{name}"))
    assert not re.search(r'<details id="untested"[^>]*open', browse(report))


def test_no_formula_is_cut_on_a_phone(report):
    page = Path(report.removeprefix("file://"))
    asked = (
        "[...frame.document.querySelectorAll('.formula')].map((box) => [box.clientWidth,"
        " box.scrollWidth, Math.min(...[...box.querySelectorAll('mi, mn, mo, mtext')].map("
        "(letter) => parseFloat(frame.getComputedStyle(letter).fontSize)))])"
    )
    found = in_frame(page, 390, asked)
    assert len(found) > 40
    assert [box for box in found if box[1] > box[0]] == []
    # Some had to be smaller, and no letter is too small to read, indices included.
    sizes = [size for width, _, size in found if width]
    assert 9 <= min(sizes) < max(sizes)


def test_the_print_is_short(report, tmp_path):
    browse(report, f"--print-to-pdf={tmp_path / 'page.pdf'}")
    pages = re.findall(rb"/Type\s*/Page\b", (tmp_path / "page.pdf").read_bytes())
    assert 0 < len(pages) <= 20


def test_the_slider_goes_to_the_step_of_the_address(run):
    page = browse(f"{run}#step=2&layer=1")
    assert "Step 2: the loss is" in page
    assert "layer 1 has ε-rank" in page
    assert page.count("<circle") > 6
    assert "NaN" not in page


_MEASURE = """<script>
addEventListener("load", () => {
  const wrong = [];
  for (const svg of document.querySelectorAll(".panels svg")) {
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
    texts.forEach(([name, box], place) => {
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1)
        wrong.push(`${svg.id}: “${name}” is cut`);
      for (const [other, against] of texts.slice(0, place))
        if (box.left < against.right - 1 && against.left < box.right - 1 && box.top < against.bottom - 1 && against.top < box.bottom - 1)
          wrong.push(`${svg.id}: “${name}” lies on “${other}”`);
    });
  }
  const wide = document.documentElement.scrollWidth > innerWidth ? ["the page is wider than the screen"] : [];
  document.body.dataset.wrong = JSON.stringify([...wrong, ...wide]);
});
</script>"""  # noqa: E501


@pytest.mark.parametrize("width", [1280, 640, 390])
def test_labels_of_the_panels_fit_and_do_not_overlap(run, width, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(Path(run.removeprefix("file://")).read_text("utf-8") + _MEASURE, "utf-8")
    assert in_frame(page, width, "JSON.parse(frame.document.body.dataset.wrong)") == []


def test_no_two_curves_of_a_panel_look_alike(run):
    page = browse(run)
    keys = re.search(r'id="losses-key">(.*?)</div>', page)[1]
    styles = re.findall(r'class="curve ([\w-]+)"', keys)
    assert len(styles) == len(set(styles)) >= 4
    layers = re.findall(r'style="(--c:[^"]*)"', re.search(r'id="ranks-key">(.*?)</div>', page)[1])
    assert len(layers) == len(set(layers)) == 2
    assert "this network" in page
