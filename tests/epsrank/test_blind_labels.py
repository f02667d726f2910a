"""Blind labels: pictures do not say what they are, and agreement is counted as defined."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from epsrank.benchmarks.blind_labels import agreement, draw, kappa, main, read_labels
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


RUNS = [run(0, (0.0, -2.0, -5.0)), run(1, (0.0, -3.0)), run(2, (-1.0, -1.0, -1.0))]


def test_readers_are_compared_with_each_other_and_with_the_detector(tmp_path):
    (page,) = draw(RUNS, tmp_path, 3)
    mixed = json.loads((tmp_path / "index.json").read_text())
    assert sorted(r["settings"]["seed"] for r in mixed) == [0, 1, 2]
    assert page.stat().st_size > 10_000
    truth = {0: 2, 1: 1, 2: 0}
    rows = [f"{k},{truth[r['settings']['seed']]}" for k, r in enumerate(mixed, 1)]
    header = (tmp_path / "labels.csv").read_text().splitlines()[0]
    (tmp_path / "one.csv").write_text("\n".join([header, *rows]))
    (tmp_path / "two.csv").write_text("\n".join([header, *rows[:2], "3,7"]))
    shown = CliRunner().invoke(
        main, ["compare", str(tmp_path), *(str(tmp_path / f"{n}.csv") for n in ("one", "two"))]
    )
    assert shown.exit_code == 0, shown.output
    assert "| one, detector | number of steps | 3 | 3 | 1.0 |" in shown.output
    assert "| one, two | number of steps | 3 | 2 | 0.667 |" in shown.output
    assert "3: {'one'" in shown.output


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
