"""What a folder of ours is: its kind, its format, and the checksums of its files.

``epsrank.json`` stands in every folder that this package writes. A file is announced there before
it takes the place of the one before it, and both checksums hold until the next is written: so a
kill at any moment leaves a folder whose files are all known. A folder without it is of format 1,
from before there were checksums, and is read as it is.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Literal, get_args

from epsrank.numerics.atomic import checksum, replace_whole
from epsrank.numerics.boundary import reason_of
from epsrank.theory.errors import InputError

MANIFEST = "epsrank.json"

Kind = Literal["run", "sweep", "reproduction", "verification", "pruned"]
KINDS: tuple[Kind, ...] = get_args(Kind)

#: The format that this version writes; it reads all up to it.
FORMAT = 2

_FILES_OF_A_RUN = (
    "config.toml",
    "*.parquet",
    "*.safetensors",
    "checkpoints/*.safetensors",
    "state/*",
)

# A reader may meet a file and the manifest of two moments of a training; it looks again.
_LOOKS, _PAUSE = 5, 0.05


class Manifest:
    """The manifest of a folder that is written to."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        self.folder = folder
        self.kind = kind
        held = _read(folder)
        if held is not None and held["kind"] != kind:
            raise InputError(
                "out", f"is {folder}, {of_kind(held['kind'])}", "choose another folder"
            )
        #: By relative name, the checksums that the file may have: the last two announced.
        self.files: dict[str, list[str]] = {} if held is None else dict(held["files"])
        if held is None:
            self._keep_what_is_there()

    def announce(self, path: Path, part: Path) -> None:
        """Say that `part` is about to become the file at `path`."""
        name = path.relative_to(self.folder).as_posix()
        # Files that are gone, such as a state that a later one replaced, need no checksum any more.
        for other in [key for key in self.files if not (self.folder / key).is_file()]:
            del self.files[other]
        # After a kill the file may be either of the two that were announced.
        now = checksum(path.read_bytes()) if path.is_file() else None
        before = [known for known in self.files.get(name, ()) if known == now]
        self.files[name] = [*before, checksum(part.read_bytes())]
        self.write()

    def write(self) -> None:
        """Write ``epsrank.json``, as a whole."""
        held = {"kind": self.kind, "format": FORMAT, "files": self.files}
        text = json.dumps({**held, "checksum": _own(held)}, indent=1, ensure_ascii=False)
        replace_whole(self.folder / MANIFEST, lambda part: _write_text(part, text + "\n"))

    def _keep_what_is_there(self) -> None:
        """Take over the files of a run of format 1; what else lies in a folder is not ours."""
        if self.kind != "run":
            return
        for pattern in _FILES_OF_A_RUN:
            for path in sorted(self.folder.glob(pattern)):
                name = path.relative_to(self.folder).as_posix()
                self.files[name] = [checksum(path.read_bytes())]


def read_checked(folder: Path, name: str) -> bytes:
    """Return the content of a file of ours, if it is what was written."""
    data = b""
    for look in range(_LOOKS):
        if look:
            time.sleep(_PAUSE)
        # The file before the manifest: whatever is there then has been announced by now.
        try:
            data = (folder / name).read_bytes()
        except FileNotFoundError:
            raise InputError(
                str(folder / name),
                "is missing",
                "restore the file from a copy, or make the folder again",
            ) from None
        held = _read(folder)
        if held is None or checksum(data) in held["files"].get(name, ()):
            return data
    raise InputError(
        str(folder / name),
        "is not what was written (its checksum is another)",
        "restore the file from a copy, or make the folder again",
    )


def of_kind(kind: Kind) -> str:
    """Say what a folder is, for people."""
    return f"the folder of a {'pruned network' if kind == 'pruned' else kind}"


def folder_kind(folder: Path) -> Kind | None:
    """Return what a folder of ours holds, by its manifest or, before format 2, by its files."""
    held = _read(folder)
    if held is not None:
        kind: Kind = held["kind"]
        return kind
    # In this order: a pruned network has the config.toml of its run beside its own file.
    marks: tuple[tuple[str, Kind], ...] = (
        ("pruned.json", "pruned"),
        ("ledger.json", "verification"),
        ("spec.toml", "sweep"),
        ("config.toml", "run"),
        ("store", "reproduction"),
    )
    return next((kind for mark, kind in marks if (folder / mark).exists()), None)


def _read(folder: Path) -> dict[str, Any] | None:
    """Read a manifest; None where there is none."""
    path = folder / MANIFEST
    try:
        held = json.loads(path.read_text("utf-8"))
        if not isinstance(held, dict) or not isinstance(held.get("format"), int):
            raise ValueError("it has no format")
        own = held.pop("checksum", None)
        if held["format"] > FORMAT:
            raise InputError(
                str(folder),
                f"is of format {held['format']}; this version reads up to {FORMAT}",
                "use the version of epsrank that wrote it, or a later one",
            )
        if own != _own(held) or held.get("kind") not in KINDS:
            raise ValueError("its checksum is another")
    except FileNotFoundError:
        return None
    except InputError:  # a ValueError, and no damage
        raise
    # Deep nesting is an error of its own.
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            str(path),
            f"is damaged ({reason_of(error)})",
            "restore the file from a copy, or make the folder again",
        ) from None
    found: dict[str, Any] = held
    return found


def _own(held: dict[str, Any]) -> str:
    """Return the checksum of the manifest itself."""
    # Sorted, and not as written: the order and the spacing of entries are no content.
    return checksum(json.dumps(held, sort_keys=True).encode())


def _write_text(part: Path, text: str) -> None:
    part.write_text(text, encoding="utf-8")
