"""The Coq development on disk: its files, the options it compiles with, and its fingerprint."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from epsrank.theory.errors import InputError

#: The development of this project; it travels with the package.
DEVELOPMENT = Path(__file__).resolve().parents[1] / "coq"

PROJECT = "_CoqProject"

# Names of warnings, each switched on or off.
_WARNINGS = re.compile(r"[-+]?[a-z][a-z-]*(,[-+]?[a-z][a-z-]*)*")


@dataclass(frozen=True)
class Development:
    """A folder of Coq sources with a ``_CoqProject``."""

    #: Where it lies.
    folder: Path
    #: Folder of the sources, relative to it (``"theories"``).
    root: str
    #: Logical name of that folder (``"EpsRank"``).
    prefix: str
    #: The sources that ``_CoqProject`` lists, relative to the folder, in its order.
    files: tuple[str, ...]
    #: Options of ``coqc``: the logical name, and what ``-arg`` adds.
    options: tuple[str, ...]

    def module(self, file: str) -> str:
        """Return the logical name of a source, such as ``"EpsRank.form"``."""
        inside = Path(file).relative_to(self.root).with_suffix("")
        return ".".join([self.prefix, *inside.parts])

    def modules(self) -> list[str]:
        """Return the logical names of all sources."""
        return [self.module(file) for file in self.files]

    def on_disk(self) -> list[str]:
        """Return every ``.v`` below the folder, listed or not."""
        found = self.folder.rglob("*.v")
        return sorted(path.relative_to(self.folder).as_posix() for path in found)

    def text(self, file: str) -> str:
        """Return the text of a source."""
        try:
            return (self.folder / file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                "development", f"has {file}, which cannot be read ({error})", "restore the file"
            ) from None


def read_development(folder: Path | str = DEVELOPMENT) -> Development:
    """Read ``_CoqProject``."""
    place = Path(folder).resolve()
    try:
        words = shlex.split((place / PROJECT).read_text(encoding="utf-8"), comments=True)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InputError(
            "development", f"has no readable {PROJECT} ({error})", "restore it, one file per line"
        ) from None
    files: list[str] = []
    arguments: list[str] = []
    names: list[tuple[str, str, str]] = []
    rest = iter(words)
    for word in rest:
        # A generator: an option takes only the words that belong to it.
        following = (next(rest, "") for _ in range(2))
        if word == "-R":
            names.append((word, next(following), next(following)))
        elif word == "-arg":
            arguments.append(next(following))
        elif word.endswith(".v"):
            files.append(Path(word).as_posix())
        else:
            raise InputError(
                "development", f"has {word!r} in {PROJECT}", "list -R, -arg -w and .v files only"
            )
    # Warnings alone: other options of coqc, such as -boot or -type-in-type, change what is checked.
    pairs = list(zip(arguments[::2], arguments[1::2], strict=False))
    if len(arguments) % 2 or not all(a == "-w" and _WARNINGS.fullmatch(b) for a, b in pairs):
        problem = f"passes {' '.join(arguments)!r} to coqc in {PROJECT}"
        raise InputError(
            "development", problem, "pass warnings only, -arg -w -arg -ambiguous-paths"
        )
    # Not ending in .v, which a forgotten name would make of the first file.
    if len(names) != 1 or not re.fullmatch(r"[^\W\d][\w.]*(?<!\.v)", names[0][2]):
        raise InputError("development", f"needs one -R in {PROJECT}", "name its one folder")
    ((kind, root, prefix),) = names
    if not re.fullmatch(r"\w+", root):
        raise InputError("development", f"has the folder {root!r}", "name one inside, as theories")
    # Names of folders too: they stand in what Coq is asked, and must not say more there.
    outside = [
        file for file in files if not re.fullmatch(rf"{root}(/[A-Za-z_]\w*)+\.v", file, re.A)
    ]
    if outside or not files:
        raise InputError("development", f"lists {outside or 'no files'}", f"list files in {root}/")
    # Coq prints a name by its file alone: of two files, what one hides could pass for the other's.
    names_of_files = [Path(file).stem for file in files]
    twins = [file for file in files if names_of_files.count(Path(file).stem) > 1]
    if twins:
        raise InputError(
            "development", f"lists {' and '.join(twins)}", "give every file a name of its own"
        )
    return Development(place, root, prefix, tuple(files), (kind, root, prefix, *arguments))


def fingerprints(development: Development, more: Iterable[str] = ()) -> dict[str, str]:
    """Return the SHA-256 of every source, of ``_CoqProject``, and of other files by name."""
    names = {PROJECT, *development.files, *development.on_disk(), *more}
    found = {}
    for name in sorted(names):
        try:
            found[name] = hashlib.sha256((development.folder / name).read_bytes()).hexdigest()
        except OSError:
            found[name] = "absent"
    return found


def key_of(hashes: Mapping[str, str], *more: str) -> str:
    """Return one digest of several, with further words."""
    lines = [f"{name} {digest}" for name, digest in sorted(hashes.items())]
    return hashlib.sha256("\n".join([*lines, *more]).encode()).hexdigest()[:32]
