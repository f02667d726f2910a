"""Readers against the detector of staircases: pictures without names, and how far labels agree.

    python -m epsrank.benchmarks.blind_labels draw A1 A3 --out labels --seed 1
    python -m epsrank.benchmarks.blind_labels compare labels first.csv second.csv

`draw` draws the recorded losses of experiments in a random order as numbered panels, and writes
what is what to a file of its own. A reader looks at the pictures alone and fills in ``steps`` in
a copy of ``labels.csv``: how many drops lie between two plateaus. `compare` puts the files of one
reader or two beside each other and beside the detector, which runs only then.

Labels follow their picture: the column ``picture`` names it by its losses, so that labels kept from
one draw are compared under any other seed, and labels of losses no longer on record are left out.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import click
import numpy as np

from epsrank.numerics.experiments.histories import History, read_histories
from epsrank.numerics.staircase.detect import detect_staircase
from epsrank.proofs.experiments.records import RECORDED, read_record
from epsrank.theory.errors import InputError
from epsrank.theory.statistics import proportion

# Panels of a page: readable on a screen.
_COLUMNS, _ROWS = 4, 6
_DPI = 80
_INDEX, _TEMPLATE = "index.json", "labels.csv"
# Runs with fewer measurements are not judged by the detector either.
_LEAST = 24


def recorded_losses(experiments: Sequence[str], folder: Path = RECORDED) -> list[dict[str, Any]]:
    """Return every loss on record once: experiment, settings, scale, steps and losses."""
    found: dict[bytes, dict[str, Any]] = {}
    for name in experiments:
        histories, _ = read_histories(read_record(name, folder).outcomes)
        for run in histories:
            if run.status == "complete" and run.loss.size >= _LEAST:
                # Two views of one training have the same losses.
                found.setdefault(run.loss.tobytes(), _plain(name, run))
    return list(found.values())


def _plain(name: str, run: History) -> dict[str, Any]:
    return {
        "experiment": name,
        "settings": dict(run.settings),
        "scale": run.settings.get("scale", "log"),
        "steps": run.steps.tolist(),
        "loss": [value if np.isfinite(value) else None for value in run.loss.tolist()],
    }


def picture(run: Mapping[str, Any]) -> str:
    """Return the name of a picture, the same in every draw, which tells a reader nothing."""
    return hashlib.sha256(json.dumps(run["loss"]).encode()).hexdigest()[:12]


def draw(
    runs: Sequence[Mapping[str, Any]], out: Path, seed: int, resolution: int = _DPI
) -> list[Path]:
    """Draw runs in a random order, numbered from 1, and write the index and an empty label file."""
    from matplotlib.figure import Figure

    order = np.random.default_rng(seed).permutation(len(runs)).tolist()
    mixed = [runs[k] for k in order]
    out.mkdir(parents=True, exist_ok=True)
    (out / _INDEX).write_text(json.dumps(mixed), encoding="utf-8")
    lines = ["number,steps,picture", *(f"{k},,{picture(run)}" for k, run in enumerate(mixed, 1))]
    (out / _TEMPLATE).write_text("\n".join(lines) + "\n", encoding="utf-8")
    pages = []
    for page, first in enumerate(range(0, len(mixed), _COLUMNS * _ROWS), 1):
        figure = Figure(figsize=(4 * _COLUMNS, 2.4 * _ROWS))
        panels = figure.subplots(_ROWS, _COLUMNS, squeeze=False)
        for place, axes in enumerate(panels.flat):
            if first + place >= len(mixed):
                axes.axis("off")
                continue
            run = mixed[first + place]
            loss = np.array(run["loss"], dtype=float)
            axes.plot(run["steps"], loss, linewidth=0.7, marker=".", markersize=2)
            axes.set_yscale(run["scale"])
            axes.minorticks_off()
            axes.tick_params(labelsize=6, labelbottom=False)
            axes.set_title(str(first + place + 1), fontsize=9)
        pages.append(out / f"page-{page:02d}.png")
        figure.savefig(pages[-1], dpi=resolution)
    return pages


def read_labels(path: Path, count: int, pictures: Sequence[str] = ()) -> dict[int, int]:
    """Return the number of steps by panel; panels without one are left out.

    Rows that name a picture belong to its panel among `pictures`, the others to their number.
    """
    panels = {name: number for number, name in enumerate(pictures, 1)}
    found = {}
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                if not row["steps"].strip():
                    continue
                name = row.get("picture") if pictures else None
                number = panels.get(name) if name else int(row["number"])
                if number is not None:
                    found[number] = int(row["steps"])
    except (KeyError, ValueError, AttributeError) as error:
        raise InputError(
            "labels", f"{path.name} has no whole numbers ({error})", "fill in number,steps"
        ) from error
    if not found or not set(found) <= set(range(1, count + 1)) or min(found.values()) < 0:
        raise InputError(
            "labels", f"{path.name} labels none of the panels 1 to {count}", "use their numbers"
        )
    return found


def detected(runs: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """Return the number of steps that the detector finds, by panel."""
    return {
        number: len(detect_staircase(run["loss"], times=run["steps"], scale=run["scale"]).steps)
        for number, run in enumerate(runs, 1)
    }


def kappa(first: Sequence[int], second: Sequence[int]) -> float | None:
    """Return Cohen's κ = (p_o − p_e)/(1 − p_e); None where both say one and the same throughout."""
    a, b = np.array(first), np.array(second)
    chance = sum(float(np.mean(a == k) * np.mean(b == k)) for k in {*first, *second})
    return None if chance == 1 else (float(np.mean(a == b)) - chance) / (1 - chance)


