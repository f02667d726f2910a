"""Figures of the staircase detector are drawn, with their parts and targets, of anything."""

from __future__ import annotations

import numpy as np

from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.registry import experiment
from epsrank.numerics.plots.save import save_figure
from epsrank.numerics.plots.staircase_validity import draw_staircase, draw_validity
from epsrank.numerics.staircase import detect_staircase
from epsrank.numerics.sweeps.trial import Outcome


def test_validity_has_one_line_per_case_and_the_targets():
    found = experiment("E")
    outcomes = [
        Outcome(
            trial,
            "done",
            {
                "series": 2,
                "flagged": 1,
                "planted": trial.settings.get("steps", 0),
                "found": 0,
                "errors": [],
                "extra": 0,
            },
        )
        for trial in found.plan(Request(seeds=2))
    ]
    figure = found.analyse(outcomes).pictures[0].draw()
    left, right = figure.axes
    names = [label.get_text() for label in left.get_yticklabels()]
    assert len(names) == len(set(names)) > 20
    assert "noise, ρ = 0.9" in names
    assert "3 steps, ρ = 0" in [label.get_text() for label in right.get_yticklabels()]
    assert 0.05 in {line.get_xdata()[0] for line in left.lines if line.get_label() == "target"}


def test_validity_of_nothing_is_an_empty_figure():
    assert len(draw_validity([]).axes) == 2


def test_a_staircase_has_its_plateaus_drops_and_rank(tmp_path):
    log = np.repeat([0.0, -3.0, -6.0], 40) + 0.03 * np.random.default_rng(1).normal(size=120)
    rank = np.repeat([4, 9, 14], 40)
    found = detect_staircase(np.exp(log), rank)
    figure = draw_staircase(range(120), np.exp(log), found, (rank, rank + 1), title="two drops")
    above, below = figure.axes
    assert sum(line.get_label() == "plateau" for line in above.lines) == 1
    assert len(above.patches) == len(below.patches) == 2
    assert save_figure(figure, tmp_path / "stairs.svg").stat().st_size > 1000


def test_a_loss_without_steps_or_rank_is_drawn_too(tmp_path):
    loss = np.exp(-np.arange(60) / 20)
    figure = draw_staircase(range(60), loss, detect_staircase(loss))
    assert len(figure.axes) == 1
    save_figure(figure, tmp_path / "smooth.png")
