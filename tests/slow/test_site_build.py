"""The site is built with warnings as errors, and its pages are opened in a browser."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("sphinx", "furo", "myst_nb", "sphinx_click", "sphinx_copybutton", "sphinx_design",
          "sphinxcontrib.bibtex")  # fmt: skip
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)


def _missing() -> list[str]:
    return [name for name in NEEDED if not _found(name)]


def _found(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


pytestmark = pytest.mark.skipif(bool(_missing()), reason="make docs installs what builds the site")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-b", "html", "-n", "-W", "--keep-going", "-q", "docs",
         str(folder)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_the_home_has_three_doors_and_no_page_asks_the_network(site):
    home = (site / "index.html").read_text("utf-8")
    for door in ("My loss is stuck", "I study the ε-rank", "I want to check the proofs"):
        assert door in home
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        loaded = re.findall(r'<(?:script|img|iframe)[^>]*\bsrc="(https?:[^"]*)"', text)
        loaded += re.findall(r'<link[^>]*rel="stylesheet"[^>]*href="(https?:[^"]*)"', text)
        assert not loaded, page


def test_notebooks_have_their_pictures(site):
    for page, least in (
        ("evidence/gallery", 6),
        ("tutorials/first-rank", 3),
        ("tutorials/digits", 1),
    ):
        text = (site / f"{page}.html").read_text("utf-8")
        assert text.count("<img") >= least, page


def test_formulas_are_mathml(site):
    page = (site / "concepts" / "eps-rank.html").read_text("utf-8")
    assert page.count("<math") > 10
    assert "\\lambda" not in page
    assert "\\varepsilon" not in page


@pytest.mark.skipif(not BROWSER, reason="no Chromium here")
@pytest.mark.parametrize(
    "page", ["index", "tutorials/plateau", "evidence/claims", "reference/python"]
)
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_fit_the_window_and_say_nothing_in_the_console(site, page, width):
    # The page reports how wide it is in its title, since dump-dom shows no numbers of layout.
    source = site / f"{page}.html"
    asks = (
        "<script>addEventListener('load',()=>{document.title='WIDE '+"
        "(document.documentElement.scrollWidth-innerWidth)})</script></body>"
    )
    probe = source.with_name(f"probe-{source.name}")
    probe.write_text(source.read_text("utf-8").replace("</body>", asks), "utf-8")
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
         f"--window-size={width},900", "--virtual-time-budget=3000", "--dump-dom", probe.as_uri()],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    found = re.search(r"<title>WIDE (-?\d+)</title>", done.stdout)
    assert found, "the page did not load"
    assert int(found[1]) <= 0, f"{found[1]} pixels stick out at a width of {width}"
