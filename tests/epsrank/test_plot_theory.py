"""``epsrank plot theory``: files written, and one line for what cannot be drawn."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from epsrank.cli import main
from epsrank.cli.plot import _KINDS, _THEORY
from epsrank.numerics.plots.gallery import THEORY_FIGURES
from epsrank.numerics.plots.run_figures import KINDS


def call(*words):
    return CliRunner().invoke(main, ["plot", *words])


def test_the_names_are_those_of_the_figures():
    assert tuple(THEORY_FIGURES) == _THEORY
    assert tuple(KINDS) == _KINDS


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_a_figure_is_written(tmp_path, suffix):
    done = call("theory", "--kind", "constants", "--out", str(tmp_path), "--format", suffix)
    assert done.exit_code == 0, done.output
    file = tmp_path / f"constants.{suffix}"
    assert done.stdout.split() == [str(file)]
    assert file.stat().st_size > 1000
    first = file.read_bytes()
    call("theory", "--kind", "constants", "--out", str(tmp_path), "--format", suffix)
    assert file.read_bytes() == first


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("theory", "--kind", "tightness"), "not one of floor-rank"),
        (("theory", "--eps", "1e-3"), "several ε"),
        (("theory", "nowhere", "--kind", "floor-rank"), "nowhere"),
        (("nowhere",), "nowhere"),
        (("nowhere", "--kind", "noise"), "not one of staircase"),
    ],
)
def test_bad_use_is_one_line(words, message):
    done = call(*words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    done = call("theory", "--kind", "constants", "--out", str(tmp_path / "file"))
    assert done.exit_code == 2
    assert "--out" in done.stderr
