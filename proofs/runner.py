"""`verify`: train the networks, run the checkers, derive the verdicts, write the report."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from pickle import PicklingError
from typing import Any, get_args

import joblib
import threadpoolctl

from epsrank.numerics.environment import describe_environment
from epsrank.numerics.training.build import resolve_device
from epsrank.proofs.checkers import Checker, Context, Effort, all_checkers
from epsrank.proofs.instances.networks import TrainedNetwork, find_mnist, planned, train_network
from epsrank.proofs.ledger.claims import Claim, load_ledger, select_claims
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.proofs.ledger.outcome import Report, gather
from epsrank.proofs.report import draw_figures, open_report, write_report
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError

#: ``progress(done, total, what)`` after every training and every checker.
ProgressCallback = Callable[[int, int, str], None]

_Task = tuple[str, Callable[..., Any]]


def verify(
    claims: Iterable[str] | None = None,
    effort: Effort = "default",
    device: str = "auto",
    seed: int = 0,
    jobs: int | None = None,
    out: Path | str | None = None,
    progress: ProgressCallback | None = None,
    data: Path | str | None = None,
    *,
    ledger: Sequence[Claim] | None = None,
    checkers: Sequence[Checker] | None = None,
) -> Report:
    """Decide the claims of the ledger by evidence gathered now.

    Parameters
    ----------
    claims : iterable of str, optional
        Ids; all by default.
    effort : {"quick", "default", "full"}
        How much to do: about a minute, some minutes, or hours of one core.
    device : {"auto", "cpu", "cuda"}
        Where networks are trained.
    seed : int
        Seed of networks and searches. The same seed gives the same ledger, whatever `jobs`.
    jobs : int, optional
        Processes; one per core by default.
    out : path, optional
        Folder for ledger.json, index.html and figures.
    progress : callable, optional
        ``progress(done, total, what)``.
    data : path, optional
        MNIST, as an .npz file or a folder that holds ``mnist.npz``; EPSRANK_DATA by default.
        Without it the checks on MNIST are recorded as skipped.
    ledger : sequence of Claim, optional
        Another ledger than ``proofs/ledger/ledger.toml``.
    checkers : sequence of Checker, optional
        Other checkers than all of `epsrank.proofs.checkers`.

    Returns
    -------
    Report
        Verdicts, evidence, environment; ``exit_code`` is 0 where all is as recorded. After Ctrl-C
        it holds what was finished, and says so.

    Raises
    ------
    InputError
        If a claim is unknown, an option is wrong, or the folder cannot be written.
    """
    chosen = select_claims(claims, load_ledger() if ledger is None else ledger)
    workers = _check_options(effort, device, seed, jobs)
    folder = open_report(out)
    mnist = find_mnist(data)
    if mnist is not None and not Path(mnist).is_file():
        raise InputError("data", f"names {mnist}, which does not exist", "name the MNIST .npz")
    wanted = {claim.id for claim in chosen}
    tasks = [
        checker
        for checker in (all_checkers(effort) if checkers is None else checkers)
        if wanted & set(checker.claims)
    ]
    session = _Session(effort, seed, device, mnist, workers, progress, folder)
    with tempfile.TemporaryDirectory(prefix="epsrank-verify-") as scratch:
        session.run(tasks, Path(scratch))
        expected = {checker.id: checker.claims for checker in tasks}
        report = Report(
            results=gather(chosen, session.evidence, expected),
            environment={
                **describe_environment(device),
                "effort": effort,
                "seed": seed,
                "jobs": workers,
                "seconds": dict(sorted(session.seconds.items())),
            },
            interrupted=session.interrupted,
            out=folder,
        )
        if folder is not None:
            # The ledger first: figures are a luxury, and may be interrupted too.
            write_report(report, folder, figures=())
            figures = [] if session.interrupted else session.figures(folder)
            write_report(report, folder, figures=figures)
    return report


def _check_options(effort: str, device: str, seed: int, jobs: int | None) -> int:
    """Return the number of processes."""
    if effort not in get_args(Effort):
        raise InputError("effort", f"is {effort!r}", "choose quick, default or full")
    if device not in {"auto", "cpu", "cuda"}:
        raise InputError("device", f"is {device!r}", "choose auto, cpu or cuda")
    resolve_device(device)  # CUDA asked for and absent is bad use, not a failed check
    as_whole(seed, "seed", least=0, most=2**31 - 1, remedy="pass an integer from 0 to 2^31 − 1")
    if jobs is None:
        return int(joblib.cpu_count())
    return as_whole(jobs, "jobs", remedy="pass a number of processes ≥ 1")


class _Session:
    """The state of a verification under way.

    `evidence` is what finished checkers found, `seconds` how long each training and checker took,
    and `interrupted` whether Ctrl-C came.
    """

    def __init__(
        self,
        effort: Effort,
        seed: int,
        device: str,
        data: str | None,
        jobs: int,
        progress: ProgressCallback | None,
        out: Path | None,
    ) -> None:
        self.effort, self.seed, self.device, self.data = effort, seed, device, data
        self.jobs, self.progress, self.out = jobs, progress, out
        self.evidence: dict[str, list[Evidence]] = {}
        self.networks: dict[str, TrainedNetwork] = {}
        self.seconds: dict[str, float] = {}
        self.interrupted = False
        self._done = self._total = 0

    def run(self, checkers: Sequence[Checker], scratch: Path) -> None:
        """Train what is needed, then check."""
        needed = {name for checker in checkers for name in checker.networks}
        widths = planned(self.effort)
        trainings: list[_Task] = [
            (
                f"training {name}",
                partial(
                    _guarded_training, name, widths[name], self.effort, self.seed, self.device,
                    self.data, scratch,
                ),
            )
            for name in widths
            if name in needed
        ]  # fmt: skip
        alone = [checker for checker in checkers if not checker.networks]
        # The widest networks first, so that no process is left with the longest check at the end.
        sharing = sorted(
            (checker for checker in checkers if checker.networks),
            key=lambda checker: -widths.get(checker.networks[0], 0),
        )
        self._total = len(trainings) + len(checkers)
        try:
            # Checks without a network fill the processes that trainings leave free.
            context = Context(self.effort, self.seed, out=self.out)
            self._collect([*trainings, *self._tasks(alone, context)])
            context = Context(self.effort, self.seed, self.networks, self.out)
            self._collect(self._tasks(sharing, context))
        except KeyboardInterrupt:
            self.interrupted = True

    def _tasks(self, checkers: Sequence[Checker], context: Context) -> list[_Task]:
        return [(checker.id, partial(_guarded_check, checker, context)) for checker in checkers]

    def _collect(self, tasks: list[_Task]) -> None:
        left = dict(tasks)
        try:
            for name, seconds, result in _execute(tasks, self.jobs):
                self.seconds[name] = round(seconds, 3)
                self._keep(name, result)
                del left[name]
        except (BrokenProcessPool, PicklingError) as error:
            # A worker process died (out of memory, most likely) and took its siblings along.
            cause = f"{type(error).__name__}: {error}".splitlines()[0]
            for name, function in left.items():
                # Both kinds of task answer a cause with the record of a failure.
                self._keep(name, function(cause=cause))

    def _keep(self, name: str, result: Any) -> None:
        if isinstance(result, TrainedNetwork):
            self.networks[result.name] = result
        else:
            self.evidence[name] = result
        self._done += 1
        if self.progress is not None:
            self.progress(self._done, self._total, name)

    def figures(self, folder: Path) -> list[str]:
        """Draw the figures of the networks that were trained."""
        order = list(planned(self.effort))
        tasks: list[_Task] = [
            (name, partial(draw_figures, self.networks[name], folder))
            for name in order
            if name in self.networks and self.networks[name].folder is not None
        ]
        drawn: dict[str, list[str]] = {}
        try:
            for name, _, result in _execute(tasks, self.jobs):
                drawn[name] = result
        except KeyboardInterrupt:
            self.interrupted = True
        return [path for name in order for path in drawn.get(name, [])]


def _guarded_check(checker: Checker, context: Context, cause: str | None = None) -> list[Evidence]:
    """Run a checker; if it raises, or a cause is given, record that for each of its claims."""
    if cause is None:
        try:
            return list(checker.check(context))
        except Exception as error:
            # Whatever went wrong belongs in the ledger, beside the claims it leaves undecided.
            cause = f"{type(error).__name__}: {error}".splitlines()[0]
    title = f"The check “{checker.id}” failed to run"
    return [Evidence(claim, checker.kind, "error", title, cause=cause) for claim in checker.claims]


def _guarded_training(
    name: str,
    width: int,
    effort: str,
    seed: int,
    device: str,
    data: str | None,
    folder: Path,
    cause: str | None = None,
) -> TrainedNetwork:
    """Train a network; if that fails, or a cause is given, keep the cause."""
    if cause is None:
        try:
            return train_network(name, effort, seed, device, data, folder)
        except Exception as error:
            cause = f"{type(error).__name__}: {error}"
    return TrainedNetwork(name, width, error=cause)


def _timed(task: _Task) -> tuple[str, float, Any]:
    name, function = task
    start = time.perf_counter()
    # One thread per task: results do not depend on how many run side by side.
    with threadpoolctl.threadpool_limits(1):
        result = function()
    return name, time.perf_counter() - start, result


def _execute(tasks: list[_Task], jobs: int) -> Iterator[tuple[str, float, Any]]:
    """Run tasks, in this process or in several, and yield results as they come."""
    if jobs == 1 or len(tasks) <= 1:
        yield from map(_timed, tasks)
        return
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)
    results = parallel(joblib.delayed(_timed)(task) for task in tasks)
    try:
        yield from results
    except KeyboardInterrupt:
        with contextlib.suppress(Exception):
            # joblib would let its workers finish what they are at, which may take an hour.
            joblib.externals.loky.get_reusable_executor().shutdown(wait=False, kill_workers=True)
        raise