def agreement(readers: Mapping[str, Mapping[int, int]]) -> list[dict[str, Any]]:
    """Return a row per pair of readers and question: two steps or more, one or more, how many."""
    questions: dict[str, Callable[[int], int]] = {
        "staircase (two or more)": lambda steps: int(steps > 1),
        "a step (one or more)": lambda steps: int(steps > 0),
        "number of steps": lambda steps: steps,
    }
    rows = []
    for (one, mine), (other, theirs) in combinations(readers.items(), 2):
        both = sorted(set(mine) & set(theirs))
        for question, answer in questions.items():
            first = [answer(mine[number]) for number in both]
            second = [answer(theirs[number]) for number in both]
            same = proportion(sum(a == b for a, b in zip(first, second, strict=True)), len(both))
            rows.append(
                {
                    "readers": f"{one}, {other}",
                    "question": question,
                    "panels": len(both),
                    "agree": same.count,
                    "share": round(same.value, 3),
                    "low": round(same.low, 3),
                    "kappa": None if (k := kappa(first, second)) is None else round(k, 3),
                }
            )
    return rows


@click.group()
def main() -> None:
    """Blind labels of recorded losses."""


@main.command("draw")
@click.argument("experiments", nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.option("--seed", default=0, show_default=True, help="Of the order.")
@click.option("--dpi", default=_DPI, show_default=True, type=click.IntRange(20), help="Of pages.")
@click.option("--records", type=click.Path(path_type=Path), default=RECORDED, help="Records.")
def _draw(experiments: Sequence[str], out: Path, seed: int, dpi: int, records: Path) -> None:
    """Draw the losses of EXPERIMENTS without their names."""
    for page in draw(recorded_losses(experiments, records), out, seed, dpi):
        click.echo(page)
    click.echo(f"Label a copy of {out / _TEMPLATE}; {out / _INDEX} says what is what.")


@main.command("compare")
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.argument("labels", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
def _compare(folder: Path, labels: Sequence[Path]) -> None:
    """Compare LABELS of one reader or more with each other and with the detector."""
    runs = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    pictures = [picture(run) for run in runs]
    readers = {path.stem: read_labels(path, len(runs), pictures) for path in labels}
    readers["detector"] = detected(runs)
    click.echo(
        "| readers | question | panels | agree | share | at least | κ |\n" + "|---" * 7 + "|"
    )
    for row in agreement(readers):
        click.echo("| " + " | ".join(str(value) for value in row.values()) + " |")
    click.echo("\nPanels on which they differ, with the number of steps of each:")
    for number in range(1, len(runs) + 1):
        said = {name: given[number] for name, given in readers.items() if number in given}
        if len(set(said.values())) > 1:
            run = runs[number - 1]
            what = {k: v for k, v in run["settings"].items() if np.isscalar(v)}
            click.echo(f"{number}: {said} {run['experiment']} {json.dumps(what)}")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
