"""`verify`: train the networks, run the checkers, derive the verdicts, write the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, get_args

from epsrank.numerics.environment import describe_environment
from epsrank.numerics.processes.cores import asked_for
from epsrank.numerics.processes.locks import only_writer
from epsrank.numerics.processes.messages import described
from epsrank.numerics.processes.pool import carry_out
from epsrank.numerics.processes.scratch import remove_abandoned, scratch
from epsrank.numerics.processes.signals import terminated_as_interrupted
from epsrank.proofs.checkers import Checker, Context, Effort, all_checkers
from epsrank.proofs.checkers.brief import brief_checkers
from epsrank.proofs.checkers.named import named_checkers
from epsrank.proofs.instances.networks import TrainedNetwork, find_mnist, planned, train_network
from epsrank.proofs.kept import Kept
from epsrank.proofs.ledger.claims import Claim, load_ledger, select_claims
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.proofs.ledger.of_users import read_ledger
from epsrank.proofs.ledger.outcome import Report, gather
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.extras import optional_package, optional_packages
from epsrank.theory.words import quoted

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
    fresh: bool = False,
    ledger: Path | str | Sequence[Claim] | None = None,
    checkers: str | Sequence[Checker] | None = None,
) -> Report:
    """Decide the claims of the ledger by evidence gathered now.

    Parameters
    ----------
    claims : iterable of str, optional
        Ids; all by default.
    effort : {"quick", "default", "full"}
        How much to do: about a minute, some minutes, or hours of one core. With ``"quick"`` and
        `claims`, what a proof on record decides is searched for a counterexample and not tested
        otherwise; the report lists what was left out.
    device : {"auto", "cpu", "cuda"}
        Where networks are trained.
    seed : int
        Seed of networks and searches. The same seed gives the same ledger, whatever `jobs`.
    jobs : int, optional
        Processes, no more of them than cores; one per core by default.
    out : path, optional
        Folder for ledger.json, index.html and figures, and for what is finished: the next call
        with the same settings, sources, versions and data goes on from there.
    progress : callable, optional
        ``progress(done, total, what)``.
    data : path, optional
        MNIST, as an .npz file or a folder that holds ``mnist.npz``; EPSRANK_DATA by default.
        Without it the checks on MNIST are recorded as skipped.
    fresh : bool
        Make all checks anew, though `out` has some of them.
    ledger : path, or sequence of Claim, optional
        A ledger of your own, a TOML file of ``[[claim]]`` tables.
    checkers : str, or sequence of Checker, optional
        Name of the module or package whose functions decide it, registered by `states` and `checks`
        of `epsrank.testing`; it is looked for in the current folder first.

    Returns
    -------
    Report
        Verdicts, evidence, environment; ``exit_code`` is 0 where all is as recorded. After Ctrl-C
        or SIGTERM it holds what was finished, and says so.

    Raises
    ------
    InputError
        If a claim is unknown, an option is wrong, the folder cannot be written, or is being
        written by another process; or if a ledger or module of your own cannot be used.
    """
    remove_abandoned()
    book, tools = _asked(ledger, checkers)
    chosen = select_claims(claims, book)
    workers = _check_options(effort, device, seed, jobs)
    mnist = find_mnist(data)
    if mnist is not None and not Path(mnist).is_file():
        raise InputError("data", f"names {mnist}, which does not exist", "name the MNIST .npz")
    wanted = {claim.id for claim in chosen}
    left: list[str] = []
    # What an extra brings is asked for now, not after hours.
    with optional_packages():
        if out is not None:
            from epsrank.proofs.report import open_report, write_report
        if tools is not None:
            made: Sequence[Checker] = tools
        elif effort == "quick" and claims is not None:
            made, left = brief_checkers(chosen, effort)
        else:
            made = all_checkers(effort, wanted)
    tasks = [checker for checker in made if wanted & set(checker.claims)]
    if any(checker.networks for checker in tasks) and out is not None:
        optional_package("matplotlib")
    folder = None if out is None else open_report(out)
    if (left or isinstance(checkers, str)) and not any(checker.networks for checker in tasks):
        # Nothing runs on a device, so that torch need not be asked for one.
        device = "cpu"
        # Nor is a worker worth its start for a record and a few searches.
        workers = 1 if left else workers
    expected = {checker.id: checker.claims for checker in tasks}
    with ExitStack() as opened:
        opened.enter_context(only_writer(folder))
        opened.enter_context(terminated_as_interrupted())
        kept = Kept(folder, {"effort": effort, "seed": seed, "device": device}, mnist, fresh=fresh)
        place = kept.networks or opened.enter_context(scratch("networks"))
        session = _Session(effort, seed, device, mnist, workers, progress, folder, kept, place)
        session.run(tasks)
        report = Report(
            results=gather(chosen, session.evidence, expected),
            environment={
                **describe_environment(device),
                "date": datetime.now(UTC).date().isoformat(),
                "effort": effort,
                "seed": seed,
                "jobs": workers,
                "seconds": dict(sorted(session.seconds.items())),
                "kept": sorted(session.reused),
                **_named(ledger, checkers),
            },
            interrupted=session.interrupted,
            out=folder,
            left_out=tuple(left),
        )
        if folder is not None:
            # The ledger first: figures are a luxury, and may be interrupted too.
            write_report(report, folder, figures=())
            figures = [] if session.interrupted else session.figures(folder)
            write_report(report, folder, figures=figures)
            if session.complete:
                kept.remove_networks()
    return report


def _asked(
    ledger: Path | str | Sequence[Claim] | None, checkers: str | Sequence[Checker] | None
) -> tuple[Sequence[Claim], Sequence[Checker] | None]:
    """Return the claims, and what checks them; None stands for all of our own."""
    named = isinstance(ledger, Path | str)
    if named and checkers is None:
        raise InputError(
            "checkers",
            "is missing beside a ledger of your own",
            "name the module that states properties of its claims",
        )
    if isinstance(checkers, str) and ledger is None:
        raise InputError("ledger", "is missing", "name the TOML file with your claims")
    book: Sequence[Claim]
    if ledger is None:
        book = load_ledger()
    elif isinstance(ledger, Path | str):
        book = read_ledger(ledger)
    else:
        book = ledger
    return book, named_checkers(checkers, book) if isinstance(checkers, str) else checkers


def _named(ledger: object, checkers: object) -> dict[str, str]:
    """Return what of the user's was verified, for the environment."""
    found = {"ledger": str(ledger)} if isinstance(ledger, Path | str) else {}
    return {**found, "checkers": checkers} if isinstance(checkers, str) else found


