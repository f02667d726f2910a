"""The documentation site without building it: no page is lost, no name unknown, no table stale.

`tests/slow/test_site_build.py` builds it and looks at it in a browser.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import json
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import epsrank

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = {path.relative_to(DOCS).with_suffix("").as_posix(): path for path in DOCS.rglob("*.md")}
#: Pages that run when the site is built.
TUTORIALS = sorted(path for path in PAGES.values() if "```{code-cell}" in path.read_text("utf-8"))

_FENCE = re.compile(r"^(`{3,}|:{3,})\{(\S+?)\}(.*?)^\1$", re.MULTILINE | re.DOTALL)
#: Lines before the code of a cell, such as its tags.
_OPTIONS = re.compile(r"^(?::\S+:.*\n)+")
_CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def named_by(page: str, text: str) -> set[str]:
    """Return the pages that the toctrees of a page name."""
    folder = Path(page).parent
    found = set()
    for _, directive, body in _FENCE.findall(text):
        if directive == "toctree":
            lines = (line.strip() for line in body.splitlines())
            found |= {line for line in lines if line and not line.startswith(":")}
    return {_plain(folder / name) for name in found}


def _plain(path: Path) -> str:
    parts: list[str] = []
    for part in path.as_posix().split("/"):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def reached(pages: dict[str, str]) -> set[str]:
    """Return the pages that toctrees lead to from the home page."""
    seen: set[str] = set()
    waiting = ["index"]
    while waiting:
        page = waiting.pop()
        if page not in seen:
            seen.add(page)
            waiting += named_by(page, pages.get(page, ""))
    return seen


def test_every_page_is_in_a_toctree_and_every_entry_is_a_page():
    pages = {name: path.read_text("utf-8") for name, path in PAGES.items()}
    found = reached(pages)
    assert set(pages) - found == set(), "name these in a toctree"
    assert found - set(pages) == set(), "toctrees name these, which are no pages"
    named = [name for page, text in pages.items() for name in named_by(page, text)]
    assert sorted(named) == sorted(set(named)), "a page in two toctrees has two places"


def test_a_lost_page_and_a_missing_one_are_caught():
    pages = {
        "index": "```{toctree}\n:hidden:\n\nguides/index\n```\n",
        "guides/index": ":::{toctree}\n\none\n../top\nabsent\n:::\n",
        "guides/one": "",
        "top": "",
        "lost": "",
    }
    found = reached(pages)
    assert found - set(pages) == {"guides/absent"}
    assert set(pages) - found == {"lost"}


def code_of(text: str) -> str:
    """Return the code of a tutorial as one program."""
    cells = [_OPTIONS.sub("", cell) for cell in _CELL.findall(text)]
    # Lines for the notebook alone.
    return "\n".join(re.sub(r"^[%!].*$", "", cell, flags=re.MULTILINE) for cell in cells)


def unknown(code: str) -> Iterator[str]:
    """Yield imports, attributes of modules and keywords that are not there, and undefined names."""
    tree = ast.parse(code)
    modules: dict[str, Any] = {}
    imported: dict[str, tuple[Any, str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.name if alias.asname else alias.name.partition(".")[0]
                modules[alias.asname or name] = _module(name)
        elif isinstance(node, ast.ImportFrom):
            module = _module(node.module or "")
            for alias in node.names:
                if module is not None and not _has(module, alias.name):
                    yield f"{node.module}.{alias.name}"
                elif module is not None:
                    imported[alias.asname or alias.name] = module, alias.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = modules.get(node.value.id)
            if owner is not None and not hasattr(owner, node.attr):
                yield f"{node.value.id}.{node.attr}"
        called = (
            node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        )
        if called in imported and node.keywords:
            yield from _unknown_keywords(node, getattr(*imported[called]))
    checked = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821",
         "--output-format", "concise", "-"],
        input=code, capture_output=True, text=True,
    )  # fmt: skip
    yield from re.findall(r"F821 Undefined name `(\w+)`", checked.stdout)


def _module(name: str) -> Any:
    """Return a module that is ours or loaded, else None; every one has to be installed."""
    if name.startswith("epsrank"):
        return importlib.import_module(name)
    assert importlib.util.find_spec(name.partition(".")[0]), f"{name} is not installed"
    return sys.modules.get(name)


def _has(module: Any, name: str) -> bool:
    """Whether a module has a name; ours say so without importing what is behind it."""
    if module.__name__.startswith("epsrank"):
        return name in module.__all__
    return hasattr(module, name)


def _unknown_keywords(call: ast.Call, function: Any) -> Iterator[str]:
    if not getattr(function, "__module__", "").startswith("epsrank"):
        return
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for keyword in call.keywords:
        if keyword.arg is not None and keyword.arg not in parameters:
            yield f"{function.__name__}({keyword.arg}=…)"


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_names_what_is_there(path):
    text = path.read_text("utf-8")
    assert text.startswith("---\nfile_format: mystnb\n"), "only with this head does it run"
    code = code_of(text)
    assert code.strip()
    assert list(unknown(code)) == []


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("from epsrank import epsilon_rank\nepsilon_rank([[1.0]], eps=1e-6)", []),
        ("from epsrank import epsilon_ranke", ["epsrank.epsilon_ranke"]),
        ("from epsrank import loss_floor\nloss_floor([[1]], [1], ep=1)", ["loss_floor(ep=…)"]),
        (f"import {np.__name__} as np\nnp.linspaces(0, 1)", ["np.linspaces"]),
        ("print(features)", ["features"]),
    ],
)  # fmt: skip
def test_planted_names_in_a_tutorial_are_caught(code, wrong):
    assert list(unknown(code)) == wrong


def test_tables_from_the_ledger_are_of_today():
    script = runpy.run_path(str(DOCS / "write_claims.py"))
    for path, text in script["pages"]().items():
        assert path.read_text("utf-8") == text, "run python docs/write_claims.py"


def test_tables_of_standard_size_are_not_overwritten_by_a_smaller_record():
    from dataclasses import replace

    from epsrank.proofs.experiments.records import read_record

    recorded = runpy.run_path(str(DOCS / "draw_validity.py"))["recorded"]
    record = read_record("E")
    sizes = "quick", "standard"
    small, usual = (replace(record, request=replace(record.request, size=at)) for at in sizes)
    with pytest.raises(SystemExit, match=r"^the record of E is of quick size, .* name a store"):
        recorded(small)
    assert recorded(usual) is record.outcomes


def test_an_empty_store_has_no_tables(tmp_path):
    stored = runpy.run_path(str(DOCS / "draw_validity.py"))["stored"]
    with pytest.raises(SystemExit, match=r"has no finished trial of experiment E at standard size"):
        stored(tmp_path / "store")


def test_a_changed_verdict_makes_a_table_stale():
    from dataclasses import replace

    from epsrank.proofs.ledger.claims import load_ledger

    script = runpy.run_path(str(DOCS / "write_claims.py"))
    claims = list(load_ledger())
    before = script["page"](claims), script["paragraph"](claims)
    trained = [
        k for k, c in enumerate(claims) if c.wanted == ("empirical",) or "training" in c.parts
    ]
    assert {"blow-up", "low-rank-bias"} <= {claims[k].id for k in trained}
    known = [k for k in trained if claims[k].recorded not in ("undecided", "open")]
    at = next(k for k in trained if k not in known)
    claims[at] = replace(claims[at], recorded="supported")
    after = script["page"](claims), script["paragraph"](claims)
    assert before[0] != after[0]
    said = [" ".join(text.split()) for text in (before[1], after[1])]
    assert f"{len(known)} have a verdict" in said[0]
    assert f"{len(known) + 1} have a" in said[1]
    supported = re.compile(rf"\*supported\*: [^.]*{re.escape(claims[at].title)}")
    assert supported.search(said[1])
    assert not supported.search(said[0])


def test_the_trials_of_remedies_are_those_of_the_file():
    script = runpy.run_path(str(DOCS / "try_remedies.py"))
    text = script["PAGE"].read_text("utf-8")
    assert script["page"](text) == text, "run python docs/try_remedies.py --tables"
    rows = json.loads(script["DATA"].read_text("utf-8"))
    rows[0]["losses"]["L-BFGS"] *= 1e-3
    case = script["CASES"][0]
    assert script["table"](case, [r for r in rows if r["case"] == case.name]) not in text


#: Words that only this project understood; references by number that no page resolved.
_DIALECT = re.compile(r"\btold\b(?! apart)|\bmended\b|\bin vain\b|(?<!, )\bbut for\b|\[S[1-6]\]")


def test_pages_speak_plain_english():
    found = {page: _DIALECT.findall(path.read_text("utf-8")) for page, path in PAGES.items()}
    assert {page: words for page, words in found.items() if words} == {}
    assert _DIALECT.findall("It is left out and told [S2].") == ["told", "[S2]"]
    assert not _DIALECT.search("Signs are told apart.")


@cache
def _reference() -> list[str]:
    pages = [path.read_text("utf-8") for path in sorted((DOCS / "reference").glob("*.md"))]
    return re.findall(r"^   (\w+)$", "\n".join(pages), re.MULTILINE)


def test_the_reference_has_every_public_name():
    modules = ("testing", "sinks", "callbacks", "metrics", "losses", "plots")
    public = set(epsrank.__all__) - {"__version__"}
    for name in modules:
        public |= set(importlib.import_module(f"epsrank.{name}").__all__)
    assert set(_reference()) == public
    assert len(_reference()) == len(set(_reference()))


def test_every_paper_that_pages_cite_is_in_the_bibliography():
    text = (DOCS / "concepts" / "references.bib").read_text("utf-8")
    entries = set(re.findall(r"^@\w+\{(\w+),", text, re.MULTILINE))
    cited = {
        key
        for path in PAGES.values()
        for keys in re.findall(r"\{cite:\w+\}`([\w,]+)`", path.read_text("utf-8"))
        for key in keys.split(",")
    }
    assert cited == entries
    page = PAGES["concepts/bibliography"].read_text("utf-8")
    of_papers = re.findall(r"^  (?:title = \{\{(.+)\}\}|url = \{(.+)\}),$", text, re.MULTILINE)
    assert [part for pair in of_papers for part in pair if part not in page] == []


def test_every_image_is_drawn_by_a_command_that_a_page_names():
    kept = PAGES["architecture"].read_text("utf-8").partition("## What is kept")[2]
    commands = {
        image: command
        for images, command in re.findall(r"^\| (.*?) \|.*\| `([^`]+)` \|$", kept, re.MULTILINE)
        for image in re.findall(r"docs/images/([\w.]+)", images)
    }
    # One column wide, for phones: the same command draws them, or `epsrank plot --columns 1`.
    there = {path.name for path in (DOCS / "images").iterdir()}
    narrow = {image for image in there if image.endswith("-narrow.svg")}
    assert {image.replace("-narrow", "") for image in narrow} <= set(commands)
    assert set(commands) == there - narrow
    drawn = (DOCS / "draw_images.py").read_text("utf-8")
    known = set(re.findall(r'^    "([\w.]+)": \w+,$', drawn, re.MULTILINE))
    for image, command in commands.items():
        if command.startswith("python "):
            script = command.split()[1]
            assert (ROOT / script).is_file(), command
            assert not script.endswith("draw_images.py") or image in known & {*command.split()}
    pages = "".join(path.read_text("utf-8") for path in [*PAGES.values(), ROOT / "README.md"])
    assert [image for image in commands if f"images/{image})" not in pages] == []


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
@pytest.mark.parametrize("code", [0, 1])
def test_a_failed_build_of_the_site_leaves_nothing_that_hides_its_warnings(tmp_path, code):
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "bin").mkdir()
    sphinx = tmp_path / "bin" / "python"
    sphinx.write_text(f"#!/bin/sh\nmkdir -p build/docs/.doctrees\nexit {code}\n", "utf-8")
    sphinx.chmod(0o755)
    made = subprocess.run(
        ["make", "docs", "SITE=", "BIN=bin"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (made.returncode != 0) == bool(code), made.stderr
    assert (tmp_path / "build" / "docs" / ".doctrees").exists() == (not code)


def pictures(text: str) -> Iterator[tuple[str, set[str], set[str], set[str], bool]]:
    """Yield the sections of the gallery: kinds of the command, shown wide, narrow, and how read."""
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title = section.partition("\n")[0]
        commands = re.findall(r"^epsrank plot theory --kind (.+)$", section, re.MULTILINE)
        explained = re.search(r"^\*\*How to read (?:it|them)\.\*\*", section, re.MULTILINE)
        cells = [re.findall(rf':tags: \[remove-input, {tag}\]\n\n{call}\("([\w-]+)"\)', section)
                 for tag, call in (("wide", "show"), ("phone", "narrow"))]  # fmt: skip
        wide, phone = map(set, cells)
        yield title, set(" ".join(commands).split()), wide, phone, explained is not None


def test_pictures_of_the_gallery_have_command_phone_and_reading():
    text = PAGES["evidence/gallery"].read_text("utf-8")
    found = list(pictures(text))
    for title, of_command, wide, phone, explained in found:
        assert of_command == wide == phone != set(), title
        assert explained, title
    assert sum(len(each[2]) for each in found) == text.count("\nshow(") >= 6
    planted = text.replace('narrow("noise")', "").replace("**How to read them.**", "")
    wrong = [each[0] for each in pictures(planted) if not each[4] or each[2] != each[3]]
    assert wrong == ["The rank that width, depth and slope give", "What a float type can resolve"]


def _numbers_of_papers(text):
    """Numbers of arXiv: four digits of year and month, a point, five more."""
    return set(re.findall(r"(?<![\d.])\d{2}(?:0[1-9]|1[0-2])\.\d{5}(?!\d)", text))


def test_every_number_of_arxiv_in_the_code_is_in_the_bibliography():
    listed = _numbers_of_papers((DOCS / "concepts" / "references.bib").read_text("utf-8"))
    files = [path for room in ("theory", "numerics", "proofs", "epsrank")
             for path in (ROOT / room).rglob("*.py")]  # fmt: skip
    held = {path: _numbers_of_papers(path.read_text("utf-8")) for path in files}
    assert {path: numbers - listed for path, numbers in held.items() if numbers - listed} == {}
    assert len(set().union(*held.values())) > 20
    assert _numbers_of_papers("Cohen 2021 (2103.00065), arXiv:1901.10159.") > {"2103.00065"}
    assert _numbers_of_papers("12.3456, 1234.56789, 3.2103.00065, 2103.000651") == set()


def test_pages_link_to_the_bibliography_in_place_of_bare_numbers():
    bare = re.compile(r"arXiv:?\s\d{4}\.\d")
    assert bare.search("of Chen (arXiv 2410.20119)")
    assert [name for name, path in PAGES.items() if bare.search(path.read_text("utf-8"))] == []


def test_the_packages_of_the_site_are_pinned_and_in_no_wheel():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pinned = {line.partition("==")[0].lower().replace("_", "-")
              for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()}  # fmt: skip
    wanted = {re.split(r"[>=\[]", r)[0] for r in project["optional-dependencies"]["docs"]}
    assert wanted - {"epsrank"} <= pinned
    assert not wanted & {re.split(r"[>=]", r)[0] for r in project["dependencies"]}
