"""Fuzz command lines in process: ``python -m tests.slow.fuzz.command_lines [LINES] [SEED]``.

Words are drawn from what the commands declare, from values at the edges, and from files of the
corpus, whole and damaged. Each line ends with 0, 1 or 2 in one line of error and within 20 s and
4 GB, or is printed with what it did instead. Long computations (`verify`, `reproduce`, `bench`,
`prove --audit`, a sweep) are left out.
"""

from __future__ import annotations

import collections
import os
import random
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from epsrank.cli import main
from tests.numerics.own_files import mutated
from tests.slow.fuzz.targets import CORPUS, TARGETS

_HANG, _MEMORY = 20, 4 << 30
# Lines in one fork: an abort ends these alone.
_TOGETHER = 25

COMMANDS = ("rank", "floor", "population", "continuous", "apriori", "prune", "predict", "train",
            "conjecture", "watch", "plot", "sweep", "prove", "stages", "tightness", "compare",
            "import")  # fmt: skip

# What keeps a line short that is valid; a drawn option may come after it and win.
_SHORT = {
    "train": ["--steps", "2", "--width", "4", "--n-train", "12", "--depth", "1"],
    "conjecture": ["--largest", "3", "--restarts", "1", "--steps", "2"],
    "predict": ["--width", "20", "--points", "12", "--draws", "1"],
    "watch": ["--once"],
    "sweep": ["--status"],
    "population": ["--resamples", "20"],
    "prove": ["--export", "made"],
}

_VALUES = (
    "0", "1", "2", "-1", "3", "0.5", "1e-6", "1e-9", "nan", "inf", "-inf", "1e400", "1e-400", "-0",
    "1e20", "99999999999999999999", "2147483648", "1_0", "0x10", "", " ", "é", "\u0660", "a,b",
    "tanh", "relu", "mlp:1x4", "resnet", "cosines", "digits", "0,1", "-1,1", "1,1", "auto", "mse",
    "float32", "cpu", "::", "a::b", "@-1", "\x7f", "x" * 300, "[bold]", "%s", "/", "/dev/null", "~",
)  # fmt: skip


_ARRAYS = ("a.npy", "a.npz", "a.csv", "a.safetensors", "a.parquet")


def _files(folder: Path, rng: random.Random) -> list[str]:
    """Put files of the corpus below a folder, each whole and damaged, and return their names."""
    found = []
    for name, target in TARGETS.items():
        for seed in sorted((CORPUS / name).iterdir()):
            for kind in ("whole", "damaged"):
                file = folder / f"{name}-{seed.name}-{kind}" / Path(target.name).name
                file.parent.mkdir(exist_ok=True)
                data = seed.read_bytes()
                file.write_bytes(data if kind == "whole" else mutated(data, rng))
                found.append(str(file))
    return found


def _value(parameter: click.Parameter, files: list[str], rng: random.Random) -> str:
    kind = parameter.type
    if isinstance(kind, click.Choice) and rng.random() < 0.9:
        return str(rng.choice(list(kind.choices)))
    if kind.name == "text" and rng.random() < 0.6:
        # Arrays above all, whole ones: what is refused at once reaches nothing.
        arrays = [file for file in files if file.endswith(_ARRAYS) and "-whole" in file]
        return rng.choice(arrays if rng.random() < 0.6 else files)
    if kind.name != "text" and rng.random() < 0.5:
        return rng.choice(("1", "2", "3", "0.5", "1e-3"))
    return rng.choice(_VALUES)


def line(files: list[str], rng: random.Random) -> list[str]:
    """Draw the words of one command line."""
    name = rng.choice(COMMANDS)
    command = main.commands[name]
    words = [name, *_SHORT.get(name, ())]
    options = [p for p in command.params if isinstance(p, click.Option) and p.name != "help"]
    for argument in command.params:
        if isinstance(argument, click.Argument) and rng.random() < 0.95:
            words.append(_value(argument, files, rng))
    for option in rng.sample(options, min(len(options), rng.choice((0, 1, 1, 2, 3)))):
        # Long by nature: compiling Coq, all pairs, processes.
        if option.opts[0] in {"--audit", "--record", "--accept-statements", "--full", "--jobs"}:
            continue
        words.append(option.opts[0])
        if not option.is_flag:
            words += [_value(option, files, rng) for _ in range(max(1, option.nargs))]
    return words


class Hang(BaseException):
    """Nothing may catch it."""


def attempt(words: list[str]) -> str:
    """Run a command line, and say what it did; a text with more than a word is a fault."""

    def late(number: int, frame: Any) -> None:
        raise Hang

    # Of processor time, since others may use the machine; what sleeps is ended by the other clock.
    clocks = (
        (signal.ITIMER_PROF, signal.SIGPROF, _HANG),
        (signal.ITIMER_REAL, signal.SIGALRM, 180),
    )
    before = [signal.signal(number, late) for _, number, _ in clocks]
    for clock, _, seconds in clocks:
        signal.setitimer(clock, seconds)
    try:
        result = CliRunner().invoke(main, words, catch_exceptions=True)
    except Hang:
        return f"hang of {_HANG} s"
    finally:
        for (clock, number, _), handler in zip(clocks, before, strict=True):
            signal.setitimer(clock, 0)
            signal.signal(number, handler)
    error = result.exception
    if isinstance(error, Hang):
        return f"hang of {_HANG} s"
    if error is not None and not isinstance(error, SystemExit):
        trace = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {str(error)[:200]} at {trace.filename}:{trace.lineno}"
    if result.exit_code == 2 and len(result.stderr.strip().splitlines()) > 3:
        return f"many lines: {result.stderr[:300]!r}"
    return {0: "done", 1: "no", 2: "refused"}.get(result.exit_code, f"exit {result.exit_code}")


def fuzz(lines: int, seed: int) -> collections.Counter[str]:
    """Run command lines in forks of this process, and count what they did."""
    counts: collections.Counter[str] = collections.Counter()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="epsrank-lines-") as place:
        for begin in range(0, lines, _TOGETHER):
            rng = random.Random(seed * 10**6 + begin)
            number = min(_TOGETHER, lines - begin)
            folder = Path(place, str(begin))
            folder.mkdir()
            files = _files(folder, rng)
            drawn = [line(files, rng) for _ in range(number)]
            for words, said in zip(drawn, _in_fork(drawn, folder), strict=False):
                counts[said if " " not in said else "fault"] += 1
                if " " in said:
                    print(f"{said}\n    {words}".replace(place, ""), flush=True)
    return counts


def _in_fork(drawn: list[list[str]], folder: Path) -> list[str]:
    """Run some lines in a fork, and return what each did."""
    log = folder / "log"
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + _MEMORY, size + _MEMORY))
        with log.open("w") as stream:
            for words in drawn:
                said = attempt(words)
                print(" ".join(said.splitlines()), file=stream, flush=True)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    found = log.read_text().splitlines() if log.is_file() else []
    return found if status == 0 else [*found, f"process ended with {status}"]


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    total = fuzz(*(given + [2000, 0][len(given) :]))
    print(dict(total))
    sys.exit(bool(total["fault"]))
