"""E: how reliable the detector of staircases is, measured on series whose truth is known.

No claim of the ledger hangs on it; those that rest on the detector hold as far as this table does.
Targets: at most 5 % of the nulls flagged as staircases, at 60 points and more; at least 95 % of
planted steps of 3 standard deviations of the noise found, at 126 points and more, placed within 1 %
of the length. PELT and a threshold stand beside it. Seeds differ from those of the calibration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from epsrank.numerics.experiments.analysis import Analysis, Picture, Table
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.rules import experiment_rules
from epsrank.numerics.staircase.validity import DETECTORS, LENGTHS, cases, validity_rows
from epsrank.numerics.sweeps.trial import Outcome, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Seeds of trials while the detector was designed were below.
_FIRST_SEED = 1000
# Series of one trial: a second of work, so that a table that was not finished has some of all.
_CHUNK = 20


def plan(request: Request) -> list[Trial]:
    """Return the trials of every case at every length, in chunks of series."""
    series = (
        experiment_rules("E", request.size)["series"] if request.seeds is None else request.seeds
    )
    return [
        Trial(
            "staircase-validity",
            case
            | {
                "detector": detector,
                "length": length,
                "series": min(_CHUNK, series - first),
                "seed": _FIRST_SEED + request.first,
                "chunk": first // _CHUNK,
            },
        )
        for first in range(0, series, _CHUNK)
        for detector in DETECTORS
        for length in LENGTHS
        for case in cases()
        # The others have no test of coupling.
        if detector == "ours" or not case["group"].startswith("coupling")
    ]


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Put the counts into tables, and name what misses its target."""
    done = [(o.settings, o.result) for o in outcomes if o.status == "done"]
    rows = validity_rows(done)
    notes = [f"{len(outcomes) - len(done)} trials failed"] if len(done) < len(outcomes) else []
    missed = [row for row in rows if row["target met"] == "no" and row["detector"] == "ours"]
    notes += [f"misses its target: {_name(row)}" for row in missed]
    if rows and not missed:
        notes.append("no case misses its target by more than sampling has it")
    groups = {
        "nulls": ("Series of one step at most flagged as staircases", ("null",)),
        "planted": ("Planted steps found", ("planted",)),
        "coupling": (
            "Coupling told of independent and of coupled series",
            ("coupling null", "coupling planted"),
        ),
    }
    tables = tuple(
        Table(f"validity-{name}", title, [row for row in rows if row["group"] in members])
        for name, (title, members) in groups.items()
    )
    pictures = (
        Picture(
            "validity",
            "False positives and recall of the detector of staircases, with 95 % intervals",
            partial(_draw, [row for row in rows if row["detector"] == "ours"]),
        ),
    )
    return Analysis((), tables, pictures if rows else (), tuple(notes))


def _name(row: Mapping[str, Any]) -> str:
    """Return a case with its number."""
    rho = row["autocorrelation"]
    noise = "" if rho is None else f", autocorrelation {rho:g}"
    steps = f", {row['planted steps']} steps" if row["planted steps"] else ""
    share = row["flagged"] if row["recall"] is None else row["recall"]
    word = "flagged" if row["recall"] is None else "recall"
    return f"{row['family']}{steps}{noise}, length {row['length']}: {word} {share:.3f}"


def _draw(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the figure; matplotlib is imported only for it."""
    from epsrank.numerics.plots.staircase_validity import draw_validity

    return draw_validity(rows)


EXPERIMENT = Experiment(
    id="E",
    title="Validity of the staircase detector: false positives, recall and timing",
    source="Experiments, section E",
    claims=(),
    plan=plan,
    analyse=analyse,
)
