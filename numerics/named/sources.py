"""The content of what a user names: a hash of its source, and whether it changed since."""

from __future__ import annotations

import ast
import hashlib
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from epsrank.theory.errors import InputError

#: The setting of a trial that says what others were made of: hashes by their names.
SOURCES = "sources"

_READ_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Source:
    """The files that a module is made of: its own, and those beside it that it imports."""

    #: The module's file, and the folder that its dotted name is relative to.
    file: Path
    root: Path

    @classmethod
    def of(cls, module: str, file: Path) -> Source:
        """Return the source of a module that was found in a file."""
        package = file.name.startswith("__init__.")
        return cls(file, file.parents[module.count(".") + package])

    def files(self) -> list[Path]:
        """Return the files, as their imports say, whether or not these were carried out."""
        if self.file.suffix != ".py" or _installed(self.file):
            return [self.file]
        found: dict[Path, None] = {}
        waiting = [self.file]
        while waiting:
            file = waiting.pop()
            if file not in found:
                found[file] = None
                waiting += _imported(file, self.root)
        return sorted(found)

    def digest(self) -> str:
        """Return the SHA-256 of names and bytes of the files."""
        files = self.files()
        return _digest(self.root, tuple((file, _stamp(file)) for file in files))


def file_digest(path: str | Path, *, argument: str) -> str:
    """Return the SHA-256 of a file's content."""
    file = Path(path)
    try:
        return _file_digest(file.resolve(), _stamp(file))
    except OSError as error:
        raise InputError(
            argument, f"is {path}, which cannot be read ({error.strerror})", "check the path"
        ) from None


Stamp = tuple[int, int, int]


def _stamp(file: Path) -> Stamp:
    found = file.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


@cache
def _file_digest(file: Path, stamp: Stamp) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while part := stream.read(_READ_AT_ONCE):
            digest.update(part)
    return digest.hexdigest()


@cache
def _digest(root: Path, files: tuple[tuple[Path, Stamp], ...]) -> str:
    digest = hashlib.sha256()
    for file, stamp in files:
        name = file.relative_to(root).as_posix()
        digest.update(f"{name} {_file_digest(file, stamp)}\n".encode())
    return digest.hexdigest()


def _installed(file: Path) -> bool:
    """Tell whether a file belongs to Python or to a package that was installed."""
    return any(folder in file.parents for folder in _places_of_packages())


@cache
def _places_of_packages() -> tuple[Path, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple({Path(sysconfig.get_path(name)).resolve() for name in names})


def _imported(file: Path, root: Path) -> list[Path]:
    """Return the files below a folder that a file names in its imports."""
    return _imported_at(file, root, _stamp(file))


@cache
def _imported_at(file: Path, root: Path, stamp: Stamp) -> list[Path]:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # importing it says so better
        return []
    found: list[Path] = []
    for name in _names(tree, file, root):
        found += _files_of(name, root)
    return found


def _names(tree: ast.Module, file: Path, root: Path) -> Iterator[tuple[str, ...]]:
    """Yield what may be a module in the imports of a file, as the parts of its dotted name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = tuple(node.module.split(".")) if node.module else ()
            if node.level:
                here = file.relative_to(root).parent.parts
                base = (*here[: len(here) - node.level + 1], *base)
            yield base
            # What is imported from a package may be a module of it.
            yield from ((*base, alias.name) for alias in node.names)


def _files_of(name: tuple[str, ...], root: Path) -> list[Path]:
    """Return the files of a module and of the packages around it, as far as they lie here."""
    places = [root.joinpath(*name[: n + 1], "__init__.py") for n in range(len(name))]
    places += [root.joinpath(*name[:-1], f"{name[-1]}.py")] if name else []
    return [place for place in places if place.is_file()]
