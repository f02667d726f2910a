"""Public drawing functions: what cannot be used is named in one line, before anything is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from epsrank import detect_staircase, draw_staircase, draw_training_stages
from epsrank.plots import paper_style, plot_own_theory, plot_run, plot_theory, save_plot
from epsrank.theory.errors import InputError

STAIRS = detect_staircase(np.r_[np.ones(30), np.full(30, 0.1)])
TIMES = range(60)


def paper(**given):
    with paper_style(**given):
        pass


def staircase(*, times=TIMES, loss=range(1, 61), found=STAIRS, **given):
    draw_staircase(times, loss, found, **given)


CALLS = {
    "ax": [
        (plot_theory, ("constants",), {"ax": 3}),
        (plot_theory, ("constants",), {"ax": Figure()}),
        (plot_theory, ("constants",), {"ax": [Figure().add_subplot()]}),
    ],
    "kind": [
        (plot_theory, (["constants"],), {}),
        (plot_theory, (3,), {}),
        (plot_own_theory, (3, ["chain"]), {}),
    ],
    "run": [
        (plot_run, (3,), {}),
        (plot_run, (None,), {}),
        (plot_own_theory, (3,), {}),
        (plot_theory, ("floor-rank",), {"runs": [3]}),
    ],
    "runs": [(plot_theory, ("floor-rank",), {"runs": 3})],
    "axes": [(save_plot, (3, "a.svg"), {}), (save_plot, ([], "a.svg"), {})],
    "path": [(save_plot, (Figure(), 3), {}), (save_plot, (Figure(), "a.xyz"), {})],
    "dpi": [(save_plot, (Figure(), "a.png"), {"dpi": dpi}) for dpi in ("x", 10**9, 0)],
    "columns": [(paper, (), {"columns": value}) for value in ("x", 3, [1])],
    "size": [(paper, (), {"size": value}) for value in ("a", 0, 1e9)],
    "height": [(paper, (), {"height": value}) for value in ("a", -1)],
    "font": [(paper, (), {"font": value}) for value in (3, "no such font")],
    "greyscale": [(paper, (), {"greyscale": "no"})],
    "loss": [(staircase, (), {"loss": [1, 2]}), (staircase, (), {"loss": "falls"})],
    "times": [(staircase, (), {"times": None})],
    "found": [(staircase, (), {"found": 3})],
    "rank": [(staircase, (), {"rank": value}) for value in (3, ([1], [2]), (TIMES,))],
    "stages": [(draw_training_stages, (3,), {}), (draw_training_stages, ("run",), {})],
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore:findfont")
def test_bad_arguments_are_named(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for function, values, given in CALLS[name]:
        with pytest.raises(InputError) as refused:
            function(*values, **given)
        assert refused.value.argument == name, (values, given)
        assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())
