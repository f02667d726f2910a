"""Rooms import downwards only, nothing imports in circles, theory never imports torch."""

from __future__ import annotations

import ast
import graphlib
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from epsrank.theory.extras import PACKAGES

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("theory", "numerics", "proofs", "epsrank")
LONGEST = 350


@cache
def parsed(source: str) -> tuple[ast.Module, tuple[ast.AST, ...]]:
    """Return the tree of a file and all nodes in it, made once for all that look at it."""
    tree = ast.parse(source)
    return tree, tuple(ast.walk(tree))


def imported(source: str, package: str) -> set[str]:
    """Return the dotted names that a file imports, at any depth, relative ones made absolute."""
    names: set[str] = set()
    for node in parsed(source)[1]:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(absolute(node, package))
        elif (
            isinstance(node, ast.Call)
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, str)
            and _called(node.func) in {"import_module", "__import__"}
        ):
            names.add(node.args[0].value)
    return names


def absolute(node: ast.ImportFrom, package: str) -> str:
    """Return the dotted name that names are imported from, made absolute where it is relative."""
    base = node.module or ""
    if not node.level:
        return base
    parts = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*parts, *([base] if base else [])])


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def room_of(name: str) -> str:
    """Return the room of a dotted name (``theory`` of ``epsrank.theory.rank``), else its start."""
    first, _, rest = name.partition(".")
    second = rest.partition(".")[0]
    return second if first == "epsrank" and second in ROOMS[:-1] else first


def wrong_imports(source: str, package: str) -> list[str]:
    """Return what a file of a package must not import."""
    room = room_of(package)
    above = set(ROOMS[ROOMS.index(room) + 1 :])
    forbidden = above | ({"torch", "torchvision"} if room == "theory" else set())
    # The rooms under their bare names are a second copy of every class.
    bare = set(ROOMS[:-1])
    return sorted(
        name
        for name in imported(source, package)
        if room_of(name) in forbidden or name.partition(".")[0] in bare
    )


@cache
def _files():
    # rglob follows no links before Python 3.13: epsrank/theory is read once, as theory.
    return [
        path
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        if not any(parent.is_symlink() for parent in path.parents)
    ]


def _package(path: Path) -> str:
    parts = path.relative_to(ROOT).parent.parts
    return ".".join(parts if parts[0] == "epsrank" else ("epsrank", *parts))


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_downwards_only(room):
    files = [path for path in _files() if path.relative_to(ROOT).parts[0] == room]
    assert files, f"no files in {room}"
    faults = {
        str(path.relative_to(ROOT)): wrong
        for path in files
        if (wrong := wrong_imports(path.read_text(encoding="utf-8"), _package(path)))
    }
    assert not faults


def lines_of_docstrings(source: str) -> int:
    """Count the lines of a file that its docstrings take."""
    documented = 0
    for node in parsed(source)[1]:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if ast.get_docstring(node, clean=False) is not None and first is not None:
                documented += (first.end_lineno or first.lineno) - first.lineno + 1
    return documented


def lines_of_code(source: str) -> int:
    """Count the lines of a file without those of its docstrings."""
    return len(source.splitlines()) - lines_of_docstrings(source)


def share_of_docstrings(sources: Collection[str]) -> float:
    """Return the share of the lines of some files that docstrings take."""
    lines = sum(len(source.splitlines()) for source in sources)
    return sum(map(lines_of_docstrings, sources)) / lines


@pytest.mark.parametrize("room", ROOMS)
def test_docstrings_are_at_most_a_quarter_of_the_lines(room):
    files = [path for path in _files() if path.relative_to(ROOT).parts[0] == room]
    assert share_of_docstrings([path.read_text(encoding="utf-8") for path in files]) <= 1 / 4


def test_a_planted_essay_is_caught():
    code = "def f():\n    return 1\n"
    essay = 'def g():\n    """Say\n\n    much.\n    """\n    return 1\n'
    assert share_of_docstrings([code, code]) == 0
    assert share_of_docstrings([code, essay]) == 4 / 8


def test_no_file_is_longer_than_a_screenful_or_seven():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in _files()
        if (lines := lines_of_code(path.read_text(encoding="utf-8"))) > LONGEST
    }
    assert not long


def module_of(path: Path) -> str:
    """Return the import name of a file."""
    name = f"{_package(path)}.{path.stem}"
    return name.removesuffix(".__init__")


