"""Rooms import downwards only, theory never imports torch, and no file grows beyond 350 lines."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("theory", "numerics", "proofs", "epsrank")
LONGEST = 350


def imported(source: str, package: str) -> set[str]:
    """Return the dotted names that a file imports, at any depth, relative ones made absolute."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parts, *([base] if base else [])])
            names.add(base)
        elif (
            isinstance(node, ast.Call)
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, str)
            and _called(node.func) in {"import_module", "__import__"}
        ):
            names.add(node.args[0].value)
    return names


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


def test_no_file_is_longer_than_a_screenful_or_seven():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in _files()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST
    }
    assert not long


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
