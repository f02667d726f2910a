"""Fuzz command lines that are nearly right: ``python -m tests.slow.fuzz.skeletons [LINES] [SEED]``.

A valid line of `props.py` gets one to three changes: a number at the edge, a word of another type,
an option more, a damaged, empty, strange or renamed file, a folder for a file, a folder that cannot
be written, a closed stream. Each runs in a fork with streams and a temporary folder of its own, and
ends with a documented code, one line of error that names what is at fault, valid JSON where asked,
nothing in the temporary folder, within 30 s of processor time and 4 GB; or it is printed with what
it did instead. How deep each refusal lies is counted.
"""

from __future__ import annotations

import collections
import contextlib
import importlib
import json
import os
import pkgutil
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np

import epsrank
from epsrank.cli import front, main
from tests.numerics.own_files import mutated
from tests.slow.fuzz.props import LINES, known, make

_SECONDS, _WALL, _MEMORY = 30, 240, 4 << 30

_NUMBERS = (
    "0", "-1", "1", "2", "7", "nan", "inf", "-inf", "1e400", "1e-400", "-0", "1e-320", "1e308",
    "1e20", "0.5", "1.5", "99999999999999999999", "2147483648", "9223372036854775808", "1_0",
    "0x10", "1e5", "30", "1e-9",
)  # fmt: skip
_WORDS = (
    "", " ", "é", "\u0660", "a,b", "tanh", "mlp:1x4", "cosines", "0,1", "-1:1", "auto", "::",
    "a::b", "x=1", "os:path", "mine:one", "x" * 300, "%s", "[bold]", "\x7f", "{}", "a\nb",
    "\udcff", "..", "/", "~", "@0",
)  # fmt: skip
# Codes other than 0 and 2 that docs/cli.md names.
_DOCUMENTED = {
    "rank": {1, 3}, "verify": {1}, "conjecture": {1}, "tightness": {1}, "prove": {1}, "sweep": {1},
    "reproduce": {1},
}  # fmt: skip
# What writes into the package, asks for processes or a terminal, or takes long by nature.
_NOT_ADDED = {"--audit", "--record", "--accept-statements", "--full", "--size", "--jobs",
              "--interval", "--version", "--development", "--pages", "--backend"}  # fmt: skip

_KEPT_SHORT = {"watch": "--once", "bench": "--quick", "verify": "--quick"}


@dataclass
class Line:
    """A command line, the folder it runs in, and the streams it is given."""

    words: list[str]
    folder: Path
    #: What was done to it, in words.
    changes: list[str] = field(default_factory=list)
    #: Numbers of streams that are closed, or whose disk is full (of 1 alone).
    closed: set[int] = field(default_factory=set)
    full: bool = False
    #: Whether it runs as one who may not write.
    locked: bool = False

    @property
    def files(self) -> list[int]:
        """Places of the words that name something within the folder: nothing else is changed."""
        own = self.folder.resolve()
        found = []
        for place, word in enumerate(self.words):
            path = self.folder / word.partition("@")[0]
            if place and word and os.path.exists(path) and own in path.resolve().parents:
                found.append(place)
        return found


def _place(line: Line, rng: random.Random) -> int:
    return rng.randrange(1, len(line.words))


def _number(line: Line, rng: random.Random) -> None:
    places = [i for i, word in enumerate(line.words) if re.fullmatch(r"-?[\d.]+(e-?\d+)?", word)]
    line.words[rng.choice(places) if places else _place(line, rng)] = rng.choice(_NUMBERS)


def _word(line: Line, rng: random.Random) -> None:
    line.words[_place(line, rng)] = rng.choice(_WORDS)


