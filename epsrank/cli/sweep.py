"""``epsrank sweep``: a grid of training runs, each computed once."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from epsrank.cli.console import Progress, live_progress, notice, print_json, print_table, say
from epsrank.cli.cost import consent_option, weigh_trials
from epsrank.cli.front import Command, Interrupted
from epsrank.cli.sweep_results import check_shown, failures_of, print_results
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.numerics.sweeps import Outcome, Sweep, TrialStore

    Stored = Callable[[], list[Outcome | None]]


@click.command(cls=Command, lists={"--show": lambda word: not word.endswith(".toml")})
@click.argument("spec", metavar="SPEC.toml")
@click.option("--out", metavar="DIR", help="Folder of the sweep.  [default: sweeps/SPEC]")
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Processes.  [default: one per core]"
)
@click.option(
    "--backend",
    type=click.Choice(["local", "ray", "dask"]),
    default="local",
    show_default=True,
    help="Where processes run.",
)
@click.option(
    "--batched", is_flag=True, help="Train networks of one shape together, as one program."
)
@click.option("--status", is_flag=True, help="Say what is done, failed and missing; run nothing.")
@click.option("--retry-failed", is_flag=True, help="Run failed trials again.")
@click.option(
    "--show",
    multiple=True,
    metavar="NAME",
    help="Columns of the table, among loss, test_loss, "
    "test_accuracy, reachable, rank, reading, stairs, steps_to_T.",
)
@consent_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def sweep(
    spec: str,
    out: str | None,
    jobs: int | None,
    backend: str,
    batched: bool,
    status: bool,
    retry_failed: bool,
    show: tuple[str, ...],
    yes: bool,
    as_json: bool,
) -> int:
    """Train the networks of a grid, with several seeds each, and compare the last losses and ranks.

    SPEC.toml has settings in [fixed], lists of them in [grid], distributions in [random], and
    seeds. DIR/store keeps every finished run at once, so that after an interrupt, a kill or a
    larger SPEC.toml the same command computes what is missing only. DIR/results.parquet has a
    row per run. Exit code 0 also where some runs failed; 1 if all did. With --batched up to 8
    networks of one shape are trained, kept and gone on with together.
    """
    from epsrank.numerics.sweeps import Sweep, TrialStore, run_trials

    if batched:  # with PyTorch, which other kinds of trials may do without
        from epsrank.numerics.ensemble.trials import run_train_trials_batched, stored_runs
    plan = Sweep.from_toml(spec)
    check_shown(plan, show)
    folder = Path(out) if out is not None else Path("sweeps") / Path(spec).stem
    store, trials = TrialStore(folder / "store"), plan.trials()

    # Read again at every call: an interrupted sweep counts what was kept in the meantime.
    def stored() -> list[Outcome | None]:
        return stored_runs(trials, store) if batched else [store.get(trial) for trial in trials]

    if status:
        _print_status(folder, stored, store, as_json)
        return 0
    weigh_trials("SPEC", spec, trials, store, jobs=jobs, yes=yes, elsewhere=backend != "local")
    # Before the runs, so that a folder that cannot be written costs none.
    _keep_spec(folder, plan)
    run = run_train_trials_batched if batched else run_trials
    try:
        with live_progress("programs" if batched else "runs") as bar:
            outcomes = run(
                trials,
                store,
                jobs=jobs,
                backend=backend,
                progress=_counting(bar),
                retry_failed=retry_failed,
            )
    except KeyboardInterrupt:
        raise Interrupted(_how_to_go_on(spec, folder, stored, batched)) from None
    _report_damage(store)
    print_results(plan, folder, outcomes, as_json, show)
    return 1 if all(outcome.status == "failed" for outcome in outcomes) else 0


def _keep_spec(folder: Path, plan: Sweep) -> None:
    """Keep the specification beside the results."""
    from epsrank.numerics.files import write_text
    from epsrank.numerics.manifest import Manifest
    from epsrank.theory.errors import InputError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        manifest = Manifest(folder, "sweep")
        write_text(folder / "spec.toml", plan.text, manifest=manifest)
        manifest.write()
    except OSError as error:
        problem = f"cannot be written ({folder}: {error.strerror or error})"
        raise InputError("--out", problem, "choose another folder") from None
    except InputError as error:
        raise InputError("--out", error.problem, error.remedy) from None


def _counting(bar: Progress) -> Progress:
    """Show how many trials have failed beside the progress bar."""
    failures = 0

    def move(done: int, total: int, text: str) -> None:
        nonlocal failures
        failures += bool(text)
        bar(done, total, f"{failures} failed" if failures else "")

    return move


def _how_to_go_on(spec: str, folder: Path, stored: Stored, batched: bool) -> str:
    """Say what an interrupted sweep has kept."""
    kept = [outcome is not None for outcome in stored()]
    words = ["epsrank", "sweep", spec, "--out", str(folder), *(["--batched"] if batched else [])]
    return (
        f"interrupted; {sum(kept)} of {plural(len(kept), 'run is', 'runs are')} kept in {folder}; "
        f"go on with: {shlex.join(words)}"
    )


def _report_damage(store: TrialStore) -> None:
    """Say which files of the store could not be used."""
    for path, problem in store.damaged.items():
        notice(f"{path} {problem}; it counts as absent")


def _print_status(folder: Path, stored: Stored, store: TrialStore, as_json: bool) -> None:
    """Say what is done, failed and missing."""
    found = stored()
    outcomes = [outcome for outcome in found if outcome is not None]
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    counts = {
        "trials": len(found),
        "done": len(outcomes) - len(failed),
        "failed": len(failed),
        "missing": len(found) - len(outcomes),
    }
    _report_damage(store)
    if as_json:
        print_json({"out": str(folder), **counts, "failures": failures_of(outcomes)})
        return
    print_table(list(counts), [[str(count) for count in counts.values()]], title=f"{folder}")
    causes = Counter(str(outcome.cause) for outcome in failed)
    for cause, count in causes.most_common():
        say(f"{count} failed: {cause}")