def import_graph(sources: Mapping[str, str], packages: Collection[str]) -> dict[str, set[str]]:
    """Return which modules each module names in its imports, those for type checkers too."""
    graph: dict[str, set[str]] = {name: set() for name in sources}
    for module, source in sources.items():
        package = module if module in packages else module.rpartition(".")[0]
        for node in parsed(source)[1]:
            if isinstance(node, ast.Import):
                graph[module] |= {alias.name for alias in node.names} & set(sources)
            elif isinstance(node, ast.ImportFrom):
                base = absolute(node, package)
                for alias in node.names:
                    inner = f"{base}.{alias.name}"
                    # A submodule, or a name that the module itself gives.
                    graph[module] |= {inner if inner in sources else base} & set(sources)
        if module in packages:  # a package's face imports what lies behind it
            graph[module] = {name for name in graph[module] if not name.startswith(f"{module}.")}
    return graph


def folder_graph(graph: Mapping[str, set[str]], packages: Collection[str]) -> dict[str, set[str]]:
    """Return which folders import which; a folder and what it contains are no pair."""
    folders: dict[str, set[str]] = {}
    for module, targets in graph.items():
        here = module if module in packages else module.rpartition(".")[0]
        for target in targets:
            there = target if target in packages else target.rpartition(".")[0]
            if not f"{here}.".startswith(f"{there}.") and not f"{there}.".startswith(f"{here}."):
                folders.setdefault(here, set()).add(there)
    return folders


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Return one circle of a graph, or nothing."""
    try:
        tuple(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def test_no_files_and_no_folders_import_in_circles():
    sources = {module_of(path): path.read_text(encoding="utf-8") for path in _files()}
    packages = {module_of(path) for path in _files() if path.name == "__init__.py"}
    graph = import_graph(sources, packages)
    assert sum(len(targets) for targets in graph.values()) > 1000
    assert not circle(graph)
    assert not circle(folder_graph(graph, packages))


def test_planted_circles_are_caught():
    packages = {"epsrank.a", "epsrank.b"}
    sources = {
        "epsrank.a": "",
        "epsrank.b": "",
        "epsrank.a.one": "if TYPE_CHECKING:\n    from epsrank.b.two import f",
        "epsrank.b.two": "from epsrank.b import three",
        "epsrank.b.three": "",
        "epsrank.a.four": "",
    }
    assert not circle(import_graph(sources, packages))
    assert not circle(folder_graph(import_graph(sources, packages), packages))
    files = {**sources, "epsrank.b.three": "def f():\n    import epsrank.b.two"}
    assert set(circle(import_graph(files, packages))) == {"epsrank.b.two", "epsrank.b.three"}
    files = {**sources, "epsrank.b.three": "from . import two"}
    assert set(circle(import_graph(files, packages))) == {"epsrank.b.two", "epsrank.b.three"}
    folders = {**sources, "epsrank.b.three": "from ..a.four import g"}
    assert not circle(import_graph(folders, packages))
    assert set(circle(folder_graph(import_graph(folders, packages), packages))) == packages


@pytest.mark.parametrize(
    ("source", "package", "wrong"),
    [
        ("import epsrank.numerics", "epsrank.theory", ["epsrank.numerics"]),
        (
            "from epsrank.numerics.training import train",
            "epsrank.theory.floor",
            ["epsrank.numerics.training"],
        ),
        ("import torch.nn as nn", "epsrank.theory", ["torch.nn"]),
        ("def f():\n    from torch import Tensor", "epsrank.theory.rank", ["torch"]),
        ("from epsrank.proofs import runner", "epsrank.numerics.plots", ["epsrank.proofs"]),
        ("if True:\n    import epsrank.cli", "epsrank.proofs", ["epsrank.cli"]),
        ("from epsrank import epsilon_rank", "epsrank.numerics", ["epsrank"]),
        (
            "import importlib\nimportlib.import_module('epsrank.proofs.ledger')",
            "epsrank.numerics",
            ["epsrank.proofs.ledger"],
        ),
        ("__import__('torch')", "epsrank.theory", ["torch"]),
        ("from theory.rank import epsilon_rank", "epsrank.numerics", ["theory.rank"]),
        ("import numerics", "epsrank.cli", ["numerics"]),
        ("from . import floor", "epsrank.theory", []),
        ("from ..floor import tail", "epsrank.theory.rank", []),
        ("import torch\nfrom epsrank.theory import rank", "epsrank.numerics", []),
        (
            "from epsrank.theory.rank import epsilon_rank\nimport epsrank.numerics",
            "epsrank.cli",
            [],
        ),
    ],
)
def test_planted_imports_are_caught(source, package, wrong):
    assert wrong_imports(source, package) == wrong


def at_once(body: Iterable[ast.stmt], inside: Collection[str]) -> Iterator[str]:
    """Yield what an import of this code brings along: nothing of functions and hints of types."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in inside else node.module
        elif isinstance(node, ast.With | ast.ClassDef):
            yield from at_once(node.body, inside)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
            yield from at_once([*node.body, *node.orelse], inside)


