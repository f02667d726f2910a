"""What commands say: errors in words of the command line, stdout for the command alone."""

from __future__ import annotations

import json
import math
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from epsrank.cli import front, main
from epsrank.cli.tightness import _cell, _ratio
from epsrank.cli.words import in_options
from epsrank.theory.errors import InputError
from epsrank.theory.floor.tightness.enclosed import Enclosed
from tests.made_up_sweeps import plant

PARAMS = [
    click.Option(["--resume"], is_flag=True),
    click.Option(["--target-columns"]),
    click.Option(["--head"]),
    click.Option(["--domain"]),
    click.Option(["--width"]),
]


@pytest.mark.parametrize(
    ("argument", "remedy", "said"),
    [
        ("target_columns", "pass resume=True now", "--target-columns x; pass --resume now"),
        ("head", "name it: head='…'", "--head x; name it: --head …"),
        ("head", "pass head='2'", "--head x; pass --head 2"),
        ("task", "pass --domain A B (domain=), or f.domain = (0, 1)",
         "task x; pass --domain A B, or f.domain = (0, 1)"),
        ("targets", "give target_columns", "--target x; give --target-columns"),
        ("widths", "call f(3, width=9)", "widths x; call f(3, width=9)"),
        ("head[0]", "see to it", "--head[0] x; see to it"),
    ],
)  # fmt: skip
def test_errors_name_options(argument, remedy, said):
    error = in_options(InputError(argument, "x", remedy), PARAMS, {"targets": "--target"})
    assert str(error) == said


CODE = """
import torch
from torch import nn
print('at import')

class Net(nn.Module):
    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        print('made')
        self.a, self.b = nn.Linear(n_inputs, 5), nn.Linear(5, n_outputs)

    def forward(self, x):
        print('forward')
        return self.b(torch.tanh(self.a(x)))

def data():
    print('data')
    x = torch.linspace(-1, 1, 20)[:, None]
    return x, x**2

def wide(width):
    return Net(1, 1)

def broken():
    raise ValueError('no good')
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("loud_nets.py").write_text(CODE)
    return tmp_path


def test_commands_write_by_way_of_the_console():
    # What is written to sys.stdout while a command runs is taken for a user's, and goes to stderr.
    folder = Path(front.__file__).parent
    files = {file.name for file in folder.glob("*.py") if "click.echo(" in file.read_text("utf-8")}
    assert files == {"console.py", "front.py"}


def call(*words):
    return CliRunner().invoke(main, words)


def test_what_a_user_prints_is_not_on_stdout(here):
    done = call("tightness", "--model", "loud_nets:Net", "--data", "loud_nets:data", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["n_samples"] == 20
    for words in ("at import", "made", "forward", "data"):
        assert words in done.stderr


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("wide", "wants width, and n_inputs and n_outputs can be told from the data"),
        ("broken", "failed (ValueError: no good at loud_nets.py:25)"),
    ],
)
def test_what_is_wrong_with_a_factory_is_said_of_it(here, model, told):
    done = call("tightness", "--model", f"loud_nets:{model}", "--data", "loud_nets:data")
    assert done.exit_code == 2
    assert f"--model loud_nets:{model}" in done.stderr
    assert told in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("plot", "out", "--x", "nosuch"), "--x is 'nosuch'"),
        (("plot", "out", "--facet", "nosuch"), "--facet is 'nosuch'"),
        (("plot", "out", "--y", "nosuch"), "--y is 'nosuch'"),
        (("plot", "out", "--where", "a=1"), "--where names 'a'"),
        (("compare", "out", "out", "--b", "a=1"), "--b names 'a'"),
        (("compare", "out", "out", "--a", "width=5"), "--a leaves no run"),
        (("compare", "out", "out", "--figure", "gain"), "--figure has 'gain'"),
    ],
)
def test_wrong_names_of_sweeps_are_refused_with_their_option(tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    plant(Path("out"), seeds=2)
    done = call(*words)
    assert done.exit_code == 2, done.output
    assert told in done.stderr
    assert not done.stdout


def test_an_import_is_watched_as_what_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed in (0, 1):
        Path(f"seed{seed}.csv").write_text(f"step,loss\n0,1\n10,0.{seed + 1}\n")
    files = ("seed0.csv", "seed1.csv", "--names", "seed{seed}.csv", "--out", "i")
    assert call("import", *files).exit_code == 0
    done = call("watch", "i")
    assert done.exit_code == 0
    assert done.stdout.startswith("i: 2 runs, imported")
    assert "0.15" in done.stdout
    Path("gone.csv").write_text("step,loss\n0,1\n10,inf\n")
    assert call("import", "gone.csv", "--out", "j").exit_code == 0
    assert "∞" in call("watch", "j").stdout


def test_a_ratio_of_two_zeros_is_not_a_number():
    assert _ratio(Enclosed(0.0, 13.18, math.inf)) == "–"
    assert _cell(Enclosed(0.0, 13.18, math.inf)).startswith("not known")
    assert _ratio(Enclosed(1.0, 1.5, 2.0)) == "1.5"
