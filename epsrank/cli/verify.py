"""``epsrank verify``: decide every claim of the ledger and report it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from epsrank.cli.console import live_progress, notice, say
from epsrank.cli.cost import consent_option
from epsrank.cli.front import Command, Interrupted
from epsrank.cli.options import one_size
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.proofs.checkers import Effort


def _claims_beginning_with(context: click.Context, param: click.Parameter, word: str) -> list[str]:
    """Return the ids that the shell offers."""
    from epsrank.proofs.ledger.claims import load_ledger

    return [claim.id for claim in load_ledger() if claim.id.startswith(word)]


@click.command(cls=Command, lists={"--claim": lambda word: not word.startswith("-")})
@click.option(
    "--claim",
    "claims",
    multiple=True,
    metavar="ID …",
    help="Only these claims.  [default: all]",
    shell_complete=_claims_beginning_with,
)
@click.option(
    "--size",
    type=click.Choice(["quick", "standard", "full"]),
    help="How thoroughly.  [default: standard; quick for single claims of the ledger]",
)
@click.option("--quick", is_flag=True, help="Smaller searches and fewer seeds: --size quick.")
@click.option("--full", is_flag=True, help="Larger searches and more seeds: --size full.")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where networks run.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="N")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes.  [default: one per core, and never more]",
)
@click.option(
    "--out", default="report", show_default=True, metavar="DIR", help="Folder of the report."
)
@click.option("--data", metavar="F", help="MNIST as an .npz file.  [default: $EPSRANK_DATA]")
@click.option("--ledger", metavar="F", help="A ledger of your own: TOML with [[claim]] tables.")
@click.option(
    "--checkers", metavar="MODULE", help="Your module or package that checks --ledger's claims."
)
@consent_option
@click.option("--fresh", is_flag=True, help="Make all checks anew, also those that DIR has.")
def verify(
    claims: tuple[str, ...],
    size: str | None,
    quick: bool,
    full: bool,
    device: str,
    seed: int,
    jobs: int | None,
    out: str,
    data: str | None,
    ledger: str | None,
    checkers: str | None,
    fresh: bool,
    yes: bool,
) -> None:
    """Decide every claim of the ledger, by proof, exact arithmetic, search and experiment.

    With --claim a claim takes seconds where a proof on record decides it: a counterexample is
    searched for, the rest is left out and listed, and the summary says which record it was. With
    --size standard all of it is made, and Coq is asked.

    With --ledger and --checkers the claims are yours: properties and checks of your module are
    searched for a counterexample, and reported alike.

    Writes DIR/ledger.json, DIR/index.html and DIR/figures. Exit code 0: every verdict as
    recorded; 1: a regression; 2: bad use. DIR/kept has what is finished: after an interrupt the
    same command goes on from there, unless sources, versions or data have changed.

    Parameters
    ----------
    claims : tuple of str
        Ids of claims; all of them by default.
    size : str or None
        How thoroughly.
    quick, full : bool
        Short for two of the sizes.
    device : str
        Where networks run.
    seed : int
        Seed of every random choice.
    jobs : int or None
        Number of processes.
    out : str
        Folder of the report.
    data : str or None
        File of MNIST.
    ledger : str or None
        File of the user's claims.
    checkers : str or None
        Module that checks them.
    fresh : bool
        Make all checks anew.
    yes : bool
        Begin also what takes hours.

    Raises
    ------
    UsageError
        If both efforts are asked for.
    Interrupted
        After Ctrl-C or SIGTERM.
    """
    # Whoever names a claim wants its answer, and not that of a night; a user's own have no record.
    brief = bool(claims) and ledger is None
    chosen = one_size(size, quick, full) or ("quick" if brief else "standard")
    from epsrank.cli.estimates import weigh_verification
    from epsrank.proofs.runner import verify as decide

    if ledger is None:  # of checks of others nothing is known
        weigh_verification(chosen, claims, jobs, out, yes=yes)

    with live_progress("checks") as progress:
        report = decide(
            claims or None,
            # The checkers call the standard size default.
            effort="default" if chosen == "standard" else cast("Effort", chosen),
            device=device,
            seed=seed,
            jobs=jobs,
            out=out,
            progress=progress,
            data=data,
            fresh=fresh,
            ledger=ledger,
            checkers=checkers,
        )
    kept = report.environment.get("kept", [])
    if kept:
        notice(
            f"{plural(len(kept), 'check is that', 'checks are those')} of an earlier call, kept in "
            f"{Path(out) / 'kept'}; --fresh makes them anew"
        )
    say(report.summary())
    say(f"report: {Path(out) / 'index.html'}")
    if report.interrupted:
        # What no check bears on, or was left out, is no work that was done.
        done = sum(
            result.finished and any(item.state != "skipped" for item in result.evidence)
            for result in report.results
        )
        raise Interrupted(
            f"interrupted; finished {done} of {plural(len(report.results), 'claim')}, "
            f"kept in {out}; "
            "run it again for the others"
        )
    click.get_current_context().exit(report.exit_code)