def _check_options(effort: str, device: str, seed: int, jobs: int | None) -> int:
    """Return the number of processes."""
    if effort not in get_args(Effort):
        raise InputError("effort", f"is {effort!r}", "choose quick, default or full")
    if device not in {"auto", "cpu", "cuda"}:
        raise InputError("device", f"is {device!r}", "choose auto, cpu or cuda")
    if device == "cuda":
        from epsrank.numerics.training.build import resolve_device  # torch, where it is asked for

        resolve_device(device)  # CUDA asked for and absent is bad use, not a failed check
    as_whole(seed, "seed", least=0, most=2**31 - 1, remedy="pass an integer from 0 to 2^31 − 1")
    return asked_for(jobs)


class _Session:
    """The state of a verification under way.

    `evidence` is what finished checkers found, `seconds` how long each training and checker took,
    `reused` whose evidence is of an earlier call, and `interrupted` whether Ctrl-C came.
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
        kept: Kept,
        place: Path,
    ) -> None:
        self.effort, self.seed, self.device, self.data = effort, seed, device, data
        self.jobs, self.progress, self.out = jobs, progress, out
        self.kept, self.place = kept, place
        self.evidence: dict[str, list[Evidence]] = {}
        self.networks: dict[str, TrainedNetwork] = {}
        self.seconds: dict[str, float] = {}
        self.reused: set[str] = set()
        self.interrupted = False
        self._named: set[str] = set()
        self._checkers: dict[str, Checker] = {}
        self._done = self._total = 0

    @property
    def complete(self) -> bool:
        """Whether nothing is left that a network would be needed for."""
        sharing = [checker for checker in self._checkers.values() if checker.networks]
        figured = self.out is None or all(
            network.folder is None or self.kept.figures(name) is not None
            for name, network in self.networks.items()
        )
        return figured and all(self.kept.findings(each) is not None for each in sharing)

    def run(self, checkers: Sequence[Checker]) -> None:
        """Train what is needed, then check; what an earlier call has done is done."""
        self._checkers = {checker.id: checker for checker in checkers}
        self._named = {name for checker in checkers for name in checker.networks}
        for checker in checkers:
            found = self.kept.findings(checker)
            if found is not None:
                self.evidence[checker.id] = found
                self.reused.add(checker.id)
        checkers = [checker for checker in checkers if checker.id not in self.reused]
        needed = {name for checker in checkers for name in checker.networks}
        if self.out is not None:
            needed |= {name for name in self._named if self.kept.figures(name) is None}
        widths = planned(self.effort)
        trainings: list[_Task] = [
            (
                f"training {name}",
                partial(
                    _guarded_training, name, widths[name], self.effort, self.seed, self.device,
                    self.data, self.place,
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
        self._done = len(self.reused)
        self._total = self._done + len(trainings) + len(checkers)
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
        for name, result in _execute(tasks, self.jobs, self.seconds):
            self._keep(name, result)

    def _keep(self, name: str, result: Any) -> None:
        if isinstance(result, TrainedNetwork):
            self.networks[result.name] = result
        else:
            self.evidence[name] = result
            self.kept.keep_findings(self._checkers[name], result)
        self._done += 1
        if self.progress is not None:
            self.progress(self._done, self._total, name)

    def figures(self, folder: Path) -> list[str]:
        """Draw the figures of the networks that were trained."""
        order = list(planned(self.effort))
        tasks: list[_Task] = [
            (name, partial(_drawn, self.networks[name], folder))
            for name in order
            if name in self.networks and self.networks[name].folder is not None
        ]
        drawn = {
            name: found
            for name in self._named - self.networks.keys()
            if (found := self.kept.figures(name)) is not None
        }
        try:
            for name, result in _execute(tasks, self.jobs, self.seconds):
                drawn[name] = result
                if result:
                    self.kept.keep_figures(name, result)
        except KeyboardInterrupt:
            self.interrupted = True
        return [path for name in order for path in drawn.get(name, [])]


def _guarded_check(checker: Checker, context: Context, cause: str | None = None) -> list[Evidence]:
    """Run a checker; if it raises, or a cause is given, record that for each of its claims."""
    if cause is None:
        try:
            return [item.round_trip() for item in checker.check(context)]
        except Exception as error:
            # Whatever went wrong belongs in the ledger, beside the claims it leaves undecided.
            cause = described(error).splitlines()[0]
    title = f"The check {quoted(checker.id)} failed to run"
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


def _drawn(network: TrainedNetwork, folder: Path, cause: str | None = None) -> list[str]:
    """Draw the figures of a network; none where that fails: the evidence stands without."""
    if cause is not None:
        return []
    from epsrank.proofs.report import draw_figures

    return draw_figures(network, folder)


def _execute(tasks: list[_Task], jobs: int, seconds: dict[str, float]) -> Iterator[tuple[str, Any]]:
    """Run tasks, in this process or in several, and yield results as they come."""
    calls = [function for _, function in tasks]
    with closing(carry_out(calls, 1 if len(tasks) <= 1 else jobs)) as stream:
        for found in stream:
            name, function = tasks[found.index]
            if found.error is not None or found.death is not None:
                cause = (
                    f"its process died ({found.death})"
                    if found.error is None
                    else described(found.error).splitlines()[0]
                )
                # Every kind of task answers a cause with the record of a failure.
                yield name, function(cause=cause)
            else:
                seconds[name] = round(found.seconds, 3)
                yield name, found.value
