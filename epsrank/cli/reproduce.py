"""``epsrank reproduce``: the experiments of the sources by id."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from epsrank.cli.console import Progress, live_progress, notice, print_json, print_table, say
from epsrank.cli.cost import consent_option, weigh_trials
from epsrank.cli.front import Command, Interrupted
from epsrank.cli.options import one_size
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.numerics.experiments.experiment import Experiment, Request
    from epsrank.numerics.experiments.rules import Size
    from epsrank.proofs.experiments import Reproduction


@click.command(cls=Command)
@click.argument("names", nargs=-1, metavar="[ID …|all|list]")
@click.option(
    "--size",
    type=click.Choice(["quick", "standard", "full"]),
    help="quick: a minute each, shows that all runs. standard: up to 40 minutes each, for "
    "verdicts. full: the settings of the source.  [default: quick]",
)
@click.option("--quick", is_flag=True, help="Short for --size quick.")
@click.option("--full", is_flag=True, help="Short for --size full.")
@click.option("--seeds", type=click.IntRange(1, 10_000), metavar="N", help="Seeds per setting.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="The first seed.  [default: 0 for quick, else the present confirmatory seeds]",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="cpu",
    show_default=True,
    help="Where networks are trained.",
)
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Processes.  [default: cores]"
)
@click.option(
    "--backend",
    type=click.Choice(["local", "ray", "dask"]),
    default="local",
    show_default=True,
    help="Where processes run.",
)
@click.option("--data", metavar="F", help="MNIST as an .npz file.  [default: $EPSRANK_DATA]")
@click.option(
    "--out", default="reproduction", show_default=True, metavar="DIR", help="Folder of the reports."
)
@click.option("--record", is_flag=True, help="Keep the outcomes as the package's record.")
@consent_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def reproduce(
    names: tuple[str, ...],
    size: str | None,
    quick: bool,
    full: bool,
    seeds: int | None,
    seed: int | None,
    device: str,
    jobs: int | None,
    backend: str,
    data: str | None,
    out: str,
    record: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Run experiments by id, such as A2; `all` runs every one, `list` shows them with their state.

    Writes DIR/A2/index.html, findings.json, tables/*.csv and figures/*.svg. Finished trials are
    kept in DIR/store: an interrupted reproduction goes on where it was, a repeated one computes
    nothing. By default the size is quick: a minute or so of two cores per experiment, with at least
    five seeds.
    """
    from epsrank.numerics.experiments.registry import EXPERIMENTS, experiment

    if not names:
        raise click.UsageError("name experiments, or `all`; `epsrank reproduce list` shows them")
    if names == ("list",):
        _show_list(as_json)
        return
    chosen = [experiment(name) for name in (EXPERIMENTS if names == ("all",) else names)]
    request = _request(
        cast("Size", one_size(size, quick, full) or "quick"), seeds, seed, device, data
    )
    from epsrank.numerics.manifest import Manifest
    from epsrank.numerics.sweeps import TrialStore
    from epsrank.proofs.report import open_report

    trials = [trial for each in chosen for trial in each.plan(request)]
    words = f"{' '.join(names)} at size {request.size}"
    store = TrialStore(Path(out) / "store")
    weigh_trials(
        "ID", words, trials, store, jobs=jobs, yes=yes, elsewhere=backend != "local",
        on_record=partial(_seconds_on_record, chosen, request.size),
    )  # fmt: skip
    folder = open_report(out)
    assert folder is not None
    # At once, so that the folder says what it is while it is being filled.
    Manifest(folder, "reproduction").write()
    done = []
    for result in _run(chosen, request, folder, jobs, backend):
        done.append(result)
        if record:
            _keep(result)
        if not as_json:
            say(str(result))
            say(f"  report: {folder / result.experiment.id / 'index.html'}")
    if as_json:
        print_json([_as_json(result) for result in done])
    # A trial that fails is a finding; an experiment of which nothing ran is an error.
    if any(len(result.failed) == len(result.outcomes) for result in done):
        click.get_current_context().exit(1)


def _request(
    size: Size, seeds: int | None, seed: int | None, device: str, data: str | None
) -> Request:
    """Return what is asked for, with the data sets that are at hand."""
    from epsrank.numerics.experiments.experiment import Request
    from epsrank.numerics.training.build import resolve_device
    from epsrank.proofs.instances.networks import find_mnist
    from epsrank.theory.errors import InputError

    mnist = find_mnist(data)
    if mnist is not None and not Path(mnist).is_file():
        raise InputError("data", f"names {mnist}, which does not exist", "name the MNIST .npz")
    datasets = []
    if mnist is not None:
        os.environ["EPSRANK_DATA"] = str(Path(mnist).absolute())  # for the worker processes
        datasets.append("mnist")
    if os.environ.get("EPSRANK_CIFAR10"):
        datasets.append("cifar10")
    return Request(
        size=size,
        seeds=seeds,
        first_seed=seed,
        device=resolve_device(device).type,
        datasets=tuple(datasets),
    )


