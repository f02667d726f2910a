"""The rules of experiments as data, and the hashes that bind a record to them.

`rules.toml` holds sizes, seeds, targets and levels. Two hashes stand in every record: that of the
rules that the experiment uses, and that of the instrument, the code that turns outcomes into
findings. A verdict may rest only on a record whose hashes are today's: otherwise a rule could be
changed after its confirmatory seeds were seen. No list says what the instrument is: it is the
experiment's module and whatever of the deciding packages it imports, directly or not.
"""

from __future__ import annotations

import ast
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Literal, get_args

from epsrank.theory.errors import InputError

Size = Literal["quick", "standard", "full"]
SIZES: tuple[Size, ...] = get_args(Size)

# What of a definition only tells readers and type checkers: neither decides anything.
_SILENT = frozenset({"annotation", "returns", "type_comment", "type_params", "type_ignores", "ctx"})


@dataclass(frozen=True)
class Stamp:
    """The hashes of the rules and of the instrument that an experiment is judged by."""

    rules: str
    instrument: str


@cache
def all_rules() -> Mapping[str, Any]:
    """Read rules.toml."""
    text = files("epsrank.numerics.experiments").joinpath("rules.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def shared_rules(name: str) -> Mapping[str, Any]:
    """Return rules that several experiments share, such as ``seeds`` or ``staircases``."""
    found: Mapping[str, Any] = all_rules()[name]
    return found


def experiment_rules(name: str, size: Size) -> Mapping[str, Any]:
    """Return what holds for an experiment at one size, with what holds for all its sizes."""
    table = all_rules().get(name)
    if table is None:
        known = ", ".join(key for key, entry in all_rules().items() if "quick" in entry)
        raise InputError("experiment", f"{name!r} has no rules", f"choose one of {known}")
    if size not in SIZES:
        raise InputError("size", f"is {size!r}", f"choose one of {', '.join(SIZES)}")
    general = {key: value for key, value in table.items() if key not in SIZES}
    return {**general, **table[size]}


def stamp(name: str) -> Stamp:
    """Return the hashes of today's rules and instrument of an experiment."""
    table = all_rules().get(name, {})  # an experiment of one's own has the shared rules alone
    used = {key: all_rules()[key] for key in (*_FOR_ALL, *table.get("uses", ()))}
    return Stamp(
        _digest({"experiment": table, "shared": used}),
        _digest({module: _module_digest(module) for module in instrument(name)}),
    )


# Rules that every record stands under, whatever its experiment names in `uses`.
_FOR_ALL = ("seeds", "verdicts", "robustness")


def instrument(name: str) -> tuple[str, ...]:
    """Return the modules that turn the outcomes of an experiment into findings, sorted."""
    table = all_rules().get(name, {})
    if "module" not in table:
        return ()
    found: set[str] = set()
    ahead = [f"epsrank.numerics.experiments.{table['module']}"]
    while ahead:
        module = ahead.pop()
        if module not in found:
            found.add(module)
            ahead += _imports(module)
    return tuple(sorted(found))


def _decides(module: str) -> bool:
    """Whether a module lies where verdicts are made, and is not listed as silent."""
    lists = all_rules()["instruments"]
    inside = any(module == name or module.startswith(f"{name}.") for name in lists["deciding"])
    return inside and not any(
        module == name or module.startswith(f"{name}.") for name in lists["silent"]
    )


@cache
def _imports(module: str) -> tuple[str, ...]:
    """Return the deciding modules that one imports, at its top or inside of a function."""
    text = _source(module).read_text(encoding="utf-8")
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            # What follows `import` may be a module itself.
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return tuple(sorted(name for name in names if _decides(name) and _source(name).is_file()))


def _source(module: str) -> Traversable:
    """Return the file of a module, or of the first lines of a package."""
    package, _, name = module.rpartition(".")
    place = files("epsrank").joinpath(*package.split(".")[1:])
    file = place.joinpath(f"{name}.py")
    return file if file.is_file() else place.joinpath(name).joinpath("__init__.py")


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _module_digest(module: str) -> str:
    """Hash a module's code, and the data beside it that it reads by its own name."""
    file = _source(module)
    package, _, name = module.rpartition(".")
    data = files("epsrank").joinpath(*package.split(".")[1:]).joinpath(f"{name}.json")
    code = file.read_text(encoding="utf-8")
    return _digest([code_tree(code), data.read_text(encoding="utf-8") if data.is_file() else None])


def code_tree(source: str) -> Any:
    """Return what a source does: its syntax tree without docstrings, annotations and imports.

    Written out here, since the text of `ast.dump` differs between versions of Python.
    """
    return _tree(ast.parse(source))


def _tree(node: Any) -> Any:
    if isinstance(node, list):
        return [_tree(item) for item in node if not _is_silent(item)]
    if isinstance(node, ast.Constant):
        return [type(node.value).__name__, repr(node.value)]
    if not isinstance(node, ast.AST):
        return node
    fields = {
        name: _tree(value)
        for name, value in ast.iter_fields(node)
        # Later versions of Python leave empty fields out.
        if name not in _SILENT and value is not None and value != []
    }
    return {type(node).__name__: fields}


def _is_silent(node: Any) -> bool:
    text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return text or isinstance(node, ast.Import | ast.ImportFrom | ast.Pass)