def beginnings(module: str) -> set[str]:
    """Return a module and the packages around it, whose files run first."""
    parts = module.split(".")
    return {".".join(parts[:end]) for end in range(1, len(parts) + 1)}


def needing(packages: Collection[str], sources: Mapping[str, str]) -> set[str]:
    """Return the modules whose import brings one of the packages along, be it by others."""
    brought = {
        name: set().union(
            beginnings(name), *map(beginnings, at_once(parsed(source)[0].body, sources))
        )
        for name, source in sources.items()
    }
    needy: set[str] = set(packages)
    while more := {name for name, found in brought.items() if found & needy} - needy:
        needy |= more
    return needy & set(sources)


def test_modules_that_need_an_extra_are_listed():
    """What stands in docs/data for each extra is what the imports say; a slow test tries them."""
    sources = {module_of(path): path.read_text("utf-8") for path in _files()}
    listed = json.loads((ROOT / "docs" / "data" / "modules-per-extra.json").read_text("utf-8"))
    page = (ROOT / "docs" / "installing.md").read_text("utf-8")
    for extra, entries in listed.items():
        found = needing([name for name, (_, of) in PACKAGES.items() if of == extra], sources)
        covered = {n for n in found for entry in entries if f"{n}.".startswith(f"{entry}.")}
        assert sorted(found - covered) == [], extra
        idle = [
            entry for entry in entries if not any(f"{n}.".startswith(f"{entry}.") for n in found)
        ]
        assert idle == [], extra
        assert [entry for entry in entries if f"`{entry}`" not in page] == []


@pytest.mark.parametrize(
    ("sources", "found"),
    [
        ({"epsrank.a": "from epsrank.b import c", "epsrank.b": "with x:\n    import jinja2"}, 2),
        ({"epsrank.a": "", "epsrank.a.b": "", "epsrank": "import jinja2.x"}, 3),
        ({"epsrank.a": "def f():\n    import jinja2"}, 0),
        ({"epsrank.a": "if TYPE_CHECKING:\n    import jinja2"}, 0),
    ],
)
def test_planted_needs_of_extras_are_caught(sources, found):
    assert len(needing(["jinja2"], sources)) == found


SECTION = re.compile(r"^ *(Parameters|Returns|Yields|Raises|Attributes)\n *-{3,}$", re.MULTILINE)


def public_names() -> set[str]:
    """Return what a user imports: the names of epsrank and of its modules for one purpose."""
    purposes = ("callbacks", "losses", "metrics", "plots", "sinks", "strategies", "testing")
    modules = ("epsrank", *(f"epsrank.{purpose}" for purpose in purposes))
    return {name for module in modules for name in importlib.import_module(module).__all__}


def with_tables(source: str, public: Collection[str]) -> list[str]:
    """Return the functions and classes whose docstrings have sections though they are internal."""
    found = []

    def visit(body: list[ast.stmt], inherited: bool | None) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                hidden = node.name.startswith("_") and node.name != "__init__"
                # At the top of a file a name is public if it is exported, in a class with it.
                shown = node.name in public if inherited is None else inherited and not hidden
                if not shown and SECTION.search(ast.get_docstring(node) or ""):
                    found.append(node.name)
                visit(node.body, shown if isinstance(node, ast.ClassDef) else False)

    visit(parsed(source)[0].body, None)
    return found


def test_only_public_names_have_sections_in_their_docstrings():
    public = public_names()
    tables = {
        str(path.relative_to(ROOT)): names
        for path in _files()
        if (names := with_tables(path.read_text(encoding="utf-8"), public))
    }
    assert not tables


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('def f(x):\n    """Do.\n\n    Parameters\n    ----------\n    x : int\n    """', ["f"]),
        ('def shown(x):\n    """Do.\n\n    Raises\n    ------\n    E\n    """', []),
        (
            'class Shown:\n    def _f(self):\n        """Do.\n\n        Returns\n        -------\n'
            '        int\n        """',
            ["_f"],
        ),
        (
            'class Shown:\n    def f(self):\n        """Do.\n\n        Returns\n        -------\n'
            '        int\n        """',
            [],
        ),
        ('def f(x):\n    """Return x; Parameters are named elsewhere."""', []),
    ],
)
def test_planted_sections_are_caught(source, found):
    assert with_tables(source, {"shown", "Shown"}) == found


