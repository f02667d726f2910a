"""The report of one experiment: findings, tables and figures as files, and a page of them all.

The page begins with the question, an answer per claim, and one picture; then what the findings are
worth (robustness, power). All else is folded away below.
"""

from __future__ import annotations

import base64
import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup

from epsrank.numerics.experiments.analysis import Analysis, Picture, Table
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.rules import all_rules, experiment_rules
from epsrank.numerics.files import write_text
from epsrank.numerics.plots.legible import DESK, PHONE, Screen, legible, movable
from epsrank.numerics.plots.save import save_figure
from epsrank.numerics.sweeps.trial import Outcome
from epsrank.proofs.experiments.answers import Answer, answers, decides_nothing, named, panel_of
from epsrank.proofs.experiments.statements import passages
from epsrank.proofs.report.page import STYLE
from epsrank.proofs.report.words import show
from epsrank.theory.errors import InputError
from epsrank.theory.strict_json import document as document_text
from epsrank.theory.strict_json import worded
from epsrank.theory.words import plural, quoted

# Longer tables are shown up to here; the file has them whole.
_MOST_ROWS = 200
_HERE = Path(__file__).parent
_ENDLESS = "of a run that had not got there, or had diverged, when it ended"


class Shown(NamedTuple):
    """A figure on the page."""

    #: What is seen.
    title: str
    #: Address of its data, and of those for a narrow screen.
    uri: str
    narrow: str = ""


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
    if not experiment.question.endswith("?"):
        raise InputError(
            "experiment",
            f"{experiment.id} asks no question, with which its page begins",
            "set its question=, one sentence that ends in a question mark",
        )
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    for table in analysis.tables:
        write_text(folder / "tables" / f"{table.name}.csv", as_csv(table))
    found = answers(analysis, experiment)
    document = {
        "id": experiment.id,
        "title": experiment.title,
        "question": experiment.question,
        "source": experiment.source,
        "request": asdict(request),
        "trials": len(outcomes),
        "failed": [_failure(item) for item in outcomes if item.status == "failed"],
        "findings": [
            {**answer.finding.to_json(), "title": answer.title, "answer": answer.sentence}
            for answer in found
        ],
        "notes": list(analysis.notes),
    }
    write_text(folder / "findings.json", document_text(worded(document)))
    missing: list[str] = []
    main, others = _figures(folder / "figures", experiment, analysis, found, missing)
    page = _template().render(
        experiment=experiment,
        request=request,
        rules=experiment_rules(experiment.id, request.size) if experiment.id in all_rules() else {},
        analysis=replace(analysis, notes=(*analysis.notes, *missing)),
        document=document,
        answers=found,
        nothing=decides_nothing(experiment.id, request),
        panel=panel_of(analysis, found),
        main=main,
        figures=others,
        style=STYLE + Markup((_HERE / "experiment.css").read_text("utf-8")),
        most=_MOST_ROWS,
    )
    write_text(folder / "index.html", page)
    return missing


def _figures(
    folder: Path,
    experiment: Experiment,
    analysis: Analysis,
    found: Sequence[Answer],
    missing: list[str],
) -> tuple[Shown | None, list[Shown]]:
    """Draw all figures; return the main one, for a wide and a narrow screen, and the others."""
    wanted = experiment.main
    first = main_picture(experiment, analysis.pictures)
    main, others = None, []
    for picture in analysis.pictures:
        try:
            whole = _uri(picture, folder / f"{picture.name}.svg", DESK)
            if picture is not first:
                others.append(Shown(picture.title, whole))
                continue
            wide = whole
            if wanted.rows is not None:
                wide = _uri(picture, folder / "main.svg", DESK, wanted.rows)
            narrow = ""
            # What cannot be laid out for a phone is moved to and fro there.
            if movable(picture.draw()):
                narrow = _uri(picture, folder / "main-narrow.svg", PHONE, wanted.rows)
        # What was found stands without its picture.
        except (InputError, OSError) as error:
            missing.append(f"no figure {quoted(picture.title)}: {error}")
            continue
        main = Shown(_caption(experiment, picture, found), wide, narrow)
        if wide is not whole:
            others.append(Shown(picture.title, whole))
    return main, others


def main_picture(experiment: Experiment, pictures: Sequence[Picture]) -> Picture | None:
    """Return the figure that the experiment names, by the beginning of its name, or the first."""
    name = experiment.main.picture
    named = (p for p in pictures if name and p.name.startswith(name))
    return next(named, next(iter(pictures), None))


def _uri(picture: Picture, path: Path, screen: Screen, rows: int | None = None) -> str:
    """Draw and write a figure for a screen; return it as the address of its data."""
    save_figure(legible(picture.draw(), screen, rows), path)
    return f"data:image/svg+xml;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _caption(experiment: Experiment, picture: Picture, found: Sequence[Answer]) -> str:
    """Say the finding that the main picture shows, and how to read it."""
    wanted = experiment.main
    finding = next((each.sentence for each in found if each.finding.claim == wanted.claim), "")
    return f"{finding} {wanted.seen or named(picture.title)}".strip()


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


def _endless(value: Any) -> str:
    """Show a number; an infinite one is what censoring leaves open."""
    if isinstance(value, float) and math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return show(value)


def _has_endless(answer: Answer) -> bool:
    """Whether an interval of a finding is open, which its table explains."""
    ends = ((e.interval.low, e.interval.value, e.interval.high) for e in answer.finding.effects)
    return any(math.isinf(value) for each in ends for value in each)


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(show=_endless, passages=passages, plural=plural, named=named)
    environment.globals.update(has_endless=_has_endless, endless=_ENDLESS)
    return environment.get_template("experiment.html.j2")
