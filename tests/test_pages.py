"""Every file, folder, module, function and link that the pages name exists; the map is of today."""

from __future__ import annotations

import ast
import importlib
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from epsrank.cli import main
from epsrank.cli.plot import _KINDS as KINDS
from epsrank.cli.plot import _OWN as OWN
from epsrank.cli.plot import _THEORY as THEORY
from epsrank.cli.plot_sweep import SWEEP_KINDS
from epsrank.proofs.ledger.claims import load_ledger

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))
    # The changelog says what things were called before.
    if path.name != "CHANGELOG.md"
)
ROOMS = ("theory", "numerics", "proofs")

_TOP = r"(?:theory|numerics|proofs|epsrank|tests|docs|\.ci)"
_PATH = re.compile(rf"(?<![\w./$~-]){_TOP}(?:/[\w.*-]+)+/?|(?<![\w./$~-]){_TOP}/(?![\w.*<-])")
_SOURCE = re.compile(r"(?<![\w./$*-])((?:[\w-]+/)*\w+\.(?:py|v))(?::([A-Za-z_][\w.]*))?(?![\w*])")
_MODULE = re.compile(r"(?<![\w./-])epsrank(?!\.json\b)(?:\.[A-Za-z_]\w*)+")
_BARE = re.compile(rf"(?<![\w./-])(?:{'|'.join(ROOMS)})\.(?!py\b|md\b)[a-z_]\w*")
_BLOCK = re.compile(r"^```.*?^```", flags=re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PLACEHOLDER = re.compile(r"NAME|NN")

#: Names that the trackers see, which look like paths.
_TRACKED = re.compile(r"epsrank/(?:step|loss|cost|LAYER/.*|1/.*)")
#: Files of a user, in examples, and of a folder that `epsrank prove --export` writes.
_OF_A_USER = {
    "audit.v",
    "certificate/check_data.py",
    "mine.py",
    "my_claims.py",
    "my_nets.py",
    "my_pde.py",
    "my_tasks.py",
    "mynet.py",
    "numerics.py",
    "our_claims.py",
    "test_mine.py",
}


def _exists(path: str) -> bool:
    """Whether a path is there; NAME and NN stand for anything, and a pattern matches something."""
    pattern = _PLACEHOLDER.sub("*", path.rstrip("./"))
    # In a source archive the rooms lie in epsrank/ only.
    return any(any(base.glob(pattern)) for base in (ROOT, ROOT / "epsrank"))


def _sources(name: str) -> list[Path]:
    """Return the source files whose path ends like this."""
    if _PLACEHOLDER.search(name):
        return []
    return [
        path
        for room in (*ROOMS, "epsrank", "tests")
        for path in (ROOT / room).rglob(Path(name).name)
        if f"/{path.as_posix()}".endswith(f"/{name}")
    ] + [path for path in (ROOT / name, ROOT / "epsrank" / name) if path.is_file()]


def _defines(source: str, name: str) -> bool:
    """Whether a file defines a function, class, constant, or ``Class.method``."""
    body: list[ast.stmt] = ast.parse(source).body
    for part in name.split("."):
        found: list[ast.stmt] | None = None
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found = node.body if node.name == part else found
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                named = {target.id for target in targets if isinstance(target, ast.Name)}
                found = [] if part in named else found
        if found is None:
            return False
        body = found
    return True


def _imports(name: str) -> bool:
    """Whether a dotted name is a module, or something that a module holds."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        try:
            for part in parts[length:]:
                found = getattr(found, part)
        except AttributeError:
            return False
        return True
    return False


def _anchors(text: str) -> set[str]:
    """Return the anchors of the headings of a page, as they are made on GitHub."""
    headings = re.findall(r"^#+ (.*)$", _BLOCK.sub("", text), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def faults(text: str, folder: Path = ROOT) -> list[str]:
    """Return what a page names that is not there."""
    return sorted({*_broken_links(text, folder), *_unknown_names(_LINK.sub("]", text))})


def _broken_links(text: str, folder: Path) -> Iterator[str]:
    """Yield links to files and headings that are not there."""
    for link in _LINK.findall(_BLOCK.sub("", text)):
        file, _, anchor = link.partition("#")
        if link.startswith(("https://", "http://")):
            continue
        target = folder / file
        there = target.exists()
        if there and anchor:
            there = anchor in _anchors(target.read_text("utf-8") if file else text)
        if not there:
            yield link


def _unknown_names(text: str) -> Iterator[str]:
    """Yield paths, files, what files define, and modules that are not there."""
    for match in _PATH.finditer(text):
        path = match[0]
        if not _TRACKED.fullmatch(path) and not _exists(path):
            yield path
    for match in _SOURCE.finditer(text):
        name, inner = match[1], match[2]
        files = _sources(name)
        if not files and name not in _OF_A_USER and not _exists(name):
            yield name
        elif inner and not any(_defines(file.read_text("utf-8"), inner) for file in files):
            yield f"{name}:{inner}"
    for name in _MODULE.findall(text):
        if not _imports(name):
            yield name
    yield from _BARE.findall(text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_exists(page):
    assert not faults(page.read_text(encoding="utf-8"), page.parent)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("see `theory/routes/gram.py`", ["theory/routes/gram.py"]),
        ("see `theory/rank/routes/gram.py`, `theory/rank/`, and docs/cli.md.", []),
        ("`numerics/judges/`", ["numerics/judges/"]),
        ("`numerics/experiments/aNN_NAME.py`, `proofs/coq/theories/*.v`", []),
        ("`proofs/experiments/bNN_NAME.py`", ["proofs/experiments/bNN_NAME.py"]),
        ("`epsrank.theory.order_statistics`", ["epsrank.theory.order_statistics"]),
        ("`epsrank.theory.statistics.beta_quantile`", ["epsrank.theory.statistics.beta_quantile"]),
        ("`epsrank.theory.rank`, `epsrank.RankMonitor.step`", []),
        ("`theory.rank` has a second copy of each class", ["theory.rank"]),
        ("in `form.v` and `streaming.py`, or `numerics.py` of yours", []),
        ("in `streaming_gram.py`", ["streaming_gram.py"]),
        ("`numerics/gram/streaming.py:StreamingGram.update`", []),
        ("`numerics/gram/streaming.py:Streaming`", ["numerics/gram/streaming.py:Streaming"]),
        ("`errors.py:InputError`, `gram/streaming.py:StreamingGram`", []),
        ("[floors](docs/floors.md)", ["docs/floors.md"]),
        ("[train](docs/cli.md#epsrank-train) [x](https://example.org/docs/y.md)", []),
        ("[train](docs/cli.md#epsrank-fit)", ["docs/cli.md#epsrank-fit"]),
        ("`epsrank.json` says what a folder is", []),
        ("a scalar `epsrank/LAYER/stable_rank`, `epsrank/loss`", []),
    ],
)
def test_planted_names_are_caught(text, wrong):
    assert faults(text) == wrong


def begin_with(docstring: str) -> set[str]:
    """Return the names of modules in the paragraph that says where to begin."""
    paragraphs = [part for part in docstring.split("\n\n") if part.startswith("Begin with")]
    return set(re.findall(r"`+([\w.]+)`+", " ".join(paragraphs)))


def _missing_beside(docstring: str, folder: Path) -> set[str]:
    beside = {path.stem for path in folder.iterdir()} | {path.name for path in folder.iterdir()}
    return {name for name in begin_with(docstring) - beside if not _imports(name)}


def test_packages_say_to_begin_with_what_is_there():
    said = 0
    for room in (*ROOMS, "epsrank"):
        for path in (ROOT / room).rglob("__init__.py"):
            docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            assert not _missing_beside(docstring, path.parent), path
            said += bool(begin_with(docstring))
    assert said >= 10


def test_a_wrong_beginning_is_caught():
    docstring = "Sums.\n\nBegin with `streaming`, then `layers` and `epsrank.theory.rank`."
    assert _missing_beside(docstring, ROOT / "numerics" / "gram") == {"layers"}


def test_the_map_is_drawn_from_the_imports_of_today():
    if not (ROOT / "theory").is_dir():
        pytest.skip("a source archive has the rooms in epsrank/ only")
    script = runpy.run_path(str(ROOT / "docs" / "draw_map.py"))
    graph = script["read_imports"]()
    drawn = script["draw"](graph)
    assert script["MAP"].read_text(encoding="utf-8") == drawn, "run python docs/draw_map.py"
    graph["numerics/networks"].add("numerics/operators")
    assert script["draw"](graph) != drawn


def test_the_table_of_the_papers_has_the_verdicts_on_record():
    script = runpy.run_path(str(ROOT / "docs" / "write_claims.py"))
    text, claims = script["PAPERS"].read_text(encoding="utf-8"), load_ledger()
    assert script["rewritten"](text, claims) == text, "run python docs/write_claims.py"
    assert script["rewritten"](text.replace("*supported*", "*proved*"), claims) == text


def _of_command(text: str) -> dict[str, str]:
    """Return the sections of the page of commands by the command."""
    names = re.findall(r"^## epsrank (\S+)", text, re.MULTILINE)
    parts = re.split(r"^## epsrank \S+.*$", text, flags=re.MULTILINE)[1:]
    return dict(zip(names, parts, strict=True))


def test_every_option_and_kind_of_a_command_is_on_its_page():
    sections = _of_command((ROOT / "docs" / "cli.md").read_text("utf-8"))
    missing = []
    for name, command in main.commands.items():
        page = sections.get(name, "")
        words = [word for option in command.params if isinstance(option, click.Option)
                 for word in option.opts if word.startswith("--")]  # fmt: skip
        missing += [f"{name} {word}" for word in words
                    if not re.search(rf"{re.escape(word)}(?![\w-])", page)]  # fmt: skip
    missing += [
        f"plot --kind {kind}" for kind in (*KINDS, *SWEEP_KINDS) if kind not in sections["plot"]
    ]
    figures = (ROOT / "docs" / "theory-plots.md").read_text("utf-8")
    missing += [
        f"plot theory --kind {kind}" for kind in (*THEORY, *OWN) if f"`{kind}`" not in figures
    ]
    assert missing == []
