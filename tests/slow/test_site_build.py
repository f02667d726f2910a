"""The site is built with warnings as errors, and its pages are opened in a browser."""

from __future__ import annotations

import importlib.util
import posixpath
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

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


def broken_links(site: Path) -> list[tuple[str, str]]:
    """Return the links within a site whose file or anchor is not there, each with its page."""
    files = {path.relative_to(site).as_posix(): path for path in site.rglob("*") if path.is_file()}
    texts = {
        name: path.read_text("utf-8") for name, path in files.items() if name.endswith(".html")
    }
    anchors = {
        name: set(re.findall(r'\b(?:id|name)="([^"]+)"', text)) for name, text in texts.items()
    }
    found = []
    for page, text in texts.items():
        for link in set(re.findall(r'\b(?:href|src)="([^"]+)"', text)):
            if re.match(r"[a-z]+:|//", link):
                continue
            path, _, anchor = link.partition("#")
            path = unquote(path.partition("?")[0])
            target = (
                posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
            )
            there = target in files
            if there and anchor and target in anchors:
                there = unquote(anchor) in anchors[target]
            if not there:
                found.append((page, link))
    return sorted(found)


def test_links_within_the_site_lead_somewhere(site):
    assert broken_links(site) == []


def test_a_broken_link_is_caught(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.html").write_text(
        '<h1 id="here"></h1><a href="../a.html">a</a>', "utf-8"
    )
    (tmp_path / "a.html").write_text(
        '<a href="sub/b.html#here">1</a><a href="sub/b.html#gone">2</a><img src="lost.svg?v=1">'
        '<a href="https://example.org">3</a><a href="#top">4</a>', "utf-8",
    )  # fmt: skip
    wrong = [link for _, link in broken_links(tmp_path)]
    assert wrong == ["#top", "lost.svg?v=1", "sub/b.html#gone"]


def test_no_index_is_left_as_markup(site):
    """Sentences have λ with its index below the line; code keeps what was typed."""
    code = re.compile(r"<(code|pre|script|style|title|h\d|math)\b.*?</\1>", re.DOTALL)
    for page in ("findings", "plateau-bounds", "certified-ranks", "phenomena"):
        text = re.sub(r"<[^>]*>", "", code.sub("", (site / f"{page}.html").read_text("utf-8")))
        assert not re.findall(r"\w_\{|\w\^\{", text), page


@pytest.mark.skipif(not BROWSER, reason="no Chromium here")
@pytest.mark.parametrize(("width", "kind"), [(390, "phone"), (1280, "wide")])
def test_each_screen_shows_one_of_two_pictures(site, width, kind):
    asks = ("[...frame.document.querySelectorAll('.cell_output img')].filter("
            "i => i.getClientRects().length).map(i => i.closest('.cell').className)")  # fmt: skip
    shown = in_frame(site / "evidence" / "gallery.html", width, asks)
    assert len(shown) >= 6
    assert all(f"tag_{kind}" in each for each in shown)
    asks = ("[...frame.document.querySelectorAll('article img')].filter("
            "i => i.getClientRects().length).map(i => i.className)")  # fmt: skip
    assert in_frame(site / "index.html", width, asks) == [kind]


def test_notebooks_have_their_pictures(site):
    for page, least in (
        ("evidence/gallery", 12),
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