def _option(line: Line, rng: random.Random) -> None:
    """Add an option of the command, mostly with a value of its kind."""
    command = main.commands[line.words[0]]
    options = [
        o for o in command.params if isinstance(o, click.Option) and o.opts[0] not in _NOT_ADDED
    ]
    if not options:
        _double(line, rng)
        return
    option = rng.choice(options)
    line.words.append(option.opts[0])
    if option.is_flag:
        return
    for _ in range(max(1, option.nargs)):
        if isinstance(option.type, click.Choice):
            line.words.append(str(rng.choice(list(option.type.choices))))
        elif option.type.name == "text":
            names = sorted(path.name for path in line.folder.iterdir())
            line.words.append(rng.choice([*names, *_WORDS]))
        else:
            line.words.append(rng.choice(("1", "2", "3", "0.5", "1e-3", *_NUMBERS)))


def _drop(line: Line, rng: random.Random) -> None:
    del line.words[_place(line, rng)]
    if len(line.words) == 1:
        line.words.append("--json")


def _double(line: Line, rng: random.Random) -> None:
    place = _place(line, rng)
    line.words.insert(place, line.words[place])


def _some_file(line: Line, rng: random.Random) -> Path | None:
    """Return a file that the line names, or one in a folder that it names."""
    named = [line.folder / line.words[place].partition("@")[0] for place in line.files]
    files = [own for path in named for own in ([path] if path.is_file() else path.rglob("*"))]
    files = sorted(path for path in files if path.is_file() and path.suffix != ".pyc")
    return rng.choice(files) if files else None


def _damage(line: Line, rng: random.Random) -> None:
    if (file := _some_file(line, rng)) is not None and file.stat().st_size:
        file.write_bytes(mutated(file.read_bytes(), rng))


def _text(line: Line, rng: random.Random) -> None:
    """Write another value where a text has a number or a word."""
    file = _some_file(line, rng)
    if file is None or file.suffix not in {".csv", ".json", ".jsonl", ".toml", ".py"}:
        _damage(line, rng)
        return
    text = file.read_text()
    found = list(re.finditer(r"-?\d[\d.e-]*|\"[^\"]*\"|\b[a-z_]+\b", text))
    if found:
        at = rng.choice(found)
        value = rng.choice((*_NUMBERS, "null", "[]", "{}", '""', '"é"', "true", "-", ""))
        file.write_text(text[: at.start()] + value + text[at.end() :])


_CONTENTS: tuple[Callable[[], object], ...] = (
    lambda: np.zeros((0, 5)), lambda: np.zeros((30, 0)), lambda: np.zeros(30),
    lambda: np.array(1.0), lambda: np.zeros((2, 3, 4)), lambda: np.zeros((30, 5), int),
    lambda: np.full((30, 5), np.nan), lambda: np.full((30, 5), 1e308),
    lambda: np.full((30, 5), 5e-324), lambda: np.ones((30, 5), complex),
    lambda: np.ones((30, 5), bool), lambda: np.full((30, 5), "a"),
    lambda: np.ones((30, 5), np.float16), lambda: np.full((30, 5), 2**63, np.uint64),
    lambda: np.ones((1, 1)), lambda: np.ones((30, 5), ">f4"),
    lambda: np.ones((30, 5), np.longdouble), lambda: np.ones((5, 30)),
    lambda: np.zeros((30, 1)), lambda: np.full(30, -1.0), lambda: np.full(30, np.inf),
    lambda: np.ones(3, "M8[s]"),
    lambda: np.ones(30, [("a", float), ("b", int)]), lambda: np.full((29, 5), 1e-200),
    lambda: np.ones((1, 5)),
)  # fmt: skip


def _contents(line: Line, rng: random.Random) -> None:
    """Give an array of strange shape, type or size."""
    places = [i for i in line.files if line.words[i].endswith((".npy", ".npz", ".csv"))]
    if not places:
        _text(line, rng)
        return
    file, values = line.folder / line.words[rng.choice(places)], np.array(rng.choice(_CONTENTS)())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if file.suffix == ".npy":
            np.save(file, values)
        elif file.suffix == ".npz":
            np.savez(file, a=values)
        else:
            cells = [",".join(map(str, np.atleast_1d(row))) for row in np.atleast_1d(values)]
            file.write_text("\n".join(cells))