def lacking_sections(source: str, public: Collection[str]) -> list[str]:
    """Return what the docstrings of exported functions leave out: arguments, or errors."""
    lacking = []
    for node in parsed(source)[0].body:
        if not isinstance(node, ast.FunctionDef) or node.name not in public:
            continue
        text = ast.get_docstring(node) or ""
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        # Hypothesis fills in the first argument of a composite strategy.
        if {item.arg for item in arguments} - {"draw"} and "Parameters\n---" not in text:
            lacking.append(f"{node.name}: Parameters")
        raised = {
            _called(item.exc.func)
            for item in ast.walk(node)
            if isinstance(item, ast.Raise) and isinstance(item.exc, ast.Call)
        }
        if "InputError" in raised and "Raises\n---" not in text:
            lacking.append(f"{node.name}: Raises")
    return lacking


def test_public_functions_say_what_they_take_and_raise():
    public = public_names()
    lacking = {
        str(path.relative_to(ROOT)): names
        for path in _files()
        if path.parent.name != "cli"  # commands of the same names
        and (names := lacking_sections(path.read_text(encoding="utf-8"), public))
    }
    assert not lacking


def test_planted_lack_of_sections_is_caught():
    source = 'def f(x):\n    """Do."""\n    raise InputError("x", "is bad", "mend it")'
    assert lacking_sections(source, {"f"}) == ["f: Parameters", "f: Raises"]
    assert lacking_sections(source, {"g"}) == []


def test_no_ignore_rule_swallows_a_source_file():
    file = ROOT / ".gitignore"
    if not file.is_file():
        pytest.skip("no .gitignore in a source archive")
    rules = file.read_text(encoding="utf-8").split()
    # A rule without a leading slash holds at any depth: it must not be the name of a package.
    folders = {
        f"{path.name}/" for room in ROOMS for path in (ROOT / room).rglob("*") if path.is_dir()
    }
    assert not (set(rules) - {"__pycache__/"}) & folders


@pytest.mark.parametrize("room", ROOMS[:-1])
def test_rooms_have_one_name(room):
    with pytest.raises(ImportError, match=f"import epsrank.{room}"):
        importlib.import_module(room)
    code = f"import epsrank.{room}; import {room}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"import epsrank.{room}, not {room}" in done.stderr


#: Nouns that messages and pages count.
_COUNTED = frozenset(
    [
        "arguments",
        "arrays",
        "axes",
        "batches",
        "bits",
        "bytes",
        "cases",
        "checks",
        "claims",
        "classes",
        "columns",
        "comparisons",
        "dimensions",
        "directions",
        "eigenvalues",
        "entries",
        "experiments",
        "features",
        "figures",
        "files",
        "inputs",
        "instances",
        "labels",
        "layers",
        "measurements",
        "minutes",
        "neurons",
        "networks",
        "nodes",
        "outputs",
        "pairs",
        "parameters",
        "pieces",
        "points",
        "positions",
        "rows",
        "runs",
        "samples",
        "seconds",
        "seeds",
        "settings",
        "sides",
        "starts",
        "steps",
        "terms",
        "theorems",
        "thresholds",
        "trials",
        "tries",
        "values",
        "weights",
    ]
)
# What is measured with is on record with its words; what travels with certificates is, too.
_WORDS_ON_RECORD = (
    "numerics/experiments/",
    "numerics/staircase/",
    "proofs/coq/",
    "proofs/formal/export",
    "proofs/formal/floor_certificate",
    "proofs/formal/rank_certificate",
    "epsrank/benchmarks/",
)
_NO_NUMBERS = re.compile(r"\beps\b|dtype|activation|kind|optimizer|sorted\(|join|name")


def counted_by_hand(source: str) -> list[str]:
    """Return “{n} runs” in f-strings: with one of them it would read “1 runs”."""
    found = []
    for node in parsed(source)[1]:
        if not isinstance(node, ast.JoinedStr):
            continue
        for number, text in zip(node.values, node.values[1:], strict=False):
            words = text.value.split() if isinstance(text, ast.Constant) else []
            if (
                isinstance(number, ast.FormattedValue)
                and words[:1]
                and text.value.startswith(" ")
                and words[0].strip(".,;:)") in _COUNTED
                and not _NO_NUMBERS.search(ast.unparse(number.value))
            ):
                found.append(f"line {number.lineno}: {ast.unparse(number.value)} {words[0]}")
    return found


def test_numbers_have_their_nouns_from_one_helper():
    found = [
        f"{path.relative_to(ROOT)}: {problem}"
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        if not path.relative_to(ROOT).as_posix().startswith(_WORDS_ON_RECORD)
        and not {"theory", "numerics", "proofs"} & set(path.relative_to(ROOT).parts[1:2])
        for problem in counted_by_hand(path.read_text("utf-8"))
    ]
    assert not found, "\n".join(["use epsrank.theory.words.plural:", *found])


def test_planted_plurals_are_caught():
    assert counted_by_hand('f"{n} runs failed"') == ["line 1: n runs"]
    assert not counted_by_hand("f\"{plural(n, 'run')} failed, {dtype} features\"")
