"""Compiling the development: in parallel, in the order of dependency, into a folder of the user."""

from __future__ import annotations

import concurrent.futures as futures
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from epsrank.numerics.processes.cores import asked_for
from epsrank.proofs.formal import cache
from epsrank.proofs.formal.scan import reaching
from epsrank.proofs.formal.sources import (
    DEVELOPMENT,
    PROJECT,
    Development,
    fingerprints,
    key_of,
    read_development,
)
from epsrank.proofs.formal.toolchain import Coq, CoqError, coq_environment, run_coqc

# What was compiled in the environment of a user is not taken for what is compiled without one.
_PROTOCOL = "clean environment"

#: ``progress(done, total, file)`` after every file.
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Compiled:
    """A development that Coq has accepted."""

    #: The copy of the sources that was compiled, the ``.vo`` beside them.
    development: Development
    #: By what.
    coq: Coq
    #: How long each file took when it was compiled.
    seconds: Mapping[str, float] = field(default_factory=dict)
    #: Whether it was compiled just now; False where an earlier compilation of the same sources by
    #: the same Coq was found.
    fresh: bool = True

    @property
    def folder(self) -> Path:
        """The folder with ``_CoqProject`` and ``theories/*.vo``."""
        return self.development.folder


def compile_development(
    coq: Coq,
    *,
    jobs: int | None = None,
    scratch: bool = False,
    progress: Progress | None = None,
    folder: Path | str = DEVELOPMENT,
) -> Compiled:
    """Compile a development, or find it compiled.

    The sources are copied to a folder of the user's cache that is named after them and after the
    version of Coq, so an installed package needs no write access to itself, and two processes
    never see each other's half of the work. Where the cache cannot be written, a temporary folder
    serves until this process ends.
    """
    development = read_development(folder)
    key = key_of(fingerprints(development), coq.version, coq.mathcomp, coq.coqc, _PROTOCOL)
    with cache.entry(key) as entry:
        found = None if scratch else entry.find()
        if found is None:
            draft = entry.draft()
            seconds = _compile_copy(development, draft, coq, jobs, progress)
            place, fresh = entry.keep(draft, {"seconds": seconds}), True
        else:
            place, fresh, seconds = found.folder, False, found.notes.get("seconds", {})
    return Compiled(read_development(place), coq, seconds, fresh)


def _compile_copy(
    development: Development,
    draft: Path,
    coq: Coq,
    jobs: int | None,
    progress: Progress | None,
) -> dict[str, float]:
    """Copy the listed sources to a folder and compile them there; return seconds per file."""
    for name in (PROJECT, *development.files):
        target = draft / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(development.folder / name, target)
        except OSError as error:
            raise CoqError(name, None, f"cannot be read ({error.strerror})") from None
        # Before anything of it runs: it could forge what is asked afterwards.
        for found in reaching(target.read_text("utf-8", "replace")) if name != PROJECT else []:
            raise CoqError(name, found.line, found.problem)
    needs = _dependencies(coq, development, draft)
    return _Compilation(coq, development, draft, needs, progress).run(asked_for(jobs))


def _dependencies(coq: Coq, development: Development, folder: Path) -> dict[str, set[str]]:
    """Return for every source the sources that it imports, by coqdep."""
    done = subprocess.run(
        # The logical name alone: coqdep does not know what -arg gives to coqc.
        [coq.coqdep, *development.options[:3], *development.files],
        cwd=folder, capture_output=True, text=True, encoding="utf-8", errors="replace",
        check=False, env=coq_environment(),
    )  # fmt: skip
    if done.returncode != 0:
        raise CoqError(PROJECT, None, " ".join(done.stderr.split()) or "coqdep failed")
    listed = set(development.files)
    needs: dict[str, set[str]] = {file: set() for file in development.files}
    # Rules of make, whose long lines go on behind a backslash.
    for line in done.stdout.replace("\\\n", " ").splitlines():
        targets, _, sources = line.partition(":")
        for target in targets.split():
            file = re.sub(r"\.vo$", ".v", target)
            if target.endswith(".vo") and file in listed:
                imported = {re.sub(r"\.vo$", ".v", s) for s in sources.split() if s.endswith(".vo")}
                needs[file] |= (imported & listed) - {file}
    # A circle would leave the compilation waiting for ever.
    left = dict(needs)
    while ready := [file for file, wanted in left.items() if not wanted & left.keys()]:
        for file in ready:
            del left[file]
    if left:
        raise CoqError(sorted(left)[0], None, f"imports itself by way of {', '.join(sorted(left))}")
    return needs


class _Compilation:
    """A compilation under way.

    `seconds` holds the files that are done, and how long each took.
    """

    def __init__(
        self,
        coq: Coq,
        development: Development,
        folder: Path,
        needs: Mapping[str, set[str]],
        progress: Progress | None,
    ) -> None:
        self.seconds: dict[str, float] = {}
        self._coq, self._options, self._folder = coq, development.options, folder
        self._needs, self._progress = needs, progress
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, jobs: int) -> dict[str, float]:
        """Compile everything."""
        waiting = dict(self._needs)
        # Threads: each only waits for a coqc.
        with futures.ThreadPoolExecutor(jobs) as pool:
            under_way: dict[futures.Future[float], str] = {}
            try:
                while waiting or under_way:
                    ready = [f for f, needs in waiting.items() if needs <= self.seconds.keys()]
                    for file in ready:
                        del waiting[file]
                        under_way[pool.submit(self._one, file)] = file
                    done, _ = futures.wait(under_way, return_when=futures.FIRST_COMPLETED)
                    for future in done:
                        file = under_way.pop(future)
                        self.seconds[file] = round(future.result(), 2)
                        if self._progress is not None:
                            self._progress(len(self.seconds), len(self._needs), file)
            except BaseException:
                # First what has not begun, so that nothing starts after the others are stopped.
                pool.shutdown(wait=False, cancel_futures=True)
                self._stop()
                raise
        return {file: self.seconds[file] for file in self._needs}

    def _one(self, file: str) -> float:
        start = time.perf_counter()
        run_coqc(self._coq, self._options, file, self._folder, started=self._started)
        return time.perf_counter() - start

    def _started(self, process: subprocess.Popen[str]) -> None:
        with self._lock:
            self._running.add(process)
            # Started while the others were being stopped.
            if self._stopped:
                process.kill()

    def _stop(self) -> None:
        with self._lock:
            self._stopped = True
            for process in self._running:
                if process.poll() is None:
                    process.kill()


def check_text(
    compiled: Compiled, text: str, folder: Path, name: str = "check", *, limit: float = 1800.0
) -> str:
    """Compile a text that imports the development, and return what Coq printed.

    Such as ``From EpsRank Require Import form. Print Assumptions nrmD.``.
    """
    (folder / f"{name}.v").write_text(text, encoding="utf-8")
    kind, root, prefix, *arguments = compiled.development.options
    # In full, as Coq runs in another folder.
    options = [kind, os.fspath(compiled.folder / root), prefix, *arguments]
    return run_coqc(compiled.coq, options, f"{name}.v", folder, limit=limit)