def _path(line: Line, rng: random.Random) -> None:
    """Name a folder, another file, nothing, a pipe's end or a device where a file belongs."""
    others = [*sorted(path.name for path in line.folder.iterdir()), "absent.npy", "/dev/null",
              "/proc/self/mem", "/dev/full", ".", "x.npy/y", "", "/"]  # fmt: skip
    places = line.files
    line.words[rng.choice(places) if places else _place(line, rng)] = rng.choice(others)


def _empty(line: Line, rng: random.Random) -> None:
    if (file := _some_file(line, rng)) is not None:
        file.write_bytes(b"")


def _gone(line: Line, rng: random.Random) -> None:
    if (file := _some_file(line, rng)) is not None:
        file.unlink()


def _rename(line: Line, rng: random.Random) -> None:
    """Give a file or folder another name: of any letters, with blanks, or none."""
    if not line.files:
        return
    place = rng.choice(line.files)
    old = line.words[place].partition("@")[0]
    new = rng.choice(
        ("é", "漢字", "a b", "a\nb", "\udcff\udcfe", "-x", "a@b", "a::b", "%s{}", "\u202e")
    )
    new += Path(old).suffix
    with contextlib.suppress(OSError):
        (line.folder / old).rename(line.folder / new)
        line.words[place] = new


def _blocked(line: Line, rng: random.Random) -> None:
    """Let what is written go where nothing can be."""
    if "--out" not in line.words[:-1]:
        line.words += ["--out", "new"]
    place = line.words.index("--out") + 1
    target = line.folder / line.words[place]
    kind = rng.choice(("locked", "file", "below a file", "proc"))
    if kind == "locked":
        line.locked = True
        for folder in (line.folder, *(path for path in line.folder.rglob("*") if path.is_dir())):
            folder.chmod(0o555)
    elif kind == "file" and not target.exists() and line.folder == target.parent:
        target.write_text("mine")
    else:
        line.words[place] = "x.npy/new" if kind == "below a file" else "/proc/new"


def _streams(line: Line, rng: random.Random) -> None:
    if rng.random() < 0.25:
        line.full = True
    line.closed = set(rng.choice([(0,), (0,), (1,), (2,), (0, 1), (0, 1, 2)]))


CHANGES = {
    "number": _number, "word": _word, "option": _option, "drop": _drop, "double": _double,
    "damage": _damage, "text": _text, "contents": _contents, "path": _path, "empty": _empty,
    "gone": _gone, "rename": _rename, "blocked": _blocked, "streams": _streams,
}  # fmt: skip
_SHARES = {
    "number": 5,
    "option": 4,
    "damage": 2,
    "text": 3,
    "contents": 3,
    "path": 2,
    "streams": 0.7,
}


def drawn(folder: Path, rng: random.Random, lines: Sequence[list[str]] = LINES) -> Line:
    """Draw a line and change it."""
    line = Line(list(rng.choice(lines)), folder)
    shares = [_SHARES.get(name, 1) for name in CHANGES]
    for name in rng.choices(list(CHANGES), shares, k=rng.choice((1, 1, 2, 3))):
        line.changes.append(name)
        CHANGES[name](line, rng)
    # Valid without it, and long: a training by the defaults, a view that waits for its file.
    for word in _KEPT_SHORT.get(line.words[0], "").split():
        if word not in line.words:
            line.words.append(word)
    return line


def depth(error: BaseException | None) -> str:
    """Return where a refusal lies: in parsing, in a room, or in a file that reads."""
    while error is not None and error.__context__ is not None:
        error = error.__context__
    files = []
    trace = None if error is None else error.__traceback__
    while trace is not None:
        files.append(trace.tb_frame.f_code.co_filename)
        trace = trace.tb_next
    own = [file.partition("epsrank/")[2] for file in files if "/epsrank/" in file]
    own = [file for file in own if not file.startswith(("cli/front", "cli/console"))]
    if not own:
        return "parsing"
    reads = ("loading", "boundary", "numerics/npy", "numerics/files", "numerics/parquet", "seal",
             "manifest", "strict_json", "results/foreign", "follow", "folder", "store")  # fmt: skip
    if any(name in own[-1] for name in reads):
        return "reading"
    return "/".join(own[-1].split("/")[:2])