def _seconds_on_record(chosen: Sequence[Experiment], size: Size) -> dict[str, float]:
    """Return what a trial of each kind took, a median, in records of the size that is asked for."""
    from statistics import median

    from epsrank.proofs.experiments.records import read_head, read_record, recorded_ids

    seconds: dict[str, list[float]] = {}
    for name in {each.id for each in chosen} & set(recorded_ids()):
        # Quick sizes are never long enough to ask.
        if size != "quick" and read_head(name).request.size == size:
            for outcome in read_record(name).outcomes:
                seconds.setdefault(outcome.trial.kind, []).append(outcome.seconds)
    return {kind: median(each) for kind, each in seconds.items()}


def _run(
    chosen: list[Experiment], request: Request, folder: Path, jobs: int | None, backend: str
) -> Iterator[Reproduction]:
    """Run experiments under one progress bar for the trials of all."""
    from epsrank.proofs.experiments import reproduce as run
    from epsrank.proofs.experiments import reproduce_all

    settings: dict[str, Any] = {"out": folder, "jobs": jobs, "backend": backend}
    name = chosen[0].id if len(chosen) == 1 else "trials"
    with _kept_on_interrupt(folder), live_progress(name) as progress:
        if len(chosen) == 1:
            yield run(chosen[0], request, **settings, progress=progress)
        else:
            yield from reproduce_all(chosen, request, **settings, progress=progress)


@contextmanager
def _kept_on_interrupt(folder: Path) -> Iterator[None]:
    """Say after Ctrl-C what is kept."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted; what was finished is in {folder / 'store'}: the same command goes on "
            "from there"
        ) from None


def _keep(result: Reproduction) -> None:
    """Write the outcomes into the package."""
    from epsrank.numerics.environment import describe_environment
    from epsrank.numerics.experiments.rules import stamp
    from epsrank.proofs.experiments import Record, write_record
    from epsrank.proofs.experiments.findings import pvalues_of

    # Verdicts are derived from records: one with gaps would decide from what happened to run.
    if result.failed:
        raise click.UsageError(
            f"{plural(len(result.failed), 'trial')} of {result.experiment.id} "
            "failed, so there is nothing to "
            "record; see its report"
        )
    path = write_record(
        Record(
            result.experiment.id,
            result.request,
            datetime.datetime.now(datetime.UTC).date().isoformat(),
            describe_environment(result.request.device),
            result.outcomes,
            stamp(result.experiment.id),
            pvalues_of(result.analysis.findings),
        )
    )
    notice(f"recorded in {path}")


def _as_json(result: Reproduction) -> Mapping[str, Any]:
    return {
        "id": result.experiment.id,
        "title": result.experiment.title,
        "trials": len(result.outcomes),
        "failed": len(result.failed),
        "core_seconds": result.seconds,
        "findings": [finding.to_json() for finding in result.analysis.findings],
        "notes": list(result.analysis.notes),
        "out": None if result.out is None else str(result.out),
    }


def _listed(move: Progress) -> list[dict[str, Any]]:
    """Return every experiment with what is on record of it."""
    from epsrank.numerics.experiments.registry import EXPERIMENTS, experiment
    from epsrank.proofs.experiments import read_record, recorded_ids
    from epsrank.proofs.experiments.judged import judged

    rows: list[dict[str, Any]] = []
    held = recorded_ids()
    for name in EXPERIMENTS:
        entry = experiment(name)
        # The first call analyses large records anew: half a minute each.
        move(len(rows), len(EXPERIMENTS), name)
        row: dict[str, Any] = {
            "id": name,
            "title": entry.title,
            "claims": list(entry.claims),
            "state": "not on record",
            "undecided": None,
            "findings": [],
        }
        if name in held:
            record = read_record(name)
            row["undecided"] = why = record.undecided(entry)
            state = "recorded" if why is None else "recorded, decides nothing"
            row["state"] = f"{state} ({record.day}, {record.request.size})"
            # What a record may not decide is not judged either.
            if why is None:
                row["findings"] = judged(record, entry)
        rows.append(row)
    return rows


def _show_list(as_json: bool) -> None:
    """Print every experiment with what is on record of it."""
    with live_progress("records") as move:
        rows = _listed(move)
    if as_json:
        print_json(rows)
        return
    from epsrank.proofs.ledger.claims import load_ledger

    known = {claim.id: claim.named for claim in load_ledger()}
    print_table(
        ["id", "experiment", "state", "on record"],
        [[r["id"], r["title"], r["state"], _with_titles(r["findings"], known)] for r in rows],
    )


def _with_titles(findings: list[str], known: Mapping[str, str]) -> str:
    """Write ``id: verdict`` of some claims with their titles."""
    pairs = [found.partition(": ") for found in findings]
    return "; ".join(f"{known.get(claim, claim)}: {verdict}" for claim, _, verdict in pairs)
