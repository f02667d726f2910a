"""Blind labels: pictures do not say what they are, and agreement is counted as defined."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from epsrank.benchmarks.blind_labels import (
    agreement,
    draw,
    kappa,
    main,
    picture,
    read_labels,
)
from epsrank.theory.errors import InputError


def run(seed, levels, experiment="A1"):
    noise = np.random.default_rng(seed).normal(size=40 * len(levels))
    loss = np.exp(np.repeat(levels, 40) + 0.01 * noise)
    settings = {"task": "cosines", "seed": seed}
    return {
        "experiment": experiment,
        "settings": settings,
        "scale": "log",
        "steps": list(range(loss.size)),
        "loss": loss.tolist(),
    }


KEPT = Path(__file__).resolve().parents[2] / "docs" / "data" / "staircase-labels-second.csv"
RUNS = [run(0, (0.0, -2.0, -5.0)), run(1, (0.0, -3.0)), run(2, (-1.0, -1.0, -1.0))]


def test_readers_are_compared_with_each_other_and_with_the_detector(tmp_path):
    (page,) = draw(RUNS, tmp_path, 3)
    mixed = json.loads((tmp_path / "index.json").read_text())
    assert sorted(r["settings"]["seed"] for r in mixed) == [0, 1, 2]
    assert page.stat().st_size > 10_000
    truth = {0: 2, 1: 1, 2: 0}
    rows = [f"{k},{truth[r['settings']['seed']]}" for k, r in enumerate(mixed, 1)]
    header = (tmp_path / "labels.csv").read_text().splitlines()[0]
    template = csv.DictReader((tmp_path / "labels.csv").read_text().splitlines())
    assert [row["picture"] for row in template] == [picture(r) for r in mixed]
    (tmp_path / "one.csv").write_text("\n".join([header, *rows]))
    (tmp_path / "two.csv").write_text("\n".join([header, *rows[:2], "3,7"]))
    shown = CliRunner().invoke(
        main, ["compare", str(tmp_path), *(str(tmp_path / f"{n}.csv") for n in ("one", "two"))]
    )
    assert shown.exit_code == 0, shown.output
    assert "| one, detector | number of steps | 3 | 3 | 1.0 |" in shown.output
    assert "| one, two | number of steps | 3 | 2 | 0.667 |" in shown.output
    assert "3: {'one'" in shown.output


def test_labels_follow_their_picture_from_one_draw_to_another(tmp_path):
    names = [picture(r) for r in RUNS]
    lines = [f"{k + 1},{k},{name}" for k, name in enumerate(names)]
    kept = tmp_path / "kept.csv"
    kept.write_text("\n".join(["number,steps,picture", *lines]))
    # One picture is no longer on record, and the others are drawn in the opposite order.
    assert read_labels(kept, 2, [names[2], names[1]]) == {1: 2, 2: 1}
    with pytest.raises(InputError, match=r"kept\.csv"):
        read_labels(kept, 1, ["another"])


def test_the_labels_that_are_kept_are_those_that_were_fixed_before_the_comparison():
    rows = list(csv.DictReader(KEPT.read_text(encoding="utf-8").splitlines()))
    assert len({row["picture"] for row in rows}) == len(rows) == 192
    # The file whose hash was noted before the detector ran: number and steps of the first draw.
    fixed = "number,steps\n" + "".join(f"{row['number']},{row['steps']}\n" for row in rows[:180])
    assert hashlib.sha256(fixed.encode()).hexdigest().startswith("58d0feebf4949ad6")


def test_kappa_is_cohens():
    assert kappa([1, 1, 0, 0], [1, 1, 0, 0]) == 1
    assert kappa([1, 1, 0, 0], [1, 0, 1, 0]) == 0
    # p_o = 0.8 and p_e = 0.5, by hand.
    first, second = [1] * 5 + [0] * 5, [1] * 4 + [0] * 4 + [1, 0]
    assert kappa(first, second) == pytest.approx(0.6)
    assert kappa([0, 0], [0, 0]) is None


def test_panels_that_one_reader_left_out_do_not_count():
    rows = agreement({"a": {1: 2, 2: 0, 3: 1}, "b": {1: 3, 2: 0}})
    assert [(row["panels"], row["agree"]) for row in rows] == [(2, 2), (2, 2), (2, 1)]


@pytest.mark.parametrize("text", ["number,steps\n1,\n", "number,steps\n9,1\n", "a,b\n1,x\n"])
def test_labels_that_say_nothing_are_refused(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=r"labels\.csv"):
        read_labels(path, 3)
