"""The report of one experiment: findings, tables and figures as files, and a page of them all."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import jinja2

from epsrank.numerics.experiments.analysis import Analysis, Table
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.files import write_text
from epsrank.numerics.plots.save import save_figure
from epsrank.numerics.sweeps.trial import Outcome
from epsrank.proofs.report.page import STYLE
from epsrank.proofs.report.words import show
from epsrank.theory.errors import InputError
from epsrank.theory.strict_json import document as document_text
from epsrank.theory.strict_json import worded
from epsrank.theory.words import quoted

# Longer tables are shown up to here; the file has them whole.
_MOST_ROWS = 200


def write_experiment(
    folder: Path,
    experiment: Experiment,
    request: Request,
    outcomes: Sequence[Outcome],
    analysis: Analysis,
) -> list[str]:
    """Write findings.json, tables/*.csv, figures/*.svg and index.html; return what could not be.

    The same outcomes give the same files, byte for byte, except for tables named ``cost-…``.
    """
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    for table in analysis.tables:
        write_text(folder / "tables" / f"{table.name}.csv", as_csv(table))
    document = {
        "id": experiment.id,
        "title": experiment.title,
        "source": experiment.source,
        "request": asdict(request),
        "trials": len(outcomes),
        "failed": [_failure(item) for item in outcomes if item.status == "failed"],
        "findings": [finding.to_json() for finding in analysis.findings],
        "notes": list(analysis.notes),
    }
    write_text(folder / "findings.json", document_text(worded(document)))
    figures, missing = [], []
    for picture in analysis.pictures:
        path = folder / "figures" / f"{picture.name}.svg"
        try:
            save_figure(picture.draw(), path)
            data = base64.b64encode(path.read_bytes()).decode("ascii")
        # What was found stands without its picture.
        except (InputError, OSError) as error:
            missing.append(f"no figure {quoted(picture.title)}: {error}")
            continue
        figures.append((picture.title, f"data:image/svg+xml;base64,{data}"))
    page = _template().render(
        experiment=experiment,
        request=request,
        analysis=replace(analysis, notes=(*analysis.notes, *missing)),
        document=document,
        figures=figures,
        style=STYLE,
        most=_MOST_ROWS,
    )
    write_text(folder / "index.html", page)
    return missing


def _failure(outcome: Outcome) -> dict[str, Any]:
    return {"settings": dict(outcome.settings), "cause": outcome.cause}


def as_csv(table: Table) -> str:
    """Return a table as comma-separated values with a head."""
    text = io.StringIO()
    columns = list(dict.fromkeys(key for row in table.rows for key in row))
    # The same ends of lines on every system, for the same bytes.
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table.rows)
    return text.getvalue()


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["show"] = show
    return environment.get_template("experiment.html.j2")
