"""The store of trials: each finished one in a file of its own, named by its hash."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from epsrank.numerics.files import read_table, write_table
from epsrank.numerics.processes.locks import FolderLock
from epsrank.numerics.sweeps.rows import outcome_of, row_of, table_of
from epsrank.numerics.sweeps.trial import Outcome, Trial
from epsrank.theory.errors import InputError

_NAME = re.compile(r"[0-9a-f]{64}")
# Where no other process uses the store, no half-written file is under way. Where one does, those
# of this age belong to a process that is gone: writing takes milliseconds.
_ABANDONED_SECONDS = 3600.0


class TrialStore:
    """Finished trials on disk: ``folder/ab/abcdef….parquet``, one row each.

    A file is written beside its place, synchronised, and moved there, so that it is whole at any
    moment and after any kill; several processes may write into one store, also the same trial.
    A file that is damaged, or whose name is not the hash of its content, counts as absent,
    and `damaged` says so.

    Parameters
    ----------
    folder : str or Path
        The folder; made by the first `put`.

    Attributes
    ----------
    folder : Path
        The folder.
    damaged : dict of Path to str
        Files that were met and could not be used, and why.

    Raises
    ------
    InputError
        If `folder` is a file or cannot be read.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.damaged: dict[Path, str] = {}
        try:
            if self.folder.exists():
                # Opened and no more: that it exists does not say that it can be read.
                os.scandir(self.folder).close()
        except NotADirectoryError:
            raise InputError("store", f"{self.folder} is a file", "name a folder") from None
        except OSError as error:
            raise InputError(
                "store",
                f"cannot be read ({self.folder}: {error.strerror or error})",
                "see to its permissions, or choose another folder",
            ) from None

    def path(self, trial: Trial) -> Path:
        """Return where a trial is kept.

        Parameters
        ----------
        trial : Trial
            The trial.

        Returns
        -------
        Path
            Its file, which need not exist.
        """
        # 256 folders, as file systems and listings slow down with many files in one.
        return self.folder / trial.key[:2] / f"{trial.key}.parquet"

    def get(self, trial: Trial) -> Outcome | None:
        """Return what became of a trial.

        Parameters
        ----------
        trial : Trial
            The trial.

        Returns
        -------
        Outcome or None
            The outcome; None if there is none, or its file is damaged.
        """
        return self._read(self.path(trial))

    def put(self, outcome: Outcome) -> None:
        """Keep an outcome, in place of an earlier one of the same trial.

        Parameters
        ----------
        outcome : Outcome
            What became of a trial.

        Raises
        ------
        InputError
            If the folder cannot be written or the disk is full.
        """
        path = self.path(outcome.trial)
        # Says to whoever cleans up that somebody is writing; waits while that is done.
        lock = FolderLock(self.folder)
        lock.take(shared=True, wait=True)
        try:
            write_table(path, row_of(outcome))
        except InputError as error:
            raise InputError("store", error.problem, error.remedy) from None
        finally:
            lock.release()
        self.damaged.pop(path, None)

    def outcomes(self) -> Iterator[Outcome]:
        """Read all outcomes, one at a time.

        Yields
        ------
        Outcome
            The outcomes in the order of their keys, without those of damaged files.
        """
        for path in self._paths():
            outcome = self._read(path)
            if outcome is not None:
                yield outcome

    def table(self) -> pa.Table:
        """Return all outcomes as a table.

        Returns
        -------
        Table
            One row per trial in the order of the keys; columns as of `table_of`.
        """
        return table_of(self.outcomes())

    def __len__(self) -> int:
        return sum(1 for _ in self._paths())

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Make the folder, see that it can be written, and hold it for a block.

        Others may use it as well. Whoever is alone at first removes what dead writers have left.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        problem = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # mkdir is content with a folder of somebody else's.
            if not os.access(self.folder, os.W_OK | os.X_OK):
                problem = os.strerror(errno.EACCES)
        except OSError as error:
            problem = error.strerror or str(error)
        if problem is not None:
            raise InputError(
                "store",
                f"cannot be written ({self.folder}: {problem})",
                "make room there, or choose another folder",
            )
        lock = FolderLock(self.folder)
        try:
            self._remove_parts(0.0 if lock.take() else _ABANDONED_SECONDS)
            lock.take(shared=True, wait=True)
            yield
        finally:
            lock.release()

    def _remove_parts(self, age: float) -> None:
        """Remove half-written files of that age."""
        before = time.time() - age
        for part in self.folder.glob("??/.epsrank-*.part"):
            # Another process may have removed it just now.
            with contextlib.suppress(OSError):
                if part.stat().st_mtime <= before:
                    part.unlink()

    def _paths(self) -> Iterator[Path]:
        for path in sorted(self.folder.glob("??/*.parquet")):
            # Other files of the user's are no trials, nor damaged ones.
            if _NAME.fullmatch(path.stem) and path.parent.name == path.stem[:2]:
                yield path

    def _read(self, path: Path) -> Outcome | None:
        """Return the outcome in a file, or note why there is none."""
        if not os.path.exists(path):
            return None
        try:
            outcome = outcome_of(read_table(path))
        except ValueError as error:  # InputError and JSONDecodeError are such
            problem = error.problem if isinstance(error, InputError) else str(error)
            self.damaged[path] = " ".join(problem.split())
            return None
        if outcome.trial.key == path.stem:
            return outcome
        self.damaged[path] = "holds another trial than its name says"
        return None
