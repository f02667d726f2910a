"""Fuzz readers in process: ``python -m tests.slow.fuzz.fuzz TARGET|all [RUNS] [FOLDER]``.

With atheris the inputs follow the coverage of the Python code beneath; without it they are drawn
by the mutations of `tests/numerics/own_files.py` from the corpus. The corpus is the committed one
and FOLDER, where new inputs go. Whatever is not an `InputError` in one line ends the target with a
traceback, and the input is kept in FOLDER; so does a hang of 20 s, or memory beyond 4 GB. Each
target runs in a fork of this process, so that what is imported is instrumented once.
"""

from __future__ import annotations

import faulthandler
import os
import random
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Seconds and bytes that one input may take.
_HANG, _MEMORY = 20, 4 << 30

# What is followed: our readers, and the parsers written in Python. (All of NumPy and PyTorch would
# be prepared for minutes, even for one module.)
_FOLLOWED = ["epsrank", "json", "tomllib", "zipfile"]


def main(asked: str, runs: int, folder: str) -> int:
    """Fuzz one reader or all, and return how many failed."""
    try:
        import atheris
    except ImportError:
        atheris = None
    warnings.simplefilter("ignore")
    if atheris is None:
        from tests.slow.fuzz import targets
    else:
        with atheris.instrument_imports(include=_FOLLOWED):
            from tests.slow.fuzz import targets
    from epsrank.numerics import boundary, manifest

    # What may be declared here, however large this machine is; and nobody else writes meanwhile.
    boundary.available_memory = lambda: _MEMORY // 4
    manifest._PAUSE, manifest._LOOKS = 0.0, 1  # type: ignore[misc]
    failed = 0
    for name in targets.TARGETS if asked == "all" else [asked]:
        child = os.fork()
        if child == 0:
            _fuzz(atheris, targets, name, runs, Path(folder, name))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(f"{name}: {'ok' if status == 0 else f'failed, {status}'}", flush=True)
        failed += status != 0
    return failed


def _fuzz(atheris: Any, targets: Any, name: str, runs: int, new: Path) -> None:
    """Fuzz one reader, and end the process."""
    target = targets.TARGETS[name]
    new.mkdir(parents=True, exist_ok=True)
    code = 1
    try:
        with targets.place(target) as here:

            def test(data: bytes) -> None:
                targets.run(target, here, data)

            if atheris is None:
                _draw(test, targets.CORPUS / name, runs, new)
            else:
                options = [f"-runs={runs}", f"-timeout={_HANG}", f"-rss_limit_mb={_MEMORY >> 20}"]
                options += ["-max_len=8192", "-print_final_stats=1", "-verbosity=0"]
                options += [f"-artifact_prefix={new.parent}/crash-{name}-"]
                places = [str(new), str(targets.CORPUS / name)]
                atheris.Setup([sys.argv[0], *options, *places], test)
                atheris.Fuzz()
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _draw(test: Callable[[bytes], None], corpus: Path, runs: int, new: Path) -> None:
    """Draw inputs from the corpus, changed up to four times."""
    from tests.numerics.own_files import mutated

    rng, known = random.Random(0), [file.read_bytes() for file in sorted(corpus.iterdir())]
    for _ in range(runs):
        data = rng.choice(known)
        for _ in range(rng.randint(1, 4)):
            data = mutated(data, rng) if data else b"\0"
        faulthandler.dump_traceback_later(_HANG, exit=True)
        try:
            test(data)
        except BaseException:
            Path(new.parent, f"crash-{new.name}").write_bytes(data)
            raise
    faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    words = [*sys.argv[1:], "5000"]
    place = sys.argv[3] if len(sys.argv) > 3 else tempfile.mkdtemp(prefix="epsrank-corpus-")
    sys.exit(main(words[0], int(words[1]), place))
