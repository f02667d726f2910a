"""The pages in a real browser: no error, no request, filters, links, the slider, and the print.

A policy in each page lets the browser refuse every request, and say so in its console.
"""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from epsrank.numerics.training import RunConfig, train
from epsrank.proofs.ledger.claims import load_ledger
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.proofs.ledger.outcome import ClaimResult, Report
from epsrank.proofs.report import write_report
from epsrank.proofs.report.training import write_training

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
pytestmark = pytest.mark.skipif(not BROWSER, reason="no Chromium here")

_OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
            "--virtual-time-budget=3000")  # fmt: skip


def browse(address: str, *options: str) -> str:
    """Return the page as it is after its scripts; fail on whatever its console says."""
    command = [BROWSER, *_OPTIONS, *(options or ("--dump-dom",)), address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert not said, said
    assert options or "</html>" in done.stdout
    return done.stdout


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
    assert re.search(r'<details id="untested"[^>]*open', browse(f"{report}#plateau-length"))
    assert not re.search(r'<details id="untested"[^>]*open', browse(report))


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
