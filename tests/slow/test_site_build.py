"""The site is built with warnings as errors, and its pages are opened in a browser."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.slow.browser import BROWSER, in_frame

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("sphinx", "furo", "myst_nb", "sphinx_click", "sphinx_copybutton", "sphinx_design",
          "sphinxcontrib.bibtex")  # fmt: skip


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
    root = "frame.document.documentElement"
    sizes = f"[frame.innerWidth, {root}.clientWidth, {root}.scrollWidth]"
    window, room, needed = in_frame(site / f"{page}.html", width, sizes)
    assert window == width
    assert needed <= room, f"{needed - room} pixels stick out at a width of {width}"
