"""What a verification has finished, kept in its report's folder for the next call.

``DIR/kept/HASH`` is named by all that findings depend on and that no option says: the sources of
the rooms, the versions of what they compute with, the processor, Coq, the data. In it every check
has a file, named by the check, its size and its seed; a file whose checksum or name is another
counts as absent. So a changed source, setting or data set never meets an older finding.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epsrank.numerics.atomic import checksum
from epsrank.numerics.environment import describe_environment, processor
from epsrank.numerics.files import write_text
from epsrank.proofs.formal.toolchain import find_coq
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.theory.errors import InputError
from epsrank.theory.strict_json import canonical

if TYPE_CHECKING:
    from epsrank.proofs.checkers.base import Checker

FOLDER = "kept"

# Raised where the same sources are to give other files.
_FORMAT = 1
_NAME = re.compile(r"[0-9a-f]{16}")
_OLD_SECONDS = 30 * 86_400.0
# Made beside the sources and not from anything else.
_NOT_SOURCES = {".pyc", ".vo", ".vok", ".vos", ".glob", ".aux"}

# Whatever could not be done here and now may be possible next time; what says that it was made
# in this run has to be.
_KEPT_STATES = {"passed", "regime", "refuted", "undecided"}


class Kept:
    """Findings, figures and networks of earlier calls; without a folder there are none."""

    def __init__(
        self, out: Path | None, settings: Mapping[str, Any], data: str | None, *, fresh: bool
    ) -> None:
        self._settings = dict(settings)
        self._out = out
        self._folder: Path | None = None
        if out is None:
            return
        basis = {
            "format": _FORMAT,
            "sources": sources(),
            "environment": describe_environment(str(settings["device"])),
            "processor": processor(),
            "coq": repr(find_coq()),
            "data": None if data is None else checksum(Path(data).read_bytes()),
        }
        place = out / FOLDER
        self._folder = place / hashlib.sha256(canonical(basis).encode()).hexdigest()[:16]
        if fresh:
            shutil.rmtree(self._folder, ignore_errors=True)
        _remove_old(place, self._folder)

    @property
    def networks(self) -> Path | None:
        """Where networks of these settings are trained, to be gone on with after a kill."""
        if self._folder is None:
            return None
        name = hashlib.sha256(canonical(self._settings).encode()).hexdigest()[:16]
        return self._folder / f"networks-{name}"

    def findings(self, checker: Checker) -> list[Evidence] | None:
        """Return what a check has found in an earlier call; None where it has to be made."""
        entry = self._read("check", self._of(checker))
        if entry is None or (checker.writes is not None and not self._is_there(checker.writes)):
            return None
        return [Evidence.from_json(item) for item in entry]

    def keep_findings(self, checker: Checker, found: Sequence[Evidence]) -> None:
        """Keep what a check has found."""
        if checker.kind != "formal" and all(item.state in _KEPT_STATES for item in found):
            entry = [{"claim": item.claim, **item.to_json()} for item in found]
            self._write("check", self._of(checker), entry)

    def figures(self, network: str) -> list[str] | None:
        """Return the figures of a network, if they are those that were drawn."""
        entry = self._read("figures", network)
        if entry is None or self._out is None:
            return None
        try:
            right = all(checksum((self._out / path).read_bytes()) == sum_ for path, sum_ in entry)
        except OSError:
            return None
        return [path for path, _ in entry] if right else None

    def keep_figures(self, network: str, paths: Sequence[str]) -> None:
        """Keep which figures were drawn of a network."""
        if self._out is not None:
            sums = [[path, checksum((self._out / path).read_bytes())] for path in paths]
            self._write("figures", network, sums)

    def remove_networks(self) -> None:
        """Remove the networks: all that was asked of them is answered."""
        if self.networks is not None:
            shutil.rmtree(self.networks, ignore_errors=True)

    def _is_there(self, folder: str) -> bool:
        return self._out is not None and (self._out / folder).is_dir()

    def _of(self, checker: Checker) -> Any:
        """Return all that tells a check from others, None where it cannot be said."""
        try:
            return [
                checker.id,
                checker.claims,
                checker.kind,
                checker.networks,
                _said(checker.check),
            ]
        except TypeError:
            return None

    def _place(self, kind: str, what: Any) -> tuple[Path, str] | None:
        """Return the file of an entry, and what it is an entry for."""
        if self._folder is None or what is None:
            return None
        key = canonical([kind, self._settings, what])
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json", key

    def _read(self, kind: str, what: Any) -> Any:
        """Return an entry, None where there is none, or a damaged one."""
        place = self._place(kind, what)
        if place is None:
            return None
        path, key = place
        try:
            held = json.loads(path.read_bytes())
            sealed = canonical([held["key"], held["entry"]])
            if held["key"] == key and held["checksum"] == checksum(sealed.encode()):
                return held["entry"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return None

    def _write(self, kind: str, what: Any, entry: Any) -> None:
        """Keep an entry; a full disk costs the next call its time, and this one nothing."""
        place = self._place(kind, what)
        if place is None:
            return
        path, key = place
        sealed = canonical([key, entry])
        held = {"key": key, "entry": entry, "checksum": checksum(sealed.encode())}
        with suppress(InputError):
            write_text(path, json.dumps(held, ensure_ascii=False, allow_nan=False))


@cache
def sources() -> str:
    """Return the digest of all files of the three rooms that evidence is made with."""
    package = Path(__file__).resolve().parents[1]
    files = [
        path
        for room in ("theory", "numerics", "proofs")
        for path in sorted((package / room).rglob("*"))
        if path.suffix not in _NOT_SOURCES and "__pycache__" not in path.parts
    ]
    return _digest(files, package)


def _said(value: Any) -> Any:
    """Say what a check is, by names and plain values; TypeError where that does not tell all."""
    if isinstance(value, partial):
        return ["partial", _said(value.func), _said(value.args), _said(value.keywords)]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (tuple, list)):
        return [_said(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): _said(item) for name, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return [_name(type(value)), {f.name: _said(getattr(value, f.name)) for f in fields(value)}]
    if inspect.isfunction(value):
        return [_name(value), _digest([Path(inspect.getfile(value))])]
    if isinstance(value, Path):
        return _digest([value] if value.is_file() else sorted(value.rglob("*")))
    raise TypeError(type(value).__name__)


def _name(value: Any) -> str:
    """Return the full name of a function or class of a module; a local one has none."""
    if "<" in value.__qualname__:
        raise TypeError(value.__qualname__)
    return f"{value.__module__}:{value.__qualname__}"


def _digest(paths: Sequence[Path], root: Path | None = None) -> str:
    """Return the digest of files, with their names under a root."""
    digest = hashlib.sha256()
    for path in paths:
        if path.is_file():
            digest.update(f"{path.name if root is None else path.relative_to(root)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _remove_old(place: Path, used: Path) -> None:
    """Remove what nobody has asked for in a month."""
    with suppress(OSError):
        used.mkdir(parents=True, exist_ok=True)
        os.utime(used)
        for other in place.iterdir():
            if _NAME.fullmatch(other.name) and time.time() - other.stat().st_mtime > _OLD_SECONDS:
                shutil.rmtree(other, ignore_errors=True)
