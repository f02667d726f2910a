"""``epsrank prove``: compile the Coq development, audit it, and export certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from epsrank.cli.certificates import PROOFS, Measurement, export
from epsrank.cli.console import live_progress, notice, print_json, print_table, say
from epsrank.cli.cost import consent_option
from epsrank.cli.front import Command, is_number
from epsrank.cli.options import DEFAULT_EPS, measure_options
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.proofs.formal.audit import Audit
    from epsrank.proofs.formal.compilation import Compiled


@click.command(cls=Command, lists={"--eps": is_number})
@click.option("--audit", "auditing", is_flag=True, help="Audit axioms, files and statements.")
@click.option("--record", is_flag=True, help="Audit, and write down what was accepted.")
@click.option(
    "--accept-statements",
    is_flag=True,
    help="Write the reviewed file of statements anew, before the audit.",
)
@click.option(
    "--development", metavar="DIR", help="Another folder with a _CoqProject.  [default: our own]"
)
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Coqs at a time.  [default: one a core]"
)
@click.option(
    "--pages",
    metavar="DIR",
    help="Write the sources as pages, with a graph of claims and theorems.",
)
@click.option("--export", "folder", metavar="DIR", help="Write a measurement as a Coq project.")
@click.option("--rank", metavar="FILE", help="Certify the ε-rank of these features.")
@click.option("--floor", metavar="FILE", help="Certify a floor of the loss on these features.")
@click.option(
    "--eps",
    type=float,
    multiple=True,
    metavar="E …",
    help=f"Thresholds of --rank.  [default: {DEFAULT_EPS:g}]",
)
@click.option(
    "--proof",
    type=click.Choice(PROOFS),
    help="How --rank is proved: gram rounds the Gram matrix.  [default: by width]",
)
@click.option("--target", metavar="F", help="File with u*, for --floor.")
@click.option("--norm", type=float, metavar="B", help="Bound on the output layer, for --floor.")
@click.option("--coefficients", metavar="F", help="File with the output layer, for --floor.")
@consent_option
@measure_options
def prove(
    auditing: bool,
    record: bool,
    accept_statements: bool,
    development: str | None,
    jobs: int | None,
    pages: str | None,
    folder: str | None,
    as_json: bool,
    **measurement: Any,
) -> None:
    """Compile the Coq proofs from scratch, audit them, or certify a measurement.

    The audit fails on anything assumed, on a file that is not listed, on a theorem of the ledger
    that does not exist, and on a statement that is not as reviewed. --export writes a Coq project
    that proves an ε-rank or a floor of the features in a file; it needs no Coq itself. Exit code
    0: accepted; 1: Coq or the audit refuses; 2: bad use, or no Coq.
    """
    wanted = Measurement(**measurement)
    if folder is None and wanted != _NOTHING:
        raise click.UsageError("a measurement is certified with --export DIR")
    if pages is not None:
        if auditing or record or accept_statements or folder is not None:
            raise click.UsageError("audit, pages and export are made one after the other")
        _write_pages(pages, development, jobs, as_json)
    elif folder is None:
        _compile(auditing or record or accept_statements, record, accept_statements,
                 development, jobs, as_json)  # fmt: skip
    elif auditing or record or accept_statements:
        raise click.UsageError("audit and export one after the other")
    else:
        export(folder, wanted, as_json)


def _write_pages(pages: str, development: str | None, jobs: int | None, as_json: bool) -> None:
    """Write the pages of a compiled development; one that is compiled already is taken as it is."""
    from pathlib import Path

    from epsrank.proofs.formal import DEVELOPMENT, CoqError, compile_development, require_coq
    from epsrank.proofs.formal.graph import Linked
    from epsrank.proofs.formal.pages import write_pages
    from epsrank.proofs.ledger.claims import load_ledger, proved_claims

    coq = require_coq()
    folder = DEVELOPMENT if development is None else development
    try:
        with live_progress("files") as progress:
            compiled = compile_development(coq, jobs=jobs, progress=progress, folder=folder)
        claims = [
            Linked(claim.id, claim.named, claim.statement, names)
            for claim, names in proved_claims(load_ledger())
        ]
        written = write_pages(compiled, claims, Path(pages))
    except CoqError as error:
        notice(f"Coq refuses {error}")
        click.get_current_context().exit(1)
    if as_json:
        print_json({"folder": pages, "files": [file.name for file in written]})
    else:
        say(f"wrote {plural(len(written), 'file')}: begin with {Path(pages) / 'index.html'}")


_NOTHING = Measurement(None, None, (), None, None, None, None, None, "mean", None)


def _compile(
    auditing: bool,
    record: bool,
    accept: bool,
    development: str | None,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Compile, audit and record."""
    from epsrank.proofs.formal import DEVELOPMENT, CoqError, compile_development, require_coq

    coq = require_coq()
    folder = DEVELOPMENT if development is None else development
    context = click.get_current_context()
    try:
        with live_progress("files") as progress:
            # From scratch: who asks for it does not want to trust a cache.
            compiled = compile_development(
                coq, jobs=jobs, scratch=True, progress=progress, folder=folder
            )
        found = None
        if auditing:
            found = _audit(compiled, folder, jobs, accept)
    except CoqError as error:
        if as_json:
            print_json({"passed": False, "coq": coq.version, "error": str(error)})
        else:
            notice(f"Coq refuses {error}")
        context.exit(1)
    if as_json:
        print_json(document(compiled, found))
    else:
        _print(compiled, found)
    if found is not None and not found.passed:
        context.exit(1)
    if found is not None and record:
        from epsrank.proofs.formal.records import make_record, write_record

        notice(f"wrote {write_record(make_record(found, folder), folder)}")


def _audit(compiled: Compiled, folder: Any, jobs: int | None, accept: bool) -> Audit:
    """Audit, after rewriting the reviewed statements where that is asked for."""
    from epsrank.proofs.formal.audit import accept_statements, audit
    from epsrank.proofs.ledger.claims import ledger_theorems, load_ledger, proved_claims

    wanted = ledger_theorems(load_ledger())
    # Before the audit, which is then of what was accepted.
    if accept:
        groups = [(f"{c.id}. {c.statement}", names) for c, names in proved_claims(load_ledger())]
        written = accept_statements(compiled, wanted, folder, groups)
        notice(f"wrote {written}: read it before you commit it")
    with live_progress("audit") as progress:
        return audit(compiled, wanted, folder=folder, jobs=jobs, progress=progress)


def document(compiled: Compiled, audit: Audit | None) -> dict[str, Any]:
    """Return the JSON document of ``epsrank prove --json``."""
    return {
        "passed": audit is None or audit.passed,
        "coq": compiled.coq.version,
        "mathcomp": compiled.coq.mathcomp,
        "seconds": dict(compiled.seconds),
        "audit": None if audit is None else audit.to_json(),
    }


def _print(compiled: Compiled, audit: Audit | None) -> None:
    """Print files, seconds and theorems for people, and what the audit found."""
    from epsrank.proofs.formal.declared import declared, theorems

    names = declared(compiled)
    stated = theorems(names)
    rows = []
    for file, seconds in compiled.seconds.items():
        mine = [item for item in names if item.file == file]
        count = sum(item.file == file for item in stated)
        lemmas = sum(item.kind == "proof" for item in mine) - count
        rows.append([f"{seconds:.1f}", str(count), str(lemmas), file])
    print_table(
        ["seconds", "theorems", "lemmas", "file"],
        rows,
        title=f"{compiled.coq} accepts {plural(len(rows), 'file')} with "
        f"{plural(len(stated), 'theorem')}",
    )
    if audit is not None:
        say(str(audit))