def attempt(line: Line, temporary: Path) -> tuple[str, str]:
    """Run a line in a fork; return what it did, a text with blanks where that is a fault; depth."""
    temporary.mkdir()
    temporary.chmod(0o777)
    said, printed, log = (temporary.with_suffix(each) for each in (".err", ".out", ".log"))
    for file in (said, printed, log):
        file.touch()
        file.chmod(0o666)
    child = _fork()
    if child == 0:
        _run(line, temporary, said, printed, log)
    _, status = os.waitpid(child, 0)
    if line.locked:
        for folder in (line.folder, *(path for path in line.folder.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
    code = os.waitstatus_to_exitcode(status)
    errors = said.read_text(errors="surrogateescape")
    found = _judged(line, code, errors, printed.read_text(errors="replace"))
    left = [path.name for path in temporary.iterdir() if not path.name.startswith("torchinductor_")]
    if left and found in {"done", "refused", "no"}:
        found = f"left behind: {left}"
    return found, log.read_text().strip() if code == 2 else ""


def _fork() -> int:
    """Fork; Python 3.12 warns of threads, those of pytest-xdist, which wait for messages."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _run(line: Line, temporary: Path, said: Path, printed: Path, log: Path) -> None:
    """Be the process of a line."""
    note = log.open("w")
    leave = front._leave

    def noted(error: Exception) -> None:
        print(depth(error), file=note, flush=True)
        leave(error)

    front._leave = noted  # type: ignore[assignment]
    code = 70
    warnings.resetwarnings()
    warnings.simplefilter("default", UserWarning)
    warnings.simplefilter("ignore", DeprecationWarning)
    try:
        os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
        os.chdir(line.folder)
        sys.path.insert(0, "")
        signal.alarm(_WALL)
        used = int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
        resource.setrlimit(resource.RLIMIT_CPU, (used + _SECONDS + 1, used + _SECONDS + 10))
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + _MEMORY, size + _MEMORY))
        out = Path("/dev/full") if line.full else printed
        for number, file in ((1, out), (2, said)):
            os.dup2(os.open(file, os.O_WRONLY), number)
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            if number in line.closed:
                os.close(number)
            mode = "w" if number else "r"
            stream = None if number in line.closed else os.fdopen(number, mode, closefd=False)
            setattr(sys, name, stream)
        if line.locked and os.getuid() == 0:
            os.setegid(65534)
            os.seteuid(65534)
        try:
            main([*line.words])
        except SystemExit as done:
            code = done.code if isinstance(done.code, int) else 70
        except BaseException:
            import traceback

            (sys.stderr or note).write(traceback.format_exc())
        # Others' streams end with the interpreter, and so do ours.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
    finally:
        os._exit(code)


def _judged(line: Line, code: int, errors: str, output: str) -> str:
    """Say what a line did, in one word; in more, what is wrong with that."""
    if code < 0:
        return f"ended by signal {-code}: {errors[-200:]!r}"
    lines = errors.splitlines()
    if "Traceback" in errors or code == 70:
        return f"traceback: {errors[-600:]}"
    strange = [each for each in lines if not each.startswith(("epsrank: ", "Aborted"))]
    if strange:
        return f"strange line: {strange[0]!r}"
    if "out of memory" in errors:
        return f"out of memory: {errors!r}"
    refusals = [each for each in lines if each.startswith("epsrank: error:")]
    # Of a reader that went away nothing is said.
    quiet = line.full or {1, 2} & line.closed
    if code == 2 and 2 not in line.closed:
        if len(refusals) != 1 or lines[-1] != refusals[0]:
            return f"{len(refusals)} lines of error: {errors!r}"
        if not quiet and not _names(line, refusals[0]):
            return f"names nothing: {refusals[0]!r}"
        return "refused"
    if code == 0 and refusals:
        return f"code 0 with an error: {errors!r}"
    if code == 0 and "--json" in line.words and not quiet:
        try:
            json.loads(output, parse_constant=lambda name: 1 / 0)
        except (ValueError, ZeroDivisionError) as error:
            return f"no JSON, {error}: {output[:200]!r}"
    if code == 0:
        return "done"
    if code in _DOCUMENTED.get(line.words[0], ()) or (code == 1 and quiet):
        return "no"
    if code == 2:
        return "refused"
    return f"exit {code}: {errors!r}"


def _names(line: Line, refusal: str) -> bool:
    """Tell whether a line of error names an argument, a file or a word of the command line."""
    command = main.commands[line.words[0]]
    names = {name for parameter in command.params for name in parameter.opts}
    names |= {str(each.human_readable_name) for each in command.params}
    names |= {
        str(each.metavar).strip("[]….") for each in command.params if "--" not in each.opts[0]
    }
    names |= {path.name for path in line.folder.rglob("*")}
    names |= {" ".join(word.split()) for word in line.words[1:]}
    said = " ".join(refusal.split()).removeprefix("epsrank: error: ").lower()
    if {name.lower() for name in names} & {word.strip("'.,;") for word in said.split()}:
        return True
    # A letter is in every line, and in brackets it is a word that was given.
    if "unexpected extra argument" in refusal:  # and which they are
        return True
    return any(len(name) > 2 and name.lower() in said for name in names) or "--" in said


@contextlib.contextmanager
def prepared() -> Iterator[Path]:
    """Give a folder whose folder `true` has all props, with everything imported that lines use."""
    "".encode("ascii")  # whose module one who may not write may not read
    for module in pkgutil.walk_packages(epsrank.__path__, "epsrank."):
        if not module.name.endswith(("__main__", "callbacks")):
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)
    known()
    importlib.import_module("torch._dynamo")  # by a second of its own, at the first step
    with tempfile.TemporaryDirectory(prefix="epsrank-lines-") as name:
        place = Path(name)
        place.chmod(0o755)
        # In a fork: threads that a training starts here would be missing in those of the lines.
        child = _fork()
        if child == 0:
            try:
                (place / "true").mkdir()
                os.chdir(place / "true")
                with open(os.devnull, "w") as nothing:
                    sys.stdout = sys.stderr = nothing
                    make(place / "true")
                os._exit(0)
            except BaseException:
                sys.stderr = sys.__stderr__
                sys.excepthook(*sys.exc_info())
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        yield place


def fuzz(lines: int, seed: int, first: int = 0) -> collections.Counter[str]:
    """Run command lines, and count what they did and how deep they were refused."""
    with prepared() as place:
        return fuzz_in(place, range(first, first + lines), seed)


def fuzz_in(
    place: Path, numbers: Sequence[int], seed: int, lines: Sequence[list[str]] = LINES
) -> collections.Counter[str]:
    """Run lines by their numbers in copies of the folder `true`, and count what they did."""
    counts: collections.Counter[str] = collections.Counter()
    for number in numbers:
        rng = random.Random(f"{seed}-{number}")
        folder = place / str(number)
        shutil.copytree(place / "true", folder)
        line = drawn(folder, rng, lines)
        said, where = attempt(line, place / f"{number}.tmp")
        counts[said if " " not in said else "fault"] += 1
        if where:
            counts[f"refused in {where}"] += 1
        if " " in said:
            told = f"{number}: {said}\n    {line.words} {line.changes} {line.closed or ''}"
            print(told.replace(str(place), "").encode(errors="replace").decode(), flush=True)
        shutil.rmtree(folder)
    return counts


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    total = fuzz(*(given + [2000, 0][len(given) :]))
    for key, count in sorted(total.items()):
        print(f"{count:6} {key}")
    sys.exit(bool(total["fault"]))
